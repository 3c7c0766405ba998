"""Find samples that share pixels exactly, such as overlapping crops of one field, by fingerprints of small patches.

Every sample keeps the fingerprints of some of its patches. Whether a patch is kept depends on its pixels alone, so two
samples that share pixels keep the same patches, wherever these lie (S. Schleimer, D. S. Wilkerson and A. Aiken,
"Winnowing: local algorithms for document fingerprinting", SIGMOD 2003).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellfeat.near_copies.overlap import Overlap, Pair, Shape
from cellfeat.types import Bools, Integers

SIDE = 8
"""Height and width of a patch in pixels."""

KEPT_PER_SAMPLE = 128
"""About so many patches of a typical sample are kept: some 20 within a shared quarter of it."""

LEAST_CHANGES = 16
"""A patch is kept only if so many of its 56 pairs of horizontal neighbours differ: background alone proves nothing."""

MOST_SAMPLES = 64
"""A patch that more samples have is ignored: it is a burnt-in scale bar or another mark, or proves nothing new."""

LEAST_MATCHES = 6
LEAST_MATCHED = 0.7
"""Two samples share pixels if they share at least 6 patches at one shift, and 7 in 10 of those within the overlap.

Dark backgrounds that were saved as JPEG have up to 5 in common by chance, true overlaps of a quarter 13 and more.
A burnt-in scale bar is not chance, but it covers a small part of an overlap.
"""

Words = NDArray[np.uint64]

_FIRST_MULTIPLIER, _SECOND_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ACROSS, _DOWN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Patches:
    """The patches that samples keep.

    Attributes
    ----------
    fingerprints
        Shape ``(n_patches,)``.
    places
        Row and column of the upper left pixel of each patch, shape ``(n_patches, 2)``.
    """

    fingerprints: Words
    places: NDArray[np.int32]


def keep_one_in(n_pixels: int) -> int:
    """One in so many patches is kept where a typical sample has `n_pixels` pixels."""
    return max(n_pixels // KEPT_PER_SAMPLE, 1)


def patches(pixels: NDArray, one_in: int) -> Patches:
    """Fingerprint the patches of a sample, and keep some of those that have content.

    Parameters
    ----------
    pixels
        Pixels of the sample, shape ``(C, H, W)``.
    one_in
        One in so many patches is kept: see `keep_one_in`. The same for all samples that are compared.
    """
    words = _mixed_channels(pixels)
    if min(words.shape) < SIDE:
        return Patches(np.empty(0, np.uint64), np.empty((0, 2), np.int32))
    fingerprints = _of_patches(words)
    is_kept = (fingerprints % np.uint64(one_in) == 0) & _has_content(words)
    return Patches(fingerprints[is_kept], np.argwhere(is_kept).astype(np.int32))


def _mixed_channels(pixels: NDArray) -> Words:
    """One word for each pixel, which depends on all of its channels; shape ``(H, W)``."""
    words = np.zeros(pixels.shape[1:], dtype=np.uint64)
    for channel in pixels:
        words = _mix(words * _ACROSS + _bits(channel) + np.uint64(1))
    return words


def _bits(channel: NDArray) -> Words:
    if np.issubdtype(channel.dtype, np.floating):
        return channel.astype(np.float64).view(np.uint64)
    return channel.astype(np.uint64)


def _mix(words: Words) -> Words:
    """Spread each bit over the whole word: the finaliser of SplitMix64 (G. L. Steele et al., OOPSLA 2014)."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST_MULTIPLIER
    words = (words ^ (words >> np.uint64(27))) * _SECOND_MULTIPLIER
    return words ^ (words >> np.uint64(31))


def _of_patches(words: Words) -> Words:
    """Fingerprint of the patch that begins at each pixel, shape ``(H - SIDE + 1, W - SIDE + 1)``."""
    height, width = (side - SIDE + 1 for side in words.shape)
    across = np.zeros((words.shape[0], width), dtype=np.uint64)
    for column in range(SIDE):
        across = across * _ACROSS + words[:, column : column + width]
    across = _mix(across)
    down = np.zeros((height, width), dtype=np.uint64)
    for row in range(SIDE):
        down = down * _DOWN + across[row : row + height]
    return _mix(down)


