"""The search for near copies: candidates among the nearest neighbours of each sample, confirmed by their pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.extraction.store import Features
from cellfeat.near_copies.candidates import (
    NEIGHBOURS,
    TURNED_NEIGHBOURS,
    nearest_of,
    nearest_pairs,
    spectra,
    turned_spectra,
)
from cellfeat.near_copies.overlap import Overlap, Pair, overlaps
from cellfeat.near_copies.pictures import SamplePictures
from cellfeat.near_copies.turned import TurnedCopy, turned_copies
from cellfeat.types import Float32s, Integers

NearCopies = dict[Pair, Overlap | TurnedCopy]


def near_copies(pictures: SamplePictures, copies: Iterable[Pair], embeddings: Float32s | None = None) -> NearCopies:
    """Find samples that overlap, or are each other turned or mirrored, among the nearest neighbours of each.

    Parameters
    ----------
    pictures
        Pictures of the samples.
    copies
        Pairs (first, later) of exact duplicates: only the first of each is compared.
    embeddings
        Of all samples, shape ``(n_samples, n_views, embedding_dim)``; without them, candidates are found by their
        spectra alone.

    Returns
    -------
    dict
        How the two are related, by pair of rows, the smaller row first.
    """
    # One of several exact duplicates is enough: its near copies are near copies of all of them.
    is_later = np.isin(pictures.rows, [later for _, later in copies])
    places = np.flatnonzero(~is_later)
    compared = [pictures.pictures[place] for place in places]
    kinds = [spectra(compared)]
    if embeddings is not None:
        kinds.append(embeddings[pictures.rows[places]].mean(axis=1))
    alike = [nearest_pairs(kind, NEIGHBOURS) for kind in kinds]
    found = _confirmed(compared, alike, nearest_pairs(turned_spectra(compared), TURNED_NEIGHBOURS))
    rows = pictures.rows[places].tolist()
    return {(rows[first], rows[second]): found[first, second] for first, second in sorted(found)}


@dataclass(frozen=True)
class PicturedFeatures:
    """Features with the pictures of their samples.

    Attributes
    ----------
    features
        The features.
    pictures
        Pictures of their samples.
    """

    features: Features
    pictures: SamplePictures

    @property
    def mean_embeddings(self) -> Float32s:
        """Mean over the views of each sample that has a picture, shape ``(n_pictures, embedding_dim)``."""
        return self.features.embeddings[self.pictures.rows].mean(axis=1)


def near_copies_between(known: PicturedFeatures, asked: PicturedFeatures) -> NearCopies:
    """Find samples that overlap with known samples, or are one of these turned or mirrored.

    Exact duplicates are included.

    Parameters
    ----------
    known
        The known samples.
    asked
        The samples in question; the same recipe, and pictures to the same scale.

    Returns
    -------
    dict
        How the two are related, by pair: the row in `known`, the row in `asked`.
    """
    n_known = len(known.pictures.rows)
    pictures = [*known.pictures.pictures, *asked.pictures.pictures]
    kinds = [spectra(pictures), np.concatenate([known.mean_embeddings, asked.mean_embeddings])]
    alike = [nearest_of(kind[:n_known], kind[n_known:], NEIGHBOURS) for kind in kinds]
    turned = turned_spectra(pictures)
    found = _confirmed(pictures, alike, nearest_of(turned[:n_known], turned[n_known:], TURNED_NEIGHBOURS))
    known_rows, rows = known.pictures.rows.tolist(), asked.pictures.rows.tolist()
    return {(known_rows[first], rows[second - n_known]): how for (first, second), how in sorted(found.items())}


def _confirmed(pictures: list[Float32s], alike: Sequence[Integers], turned: Integers) -> NearCopies:
    """Keep the candidates that the pixels confirm, by pair of picture numbers."""
    return turned_copies(pictures, turned) | overlaps(pictures, np.unique(np.concatenate(alike), axis=0))
