"""Find pictures that show the same place, by correlating each pair under every shift by up to half a side."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from cellfeat.types import Floats, Integers

Pair = tuple[int, int]

LONGEST_SIDE = 64
"""Pictures whose longer side has more pixels are shrunk until it has at most this many."""

LEAST_CORRELATION = 0.9
"""Two pictures show one place from this correlation on.

Of 48,113 pairs of real cells 711 were above it; all pairs that were inspected were crops of one field, with one label.
Pairs between 0.80 and 0.85 were different cells; the highest pair with different labels was at 0.85.
"""

LEAST_DETAIL = 0.6
"""Two pictures show one place only if their detail, too, correlates by at least this much.

Detail is what is left after subtracting a blurred copy. Smooth cells that were imaged one by one on black can correlate
by 0.9 and more without showing the same place. Of 260 such pairs in a real data set, in 95 % of them the detail
correlates by at most 0.51. Of 739 pairs of crops of the same place, in 99 % the detail correlates by 0.61 or more.
"""

DETAIL_SCALE = 1.0
"""Standard deviation, in pixels, of the Gaussian blur that is subtracted to get the detail."""

COARSE_CORRELATION = 0.65
"""Pairs whose correlation at half size is below this are discarded before the comparison at full size.

All real pairs with a correlation above 0.9 at full size had one above 0.68 at half size; of the other pairs 5 % had.
"""

LEAST_SPREAD = 0.2
"""Overlaps with less contrast than this share of the whole picture are ignored: they are background.

Contrast is the product of the standard deviations of the two overlapping parts; it is 1 for whole pictures.
"""

PAIRS_AT_ONCE = 128
"""Number of pairs compared at once; it limits the memory."""


class Overlap(NamedTuple):
    """The shift with the highest correlation of two pictures.

    Attributes
    ----------
    correlation
        Pearson correlation over the overlapping pixels, in [-1, 1].
    rows, columns
        Position of the second picture relative to the first, downwards and to the right, in pixels of the shrunken
        pictures, not of the originals.
    """

    correlation: float
    rows: int
    columns: int

    def describe(self) -> str:
        """Describe the overlap in a few words."""
        if not (self.rows or self.columns):
            return f"correlation {self.correlation:.4f} without a shift"
        shift = f"{abs(self.rows)} rows and {abs(self.columns)} columns"
        return f"correlation {self.correlation:.3f} when shifted by {shift}"


def grey_picture(pixels: NDArray, scale: ArrayLike) -> NDArray[np.float32]:
    """Average the channels of a sample, each divided by its scale, and shrink the picture to `LONGEST_SIDE` pixels.

    Parameters
    ----------
    pixels
        Shape ``(C, H, W)``.
    scale
        Typical variation of each channel, shape ``(C,)``, so that all channels have equal weight.

    Returns
    -------
    ndarray of shape (h, w)
    """
    grey = (pixels / np.asarray(scale, dtype=np.float32)[:, np.newaxis, np.newaxis]).mean(axis=0, dtype=np.float32)
    # Rounded up, so that the longer side never exceeds LONGEST_SIDE.
    return _shrunk(grey, -(-max(grey.shape) // LONGEST_SIDE))


def overlaps(pictures: Sequence[NDArray[np.float32]], pairs: Integers) -> dict[Pair, Overlap]:
    """Find the pairs of pictures that show the same place.

    Pictures are compared under every shift by whole pixels, by up to half of each side, so that at least a quarter of
    them overlaps. Pictures of different sizes are not compared. For rotated or mirrored pictures see
    `cellfeat.near_copies.turned`.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``: see `grey_picture`.
    pairs
        Numbers of the pictures to compare, shape ``(n_pairs, 2)``.

    Returns
    -------
    dict
        The best overlap of each pair whose correlation is at least `LEAST_CORRELATION` and whose detail correlates by
        at least `LEAST_DETAIL`.
    """
    found: dict[Pair, Overlap] = {}
    for (first_shape, second_shape), alike in pairs_by_shape(pictures, pairs).items():
        if first_shape == second_shape:
            found |= _overlaps_of_one_shape(pictures, alike)
    return found


def pairs_by_shape(
    pictures: Sequence[NDArray[np.float32]], pairs: Integers
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], list[Pair]]:
    """Group pairs by the shapes of their two pictures.

    Parameters
    ----------
    pictures
        Grey pictures, each of shape ``(h, w)``.
    pairs
        Numbers of the two pictures of each pair, shape ``(n_pairs, 2)``.
    """
    by_shape = defaultdict(list)
    for first, second in pairs.tolist():
        by_shape[pictures[first].shape, pictures[second].shape].append((first, second))
    return by_shape


def _overlaps_of_one_shape(pictures: Sequence[NDArray[np.float32]], pairs: list[Pair]) -> dict[Pair, Overlap]:
    # Half size first: cheap, and discards most pairs. Full size only for the rest, in blocks, because the Fourier
    # transforms of full-size pictures take much memory.
    promising = [pair for pair, best in _compared(pictures, pairs, shrink=2) if best.correlation >= COARSE_CORRELATION]
    return {
        pair: best
        for start in range(0, len(promising), PAIRS_AT_ONCE)
        for pair, best in _compared(pictures, promising[start : start + PAIRS_AT_ONCE], shrink=1)
        if best.correlation >= LEAST_CORRELATION and _agrees_in_detail(pictures, pair, best)
    }


def _agrees_in_detail(pictures: Sequence[NDArray[np.float32]], pair: Pair, overlap: Overlap) -> bool:
    # Blurred as a whole and cut afterwards: at a cut edge the blur would lack the pixels beyond.
    first, second = (detail(pictures[number]) for number in pair)
    rows, columns = overlap.rows, overlap.columns
    return is_one_detail(_shifted(first, rows, columns), _shifted(second, -rows, -columns))


def _shifted(picture: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """The part of a picture that overlaps with another picture placed `rows` down and `columns` to the right."""
    height, width = picture.shape
    return picture[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)]


def detail(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract a blurred copy from a picture of shape ``(h, w)``, which removes smooth shapes."""
    return picture - ndimage.gaussian_filter(picture, DETAIL_SCALE)


