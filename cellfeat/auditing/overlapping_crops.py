"""Crops of one field that share pixels: a finding for each sample, and the pairs that show one cell."""

from dataclasses import dataclass

import numpy as np

from cellfeat.auditing.findings import Finding
from cellfeat.extraction.store import Samples
from cellfeat.near_copies.overlap import SAME_CELL, Pair
from cellfeat.near_copies.placement import Placement
from cellfeat.near_copies.shared_pixels import BoxOverlaps, overlap_blocks
from cellfeat.samples.regions import Regions
from cellfeat.types import Integers


@dataclass(frozen=True)
class OverlappingCrops:
    """Crops of one field that share pixels.

    Attributes
    ----------
    findings
        One for each sample that shares pixels, with the sample that it shares most with.
    of_same_cell
        Pairs whose centres lie so close that both show the same cell.
    """

    findings: tuple[Finding, ...] = ()
    of_same_cell: tuple[Pair, ...] = ()


def overlapping_crops(samples: Samples) -> OverlappingCrops:
    """Find the crops that share pixels by their boxes; there are none where samples are whole images.

    Parameters
    ----------
    samples
        All samples.
    """
    regions = samples.regions
    if regions is None:
        return OverlappingCrops()
    partners = _Partners(len(samples))
    same_cell: list[Pair] = []
    for block in overlap_blocks(regions):
        partners.add(block)
        same_cell += [(one, other) for one, other in _of_same_cell(regions, block.pairs).tolist()]
    found = tuple(_finding(samples, partners, int(row)) for row in np.flatnonzero(partners.number))
    return OverlappingCrops(found, tuple(sorted(same_cell)))


class _Partners:
    """How many samples each sample shares pixels with, and with which it shares most."""

    def __init__(self, n: int) -> None:
        self.number = np.zeros(n, np.int64)
        self.most = np.full(n, -1, np.int64)
        self.pixels = np.zeros(n, np.int64)
        self.share = np.zeros(n)

    def add(self, found: BoxOverlaps) -> None:
        row = found.pairs.T.ravel()
        partner, pixels, share = found.pairs[:, ::-1].T.ravel(), np.tile(found.pixels, 2), np.tile(found.share, 2)
        self.number += np.bincount(row, minlength=len(self.number))
        # Ascending by pixels, and of equal ones the first partner last: an assignment keeps the last value.
        order = np.lexsort((-partner, pixels, row))
        order = order[np.append(row[order][1:] != row[order][:-1], True)] if len(order) else order
        order = order[pixels[order] > self.pixels[row[order]]]
        self.most[row[order]], self.pixels[row[order]] = partner[order], pixels[order]
        self.share[row[order]] = share[order]


def _of_same_cell(regions: Regions, pairs: Integers) -> Integers:
    one, other = pairs.T
    apart = np.abs(regions.centre[one] - regions.centre[other])
    # Height and width, to be compared with x and y.
    smaller = np.minimum(regions.box[one, 2:], regions.box[other, 2:])[:, ::-1]
    return pairs[(apart <= SAME_CELL * smaller).all(axis=1)]


def _finding(samples: Samples, partners: _Partners, row: int) -> Finding:
    others = int(partners.number[row]) - 1
    more = f", and some with {others} more" if others else ""
    detail = f"shares {partners.pixels[row]:,} pixels of its field, {partners.share[row]:.0%} of the smaller crop{more}"
    partner = int(partners.most[row])
    assert samples.regions is not None
    placement = Placement.of_boxes(samples.regions, partner, row)
    return Finding(str(samples.ids[row]), "overlapping crop", str(samples.ids[partner]), detail, placement)
