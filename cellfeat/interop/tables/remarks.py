"""What is said of an imported table: what was taken, what was guessed, what was left out and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.evaluation.groups.sample_groups import count_copies
from cellfeat.extraction.store import Features
from cellfeat.interop.tables.misread import embedding_remark, strange_cells, transposed_remarks
from cellfeat.interop.tables.naming import Named, group_candidates, is_label_name
from cellfeat.interop.tables.numbers import FOLDS, GROUPS, LABELS, NOT_CELLPROFILER, FeatureTable, Wanted
from cellfeat.interop.tables.source import Source
from cellfeat.interop.tables.suspicions import suspicions
from cellfeat.samples.column_names.profiles import is_metadata
from cellfeat.text import first_ten, shorten

_MANY_COPIES = 0.2
"""With more equal rows than this, the numbers are too coarse to tell copies."""


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
    source: Source, chosen: Chosen, features: FeatureTable, made: Features, wanted: Wanted | None
) -> Iterator[str]:
    """Say what was taken, guessed and left out.

    Parameters
    ----------
    source, chosen, features, made
        The table and what it became.
    wanted
        Which columns were asked for; None: not those of ``cellfeat import``, so that its options are not named.
    """
    views = f" in each of {features.numbers.shape[1]} views" if features.numbers.shape[1] > 1 else ""
    yield f"{source.path}: {source.what}, {len(source):,} rows; {len(features.names):,} columns are features{views}"
    yield from _choice_remarks(source, chosen, advises=wanted is not None)
    if wanted is not None:
        yield from _column_remarks(source, features, made, wanted)
        yield from _misread(source, chosen, features)
    yield from _value_remarks(features, made)
    if wanted is None:
        return
    labels = chosen.labels.values if chosen.labels else None
    yield from suspicions(features, labels, has_ids=bool(chosen.ids.columns))
    yield from _confounded(source, chosen)


def _choice_remarks(source: Source, chosen: Chosen, *, advises: bool) -> Iterator[str]:
    guessed = " (a guess: --id COLUMN says another)" if chosen.ids.is_guess else ""
    if chosen.ids.columns:
        yield f"ids: {chosen.ids.name}{guessed}"
    else:
        yield "ids: the numbers of the rows, for no column holds them; name one with --id COLUMN"
    if chosen.labels is None and not advises:
        yield "labels: none"
    elif chosen.labels is None:
        why = _no_classes(source)
        yield f"labels: none{why}; name their column with --label COLUMN, or a table of them with --labels TABLE"
    else:
        values = chosen.labels.values
        classes, counts = np.unique(values[values != ""], return_counts=True)
        told = first_ten(f"{shorten(one)} {n:,}" for one, n in zip(classes.tolist(), counts.tolist(), strict=True))
        n_none = int(np.count_nonzero(values == ""))
        without = f"; {n_none:,} rows without" if n_none else ""
        guessed = " (a guess: --label COLUMN says another)" if chosen.labels.is_guess else ""
        yield f"labels: {chosen.labels.name}{guessed}, {len(classes)} classes: {told}{without}"
    if advises:
        yield from _group_remarks(source, chosen)
    else:
        yield f"groups: {chosen.groups.name if chosen.groups else 'none'}"


def _no_classes(source: Source) -> str:
    """Why columns that are named as labels hold none; empty where there are none."""
    told = [
        f"{name} has {len(np.unique(source.texts(name))):,} different values in {len(source):,} rows"
        for name in source.columns
        if is_label_name(name)
    ]
    return f" ({first_ten(told)}: no classes)" if told else ""


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
        traps = (
            "coordinates",
            "numbers of objects and images",
            "files and processing",
            NOT_CELLPROFILER,
            GROUPS,
            LABELS,
            FOLDS,
        )
        keep = "; --keep PATTERN takes them as features" if reason in traps else ""
        if reason.startswith("more than"):
            keep = f"; --max-missing SHARE allows more than {wanted.max_missing:g}"
        yield f"left out, {reason}: {len(names)} columns: {first_ten(names)}{keep}"
    for name, places in features.strange.items():
        yield f"warning: {strange_cells(source, name, places)}"
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
