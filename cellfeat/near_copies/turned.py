"""Find pictures that are rotated or mirrored copies of each other, such as augmented images that were saved."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cellfeat.near_copies.alignment import Agreements, agreement
from cellfeat.near_copies.detail import Detail
from cellfeat.near_copies.overlap import Pair
from cellfeat.near_copies.shrink import LONGEST_SIDE
from cellfeat.types import Float32s, Floats, Integers

TURNS = (
    "turned left by a quarter",
    "turned by a half",
    "turned right by a quarter",
    "mirrored left to right",
    "mirrored along the falling diagonal",
    "mirrored top to bottom",
    "mirrored along the rising diagonal",
)
"""The symmetries of the square without the identity: see `turn`."""

LEAST_TURNED_CORRELATION = 0.9
"""Smallest correlation of a turned copy. Of 178,341 pairs of real cells none was above 0.85."""

PAIRS_AT_ONCE = 128
"""Number of pairs compared at once; it limits the memory."""

EQUAL = 0.9999
"""From this correlation on, a turned copy has equal pixels."""

HIGHEST_FREQUENCY = 11
"""Highest spatial frequency, of each sign, in `turned_spectrum`."""


class TurnedCopy(NamedTuple):
    """How the second picture of a pair results from the first.

    Attributes
    ----------
    correlation
        Pearson correlation over all pixels, in [-1, 1].
    how
        One of `TURNS`.
    """

    correlation: float
    how: str

    @property
    def shows_same_cell(self) -> bool:
        """Always true: both samples show the same pixels."""
        return True

    @property
    def is_exact(self) -> bool:
        """Whether the pixels are equal after turning, except for rounding."""
        return self.correlation >= EQUAL

    def describe(self) -> str:
        """Describe the copy in a few words."""
        return f"correlation {self.correlation:.3f} when {self.how}"


def turn(pictures: NDArray, number: int) -> NDArray:
    """Turn pictures as described in `TURNS`; from number 3 on they are first mirrored left to right.

    Parameters
    ----------
    pictures
        Array of shape ``(..., H, W)``.
    number
        Position in `TURNS`.

    Returns
    -------
    ndarray of shape (..., H, W) or (..., W, H)
    """
    # Numbers 0 to 2 are one to three quarter turns; 3 to 6 mirror, then make none to three.
    mirrored = np.flip(pictures, -1) if number >= 3 else pictures
    return np.rot90(mirrored, (number + 1) % 4, axes=(-2, -1))


def turned_alike(pictures: Sequence[Float32s], pairs: Integers) -> dict[Pair, TurnedCopy]:
    """Find the pairs of pictures that are alike after a rotation by quarter turns, a mirroring, or both.

    Round cells on black are alike, too: `turned_agreements` says whether their detail agrees.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``: see `cellfeat.near_copies.shrink.grey_picture`.
    pairs
        Numbers of the pictures to compare, shape ``(n_pairs, 2)``.

    Returns
    -------
    dict
        The best turn of each pair whose correlation is at least `LEAST_TURNED_CORRELATION`.
    """
    found: dict[Pair, TurnedCopy] = {}
    for alike in _by_shape(pictures, pairs):
        for start in range(0, len(alike), PAIRS_AT_ONCE):
            block = alike[start : start + PAIRS_AT_ONCE]
            first, second = (standardised([pictures[i] for i in side]) for side in zip(*block, strict=True))
            best = zip(block, _best_turns(first, second), strict=True)
            found |= {pair: copy for pair, copy in best if copy.correlation >= LEAST_TURNED_CORRELATION}
    return found


def turned_agreements(detail: Detail, alike: Mapping[Pair, TurnedCopy]) -> Agreements:
    """Measure how well the detail of pairs of pictures agrees after the first is turned.

    Parameters
    ----------
    detail
        One band of detail of the pictures.
    alike
        The turn of each pair.
    """
    rows = [
        agreement(turn(detail.values[first], TURNS.index(copy.how)), detail.values[second], (0, 0))
        for (first, second), copy in alike.items()
    ]
    return Agreements.of(np.array(list(alike), dtype=np.intp).reshape(-1, 2), np.zeros((len(alike), 2), np.intp), rows)


def _by_shape(pictures: Sequence[Float32s], pairs: Integers) -> Iterable[list[Pair]]:
    """Group pairs by the shapes of their two pictures."""
    by_shape = defaultdict(list)
    for first, second in pairs.tolist():
        by_shape[pictures[first].shape, pictures[second].shape].append((first, second))
    return by_shape.values()


def standardised(pictures: Sequence[Float32s]) -> Float32s:
    """Stack pictures of one shape, ``(h, w)``, each with mean 0 and variance 1; a constant picture becomes 0.

    Returns
    -------
    ndarray of shape (n_pictures, h, w)
    """
    stack = np.stack(pictures)
    # A picture that is constant except for rounding must not correlate with anything.
    least = 1e-5 * np.abs(stack).max(axis=(1, 2), keepdims=True)
    stack = stack - stack.mean(axis=(1, 2), keepdims=True)
    spread = np.sqrt(np.square(stack).mean(axis=(1, 2), keepdims=True))
    return np.divide(stack, spread, out=np.zeros_like(stack), where=spread > least)


def _best_turns(first: Floats, second: Floats) -> list[TurnedCopy]:
    correlation = np.full((len(TURNS), len(first)), -1.0)
    for number in range(len(TURNS)):
        turned = turn(first, number)
        # A quarter turn exchanges height and width; where the shapes differ, the correlation stays -1.
        if turned.shape == second.shape:
            # The pictures are standardised, so the mean product is Pearson's correlation.
            correlation[number] = (turned * second).mean(axis=(1, 2))
    best = correlation.argmax(axis=0)
    return [
        TurnedCopy(float(column[number]), TURNS[number]) for number, column in zip(best, correlation.T, strict=True)
    ]


def turned_spectrum(picture: Floats) -> Floats:
    """Describe a picture by its amplitudes at the lowest frequencies, invariant under rotation and mirroring.

    The amplitudes of frequencies that a rotation by quarter turns or a mirroring exchanges are averaged.

    Parameters
    ----------
    picture
        Grey picture of shape ``(H, W)``, with at most `cellfeat.near_copies.shrink.LONGEST_SIDE` pixels a side.

    Returns
    -------
    ndarray of shape (n_columns,)
    """
    # Padded to one size, so that the spectra of pictures of different sizes have the same frequencies.
    strength = np.log1p(np.abs(fft.fft2(picture - picture.mean(), (LONGEST_SIDE, LONGEST_SIDE))))
    # Brings frequencies -HIGHEST_FREQUENCY to HIGHEST_FREQUENCY to the front, in ascending order.
    lowest = np.roll(strength, (HIGHEST_FREQUENCY, HIGHEST_FREQUENCY), axis=(0, 1))
    square = lowest[: 2 * HIGHEST_FREQUENCY + 1, : 2 * HIGHEST_FREQUENCY + 1]
    averaged = (square + sum(turn(square, number) for number in range(len(TURNS)))) / (len(TURNS) + 1)
    # After averaging over the eight symmetries, each amplitude occurs up to eight times: one eighth of the square has
    # all.
    rows, columns = np.triu_indices(HIGHEST_FREQUENCY + 1)
    return averaged[HIGHEST_FREQUENCY + rows, HIGHEST_FREQUENCY + columns].astype(np.float32)
