"""Why images with masks, or with tables of positions, are not taken as whole fields with many cells."""

from collections.abc import Sequence

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.proposing.proposal import Choice, by_key
from cellfeat.proposing.survey import Survey, spread
from cellfeat.samples.fields.label_image import HOW_TO_SAVE
from cellfeat.samples.fields.objects import find_objects
from cellfeat.samples.folders.local import scan
from cellfeat.samples.reading.images import MAX_PIXELS
from cellfeat.text import first_ten

Refused = tuple[Sequence[Choice], str]
"""Settings that were tried, and why they do not fit."""

_TRIED_MASKS = 5


def why_no_cells(survey: Survey, refused: Sequence[Refused]) -> str | None:
    """Say why no cells can be cut out; None where nothing says that there are several on an image.

    Parameters
    ----------
    survey
        What the folder holds.
    refused
        Settings of whole fields that do not fit.
    """
    # Without a table of labels, nothing but the cells can be wrong.
    bare = [error for choices, error in refused if by_key(choices).get("labels.file") is None]
    errors = (*bare, *(error for _, error in refused))
    # Other settings are tried without a mask that is at fault, and then miss it.
    found = _faulty_mask(survey) or next(iter(errors), None) or _masks_of_other_formats(survey)
    if found is None:
        return None
    told = found.replace("\n- ", " ").replace("\n", " ")
    return f"no cells are cut out of the images: {told}"


def _faulty_mask(survey: Survey) -> str | None:
    """Say what is wrong with a file that is named like a mask of many cells."""
    for place in spread(len(survey.masks), _TRIED_MASKS) if survey.masks else ():
        try:
            find_objects(survey.folder / survey.masks[place], survey.masks[place], MAX_PIXELS)
        except (ImageError, MissingFileError) as error:
            return str(error)
    return None


def _masks_of_other_formats(survey: Survey) -> str | None:
    """Name files of segmentations that are not read."""
    stems = {name.rpartition(".")[0] for name in survey.names}
    others = sorted(name for name in scan(survey.root) if name.endswith((".h5", ".hdf5")) and _begins(name, stems))
    if others and not survey.masks:
        return f"{first_ten(others[:3])}: HDF5 files of images, which are not read; {HOW_TO_SAVE}"
    pickles = sorted(name for name in scan(survey.folder) if name.endswith("_seg.npy"))
    if pickles and not survey.masks:
        return f"the masks of Cellpose are pickles, which are not read: {first_ten(pickles[:3])}; {HOW_TO_SAVE}"
    return None


def _begins(name: str, stems: set[str]) -> bool:
    """Whether a file is called like an image, with more behind it, as ilastik names its results."""
    return any(name.startswith(stem) for stem in stems)


def why_no_labels(chosen: Sequence[Choice], refused: Sequence[Refused]) -> list[str]:
    """Say why a table gives whole fields no labels.

    Parameters
    ----------
    chosen
        The settings that fit.
    refused
        Settings that were tried before.
    """
    values = by_key(chosen)
    if any(values.get(key) for key in ("labels.file", "labels.label")) or "{label}" in str(
        values.get("images.pattern")
    ):
        return []
    tried = [error for choices, error in refused if by_key(choices).get("labels.file")]
    return [f"a table was not taken for labels: {tried[0]}"] if tried else []
