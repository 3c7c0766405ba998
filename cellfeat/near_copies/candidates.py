"""Candidates for near copies: the nearest neighbours of each sample by its embedding and by its spectrum."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cellfeat.near_copies.overlap import LONGEST_SIDE
from cellfeat.near_copies.turned import turned_spectrum
from cellfeat.types import Float32s, Integers

NEIGHBOURS = 30
"""Nearest neighbours of each sample that are candidates for a near copy, by its embedding and by its spectrum.

Two crops of one field often look no more alike to the backbone than two cells of one kind: of the pairs of real cells
found among 10 neighbours, only 4 in 10 were the very nearest.
"""


TURNED_NEIGHBOURS = 10
"""Nearest neighbours of each sample that are candidates for a turned copy, by what no turn changes of its spectrum.

A picture has seven turned and mirrored ones, and they are the very nearest.
"""


QUANTILES = np.linspace(0, 1, 33)


FREQUENCIES = 12
"""Lowest spatial frequencies, of each sign, that a spectrum is compared by."""


BLOCK_ROWS = 1024


def spectra(pictures: list[Float32s]) -> Float32s:
    """Describe pictures by what a shift hardly changes: the quantiles of their pixels and their lowest frequencies.

    Returns
    -------
    ndarray of shape (n_pictures, n_columns)
    """
    return _described(pictures, _spectrum)


def _spectrum(picture: Float32s) -> Float32s:
    strength = np.log1p(np.abs(fft.rfft2(picture - picture.mean(), (LONGEST_SIDE, LONGEST_SIDE))))[:, :FREQUENCIES]
    lowest = np.concatenate([strength[:FREQUENCIES], strength[-FREQUENCIES + 1 :]])
    return np.concatenate([np.quantile(picture, QUANTILES), lowest.ravel()]).astype(np.float32)


def turned_spectra(pictures: list[Float32s]) -> Float32s:
    """Describe pictures by what no turn and no mirror changes.

    Returns
    -------
    ndarray of shape (n_pictures, n_columns)
    """
    return _described(pictures, turned_spectrum)


def _described(pictures: list[Float32s], describe: Callable[[Float32s], Float32s]) -> Float32s:
    return np.stack([describe(picture) for picture in pictures]) if pictures else np.empty((0, 1), dtype=np.float32)


def nearest_pairs(embeddings: NDArray[np.float32], n_neighbours: int) -> Integers:
    """Pair each sample with its nearest neighbours by cosine, over standardised columns.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        Each pair once, the smaller number first.
    """
    n_neighbours = min(n_neighbours, len(embeddings) - 1)
    if n_neighbours < 1:
        return np.empty((0, 2), dtype=np.intp)
    directions = _directions(embeddings)
    blocks = []
    for start in range(0, len(directions), BLOCK_ROWS):
        cosine = directions[start : start + BLOCK_ROWS] @ directions.T
        here = np.arange(start, start + len(cosine))
        cosine[np.arange(len(cosine)), here] = -np.inf
        blocks.append(_nearest(cosine, here, n_neighbours))
    return np.unique(np.sort(np.concatenate(blocks), axis=1), axis=0)


def nearest_of(known: NDArray[np.float32], embeddings: NDArray[np.float32], n_neighbours: int) -> Integers:
    """Pair each sample with its nearest neighbours among others, by cosine over the standardised columns of all.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        The number of the other sample, and that of the sample, which go on from those of the others.
    """
    n_neighbours = min(n_neighbours, len(known))
    if n_neighbours < 1 or not len(embeddings):
        return np.empty((0, 2), dtype=np.intp)
    directions = _directions(np.concatenate([known, embeddings]))
    blocks = []
    for start in range(len(known), len(directions), BLOCK_ROWS):
        cosine = directions[start : start + BLOCK_ROWS] @ directions[: len(known)].T
        blocks.append(_nearest(cosine, np.arange(start, start + len(cosine)), n_neighbours))
    return np.concatenate(blocks)[:, ::-1]


def _directions(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardised columns, each row of length 1."""
    centred = embeddings - embeddings.mean(axis=0)
    centred /= np.maximum(centred.std(axis=0), 1e-6)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return centred


def _nearest(cosine: NDArray[np.float32], here: Integers, n_neighbours: int) -> Integers:
    """Pairs of the numbers of rows, and of the columns with their largest cosines."""
    nearest = np.argpartition(-cosine, n_neighbours - 1, axis=1)[:, :n_neighbours]
    return np.column_stack([np.repeat(here, n_neighbours), nearest.ravel()])
