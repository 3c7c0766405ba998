"""Samples that show a part of the same place, or are one another turned, found among the nearest neighbours of each."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cellfeat.comparison.look import Look
from cellfeat.extraction.store import Features
from cellfeat.samples.overlap import LONGEST_SIDE, Overlap, Pair, overlaps
from cellfeat.samples.turned import TurnedCopy, turned_copies, turned_spectrum

Integers = NDArray[np.integer]
Floats = NDArray[np.float32]
NearCopies = dict[Pair, Overlap | TurnedCopy]

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


def near_copies(features: Features, look: Look, copies: Iterable[Pair]) -> NearCopies:
    """Find samples that show a part of the same place, or one another turned, among the nearest neighbours of each.

    Parameters
    ----------
    copies
        Pairs (first, later) of equal pixels: of these only the first is compared.

    Returns
    -------
    dict
        Their overlap, or how one is turned, by pair of rows, the smaller row first.
    """
    is_later = np.isin(look.rows, [later for _, later in copies])
    places = np.flatnonzero(~is_later)
    pictures = [look.pictures[place] for place in places]
    kinds = [spectra(pictures)]
    if features.embeddings.shape[2]:
        kinds.append(features.embeddings[look.rows[places]].mean(axis=1))
    alike = [nearest_pairs(kind, NEIGHBOURS) for kind in kinds]
    found = _confirmed(pictures, alike, nearest_pairs(turned_spectra(pictures), TURNED_NEIGHBOURS))
    rows = look.rows[places].tolist()
    return {(rows[first], rows[second]): found[first, second] for first, second in sorted(found)}


def near_copies_of(known: Features, look_at_known: Look, features: Features, look: Look) -> NearCopies:
    """Find samples that show a part of the same place as some of other samples, or are one of these turned.

    Parameters
    ----------
    known, features
        The other samples, and the ones that are asked about; embedded in the same way.
    look_at_known, look
        What was seen of them, the pictures to one scale.

    Returns
    -------
    dict
        Their overlap, or how one is turned, by pair: the row in `known`, the row in `features`. Of equal pixels, too.
    """
    sides = ((known, look_at_known), (features, look))
    n_known, pictures = len(look_at_known.rows), [*look_at_known.pictures, *look.pictures]
    kinds = [spectra(pictures), np.concatenate([side.embeddings[seen.rows].mean(axis=1) for side, seen in sides])]
    alike = [nearest_of(kind[:n_known], kind[n_known:], NEIGHBOURS) for kind in kinds]
    turned = turned_spectra(pictures)
    found = _confirmed(pictures, alike, nearest_of(turned[:n_known], turned[n_known:], TURNED_NEIGHBOURS))
    rows = look.rows.tolist()
    return {
        (int(look_at_known.rows[first]), rows[second - n_known]): how for (first, second), how in sorted(found.items())
    }


def _confirmed(pictures: list[Floats], alike: Sequence[Integers], turned: Integers) -> NearCopies:
    """Of the candidates those that the pixels confirm, by pair of numbers of pictures."""
    return turned_copies(pictures, turned) | overlaps(pictures, np.unique(np.concatenate(alike), axis=0))


def spectra(pictures: list[Floats]) -> Floats:
    """Describe pictures by what a shift hardly changes: the quantiles of their pixels and their lowest frequencies.

    Returns
    -------
    ndarray of shape (n_pictures, n_columns)
    """
    return _described(pictures, _spectrum)


def _spectrum(picture: Floats) -> Floats:
    strength = np.log1p(np.abs(fft.rfft2(picture - picture.mean(), (LONGEST_SIDE, LONGEST_SIDE))))[:, :FREQUENCIES]
    lowest = np.concatenate([strength[:FREQUENCIES], strength[-FREQUENCIES + 1 :]])
    return np.concatenate([np.quantile(picture, QUANTILES), lowest.ravel()]).astype(np.float32)


def turned_spectra(pictures: list[Floats]) -> Floats:
    """Describe pictures by what no turn and no mirror changes.

    Returns
    -------
    ndarray of shape (n_pictures, n_columns)
    """
    return _described(pictures, turned_spectrum)


def _described(pictures: list[Floats], describe: Callable[[Floats], Floats]) -> Floats:
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
