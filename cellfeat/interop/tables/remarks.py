"""What is said of an imported table: what was taken, what was guessed, what was left out and why."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.evaluation.groups.sample_groups import count_copies
from cellfeat.extraction.store import Features
from cellfeat.interop.tables.digit_grouping import is_ambiguous
from cellfeat.interop.tables.misread import embedding_remark, transposed_remarks
from cellfeat.interop.tables.naming import Named, group_candidates
from cellfeat.interop.tables.numbers import GROUPS, NOT_CELLPROFILER, FeatureTable, Wanted
from cellfeat.interop.tables.source import Source
from cellfeat.samples.column_names.positions import is_position
from cellfeat.samples.column_names.profiles import is_metadata
from cellfeat.text import first_ten, shorten

_MANY_COPIES = 0.2
"""With more equal rows than this, the numbers are too coarse to tell copies."""
_FIRST_ROWS = 200
_FEWEST_COUNTED, _FEWEST_SORTED = 5, 15
"""Fewest rows of a column that counts them, and of one that grows with them; with fewer, it may do so by chance."""
_MOST_VIEWS = 16
_POSITION = re.compile(
    r"(.+[-_ ])?((centroid|bbox|center|centre|position|pos|location|coord)[-_ ]?[xyz\d]|[xyz][-_ ]?(position|pos|"
    r"centroid|center|centre|coord))|[xyz]|row|col|column",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Chosen:
    """The columns of ids, labels and groups."""

    ids: Named
    labels: Named | None
    groups: Named | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for one in (self.ids, self.labels, self.groups) if one for name in one.columns)


def import_remarks(
    source: Source, chosen: Chosen, features: FeatureTable, made: Features, wanted: Wanted
) -> Iterator[str]:
    """Say what was taken, guessed and left out.

    Parameters
    ----------
    source, chosen, features, made, wanted
        The table and what it became.
    """
    views = f" in each of {features.numbers.shape[1]} views" if features.numbers.shape[1] > 1 else ""
    yield f"{source.path}: {source.what}, {len(source):,} rows; {len(features.names):,} columns are features{views}"
    yield from _choice_remarks(source, chosen)
    yield from _column_remarks(source, features, made, wanted)
    yield from _misread(source, chosen, features)
    yield from _value_remarks(features, made)
    yield from _suspicions(features, chosen)
    yield from _confounded(source, chosen)


def _choice_remarks(source: Source, chosen: Chosen) -> Iterator[str]:
    guessed = " (a guess: --id COLUMN says another)" if chosen.ids.is_guess else ""
    if chosen.ids.columns:
        yield f"ids: {chosen.ids.name}{guessed}"
    else:
        yield "ids: the numbers of the rows, for no column holds them; name one with --id COLUMN"
    if chosen.labels is None:
        yield "labels: none; name their column with --label COLUMN, or a table of them with --labels TABLE"
    else:
        values = chosen.labels.values
        classes, counts = np.unique(values[values != ""], return_counts=True)
        told = first_ten(f"{shorten(one)} {n:,}" for one, n in zip(classes.tolist(), counts.tolist(), strict=True))
        n_none = int(np.count_nonzero(values == ""))
        without = f"; {n_none:,} rows without" if n_none else ""
        guessed = " (a guess: --label COLUMN says another)" if chosen.labels.is_guess else ""
        yield f"labels: {chosen.labels.name}{guessed}, {len(classes)} classes: {told}{without}"
    yield from _group_remarks(source, chosen)


def _group_remarks(source: Source, chosen: Chosen) -> Iterator[str]:
    others = group_candidates(source, chosen.labels.columns if chosen.labels else ())
    if chosen.groups is None:
        yield f"groups: none{_hint(others)}"
        return
    n_groups = len(np.unique(chosen.groups.values[chosen.groups.values != ""]))
    coarser = [name for name in others if len(np.unique(source.texts(name))) < n_groups]
    hint = _hint([name for name in coarser if (name,) != chosen.groups.columns])
    guessed = f" (a guess: {chosen.groups.why}{hint})" if chosen.groups.is_guess else ""
    yield f"groups: {chosen.groups.name}{guessed}, {n_groups:,} of them"
    if chosen.groups.warning:
        yield f"warning: {chosen.groups.warning}"


def _hint(names: Sequence[str]) -> str:
    return f"; --group {names[0]} keeps its samples together" if names else ""


def _column_remarks(source: Source, features: FeatureTable, made: Features, wanted: Wanted) -> Iterator[str]:
    for reason, names in sorted(features.left_out.items()):
        traps = ("coordinates", "numbers of objects and images", "files and processing", NOT_CELLPROFILER, GROUPS)
        keep = "; --keep PATTERN takes them as features" if reason in traps else ""
        if reason.startswith("more than"):
            keep = f"; --max-missing SHARE allows more than {wanted.max_missing:g}"
        yield f"left out, {reason}: {len(names)} columns: {first_ten(names)}{keep}"
    for name, places in features.strange.items():
        cell = str(source.texts(name)[places[0]])
        what = "may be thousands or decimals" if is_ambiguous(cell.replace(",", ".")) else "are not numbers"
        told = f"{cell!r} in {source.row(places[0])}"
        yield f"warning: column {name} is no feature: {len(places)} cells {what}, such as {told}"
    if kept := [
        name
        for name in made.samples.columns
        if name in features.texts and name not in features.strange and not is_metadata(name)
    ]:
        yield f"no features, kept beside them (for --groups, --folds and audit): {first_ten(kept)}"


def _misread(source: Source, chosen: Chosen, features: FeatureTable) -> Iterator[str]:
    texts = embedding_remark(source, features.texts)
    if texts:
        yield f"warning: {texts}"
    if source.array is None:
        yield from transposed_remarks(source, dict.fromkeys((*chosen.ids.columns, *features.texts)))


def _value_remarks(features: FeatureTable, made: Features) -> Iterator[str]:
    if features.n_infinite:
        yield f"{features.n_infinite:,} infinite numbers, or numbers beyond float32, count as missing"
    n_missing = features.n_missing
    if n_missing:
        yield (
            f"{n_missing:,} numbers are missing ({n_missing / features.numbers.size:.2%}); heads see the median of the "
            "training part in their place"
        )
    failed = [made.samples.ids[row] for row in made.samples.failures]
    if failed:
        yield f"{len(failed)} rows have no number at all, and count as failed: {first_ten(failed)}"
    n_copies = count_copies(made.samples.digests)
    if n_copies:
        yield f"{n_copies:,} rows equal an earlier one in every feature: they count as its copies and stay in one fold"
    if n_copies > _MANY_COPIES * len(made):
        yield (
            "warning: so many equal rows suggest that the features are too few or too coarse to tell samples apart, or "
            "that the table was joined twice; --groups none of compare separates them"
        )


def _suspicions(features: FeatureTable, chosen: Chosen) -> Iterator[str]:
    """Warn of columns that count the rows, or stand for the label."""
    numbers = features.numbers[:, 0]
    shape = features.numbers.shape
    if shape[1] > _MOST_VIEWS:
        yield (
            f"warning: the shape {shape} is read as {shape[1]} views of {shape[2]} features for each sample; if "
            "these are "
            "images, save each as a TIFF and run cellfeat init"
        )
    counting = [name for name, values in zip(features.names, numbers.T, strict=True) if _counts(values)]
    if counting:
        yield (
            f"warning: {first_ten(counting)} counts the rows or grows with them, and says nothing of a sample but "
            "its place: leave it out "
            f"with --drop COLUMN{_as_ids(chosen)}"
        )
    places = [name for name in features.names if _POSITION.fullmatch(name) or is_position(name)]
    if places:
        yield (
            f"warning: {first_ten(places)} may be positions, which tell the place and not the cell: leave "
            "them out with --drop PATTERN"
        )
    if chosen.labels is None:
        return
    classes, codes = np.unique(chosen.labels.values, return_inverse=True)
    codes = np.where(classes[codes] == "", -1, codes)
    telling = [name for name, values in zip(features.names, numbers.T, strict=True) if _tells(values, codes)]
    if telling:
        yield (
            f"warning: {first_ten(telling)} has one value for each class, so that it is the label under another name: "
            "leave it out with --drop COLUMN"
        )


def _as_ids(chosen: Chosen) -> str:
    return "" if chosen.ids.columns else ", or take it as the ids with --id COLUMN"


def _counts(values: np.ndarray) -> bool:
    first = values[:3]
    if len(values) < _FEWEST_COUNTED or np.isnan(first).any() or len(set(first.tolist())) < len(first):
        return False
    steps = np.diff(values)
    if (steps == steps[0]).all() and abs(steps[0]) == 1:
        return True
    return len(values) >= _FEWEST_SORTED and bool((steps > 0).all() or (steps < 0).all())


def _confounded(source: Source, chosen: Chosen) -> Iterator[str]:
    """Warn of classes that lie in one plate, well or donor alone, which holds no other class."""
    if chosen.labels is None or (chosen.groups is not None and chosen.groups.warning):
        return
    is_known = chosen.labels.values != ""
    labels = chosen.labels.values[is_known]
    for name in group_candidates(source, chosen.labels.columns):
        values = source.texts(name)[is_known]
        if (values == "").any() or len(np.unique(values)) < 2:
            continue
        pairs = np.unique(np.stack([labels, values]), axis=1)
        classes, n_values = np.unique(pairs[0], return_counts=True)
        n_classes = dict(zip(*np.unique(pairs[1], return_counts=True), strict=True))
        value_of = dict(pairs.T.tolist())
        alone = [
            one for one, n in zip(classes.tolist(), n_values, strict=True) if n == 1 and n_classes[value_of[one]] == 1
        ]
        if alone:
            yield (
                f"warning: classes in a single {name}, which holds no other class: {first_ten(map(shorten, alone))}; "
                "scores "
                f"may tell the {name} and not the class: add samples of these classes from another one"
            )


def _tells(values: np.ndarray, codes: np.ndarray) -> bool:
    """Whether a column has exactly one value for each class; the first rows rule out almost every column.

    Class numbers are -1 where a sample has no label.
    """
    for stop in (_FIRST_ROWS, len(values)):
        is_known = (codes[:stop] >= 0) & ~np.isnan(values[:stop])
        found, classes = values[:stop][is_known], codes[:stop][is_known]
        n_classes = len(np.unique(classes))
        if n_classes < 2 or len(np.unique(found)) != n_classes:
            return False
    return len(set(zip(found.tolist(), classes.tolist(), strict=True))) == n_classes
