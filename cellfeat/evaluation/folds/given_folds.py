"""Folds that are given and not drawn: one for each group, or one for each value of a column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cellfeat.config_values import FOLD_COLUMN, LEAVE_ONE_OUT, parsed_folds
from cellfeat.errors import ConfigError, SplitError, UnknownNameError
from cellfeat.evaluation.design import Design, leave_out_option
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.groups.plate_names import plate_names
from cellfeat.extraction.store import Features
from cellfeat.samples.column_names.words import column_meant
from cellfeat.samples.splits import looks_like_split, part_of, parts_of
from cellfeat.text import first_ten, near_names, shorten
from cellfeat.types import Integers, Strings

MOST_FOLDS = 200
"""Given folds up to which heads are fitted: each fold is a fit of each head."""

FEW_GROUPS = 10
"""Groups below which an interval over groups is rough."""

NO_COLUMNS = ("label", "sample_id")


@dataclass(frozen=True)
class Places:
    """Where each sample belongs.

    Attributes
    ----------
    value
        Name of each sample's group or fold, ``""`` where it has none, shape ``(n_samples,)``.
    what
        What the values are, for messages: ``plate``, or ``column 'fold'``.
    is_split
        Whether the values are the parts of a single split: train, val and test.
    """

    value: Strings
    what: str
    is_split: bool = False

    @classmethod
    def of(cls, features: Features, design: Design) -> "Places | None":
        """Read where each sample belongs; None for folds that are drawn.

        Parameters
        ----------
        features
            The samples.
        design
            Says which folds and groups are asked for.

        Raises
        ------
        SplitError
            If there are no groups to leave out, or the column is one of labels or ids.
        UnknownNameError
            If there is no such column.
        MissingFileError
            If there is no such table of groups.
        """
        if design.folds == LEAVE_ONE_OUT:
            return cls(_group_names(features, design.groups), design.groups)
        if not isinstance(design.folds, str):
            return None
        name = design.folds.removeprefix(FOLD_COLUMN)
        value = _column(features, name)
        if not looks_like_split(value.tolist()):
            _check_no_part(value.tolist(), name)
            return cls(value, f"column {name!r}")
        return cls(parts_of(value.tolist(), name), f"column {name!r}", is_split=True)

    def design_of_samples(self, design: Design) -> Design:
        """Give the design by which samples are chosen: a single split needs its test part as well."""
        if not self.is_split:
            return design
        parts = tuple(dict.fromkeys((*self.fitted_parts(design), self.tested_part)))
        return Design(**{**vars(design), "split": str(design.folds).removeprefix(FOLD_COLUMN), "parts": parts})

    @property
    def tested_part(self) -> str:
        """The part of a single split that is tested: val where there is no test."""
        return "test" if (self.value == "test").any() else "val"

    def fitted_parts(self, design: Design) -> tuple[str, ...]:
        """The parts of a single split that heads are fitted on: those of the design, without the tested one."""
        return tuple(part for part in design.parts or ("train", "val") if part != self.tested_part)


def checked_folds(folds: int | str) -> int | str:
    """Check what a design says about folds; a number is checked where folds are drawn.

    Raises
    ------
    ConfigError
        If it is neither a number nor a word for given folds.
    """
    if isinstance(folds, int):
        return folds
    try:
        return parsed_folds(folds)
    except ValueError as error:
        raise ConfigError(f"folds: {error}, got {folds!r}") from None


def _group_names(features: Features, groups: str) -> Strings:
    names = plate_names(features, groups)
    if not (names != "").any():
        raise SplitError(
            f"folds: leave-one-out needs groups to leave out, and {groups!r} names none in {features.path}; name a "
            f"column with --groups: {first_ten(features.samples.columns) or 'none is there'}"
        )
    return names.astype(str)


def _column(features: Features, name: str) -> Strings:
    columns = features.samples.columns
    if name == "group" and name not in columns:
        return features.samples.groups
    if name in NO_COLUMNS:
        raise SplitError(f"folds: expected a column of folds, got {name!r}: each fold would hold one {name} only")
    name = column_meant(name, columns)
    if name not in columns:
        again = "importing again with --labels TABLE" if features.is_imported else "extracting again with --update"
        raise UnknownNameError(
            f"folds: {features.path} has no column {name!r}; {near_names(name, columns)}; further columns of the table "
            f"of labels are added by {again}"
        )
    return columns[name]


def _check_no_part(values: list[str], name: str) -> None:
    """Refuse a split with a part of another name: as folds, train would be tested by heads fitted on the others."""
    named = {value: part_of(value) for value in sorted(set(values))}
    parts = [value for value, part in named.items() if part]
    others = [value for value, part in named.items() if part is None]
    if parts and others:
        raise SplitError(
            f"folds: column {name!r} names parts of a split ({first_ten(map(repr, parts))}) and others "
            f"({first_ten(map(repr, others))}): call the parts train, val and test for a single split, or the folds by "
            "other names"
        )


def given_folds(places: Places, rows: Integers, y: Strings, groups: Integers, design: Design) -> tuple[Fold, ...]:
    """Make the folds.

    Parameters
    ----------
    places
        Where each sample of the features belongs.
    rows
        Row numbers of the samples in use, shape ``(n_samples,)``.
    y, groups
        Their labels and group numbers, shape ``(n_samples,)``.
    design
        How heads are evaluated.

    Raises
    ------
    SplitError
        If there are fewer than two folds or more than `MOST_FOLDS`, or a class is in a single group that is left out.
    """
    value = places.value[rows]
    if places.is_split:
        return (_single_split(places, value, y, design),)
    if design.folds == LEAVE_ONE_OUT:
        folds = _one_for_each(groups, [_joined(value[groups == number]) for number in np.unique(groups)])
    else:
        folds = _one_for_each(np.unique(value, return_inverse=True)[1], np.unique(value).tolist())
    _check_number(places, folds, design)
    if design.folds == LEAVE_ONE_OUT:
        _check_classes(places, y, groups)
    return folds


def _joined(names: Strings) -> str:
    return " + ".join(sorted(set(names.tolist()), key=_natural))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Order P2 before P10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name)]


def _one_for_each(numbers: Integers, names: list[str]) -> tuple[Fold, ...]:
    pairs = sorted(zip(names, np.unique(numbers).tolist(), strict=True), key=lambda pair: _natural(pair[0]))
    return tuple(Fold(np.flatnonzero(numbers != one), np.flatnonzero(numbers == one), name) for name, one in pairs)


def _single_split(places: Places, part: Strings, y: Strings, design: Design) -> Fold:
    train = np.flatnonzero(np.isin(part, places.fitted_parts(design)))
    test = np.flatnonzero(part == places.tested_part)
    for rows, name in ((train, " or ".join(places.fitted_parts(design)) or "train"), (test, places.tested_part)):
        if not rows.size:
            raise SplitError(f"folds: {places.what} has no sample in the part {name} with a label and an embedding")
    absent = np.setdiff1d(y, y[test]).tolist()
    if absent:
        raise SplitError(
            f"folds: the part {places.tested_part} of {places.what} has no sample of {first_ten(absent)}, and a score "
            f"over the other classes would not be one over all; leave these classes out ({leave_out_option(absent)})"
        )
    return Fold(train, test, places.tested_part)


def _check_number(places: Places, folds: tuple[Fold, ...], design: Design) -> None:
    if len(folds) < 2:
        raise SplitError(
            f"folds: expected two or more values of {places.what}, got one: {folds[0].name!r}; name another column"
        )
    if len(folds) > MOST_FOLDS:
        way = "a coarser one (--groups plate)" if design.folds == LEAVE_ONE_OUT else "a column with fewer values"
        raise SplitError(
            f"folds: {places.what} has {len(folds)} values, so each head would be fitted {len(folds)} times, and at "
            f"most {MOST_FOLDS} are allowed; name {way}, or ask for a number of folds (--folds 10), which keeps the "
            "groups together as well"
        )


def _check_classes(places: Places, y: Strings, groups: Integers) -> None:
    alone = [name for name in np.unique(y).tolist() if len(np.unique(groups[y == name])) < 2]
    if alone:
        raise SplitError(
            f"folds: {first_ten(map(repr, alone))} is in one group of {places.what} only: without this group no head "
            f"can learn it, and no interval can be computed; add samples of other groups, or leave the class out "
            f"({leave_out_option(alone)})"
        )


def fold_remarks(
    places: Places, folds: tuple[Fold, ...], y: Strings, groups: Integers, design: Design
) -> Iterator[str]:
    """Say what the folds are, which classes they lack, and which groups they cut.

    Parameters
    ----------
    places
        Where each sample of the features belongs.
    folds
        The folds.
    y, groups
        Labels and group numbers of the samples in use, shape ``(n_samples,)``.
    design
        How heads are evaluated.
    """
    if places.is_split:
        fold = folds[0]
        yield (
            f"folds: heads are fitted on {len(fold.train)} samples ({' and '.join(places.fitted_parts(design))}) and "
            f"tested on {len(fold.test)} ({fold.name}) of {places.what}; comparison.parts names the parts to fit on"
        )
    else:
        yield f"folds: {len(folds)}, one for each value of {places.what}: {first_ten(map(_size, folds))}"
    yield from _joined_remarks(folds, design)
    yield from _class_remarks(folds, y)
    yield from _cut_remarks(folds, groups)
    # With one fold for each group, their scores are printed in any case.
    hints = design.folds != LEAVE_ONE_OUT
    yield from few_groups_remarks(groups[np.concatenate([fold.test for fold in folds])], hints=hints)


def few_groups_remarks(groups: Integers, *, hints: bool = True) -> Iterator[str]:
    """Say that an interval over few groups is rough.

    Parameters
    ----------
    groups
        Group number of each tested sample, shape ``(n_samples,)``.
    hints
        Whether to say how scores of single groups are had.
    """
    n_groups = len(np.unique(groups))
    if n_groups < FEW_GROUPS:
        yield (
            f"{n_groups} groups only: the interval of the score says how it would vary over other groups like these, "
            f"and is rough with fewer than {FEW_GROUPS}{'; scores of single groups: --folds leave-one-out' * hints}"
        )


def rare_class_remarks(y: Strings, groups: Integers) -> Iterator[str]:
    """Name classes of few groups, whose recall hardly varies between bootstrap draws where it is 0 or 1.

    Parameters
    ----------
    y, groups
        Label and group number of each tested sample, shape ``(n_samples,)``.
    """
    if len(np.unique(groups)) < FEW_GROUPS:
        return  # said of all classes already
    n_groups = {name: len(np.unique(groups[y == name])) for name in np.unique(y).tolist()}
    few = [f"{shorten(name)} ({n})" for name, n in n_groups.items() if n < FEW_GROUPS]
    if few:
        yield (
            f"classes with fewer than {FEW_GROUPS} groups: {first_ten(few)}; their recalls are rough, and so is the "
            "interval of the balanced accuracy, which counts each class alike"
        )


def _size(fold: Fold) -> str:
    return f"{fold.name} ({len(fold.test)})"


def _joined_remarks(folds: tuple[Fold, ...], design: Design) -> Iterator[str]:
    joined = [fold.name for fold in folds if " + " in fold.name]
    if design.folds == LEAVE_ONE_OUT and joined:
        yield f"folds: groups that share copies of images, or pixels, are left out together: {first_ten(joined)}"


def _class_remarks(folds: tuple[Fold, ...], y: Strings) -> Iterator[str]:
    classes = np.unique(y)
    for fold in folds:
        absent = np.setdiff1d(classes, y[fold.test]).tolist()
        if absent:
            yield f"fold {fold.name}: no sample of {first_ten(absent)}; its own score is over the classes that it has"
        unknown = np.setdiff1d(y[fold.test], y[fold.train]).tolist()
        if unknown:
            yield (
                f"fold {fold.name}: {first_ten(unknown)} is in no training sample, so all its samples there count as "
                "errors"
            )


def _cut_remarks(folds: tuple[Fold, ...], groups: Integers) -> Iterator[str]:
    cut: set[int] = set()
    n_samples = 0
    for fold in folds:
        shared = np.intersect1d(groups[fold.test], groups[fold.train])
        n_samples += int(np.count_nonzero(np.isin(groups[fold.test], shared)))
        cut.update(shared.tolist())
    if cut:
        yield (
            f"warning: these folds cut {len(cut)} of {len(np.unique(groups))} groups: {n_samples} tested samples have "
            "copies of their image, or samples of their group, in the training part, and their scores are too good. "
            "The folds stay as you gave them; the score without these samples is printed beside the full one"
        )
