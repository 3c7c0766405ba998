"""Images that were made of others, by their names: masks, previews, and composites of the files of channels."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence

from cellfeat.samples.fields.mask_files import MASK_ENDING
from cellfeat.samples.layouts.file_sets import is_mask

_PREVIEW = re.compile(r"(^|[ _.-])(thumb|thumbnail|preview|overview|montage)s?([ _.-]|\d|$)", re.IGNORECASE)
_COMPOSITE = re.compile(r"(.+?)[ ._-]+\(?(merged?|overlay|composite|rgb)\)?", re.IGNORECASE)


def masks_among(images: Sequence[str], stems: Collection[str]) -> list[str]:
    """Images named like masks of others: of an image, or of a field that has a file for each channel.

    Parameters
    ----------
    images
        Paths of all images.
    stems
        The same without their endings.
    """
    masks = [name for name in images if is_mask(name, stems)]
    others = sorted(set(stems) - {_stem(name) for name in masks})
    for name in set(images) - set(masks):
        ending = MASK_ENDING.fullmatch(_stem(name).rpartition("/")[2])
        if ending and _has_follower(_folder(name) + ending[1], others, _stem(name)):
            masks.append(name)
    return sorted(masks)


def previews_among(images: Sequence[str]) -> list[str]:
    """Images named like previews, and like composites of other images, as ``1_merge`` beside ``1_ch00``.

    Parameters
    ----------
    images
        Paths of all images.
    """
    composites = {name: end[1] for name in images if (end := _COMPOSITE.fullmatch(_stem(name).rpartition("/")[2]))}
    others = sorted(_stem(name) for name in images if name not in composites)
    return [
        name
        for name in images
        if _PREVIEW.search(name.rpartition("/")[2])
        or (name in composites and _has_follower(_folder(name) + composites[name], others, ""))
    ]


def _has_follower(base: str, stems: Sequence[str], own: str) -> bool:
    """Whether one of sorted stems is a base with more behind it, other than its own."""
    place = bisect_left(stems, f"{base} ")
    return any(stem.startswith(base) for stem in stems[place : place + 3] if stem != own)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _folder(name: str) -> str:
    return name[: name.rindex("/") + 1] if "/" in name else ""
