"""Samples that show a part of the same place, or are one another turned, found among the nearest neighbours of each."""

from collections.abc import Iterable, Sequence

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
from cellfeat.near_copies.pictures import Look
from cellfeat.near_copies.turned import TurnedCopy, turned_copies
from cellfeat.types import Float32s, Integers

NearCopies = dict[Pair, Overlap | TurnedCopy]


def near_copies(look: Look, copies: Iterable[Pair], embeddings: Float32s | None = None) -> NearCopies:
    """Find samples that show a part of the same place, or one another turned, among the nearest neighbours of each.

    Parameters
    ----------
    look
        What was seen of the samples.
    copies
        Pairs (first, later) of equal pixels: of these only the first is compared.
    embeddings
        Of all samples, shape ``(n_samples, n_views, embedding_dim)``; without them candidates are found by their
        spectra alone.

    Returns
    -------
    dict
        Their overlap, or how one is turned, by pair of rows, the smaller row first.
    """
    is_later = np.isin(look.rows, [later for _, later in copies])
    places = np.flatnonzero(~is_later)
    pictures = [look.pictures[place] for place in places]
    kinds = [spectra(pictures)]
    if embeddings is not None:
        kinds.append(embeddings[look.rows[places]].mean(axis=1))
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


def _confirmed(pictures: list[Float32s], alike: Sequence[Integers], turned: Integers) -> NearCopies:
    """Of the candidates those that the pixels confirm, by pair of numbers of pictures."""
    return turned_copies(pictures, turned) | overlaps(pictures, np.unique(np.concatenate(alike), axis=0))
