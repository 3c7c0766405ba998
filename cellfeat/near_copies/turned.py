"""Find pictures that are rotated or mirrored copies of each other, such as augmented images that were saved."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cellfeat.near_copies.overlap import (
    LONGEST_SIDE,
    PAIRS_AT_ONCE,
    Pair,
    detail,
    is_one_detail,
    pairs_by_shape,
    standardised,
)
from cellfeat.types import Floats, Integers

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


def turned_copies(pictures: Sequence[Floats], pairs: Integers) -> dict[Pair, TurnedCopy]:
    """Find the pairs of pictures that are copies of each other, rotated by quarter turns, mirrored, or both.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``: see `cellfeat.near_copies.overlap.grey_picture`.
    pairs
        Numbers of the pictures to compare, shape ``(n_pairs, 2)``.

    Returns
    -------
    dict
        The best turn of each pair whose correlation is at least `LEAST_TURNED_CORRELATION` and whose detail correlates
        by at least `cellfeat.near_copies.overlap.LEAST_DETAIL`.
    """
    found: dict[Pair, TurnedCopy] = {}
    for alike in pairs_by_shape(pictures, pairs).values():
        for start in range(0, len(alike), PAIRS_AT_ONCE):
            block = alike[start : start + PAIRS_AT_ONCE]
            first, second = (standardised([pictures[i] for i in side]) for side in zip(*block, strict=True))
            best = zip(block, _best_turns(first, second), strict=True)
            found |= {
                pair: copy
                for pair, copy in best
                if copy.correlation >= LEAST_TURNED_CORRELATION and _agrees_in_detail(pictures, pair, copy)
            }
    return found


def _agrees_in_detail(pictures: Sequence[Floats], pair: Pair, copy: TurnedCopy) -> bool:
    first, second = (detail(pictures[number]) for number in pair)
    return is_one_detail(turn(first, TURNS.index(copy.how)), second)


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
        Grey picture of shape ``(H, W)``, with at most `cellfeat.near_copies.overlap.LONGEST_SIDE` pixels a side.

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
