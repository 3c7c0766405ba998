"""Overlaps that are known from where samples lie in their field of view."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cellfeat.near_copies.overlap import Overlap, Pair, Shape
from cellfeat.samples.column_names.positions import FIELD_WORDS, TIME_WORDS, centre_columns, words_of
from cellfeat.types import Floats, Integers, Strings

LEAST_SHARE = 0.25
"""Samples whose positions overlap over this share of the smaller one are near copies."""

CONFIRMED = 0.5
"""Positions are trusted if the pixels confirm this share of the overlaps that they predict."""

TOLERANCE = 0.05
"""How far the shift that pixels show may differ from that of the positions, as a share of a sample's longer side."""


@dataclass(frozen=True)
class Positions:
    """Where samples lie.

    Attributes
    ----------
    columns
        Names of the columns that this was read from.
    fields
        The field of view of each sample, ``""`` where it is unknown; shape ``(n_samples,)``.
    frames
        What tells apart pictures of one field, such as a time point; shape ``(n_samples,)``.
    centres
        Row and column of each sample's centre in pixels, NaN where it is unknown; shape ``(n_samples, 2)``.
    """

    columns: tuple[str, ...]
    fields: Strings
    frames: Strings
    centres: Floats

    def predicted(self, shapes: Mapping[int, Shape]) -> dict[Pair, Overlap]:
        """Find the samples that overlap.

        Parameters
        ----------
        shapes
            Height and width of each sample, by row; others are left out.

        Returns
        -------
        dict
            The overlap of each pair that overlaps at all, the smaller row first.
        """
        found = {}
        for rows in self._together(shapes):
            sides = np.array([shapes[row] for row in rows])
            for one, other in _touching(self.centres[rows], sides):
                pair = rows[one], rows[other]
                found[pair] = self._overlap(pair, shapes)
        return {pair: overlap for pair, overlap in found.items() if overlap.share > 0}

    def are_apart(self, pair: Pair) -> bool:
        """Whether two samples lie in different fields of view."""
        one, other = self.fields[list(pair)]
        return bool(one != "" and other != "" and one != other)

    def are_in_one_picture(self, pair: Pair) -> bool:
        """Whether two samples lie in one field of view, in one frame, both at known positions."""
        first, second = pair
        return bool(
            self.fields[first] != ""
            and self.fields[first] == self.fields[second]
            and self.frames[first] == self.frames[second]
            and np.isfinite(self.centres[[first, second]]).all()
        )

    def _together(self, shapes: Mapping[int, Shape]) -> Iterator[list[int]]:
        """Rows of samples in one picture."""
        of_picture = defaultdict(list)
        for row in sorted(shapes):
            if self.are_in_one_picture((row, row)):
                of_picture[self.fields[row], self.frames[row]].append(row)
        yield from of_picture.values()

    def _overlap(self, pair: Pair, shapes: Mapping[int, Shape]) -> Overlap:
        first, second = pair
        corners = [self.centres[row] - np.asarray(shapes[row]) / 2 for row in pair]
        rows, columns = np.round(corners[1] - corners[0]).astype(int).tolist()
        return Overlap.at((rows, columns), (shapes[first], shapes[second]), np.nan, is_exact=False)


def _touching(centres: Floats, sides: Integers) -> list[Pair]:
    """Pair the places of rectangles that have a common area, sorted, the smaller place first.

    Parameters
    ----------
    centres
        Row and column of each rectangle's centre, shape ``(n, 2)``.
    sides
        Height and width of each, shape ``(n, 2)``.
    """
    order = np.argsort(centres[:, 0])
    centres, sides = centres[order], sides[order]
    # From here on, the next rectangles are too far down, however high they are.
    ends = np.searchsorted(centres[:, 0], centres[:, 0] + (sides[:, 0] + sides[:, 0].max()) / 2)
    pairs: list[Pair] = []
    for place, end in enumerate(ends):
        next_ones = slice(place + 1, end)
        touches = (2 * np.abs(centres[next_ones] - centres[place]) < sides[next_ones] + sides[place]).all(axis=1)
        one = int(order[place])
        pairs += [(min(one, other), max(one, other)) for other in order[next_ones][touches].tolist()]
    return sorted(pairs)


def positions(columns: Mapping[str, Strings]) -> Positions | None:
    """Recognise the columns that hold positions by their names.

    Parameters
    ----------
    columns
        Further columns of the samples, shape ``(n_samples,)`` each.

    Returns
    -------
    Positions or None
        None unless there are columns of positions in both directions, and one that names the field of view.
    """
    centres = centre_columns(columns)
    if centres is None:
        return None
    x, y = centres
    others = {name: set(words_of(name)) for name in columns if name not in centres}
    of_field = [name for name, words in others.items() if words & FIELD_WORDS]
    of_frame = [name for name, words in others.items() if words & TIME_WORDS and name not in of_field]
    if not of_field:
        return None
    return Positions(
        (*of_field, *of_frame, x, y),
        _joined([columns[name] for name in of_field]),
        _joined([columns[name] for name in of_frame]) if of_frame else np.full(len(columns[x]), ""),
        np.column_stack([_numbers(columns[y]), _numbers(columns[x])]),
    )


def _joined(values: list[Strings]) -> Strings:
    """One value of several columns; ``""`` where any of them is empty."""
    joined = np.array(["\x1f".join(row) for row in zip(*values, strict=True)], dtype=str)
    is_known = np.logical_and.reduce([one != "" for one in values])
    return np.where(is_known, joined, "")


def _numbers(values: Strings) -> Floats:
    return np.array([_number(value) for value in values.tolist()], dtype=np.float64)


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return np.nan
