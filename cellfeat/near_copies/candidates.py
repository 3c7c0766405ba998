"""Candidate pairs for turned copies: the nearest neighbours by a spectrum that turning does not change."""

from collections.abc import Sequence

import numpy as np

from cellfeat.near_copies.turned import turned_spectrum
from cellfeat.statistics.neighbours import nearest_by_cosine
from cellfeat.types import Bools, Float32s, Integers

TURNED_NEIGHBOURS = 10
"""Nearest neighbours of each sample that are candidates for a turned copy.

A picture has seven rotated and mirrored versions, and they are the nearest of all.
"""

BLOCK_ROWS = 1024
"""Samples compared with all others at once."""


def turned_pairs(pictures: Sequence[Float32s]) -> Integers:
    """Pair each sample with those that may be turned copies of it.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        Each pair occurs once, the smaller number first.
    """
    return nearest_pairs(turned_spectra(pictures), TURNED_NEIGHBOURS)


def turned_pairs_between(pictures: Sequence[Float32s], is_asked: Bools) -> Integers:
    """Pair each sample asked about with those others that may be turned copies of it.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``: first of the known samples, then of those asked about.
    is_asked
        Whether each sample is asked about, shape ``(n_samples,)``.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
    """
    spectra = turned_spectra(pictures)
    return nearest_of(spectra[~is_asked], spectra[is_asked], TURNED_NEIGHBOURS)


def turned_spectra(pictures: Sequence[Float32s]) -> Float32s:
    """Describe pictures by features that quarter turns and mirroring do not change.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``.

    Returns
    -------
    ndarray of shape (n_pictures, n_columns)
    """
    described = [turned_spectrum(picture) for picture in pictures]
    return np.stack(described) if described else np.empty((0, 1), dtype=np.float32)


def nearest_pairs(embeddings: Float32s, n_neighbours: int) -> Integers:
    """Pair each sample with its nearest neighbours by cosine similarity of the standardised columns.

    Parameters
    ----------
    embeddings
        Shape ``(n_samples, n_columns)``.
    n_neighbours
        Neighbours of each sample; all others where there are fewer.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        Numbers of the two samples. Each pair occurs once, the smaller number first.
    """
    n_neighbours = min(n_neighbours, len(embeddings) - 1)
    if n_neighbours < 1:
        return np.empty((0, 2), dtype=np.intp)
    directions = _directions(embeddings)
    numbers = np.arange(len(directions))
    neighbours, _ = nearest_by_cosine(directions, directions, n_neighbours, block_rows=BLOCK_ROWS, excluded=numbers)
    pairs = np.column_stack([np.repeat(numbers, n_neighbours), neighbours.ravel()])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def nearest_of(known: Float32s, embeddings: Float32s, n_neighbours: int) -> Integers:
    """Pair each sample with its nearest neighbours among known samples.

    Neighbours are found by cosine similarity, after the columns of known and new samples are standardised together.

    Parameters
    ----------
    known
        Embeddings of the known samples, shape ``(n_known, n_columns)``.
    embeddings
        Embeddings of the new samples, shape ``(n_samples, n_columns)``.
    n_neighbours
        Neighbours of each new sample; all known samples where there are fewer.

    Returns
    -------
    ndarray of shape (n_pairs, 2)
        Number of the known sample, and ``n_known`` plus the number of the new sample.
    """
    n_neighbours = min(n_neighbours, len(known))
    if n_neighbours < 1 or not len(embeddings):
        return np.empty((0, 2), dtype=np.intp)
    directions = _directions(np.concatenate([known, embeddings]))
    neighbours, _ = nearest_by_cosine(
        directions[len(known) :], directions[: len(known)], n_neighbours, block_rows=BLOCK_ROWS
    )
    numbers = np.arange(len(known), len(directions))
    return np.column_stack([neighbours.ravel(), np.repeat(numbers, n_neighbours)])


def _directions(embeddings: Float32s) -> Float32s:
    """Standardise the columns, then scale each row to length 1."""
    centred = embeddings - embeddings.mean(axis=0)
    # The lower bounds keep constant columns and average rows at 0 instead of dividing by 0.
    centred /= np.maximum(centred.std(axis=0), 1e-6)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return centred
