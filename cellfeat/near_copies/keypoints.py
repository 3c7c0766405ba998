"""Find where two samples may overlap, by similar spots: the shift that most of their spots agree on.

The steps are those of D. G. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, without turns
and changes of size: extrema of the detail, a description of the neighbourhood of each, and the nearest descriptions in
other samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellfeat.near_copies.detail import Detail, blurred
from cellfeat.near_copies.overlap import Pair
from cellfeat.types import Bools, Float32s, Integers

PER_SAMPLE = 30
"""Most spots of a sample: the brightest 15 and the darkest 15."""

RADIUS = 2
"""A spot is higher or lower than all pixels within so many rows and columns."""

REACH, STEP = 6, 2
"""A spot is described by a square grid of 7 x 7 values, up to 6 pixels away from it."""

BLUR = 1.0
"""Standard deviation, in pixels, of the blur before: it bears a resampling by fractions of a pixel."""

LEAST_ALIKE = 0.9
"""Two spots match if their descriptions correlate by at least this much.

Of 733 overlaps of real cells that were known, each had a match above 0.926 at its shift.
"""

LEAST_ALIKE_ALONE = 0.95
"""A single match proposes a shift only if the descriptions correlate by so much; several matches always do."""

MATCHES_OF_SPOT = 3
"""Matches of one spot: more are of a shape that many cells have."""

PROPOSALS_PER_SAMPLE = 10
"""Most proposals, on average over the samples, those with the most matches first: it limits the time."""

CELLS_SEARCHED = 2
SEED = 0


@dataclass(frozen=True)
class Spots:
    """The spots of samples.

    Attributes
    ----------
    sample
        Number of the sample of each spot, shape ``(n_spots,)``.
    places
        Row and column of each spot, shape ``(n_spots, 2)``.
    is_bright
        Whether each spot is brighter than its surroundings, shape ``(n_spots,)``.
    descriptions
        Rows of mean 0 and length 1, shape ``(n_spots, 49)``.
    field
        Number of the field that the sample of each spot was cut out of, shape ``(n_spots,)``; of whole images, the
        number of the sample.
    """

    sample: Integers
    places: Integers
    is_bright: Bools
    descriptions: Float32s
    field: Integers

    def flipped(self, widths: Integers) -> "Spots":
        """The spots of the same samples, mirrored left to right.

        Parameters
        ----------
        widths
            Width of each sample, shape ``(n_samples,)``.
        """
        side = 2 * REACH // STEP + 1
        rows, columns = self.places.T
        return Spots(
            self.sample,
            np.column_stack([rows, widths[self.sample] - 1 - columns]),
            self.is_bright,
            self.descriptions.reshape(-1, side, side)[:, :, ::-1].reshape(-1, side**2),
            self.field,
        )

    def take(self, chosen: Bools) -> "Spots":
        """Some of the spots: those that are chosen, shape ``(n_spots,)``."""
        return Spots(
            self.sample[chosen],
            self.places[chosen],
            self.is_bright[chosen],
            self.descriptions[chosen],
            self.field[chosen],
        )


@dataclass(frozen=True)
class Proposals:
    """Shifts at which two samples may overlap, one for each pair.

    Attributes
    ----------
    pairs
        Numbers of the two samples, shape ``(n_pairs, 2)``.
    shifts
        Rows and columns from the first sample's corner to the second's, shape ``(n_pairs, 2)``.
    """

    pairs: Integers
    shifts: Integers


def spots(detail: Detail, field: Integers) -> Spots:
    """Find and describe the spots of samples.

    Parameters
    ----------
    detail
        The middle band of their detail.
    field
        Number of the field that each sample was cut out of, or of the sample itself; shape ``(n_samples,)``.
    """
    places, is_bright, descriptions = [], [], []
    for picture in blurred(detail.values, BLUR):
        for sign in (1, -1):
            of_sign = _extrema(sign * picture)
            places.append(of_sign)
            is_bright.append(np.full(len(of_sign), sign > 0))
            descriptions.append(_described(picture, of_sign))
    counts = [len(one) for one in places]
    sample = np.repeat(np.arange(len(counts)) // 2, counts)
    return Spots(
        sample,
        np.concatenate(places) if places else np.empty((0, 2), np.intp),
        np.concatenate(is_bright) if places else np.empty(0, bool),
        np.concatenate(descriptions) if places else np.empty((0, 49), np.float32),
        field[sample],
    )


def _extrema(picture: Float32s) -> Integers:
    """Rows and columns of the highest local maxima, far enough from the edges to be described."""
    highest = ndimage.maximum_filter(picture, 2 * RADIUS + 1)
    inner = (slice(REACH, -REACH), slice(REACH, -REACH))
    rows, columns = np.nonzero((picture[inner] == highest[inner]) & (picture[inner] > 0))
    order = np.argsort(-picture[inner][rows, columns], kind="stable")[: PER_SAMPLE // 2]
    return np.column_stack([rows[order], columns[order]]) + REACH


def _described(picture: Float32s, places: Integers) -> Float32s:
    offsets = np.arange(-REACH, REACH + 1, STEP)
    rows = places[:, 0, np.newaxis, np.newaxis] + offsets[:, np.newaxis]
    columns = places[:, 1, np.newaxis, np.newaxis] + offsets
    values = picture[rows, columns].reshape(len(places), len(offsets) ** 2)
    values = values - values.mean(axis=1, keepdims=True)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def propose(first: Spots, second: Spots, n_samples: int) -> Proposals:
    """Propose shifts at which samples may overlap: those that most of their matching spots agree on.

    Parameters
    ----------
    first, second
        Spots of samples. Spots of one sample, or of one field, are not compared: their boxes say where crops of one
        field overlap.
    n_samples
        Number of samples, which limits the number of proposals.
    """
    matches = _matches(first, second)
    alike = np.einsum("ij,ij->i", first.descriptions[matches[:, 0]], second.descriptions[matches[:, 1]])
    pairs = np.column_stack([first.sample[matches[:, 0]], second.sample[matches[:, 1]]])
    shifts = first.places[matches[:, 0]] - second.places[matches[:, 1]]
    if first is second:  # both spots of a match asked for the other: the smaller number comes first
        is_reversed = pairs[:, 0] > pairs[:, 1]
        pairs[is_reversed], shifts[is_reversed] = pairs[is_reversed, ::-1], -shifts[is_reversed]
    votes = list(_votes(pairs, shifts, alike))
    votes.sort(key=lambda vote: (-vote.n_matches, -vote.alike))
    votes = votes[: PROPOSALS_PER_SAMPLE * n_samples]
    return Proposals(
        np.array([vote.pair for vote in votes], dtype=np.intp).reshape(-1, 2),
        np.array([vote.shift for vote in votes], dtype=np.intp).reshape(-1, 2),
    )


@dataclass(frozen=True)
class _Vote:
    pair: Pair
    shift: tuple[int, int]
    n_matches: int
    alike: float


def _votes(pairs: Integers, shifts: Integers, alike: Float32s) -> Iterator[_Vote]:
    """The shift of each pair that most matches agree on, to within one pixel."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, shifts, alike = pairs[order], shifts[order], alike[order]
    is_first = np.concatenate([[True], (pairs[1:] != pairs[:-1]).any(axis=1)]) if len(pairs) else np.empty(0, bool)
    starts = np.flatnonzero(is_first)
    for start, end in zip(starts, np.append(starts[1:], len(pairs))[: len(starts)], strict=True):
        vote = _vote(pairs[start].tolist(), shifts[start:end], alike[start:end])
        if vote.n_matches > 1 or vote.alike >= LEAST_ALIKE_ALONE:
            yield vote


