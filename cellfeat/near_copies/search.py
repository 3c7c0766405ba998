"""The search for near copies: shared pixels, shared detail, and pictures turned or mirrored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cellfeat.near_copies.alignment import Agreements, at_shifts, refined
from cellfeat.near_copies.candidates import turned_pairs, turned_pairs_between
from cellfeat.near_copies.chains import contradicted
from cellfeat.near_copies.controls import Threshold, threshold
from cellfeat.near_copies.detail import FINE, MIDDLE, Detail, detail_of
from cellfeat.near_copies.keypoints import Proposals, Spots, propose, spots
from cellfeat.near_copies.overlap import Overlap, Pair
from cellfeat.near_copies.patches import exact_overlaps
from cellfeat.near_copies.pictures import SamplePictures
from cellfeat.near_copies.shared_pixels import boxes_overlap
from cellfeat.near_copies.turned import TurnedCopy, turned_agreements, turned_alike
from cellfeat.samples.regions import Regions
from cellfeat.types import Bools, Integers

LEAST_SHARE = 0.15
"""Similar detail counts as an overlap only over this share of the smaller sample; equal pixels count over any share."""

CERTAIN = (0.98, 0.8)
"""Correlations of detail, in the middle and in the fine band, from which on a turned copy is no control.

Pictures that were turned and saved as JPEG of quality 75 have 0.99 and 0.87. Masked nuclei have at most 0.98 and 0.84
at the best of all shifts, and less without a shift.
"""

LEAST_TURNED_DETAIL = 0.9
"""Smallest correlation of the middle band of a turned copy.

