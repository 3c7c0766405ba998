"""The pairs of samples that an audit found, with the part that both show."""

from pathlib import Path

from cellfeat.errors import MissingFileError
from cellfeat.extraction.store import Features
from cellfeat.near_copies.placement import Placement
from cellfeat.reporting.sheets import Pair
from cellfeat.saved_results.audit import FoundThing, read_audit
from cellfeat.saved_results.files import AUDIT_FILES, AUDIT_FOLDER

_FIRST = ("label conflict", "crossing copy", "near copy", "overlapping crop", "look-alike")
"""Kinds of pairs in the order in which they are shown; exact copies, which look alike by definition, are last."""

Box = tuple[float, float, float, float]


def audited_pairs(folder: Path, features: Features) -> list[Pair]:
    """Read the pairs of an audit, those first that need a decision.

    Parameters
    ----------
    folder
        The folder of the audit, or of the results that it lies in.
    features
        The audited samples.

    Raises
    ------
    MissingFileError
        If there is no audit.
    RecordError
        If its files are damaged.
    """
    found = [one for one in read_audit(audit_folder(folder)).findings if one.partner]
    order = {kind: place for place, kind in enumerate(_FIRST)}
    found.sort(key=lambda one: order.get(one.finding, len(order)))
    return [Pair(one.sample, one.partner, one.finding, _boxes(one, features)) for one in found]


def audit_folder(folder: Path) -> Path:
    """The folder of an audit: the one that is given, or ``audit`` in it.

    Raises
    ------
    MissingFileError
        If there is no audit.
    """
    for path in (folder, folder / AUDIT_FOLDER):
        if (path / AUDIT_FILES[0]).is_file():
            return path
    raise MissingFileError(
        f"{folder}: holds no audit ({AUDIT_FILES[0]}, also not in {AUDIT_FOLDER}/); find pairs first: cellfeat audit"
    )


def _boxes(found: FoundThing, features: Features) -> tuple[Box | None, Box | None]:
    """The shared part on both samples; None where they are turned, show the same, or their sizes are unknown."""
    place, properties = found.placement, features.samples.properties
    rows = (features.samples.ids == found.sample).nonzero()[0]
    if place is None or properties is None or not len(rows) or place.quarters or place.mirrored:
        return None, None
    height, width = int(properties.height[rows[0]]), int(properties.width[rows[0]])
    if features.samples.regions is not None:
        height, width = (int(side) for side in features.samples.regions.box[rows[0], 2:])
    return _shared(place, height, width)


def _shared(place: Placement, height: int, width: int) -> tuple[Box | None, Box | None]:
    left, right = max(0, place.dx), min(width, place.dx + place.width)
    top, bottom = max(0, place.dy), min(height, place.dy + place.height)
    if right <= left or bottom <= top or (place.dx, place.dy) == (0, 0):
        return None, None
    size = (float(bottom - top), float(right - left))
    return (float(top), float(left), *size), (float(top - place.dy), float(left - place.dx), *size)