def _vote(pair: list[int], shifts: Integers, alike: Float32s) -> _Vote:
    agree, best = np.array([True]), 0
    if len(shifts) > 1:
        near = np.abs(shifts[:, np.newaxis] - shifts).max(axis=2) <= 1
        best = int(np.lexsort((alike, near.sum(axis=1)))[-1])
        agree = near[best]
    (first, second), (rows, columns) = pair, shifts[best].tolist()
    return _Vote((first, second), (rows, columns), int(agree.sum()), float(alike[agree].max()))


def _matches(first: Spots, second: Spots) -> Integers:
    """Pairs of spots with similar descriptions, shape ``(n_matches, 2)``: an inverted file of near cells."""
    found: list[Integers] = [np.empty((0, 2), dtype=np.intp)]
    for is_bright in (True, False):
        queries, others = np.flatnonzero(first.is_bright == is_bright), np.flatnonzero(second.is_bright == is_bright)
        if not len(queries) or not len(others):
            continue
        centres = _centres(second.descriptions[others])
        of_query, of_other = (
            _nearest_cells(one.descriptions[rows], centres, n)
            for one, rows, n in ((first, queries, CELLS_SEARCHED), (second, others, 1))
        )
        for cell in range(len(centres)):
            asked, held = queries[(of_query == cell).any(axis=1)], others[of_other[:, 0] == cell]
            if len(asked) and len(held):
                found.append(_best_matches(first, second, asked, held))
    return np.unique(np.concatenate(found), axis=0)


def _centres(descriptions: Float32s) -> Float32s:
    n_cells = int(np.sqrt(len(descriptions))) + 1
    chosen = np.random.default_rng(SEED).choice(len(descriptions), min(n_cells, len(descriptions)), replace=False)
    return descriptions[chosen]


def _nearest_cells(descriptions: Float32s, centres: Float32s, n_cells: int) -> Integers:
    n_cells = min(n_cells, len(centres))
    blocks = [np.empty((0, n_cells), dtype=np.intp)]
    for start in range(0, len(descriptions), 8192):
        similarity = descriptions[start : start + 8192] @ centres.T
        blocks.append(np.argpartition(-similarity, n_cells - 1, axis=1)[:, :n_cells])
    return np.concatenate(blocks)


def _best_matches(first: Spots, second: Spots, asked: Integers, held: Integers) -> Integers:
    similarity = first.descriptions[asked] @ second.descriptions[held].T
    similarity[first.field[asked][:, np.newaxis] == second.field[held]] = -1
    has_match = similarity.max(axis=1) >= LEAST_ALIKE  # few have: the rest need not be partitioned
    asked, similarity = asked[has_match], similarity[has_match]
    n_best = min(MATCHES_OF_SPOT, len(held))
    best = np.argpartition(-similarity, n_best - 1, axis=1)[:, :n_best]
    rows, places = np.nonzero(np.take_along_axis(similarity, best, axis=1) >= LEAST_ALIKE)
    return np.column_stack([asked[rows], held[best[rows, places]]])
