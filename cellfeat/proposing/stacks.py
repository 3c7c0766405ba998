"""Depths, times and several images in a file, and the sizes of pixels."""

from collections.abc import Iterator, Sequence

from cellfeat.config import ImagesSettings, PlaneSettings
from cellfeat.proposing.choice import Choice
from cellfeat.proposing.survey import Example
from cellfeat.samples.formats.pages import AS_FILES, MOST_PAGES

_ONE = {"depths": "one depth", "times": "one time", "series": "one image"}
_SEVERAL = {"depths": "depths", "times": "times", "series": "images"}


def plane_choices(examples: Sequence[Example]) -> list[Choice]:
    """Choose what is read of stacks; nothing where each file holds one plane of each channel."""
    choices = []
    if _most(examples, "series") > 1:
        why = f"{_held(examples, 'series')} in a file: the first is read, the others are not"
        why += _cells(examples, "series")
        choices.append(Choice("images.plane.series", 0, why, is_guess=True))
    if _most(examples, "times") > 1:
        why = f"{_held(examples, 'times')} in a file: the first is read, the others are not"
        why += _cells(examples, "times")
        choices.append(Choice("images.plane.t", 0, why, is_guess=True))
    if _most(examples, "depths") > 1:
        last = _most(examples, "depths") - 1
        why = f"{_held(examples, 'depths')} in a file: the highest value over them; or mean, or one of 0 to {last}"
        why += _cells(examples, "depths")
        choices.append(Choice("images.plane.z", "max", why, is_guess=True))
    return choices


def stack_lines(examples: Sequence[Example]) -> Iterator[str]:
    """Say which stacks there are, and the size of a pixel."""
    held = [_held(examples, what) for what in ("depths", "times", "series") if _most(examples, what) > 1]
    if held:
        yield f"stacks: {', '.join(held)} in a file"
    sizes = pixel_sizes(examples)
    if sizes:
        told = ", ".join(f"{size:g}" for size in sizes[:5])
        n_silent = sum(example.pixel_size is None for example in examples)
        silent = f" ({n_silent} of {len(examples)} files that were read do not state it)" if n_silent else ""
        yield f"pixel size: {told} micrometres{silent}"


def pixel_sizes(examples: Sequence[Example]) -> list[float]:
    """The different sizes of a pixel in micrometres, smallest first; sizes that differ by less than 1 % are one."""
    stated = sorted(example.pixel_size for example in examples if example.pixel_size is not None)
    return [size for place, size in enumerate(stated) if place == 0 or size > 1.01 * stated[place - 1]]


def n_depths(examples: Sequence[Example], plane: PlaneSettings) -> int:
    """Most depths that are read for one image: all of them, where they are projected.

    Parameters
    ----------
    examples
        The images that were read.
    plane
        What is read of stacks.
    """
    return _most(examples, "depths") if isinstance(plane.z, str) else 1


def resolution_offer(examples: Sequence[Example], images: ImagesSettings) -> tuple[list[Choice], list[str]]:
    """Offer one resolution where files differ in the size of a pixel.

    Parameters
    ----------
    examples
        The images that were read.
    images
        The settings; crops of fields alone can be brought to one resolution.

    Returns
    -------
    tuple
        The setting that is offered, if any, and remarks.
    """
    sizes = pixel_sizes(examples)
    if len(sizes) < 2 or images.fields.resolution is not None:
        return [], []
    told = f"pixels have {len(sizes)} sizes, from {sizes[0]:g} to {sizes[-1]:g} micrometres"
    if images.layout != "fields":
        remark = f"{told}, so cells differ in size for that alone; scale the images to one, or keep one kind"
        return [], [remark]
    why = f"{told}: this brings the crops of all fields to the largest; crop_size then counts pixels of that size"
    return [Choice("images.fields.resolution", round(sizes[-1], 6), why)], [f"{told}; see images.fields.resolution"]


def _most(examples: Sequence[Example], what: str) -> int:
    return max((getattr(example.extent, what) for example in examples), default=1)


def _cells(examples: Sequence[Example], what: str) -> str:
    """What to do if depths, times or images of a TIFF are cells: ImageJ notes the pages of any stack as depths."""
    is_likely = _most(examples, what) > (1 if what == "series" else MOST_PAGES)
    return f"; if they are cells, {AS_FILES}" if is_likely and examples[0].file_format == "tiff" else ""


def _held(examples: Sequence[Example], what: str) -> str:
    counts = sorted({getattr(example.extent, what) for example in examples})
    if len(counts) == 1:
        return f"{counts[0]} {_SEVERAL[what]}"
    return f"{_ONE[what] if counts[0] == 1 else counts[0]} to {counts[-1]} {_SEVERAL[what]}"