def _has_content(words: Words) -> Bools:
    """Whether enough horizontal neighbours differ within each patch."""
    differs = words[:, 1:] != words[:, :-1]
    # A summed-area table: `corners[i, j]` is the sum of the first i rows and j columns.
    corners = np.pad(differs.cumsum(axis=0, dtype=np.int32).cumsum(axis=1), ((1, 0), (1, 0)))
    across = SIDE - 1
    changes = corners[SIDE:, across:] - corners[:-SIDE, across:] - corners[SIDE:, :-across] + corners[:-SIDE, :-across]
    return changes >= LEAST_CHANGES


def exact_overlaps(kept: Sequence[Patches], shapes: Sequence[Shape]) -> dict[Pair, Overlap]:
    """Find the samples that share pixels.

    Parameters
    ----------
    kept
        The patches of each sample.
    shapes
        Height and width of each sample in pixels.

    Returns
    -------
    dict
        The overlap of each pair, the smaller number first.
    """
    found: dict[Pair, Overlap] = {}
    for pair, shift, n_matches in _shared_patches(kept):
        if n_matches < LEAST_MATCHED * _n_within_overlap(kept, shapes, pair, shift):
            continue
        overlap = Overlap.at(shift, (shapes[pair[0]], shapes[pair[1]]), 1.0, is_exact=True)
        if pair not in found or overlap.share > found[pair].share:
            found[pair] = overlap
    return found


def _shared_patches(kept: Sequence[Patches]) -> Iterator[tuple[Pair, tuple[int, int], int]]:
    """Pairs of samples with the shift at which they share patches, and the number of these."""
    sample = np.repeat(np.arange(len(kept)), [len(one.fingerprints) for one in kept])
    if not len(sample):
        return
    fingerprints = np.concatenate([one.fingerprints for one in kept])
    order = np.argsort(fingerprints, kind="stable")
    matches = _equal_neighbours(fingerprints[order])
    first, second = order[matches].T
    is_other = sample[first] != sample[second]
    first, second = first[is_other], second[is_other]
    places = np.concatenate([one.places for one in kept])
    keys = np.column_stack([sample[first], sample[second], places[first] - places[second]])
    shared, counts = np.unique(keys, axis=0, return_counts=True)
    for (a, b, rows, columns), count in zip(shared.tolist(), counts.tolist(), strict=True):
        if count >= LEAST_MATCHES:
            yield (a, b), (rows, columns), count


def _equal_neighbours(ordered: Words) -> Integers:
    """Pairs of places of equal words in an ordered array; words that occur too often are left out."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(starts, append=len(ordered))
    size = np.repeat(sizes, sizes)
    is_rare = (size > 1) & (size <= MOST_SAMPLES)
    pairs = []
    for distance in range(1, min(MOST_SAMPLES, len(ordered))):
        first = np.flatnonzero(is_rare[:-distance] & (ordered[distance:] == ordered[:-distance]))
        pairs.append(np.column_stack([first, first + distance]))
        if not len(first):
            break
    return np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.intp)


def _n_within_overlap(kept: Sequence[Patches], shapes: Sequence[Shape], pair: Pair, shift: tuple[int, int]) -> int:
    """Number of patches within the overlap, of the sample that has more."""
    first, second = pair
    (rows, columns), (height, width) = shift, shapes[second]
    other_height, other_width = shapes[first]
    return max(
        _n_within(kept[first].places, (rows, columns), (height, width)),
        _n_within(kept[second].places, (-rows, -columns), (other_height, other_width)),
    )


def _n_within(places: NDArray[np.int32], corner: tuple[int, int], shape: Shape) -> int:
    """Number of patches that lie within a rectangle."""
    offset = places - np.asarray(corner)
    return int(np.count_nonzero(((offset >= 0) & (offset + SIDE <= np.asarray(shape))).all(axis=1)))