Blocks of JPEGs with few coefficients are alike after a mirroring along a diagonal, which controls do not show: 0.80 was
seen for different nuclei of quality 50. Copies of quality 75 have 0.99.
"""

NOTHING_IN_COMMON = 5.0
"""Below this strength two samples have nothing in common at a shift: half of all unrelated pairs have more."""

MOST_CONTROLS = 20_000
SEED = 0

Relation = Overlap | TurnedCopy


@dataclass(frozen=True)
class NearCopies:
    """The near copies among some samples.

    Attributes
    ----------
    found
        How the two samples are related, by pair.
    expected_false
        How many of them are expected to be unrelated samples that look alike; equal pixels are never chance.
    n_controls
        Number of unrelated pairs that this is estimated from.
    """

    found: Mapping[Pair, Relation]
    expected_false: float = 0.0
    n_controls: int = 0


def near_copies(pictures: SamplePictures, copies: Iterable[Pair], regions: Regions | None = None) -> NearCopies:
    """Find samples that overlap, or are each other turned or mirrored.

    Crops of one field are not compared by their detail: their boxes say whether they share pixels.

    Parameters
    ----------
    pictures
        Pictures of the samples.
    copies
        Pairs (first, later) of exact duplicates: only the first of each is compared.
    regions
        Where all samples lie on their fields; None where they are whole images. Pairs whose boxes overlap are left out:
        see `cellfeat.near_copies.shared_pixels`.

    Returns
    -------
    NearCopies
        By pair of rows, the smaller row first.
    """
    # One of several exact duplicates is enough: its near copies are near copies of all of them.
    is_later = np.isin(pictures.rows, [later for _, later in copies])
    compared = pictures.take(np.flatnonzero(~is_later))
    placed = None if regions is None else regions.take(compared.rows)
    searched = _search(compared, None, placed)
    rows = compared.rows.tolist()
    found = {(rows[first], rows[second]): how for (first, second), how in sorted(searched.found.items())}
    return NearCopies(found, searched.expected_false, searched.n_controls)


def near_copies_between(known: SamplePictures, asked: SamplePictures) -> NearCopies:
    """Find samples that overlap with known samples, or are one of these turned or mirrored.

    Exact duplicates are included.

    Parameters
    ----------
    known
        Pictures of the known samples.
    asked
        Pictures of the samples in question, made to the same scale.

    Returns
    -------
    NearCopies
        By pair: the row in `known`, the row in `asked`.
    """
    n_known = len(known.rows)
    searched = _search(known.joined(asked), np.arange(n_known + len(asked.rows)) >= n_known)
    known_rows, rows = known.rows.tolist(), asked.rows.tolist()
    found = {
        (known_rows[first], rows[second - n_known]): how for (first, second), how in sorted(searched.found.items())
    }
    return NearCopies(found, searched.expected_false, searched.n_controls)


def _search(pictures: SamplePictures, is_asked: Bools | None, placed: Regions | None = None) -> NearCopies:
    """Compare all samples with each other, or those asked about with the others, by their place in `pictures`."""
    exact = _unexplained(exact_overlaps(pictures.patches, pictures.shapes), placed)
    similar = _similar(pictures, is_asked, _field_numbers(pictures, placed))
    overlaps = _consistent({**similar.overlaps, **exact}, pictures, similar.middle)
    found: dict[Pair, Relation] = {**similar.turned, **overlaps}
    if is_asked is not None:
        found = {pair: how for pair, how in found.items() if is_asked[pair[0]] != is_asked[pair[1]]}
    return NearCopies(found, similar.expected_false, similar.n_controls)


def _field_numbers(pictures: SamplePictures, placed: Regions | None) -> Integers:
    """Number of the field of each sample; without fields, each sample is one of its own."""
    if placed is None:
        return np.arange(len(pictures.rows))
    return np.unique(placed.field, return_inverse=True)[1]


def _unexplained(exact: dict[Pair, Overlap], placed: Regions | None) -> dict[Pair, Overlap]:
    """Equal pixels that the boxes do not explain: of two fields, or of two places on one."""
    if placed is None or not exact:
        return exact
    is_known = boxes_overlap(placed, np.array(list(exact)))
    return {pair: how for (pair, how), known in zip(exact.items(), is_known, strict=True) if not known}


@dataclass(frozen=True)
class _Similar:
    """Near copies by their detail, and the middle band of it."""

    overlaps: dict[Pair, Overlap]
    turned: dict[Pair, TurnedCopy]
    middle: Detail
    expected_false: float
    n_controls: int


def _similar(pictures: SamplePictures, is_asked: Bools | None, field: Integers) -> _Similar:
    """Find overlaps and turned copies by their detail, where it agrees more than that of unrelated pairs does."""
    bands = tuple(detail_of(pictures.pictures, band) for band in (MIDDLE, FINE))
    turned = _turned(pictures, bands, is_asked, field)
    described = spots(bands[0], field)
    first, second = _sides(described, is_asked)
    widths = np.array([picture.shape[1] for picture in pictures.pictures], dtype=np.intp)
    mirrored = _without(propose(first, second.flipped(widths), len(pictures.rows)), turned.certain)
    controls = _measured(bands, tuple(band.flipped() for band in bands), _some(mirrored))
    # Mirrored pairs are as many as the unrelated pairs in question, since both are found by the same search.
    thresholds = [threshold(control.strengths, len(mirrored.pairs)) for control in controls]
    agreements = _measured(bands, bands, propose(first, second, len(pictures.rows)))
    overlaps = dict(
        _overlap(pictures, agreements, int(place)) for place in np.flatnonzero(_any_above(agreements, thresholds))
    )
    return _Similar(
        {pair: overlap for pair, overlap in overlaps.items() if overlap.share >= LEAST_SHARE},
        turned.above(thresholds),
        bands[0],
        sum(one.expected_false for one in thresholds),
        len(mirrored.pairs),
    )


def _consistent(found: dict[Pair, Overlap], pictures: SamplePictures, middle: Detail) -> dict[Pair, Overlap]:
    """The overlaps that the others do not contradict."""

    def strength(pair: Pair, shift: tuple[int, int]) -> float:
        near = np.round(np.array([shift]) / pictures.scale.factor).astype(np.intp)
        return float(refined(middle, middle, Proposals(np.array([pair]), near)).strengths[0])

    wrong = contradicted(found, pictures.shapes, strength, NOTHING_IN_COMMON)
    return {pair: overlap for pair, overlap in found.items() if pair not in wrong}


@dataclass(frozen=True)
class _Turned:
    """Pairs that are alike after a turn, and the agreement of their detail."""

    alike: Mapping[Pair, TurnedCopy]
    agreements: tuple[Agreements, ...]

    @property
    def certain(self) -> set[Pair]:
        """Those whose detail agrees so well in every band that they need no comparison with controls."""
        above = [one.correlations >= least for one, least in zip(self.agreements, CERTAIN, strict=True)]
        is_certain = np.logical_and.reduce(above)
        return {pair for pair, certain in zip(self.alike, is_certain, strict=True) if certain}

    def above(self, thresholds: list[Threshold]) -> dict[Pair, TurnedCopy]:
        """Those whose detail agrees well, and more than that of unrelated pairs does."""
        is_above = _any_above(self.agreements, thresholds) & (self.agreements[0].correlations >= LEAST_TURNED_DETAIL)
        return {pair: copy for (pair, copy), above in zip(self.alike.items(), is_above, strict=True) if above}


def _turned(pictures: SamplePictures, bands: tuple[Detail, ...], is_asked: Bools | None, field: Integers) -> _Turned:
    pairs = turned_pairs(pictures.pictures) if is_asked is None else turned_pairs_between(pictures.pictures, is_asked)
    pairs = pairs[field[pairs[:, 0]] != field[pairs[:, 1]]]
    alike = turned_alike(pictures.pictures, pairs)
    return _Turned(alike, tuple(turned_agreements(band, alike) for band in bands))


def _sides(described: Spots, is_asked: Bools | None) -> tuple[Spots, Spots]:
    if is_asked is None:
        return described, described
    of_asked = is_asked[described.sample]
    return described.take(~of_asked), described.take(of_asked)


def _without(proposals: Proposals, turned: set[Pair]) -> Proposals:
    """Controls, each pair once, without pairs of which one is the other turned: as mirrored pictures these agree."""
    pairs = np.sort(proposals.pairs, axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    kept = [place for place in sorted(first.tolist()) if tuple(pairs[place].tolist()) not in turned]
    return Proposals(proposals.pairs[kept], proposals.shifts[kept])


def _some(proposals: Proposals) -> Proposals:
    """At most `MOST_CONTROLS` proposals, drawn at random."""
    n_pairs = len(proposals.pairs)
    if n_pairs <= MOST_CONTROLS:
        return proposals
    chosen = np.random.default_rng(SEED).choice(n_pairs, MOST_CONTROLS, replace=False)
    return Proposals(proposals.pairs[chosen], proposals.shifts[chosen])


def _measured(first: tuple[Detail, ...], second: tuple[Detail, ...], proposals: Proposals) -> tuple[Agreements, ...]:
    """The agreement in each band, at the shifts that suit the first band best."""
    best = refined(first[0], second[0], proposals)
    return best, *(at_shifts(one, other, best) for one, other in zip(first[1:], second[1:], strict=True))


def _any_above(agreements: tuple[Agreements, ...], thresholds: list[Threshold]) -> Bools:
    above = [one.strengths >= least.strength for one, least in zip(agreements, thresholds, strict=True)]
    return np.logical_or.reduce(above)


def _overlap(pictures: SamplePictures, agreements: tuple[Agreements, ...], place: int) -> tuple[Pair, Overlap]:
    """Describe the overlap of one pair in pixels of the original images."""
    first, second = agreements[0].pairs[place].tolist()
    rows, columns = (agreements[0].shifts[place] * pictures.scale.factor).tolist()
    shapes = pictures.shapes[first], pictures.shapes[second]
    correlation = max(float(one.correlations[place]) for one in agreements)
    return (first, second), Overlap.at((rows, columns), shapes, correlation, is_exact=False)