def is_one_detail(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Whether the detail of two pictures correlates by at least `LEAST_DETAIL`.

    Parameters
    ----------
    first, second
        Detail of pictures of one shape, ``(h, w)``.
    """
    return correlation(first, second) >= LEAST_DETAIL


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Pearson correlation of two pictures over all pixels; 0 if one is constant.

    Parameters
    ----------
    first, second
        Pictures of one shape, ``(h, w)``.
    """
    both = standardised([first, second])
    return float((both[0] * both[1]).mean())


def _compared(
    pictures: Sequence[NDArray[np.float32]], pairs: list[Pair], *, shrink: int
) -> Iterator[tuple[Pair, Overlap]]:
    """Find the best overlap of each pair of pictures of one shape, after shrinking them by the factor `shrink`."""
    # Each picture is prepared once, however many pairs it is in; `places` counts the prepared pictures.
    numbers, places = np.unique(pairs, return_inverse=True)
    prepared = _Prepared.of([_shrunk(pictures[number], shrink) for number in numbers])
    places = places.reshape(len(pairs), 2)
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        first, second = places[start : start + PAIRS_AT_ONCE].T
        yield from zip(pairs[start : start + PAIRS_AT_ONCE], prepared.best_overlaps(first, second), strict=True)


def standardised(pictures: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
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


def _shrunk(picture: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Shrink a picture by averaging all of its pixels, so that shrinking and then rotating equals the reverse."""
    height, width = (side // factor for side in picture.shape)
    if factor == 1 or min(height, width) < 2:
        return picture
    rows, columns = (_averaging(side, fewer) for side, fewer in zip(picture.shape, (height, width), strict=True))
    return np.matmul(np.matmul(rows, picture), columns.T)


@cache
def _averaging(side: int, fewer: int) -> NDArray[np.float32]:
    """The matrix that averages `side` pixels to `fewer`; a pixel on a boundary is shared between its neighbours."""
    edges = np.arange(fewer + 1) * (side / fewer)
    starts = np.arange(side)
    # Length that old pixel j shares with new pixel i; negative where they are apart.
    shared = np.minimum(edges[1:, np.newaxis], starts + 1) - np.maximum(edges[:-1, np.newaxis], starts)
    # The factor makes each row of the matrix sum to 1.
    return (shared.clip(min=0) * (fewer / side)).astype(np.float32)


@dataclass(frozen=True)
class _Shifts:
    """All shifts of pictures of one size, and the number of overlapping pixels for each."""

    height: int
    width: int

    @cached_property
    def rows(self) -> Integers:
        return np.arange(-(self.height // 2), self.height // 2 + 1)

    @cached_property
    def columns(self) -> Integers:
        return np.arange(-(self.width // 2), self.width // 2 + 1)

    @cached_property
    def n_pixels(self) -> NDArray[np.float32]:
        counts = np.outer(self.height - np.abs(self.rows), self.width - np.abs(self.columns))
        return counts.astype(np.float32)

    @cached_property
    def padded(self) -> tuple[int, int]:
        """Height and width that pictures are padded to before the FFT; padding keeps opposite edges from mixing."""
        # Shifts go up to half a side, so half a side of zeros is enough.
        height, width = (fft.next_fast_len(side + side // 2, real=True) for side in (self.height, self.width))
        return height, width

    def sums(self, pictures: Floats) -> NDArray[np.float32]:
        """Sum each picture over its overlap with another picture, for each shift, from cumulative sums."""
        # A summed-area table: `corners[:, i, j]` is the sum of the first i rows and j columns. It is in float64,
        # because small differences of large sums follow.
        corners = np.zeros((len(pictures), self.height + 1, self.width + 1))
        corners[:, 1:, 1:] = pictures.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
        # Rows `top` to `bottom - 1` of the picture overlap under each shift; columns likewise.
        top, bottom = np.maximum(self.rows, 0), self.height + np.minimum(self.rows, 0)
        left, right = np.maximum(self.columns, 0), self.width + np.minimum(self.columns, 0)
        upper, lower = corners[:, top], corners[:, bottom]
        return (lower[:, :, right] - upper[:, :, right] - lower[:, :, left] + upper[:, :, left]).astype(np.float32)


@dataclass(frozen=True)
class _Prepared:
    """Pictures of one shape, prepared once for all comparisons.

    Attributes
    ----------
    shifts
        The shifts to compare.
    spectra
        Fourier transforms of the standardised pictures, shape ``(n_pictures, …)``.
    sums, squares
        Sums of the pixels and of their squares over the overlap for each shift, shape
        ``(n_pictures, n_row_shifts, n_column_shifts)``.
    """

    shifts: _Shifts
    spectra: NDArray[np.complex64]
    sums: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def of(cls, pictures: Sequence[NDArray[np.float32]]) -> "_Prepared":
        shifts = _Shifts(*pictures[0].shape)
        parts = []
        for start in range(0, len(pictures), PAIRS_AT_ONCE):
            block = standardised(pictures[start : start + PAIRS_AT_ONCE])
            parts.append((fft.rfft2(block, shifts.padded), shifts.sums(block), shifts.sums(block**2)))
        return cls(shifts, *(np.concatenate(part) for part in zip(*parts, strict=True)))

    def best_overlaps(self, first: Integers, second: Integers) -> list[Overlap]:
        """Find the shift with the highest correlation of each pair, given by the numbers of its prepared pictures."""
        correlation = self._correlations(first, second)
        best = correlation.reshape(len(correlation), -1).argmax(axis=1)
        rows, columns = np.unravel_index(best, correlation.shape[1:])
        highest = correlation[np.arange(len(best)), rows, columns]
        return [
            Overlap(float(value), int(self.shifts.rows[row]), int(self.shifts.columns[column]))
            for value, row, column in zip(highest, rows, columns, strict=True)
        ]

    def _correlations(self, first: Integers, second: Integers) -> Floats:
        """Normalised cross-correlation over the overlap only, for each shift (D. Padfield, CVPR 2010)."""
        n_pixels = self.shifts.n_pixels
        # Shifting the second picture is the opposite of shifting the first.
        sum_first, sum_second = self.sums[first], self.sums[second, ::-1, ::-1]
        covariance = self._products(first, second) - sum_first * sum_second / n_pixels
        spread_first = self.squares[first] - sum_first**2 / n_pixels
        spread_second = self.squares[second, ::-1, ::-1] - sum_second**2 / n_pixels
        spread = np.sqrt(np.maximum(spread_first * spread_second, 0))
        # The pictures are standardised, so `n_pixels` pixels of average contrast have a spread of `n_pixels`.
        is_informative = spread > LEAST_SPREAD * n_pixels
        # -1 loses against every shift whose overlap has contrast.
        return np.divide(covariance, spread, out=np.full_like(covariance, -1), where=is_informative)

    def _products(self, first: Integers, second: Integers) -> Floats:
        """Sum of the products of overlapping pixels, for each shift."""
        # The transform puts negative shifts at the end, where negative indices find them.
        products = fft.irfft2(self.spectra[first] * np.conj(self.spectra[second]), self.shifts.padded)
        return products[:, self.shifts.rows][:, :, self.shifts.columns]
