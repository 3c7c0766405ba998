"""Columns that are named as features and may be none: positions, numbers of rows, labels under another name."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from cellfeat.interop.tables.numbers import FeatureTable
from cellfeat.samples.column_names.positions import is_position
from cellfeat.text import counted, first_ten, shorten
from cellfeat.types import Bools, Float32s, Integers, Strings

_FIRST_ROWS = 200
_FEWEST_COUNTED, _FEWEST_SORTED = 5, 15
"""Fewest rows of a column that counts them, and of one that grows with them; with fewer, it may do so by chance."""
_FEWEST_STEPS = 5
"""Fewest different values of a column that grows with the rows; rows sorted by class have fewer in other columns."""
_FEWEST_SEPARATED, _PART_ROWS = 10, 2000
"""Fewest samples of a class, and of the others, that a column without meaning does not separate by chance; and rows
that are looked at first."""
_MOST_VIEWS = 16
_STAND_INS: Float32s = np.array(
    [sign * value for value in (99, 999, 9999, 99999, 999999, 1e10, 1e20, 1e30) for sign in (-1, 1)]
    + [-32768, -2147483648, 65535, 2147483647],
    np.float32,
)
"""Numbers that tables hold in the place of a missing one: nines, powers of ten, the ends of the types of integers."""
_POSITION = re.compile(
    r"(.+[-_ ])?((centroid|bbox|center|centre|position|pos|location|coord)[-_ ]?[xyz\d]|[xyz][-_ ]?(position|pos|"
    r"centroid|center|centre|coord))|[xyz]|row|col|column",
    re.IGNORECASE,
)


def suspicions(features: FeatureTable, labels: Strings | None, *, has_ids: bool) -> Iterator[str]:
    """Warn of columns that count the rows, or stand for the label.

    Parameters
    ----------
    features
        The features.
    labels
        The label of each sample, ``""`` where it has none, shape ``(n_samples,)``; None without labels.
    has_ids
        Whether a column holds the ids.
    """
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
            f"with --drop COLUMN{'' if has_ids else ', or take it as the ids with --id COLUMN'}"
        )
    places = [name for name in features.names if _POSITION.fullmatch(name) or is_position(name)]
    if places:
        yield (
            f"warning: {first_ten(places)} may be positions, which tell the place and not the cell: leave "
            "them out with --drop PATTERN"
        )
    yield from _stand_ins(features.names, numbers)
    yield from _labels_as_columns(features.names, numbers)
    if labels is None:
        return
    classes, codes = np.unique(labels, return_inverse=True)
    codes = np.where(classes[codes] == "", -1, codes)
    telling = [name for name, values in zip(features.names, numbers.T, strict=True) if _tells(values, codes)]
    if telling:
        yield (
            f"warning: {first_ten(telling)} has one value for each class, so that it is the label under another name: "
            "leave it out with --drop COLUMN"
        )
    yield from _separating(features.names, numbers, codes, classes, telling)


def _counts(values: np.ndarray) -> bool:
    if len(values) < _FEWEST_COUNTED:
        return False
    # The first rows rule out almost every column. Rows of one image or file may have one value.
    for stop in (_FIRST_ROWS, len(values)):
        steps = np.diff(values[:stop])
        if not ((steps >= 0).all() or (steps <= 0).all()):
            return False
    if (steps == steps[0]).all() and abs(steps[0]) == 1:
        return True
    return bool(len(values) >= _FEWEST_SORTED and np.count_nonzero(steps) >= _FEWEST_STEPS)


def _stand_ins(names: Sequence[str], numbers: Float32s) -> Iterator[str]:
    """Warn of numbers such as -9999 that lie farther from all others of their column than these from one another."""
    found: dict[float, list[str]] = {}
    # fmin and fmax pass over missing numbers; a column of these alone is NaN, which is in no list.
    for extreme in (np.fmin.reduce(numbers, axis=0), np.fmax.reduce(numbers, axis=0)):
        for place in np.flatnonzero(np.isin(extreme, _STAND_INS)).tolist():
            value = extreme[place]
            others = numbers[(numbers[:, place] != value) & ~np.isnan(numbers[:, place]), place]
            if others.size > 1 and np.abs(others - value).min() > np.ptp(others):
                found.setdefault(float(value), []).append(names[place])
    for value, columns in sorted(found.items()):
        yield (
            f"warning: {value:g} lies far from all other numbers of {counted(len(columns), 'column')}, and may stand "
            f"for a missing one: {first_ten(columns)}; if so, leave these cells empty"
        )


def _labels_as_columns(names: Sequence[str], numbers: Float32s) -> Iterator[str]:
    """Warn of neighbouring columns of 0 and 1 of which each row has a single 1."""
    is_flag = [
        bool(np.isin(values[:_FIRST_ROWS], (0, 1)).all() and np.isin(values, (0, 1)).all()) for values in numbers.T
    ]
    start = 0
    while start < len(names):
        stop = start
        while stop < len(names) and is_flag[stop]:
            stop += 1
        found = list(range(start, stop))
        if len(found) > 1 and (numbers[:, found].sum(axis=1) == 1).all():
            yield (
                f"warning: {first_ten(names[place] for place in found)} are 0 and 1 with a single 1 in each row, as "
                "labels are that have a column for each class: leave them out with --drop PATTERN; in pandas, "
                "table[columns].idxmax(axis=1) makes one column of them for --label"
            )
        start = max(stop, start + 1)


def _separating(
    names: Sequence[str], numbers: Float32s, codes: Integers, classes: Strings, telling: Sequence[str]
) -> Iterator[str]:
    """Warn of columns by which alone a class is told from all others without an error."""
    numbers, codes = numbers[codes >= 0], codes[codes >= 0]
    present, sizes = np.unique(codes, return_counts=True)
    if len(present) < 2:
        return
    is_large = np.minimum(sizes, len(codes) - sizes) >= _FEWEST_SEPARATED
    # A class that lies beyond the others does so in a part of the rows, too, which rules out almost every column.
    part = slice(None, None, max(1, len(codes) // _PART_ROWS))
    is_possible: Bools = np.ones(len(names), bool)
    if len(np.unique(codes[part])) == len(present):
        is_possible = np.any(_beyond_others(numbers[part], codes[part]), axis=0)
    told = []
    for place in np.flatnonzero(is_possible & ~np.isin(names, list(telling))).tolist():
        found = present[_beyond_others(numbers[:, [place]], codes)[:, 0] & is_large]
        if found.size:
            told.append(f"{names[place]} ({first_ten(shorten(str(classes[one])) for one in found.tolist())})")
    if told:
        yield (
            f"warning: a class is told from all others by a single column: {first_ten(told)}; if that is no "
            "measurement, but made of the label, as a dose, a prediction or a column for each class is, leave it out "
            "with --drop COLUMN"
        )


def _beyond_others(numbers: Float32s, codes: Integers) -> Bools:
    """Which classes have values that all lie above, or all below, those of every other class.

    Returns
    -------
    ndarray of shape (n_classes, n_columns)
        Classes in the order of their numbers.
    """
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    lows = np.fmin.reduceat(numbers[order], starts, axis=0)
    highs = np.fmax.reduceat(numbers[order], starts, axis=0)
    # A class without numbers lies beyond no other one.
    lows, highs = np.where(np.isnan(lows), -np.inf, lows), np.where(np.isnan(highs), np.inf, highs)
    # Only the classes at the two ends can lie beyond all others: the next one begins where they end.
    second_low, second_high = np.partition(lows, 1, axis=0)[1], np.partition(highs, -2, axis=0)[-2]
    is_lowest, is_highest = lows == lows.min(axis=0), highs == highs.max(axis=0)
    return (is_lowest & (highs < second_low)) | (is_highest & (lows > second_high))


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
