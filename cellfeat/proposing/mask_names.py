"""Images that are masks of others, by their names."""

from collections.abc import Collection, Sequence

from cellfeat.samples.fields.mask_files import MASK_ENDING
from cellfeat.samples.layouts.file_sets import is_mask
from cellfeat.samples.layouts.previews import has_follower


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
    others = sorted(set(stems) - {name.rpartition(".")[0] for name in masks})
    for name in set(images) - set(masks):
        stem = name.rpartition(".")[0]
        folder, slash, own = stem.rpartition("/")
        ending = MASK_ENDING.fullmatch(own)
        if ending and has_follower(f"{folder}{slash}{ending[1]}", others, stem):
            masks.append(name)
    return sorted(masks)
