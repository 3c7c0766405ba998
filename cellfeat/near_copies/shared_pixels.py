"""Samples that share pixels because their boxes on one field overlap.

The boxes are put into a grid of squares of about their own size. Two boxes that overlap share a square, and are
compared in the square that holds the upper left corner of their overlap: so each pair is found once. The work grows
with the number of boxes and of overlaps, not with the square of the boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellfeat.samples.regions import Regions
from cellfeat.types import Bools, Floats, Integers, Strings

MOST_CANDIDATES = 2_000_000
"""Candidate pairs compared at once: it limits the memory."""

MOST_SQUARES = 8
"""Squares that a box covers, on average, at most: boxes of very different sizes make the squares larger."""

_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Odd numbers with irregular bits, which spread the numbers of fields and squares over 64 bits."""


@dataclass(frozen=True)
class BoxOverlaps:
    """Pairs of samples whose boxes on one field overlap.

    Attributes
    ----------
    pairs
        Row numbers of the two samples, the smaller first, shape ``(n_pairs, 2)``.
    pixels
        Number of pixels that both boxes cover, shape ``(n_pairs,)``.
    share
        These as a share of the smaller box, shape ``(n_pairs,)``.
    """

    pairs: Integers
    pixels: Integers
    share: Floats


def overlap_blocks(regions: Regions) -> Iterator[BoxOverlaps]:
    """Find all pairs of samples whose boxes overlap, some at a time and in no order: there may be very many.

    Parameters
    ----------
    regions
        Where the samples lie on their fields.
    """
    yield from _blocks(_Boxes.of(regions))


def boxes_overlap(regions: Regions, pairs: Integers) -> Bools:
    """Whether the boxes of given pairs overlap on one field.

    Parameters
    ----------
    regions
        Where the samples lie on their fields.
    pairs
        Row numbers of the two samples, shape ``(n_pairs, 2)``.

    Returns
    -------
    ndarray of shape (n_pairs,)
    """
    one, other = pairs.T
    begin, side = regions.box[:, :2].astype(np.int64), regions.box[:, 2:].astype(np.int64)
    common = np.minimum((begin + side)[one], (begin + side)[other]) - np.maximum(begin[one], begin[other])
    return (regions.field[one] == regions.field[other]) & (common > 0).all(axis=1)


@dataclass(frozen=True)
class SharedPixels:
    """Which samples share pixels with others.

    Attributes
    ----------
    group
        Number of the set of samples that each sample is linked to by overlaps, shape ``(n_samples,)``.
    is_shared
        Whether each sample shares pixels with another, shape ``(n_samples,)``.
    """

    group: Integers
    is_shared: Bools

    @property
    def n_samples(self) -> int:
        """Number of samples that share pixels with another."""
        return int(np.count_nonzero(self.is_shared))

    @property
    def keys(self) -> Strings:
        """A key whose equal values join the samples that overlaps link, ``""`` for the others; ``(n_samples,)``."""
        return np.where(self.is_shared, self.group.astype(np.str_), "")


def shared_pixels(regions: Regions) -> SharedPixels:
    """Find which samples share pixels with others, and join them.

    Parameters
    ----------
    regions
        Where the samples lie on their fields.
    """
    # Equal boxes are one box: a table that lists every cell many times would have the square of them as pairs.
    boxes = pd.DataFrame(vars(_Boxes.of(regions)))
    of_box = boxes.groupby(list(boxes.columns), sort=False).ngroup().to_numpy()
    first = np.flatnonzero(~boxes.duplicated())
    links = _Links(len(first))
    is_shared = np.bincount(of_box, minlength=len(first)) > 1
    for block in _blocks(_Boxes.of(regions).take(first)):
        is_shared[block.pairs] = True
        links.add(block.pairs)
    return SharedPixels(links.groups()[of_box], is_shared[of_box])


class _Links:
    """Joins numbers into groups by pairs, of which there may be more than fit into memory."""

    def __init__(self, n: int) -> None:
        self._group = np.arange(n)
        self._pairs: list[Integers] = []

    def add(self, pairs: Integers) -> None:
        """Join the two numbers of each pair, shape ``(n_pairs, 2)``."""
        ends = self._group[pairs]
        self._pairs.append(ends[ends[:, 0] != ends[:, 1]])
        if sum(map(len, self._pairs)) > MOST_CANDIDATES:
            self._join()

    def groups(self) -> Integers:
        """The group of each number, shape ``(n,)``."""
        self._join()
        return self._group

    def _join(self) -> None:
        ends, n = np.concatenate([np.empty((0, 2), np.intp), *self._pairs]), len(self._group)
        graph = coo_array((np.ones(len(ends), np.int8), tuple(ends.T)), shape=(n, n))
        self._group = connected_components(graph, directed=False)[1][self._group]
        self._pairs = []


@dataclass(frozen=True)
class _Boxes:
    """Boxes, a column each: the number of their field, and the rows and columns of pixels where they begin and end."""

    field: Integers
    top: Integers
    left: Integers
    bottom: Integers
    right: Integers

    @classmethod
    def of(cls, regions: Regions) -> Self:
        top, left, height, width = regions.box.astype(np.int64).T
        field = pd.factorize(regions.field.astype(object))[0].astype(np.int64)
        return cls(field, top, left, top + height, left + width)

    def take(self, chosen: Integers) -> Self:
        return type(self)(*(column[chosen] for column in vars(self).values()))

    @property
    def area(self) -> Integers:
        return (self.bottom - self.top) * (self.right - self.left)


def _blocks(boxes: _Boxes) -> Iterator[BoxOverlaps]:
    if not len(boxes.field):
        return
    squares, area = _Squares.of(boxes), boxes.area
    for first, second in _candidates(squares.keys):
        one, other = squares.box[first], squares.box[second]
        # Columns of one dimension, and few of them at a time: this is where the time goes.
        top, bottom = np.maximum(boxes.top[one], boxes.top[other]), np.minimum(boxes.bottom[one], boxes.bottom[other])
        left, right = np.maximum(boxes.left[one], boxes.left[other]), np.minimum(boxes.right[one], boxes.right[other])
        is_pair = (top < bottom) & (left < right) & (boxes.field[one] == boxes.field[other])
        # Two boxes may share several squares: they count in the one where their overlap begins. Both squares are
        # compared, because equal keys may, very rarely, belong to different squares.
        for place in (first, second):
            is_pair &= (squares.row[place] == top // squares.side) & (squares.column[place] == left // squares.side)
        chosen = np.flatnonzero(is_pair)
        one, other = one[chosen], other[chosen]
        pixels = (bottom[chosen] - top[chosen]) * (right[chosen] - left[chosen])
        pairs = np.column_stack([np.minimum(one, other), np.maximum(one, other)])
        yield BoxOverlaps(pairs, pixels, pixels / np.minimum(area[one], area[other]))


@dataclass(frozen=True)
class _Squares:
    """The squares of a grid that boxes cover, an entry for each box and square, sorted by key.

    Attributes
    ----------
    side
        Length of the squares' sides.
    box
        Number of the box, shape ``(n_entries,)``.
    row, column
        Of the square in the grid, shape ``(n_entries,)``.
    keys
        Equal for equal fields and squares, and hardly ever for others; shape ``(n_entries,)``.
    """

    side: int
    box: Integers
    row: Integers
    column: Integers
    keys: Integers

    @classmethod
    def of(cls, boxes: _Boxes) -> Self:
        side = _side(boxes)
        (top, n_rows), (left, n_columns) = _covered(boxes, side)
        n_of_box = n_rows * n_columns
        box = np.repeat(np.arange(len(n_of_box)), n_of_box)
        # The place of each entry among those of its box, row by row.
        place = np.arange(len(box)) - np.repeat(np.cumsum(n_of_box) - n_of_box, n_of_box)
        row, column = top[box] + place // n_columns[box], left[box] + place % n_columns[box]
        numbers = (boxes.field[box], row, column)
        # Unsigned, so that products wrap around.
        products = (one.astype(np.uint64) * np.uint64(by) for one, by in zip(numbers, _MULTIPLIERS, strict=True))
        keys = np.add.reduce(list(products))
        order = np.argsort(keys)
        return cls(side, box[order], row[order], column[order], keys[order])


def _side(boxes: _Boxes) -> int:
    """Side of the squares: about that of the boxes, and so large that boxes do not cover too many."""
    side = max(int(np.median(np.concatenate([boxes.bottom - boxes.top, boxes.right - boxes.left]))), 1)
    while _n_squares(boxes, side).mean(dtype=float) > MOST_SQUARES:
        side *= 2
    return side


def _n_squares(boxes: _Boxes, side: int) -> Integers:
    (_, n_rows), (_, n_columns) = _covered(boxes, side)
    return n_rows * n_columns


def _covered(boxes: _Boxes, side: int) -> tuple[tuple[Integers, Integers], tuple[Integers, Integers]]:
    """First row of squares that each box covers, and the number of rows; the same of columns."""
    top, left = boxes.top // side, boxes.left // side
    return (top, (boxes.bottom - 1) // side - top + 1), (left, (boxes.right - 1) // side - left + 1)


def _candidates(keys: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Places of two entries with equal keys, some pairs at a time."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    ends = np.repeat(np.append(starts[1:], len(keys)), np.diff(starts, append=len(keys)))
    n_later = ends - np.arange(len(keys)) - 1
    n_before = np.concatenate([[0], np.cumsum(n_later)])
    start = 0
    while start < len(keys):
        # At least one entry, even if it has more partners than fit.
        stop = max(int(np.searchsorted(n_before, n_before[start] + MOST_CANDIDATES, side="right")) - 1, start + 1)
        counts = n_later[start:stop]
        first = np.repeat(np.arange(start, stop), counts)
        place = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield first, first + 1 + place
        start = stop
