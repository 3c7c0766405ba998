"""Advice for a folder of images in which the settings find no sample: settings that fit the names of its files."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from cellfeat.config import ImagesSettings
from cellfeat.errors import ImageError
from cellfeat.samples.folders.opening import remote_files
from cellfeat.samples.formats.decoded_image import Image, channels_hint
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.formats.reading import LARGEST_HEADER, decode_file
from cellfeat.samples.image_file.channels import opaque_planes
from cellfeat.samples.layouts.class_folders import FoldersLayout
from cellfeat.samples.layouts.search import Search
from cellfeat.text import first_ten

MOST_CHANNELS = 8


def layout_hint(search: Search, ids: Sequence[str]) -> str:
    """Say what is in the folder of images, and which settings would fit it.

    Parameters
    ----------
    search
        The settings, and the files on disk; no file that a sample needs is among them.
    ids
        Ids of the samples in the labels table; empty where there is none.
    """
    names = sorted(search.kinds.images(search.on_disk))
    if not names:
        return (
            "the folder contains no PNG, JPEG, TIFF or BMP files: name the right one with --images FOLDER (images.root)"
        )
    if search.found and ids:
        others = sorted(sample.sample_id for sample in search.found)
        return (
            f"the names of {len(others)} samples on disk fit the settings, but none of their ids is in "
            f"{search.labels.file}: it has {_few(ids)}, the images have {_few(others)}; name the table of these images "
            f"with --labels FILE, or its column of ids with --set labels.id=COLUMN"
        )
    folders = sorted({name.partition("/")[0] for name in names if "/" in name})
    if folders and not isinstance(search.layout, FoldersLayout):
        table = "" if search.labels.file is None else ", and --labels none if there is no labels table"
        return (
            f"there are folders of images: {first_ten(folders)}; if they are the classes: --set images.layout=folders"
            f"{table}"
        )
    return f"there are {len(names)} images such as {names[0]}; for example: {_settings_for(search, names, ids)}"


def _usable_planes(name: str, images: ImagesSettings) -> list[int]:
    """Up to three planes of an image file, without transparency; the first where it cannot be read."""
    try:
        return opaque_planes(_decoded(name, images))[:3]
    except (ImageError, OSError):
        return [0]


def _decoded(name: str, images: ImagesSettings) -> Image:
    plane, files = PlaneChoice.from_settings(images.plane), remote_files(images.root)
    if files is None:
        return decode_file(images.local_root / name, images.max_pixels, plane)
    with files.opened((name,), LARGEST_HEADER) as (content,):
        return decode_image(content, images.max_pixels, plane)


class _Pattern(NamedTuple):
    """A pattern that fits file names, and the channels in them; no channels where a file holds them all."""

    text: str
    channels: tuple[str, ...]


def _few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (" …" if len(ids) > 3 else "")


def _settings_for(search: Search, names: Sequence[str], ids: Collection[str]) -> str:
    pattern = fitting_pattern(names, ids)
    if pattern.channels:
        channels = f"--set 'images.channels=[{', '.join(pattern.channels)}]'"
    else:
        channels = channels_hint(_usable_planes(names[0], search.images))
    layout = "" if search.images.layout == "pattern" else "--set images.layout=pattern "
    return f"{layout}--set 'images.pattern={pattern.text}' {channels}"


def fitting_pattern(names: Sequence[str], ids: Collection[str] = ()) -> _Pattern:
    """Find a pattern for file names.

    Parameters
    ----------
    names
        The names, at least one.
    ids
        Ids that the pattern should give; empty: any.

    Examples
    --------
    >>> fitting_pattern(["c01_er.tif", "c01_dna.tif", "c02_er.tif", "c02_dna.tif"]).text
    '{sample_id}_{channel}.tif'
    >>> fitting_pattern(["cell_001.png", "cell_002.png"], ["1", "2"]).text
    'cell_{sample_id:03d}.png'
    """
    (suffix, _), *_ = Counter(PurePosixPath(name).suffix for name in names).most_common(1)
    stems = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
    heads, separator, channels = split_channels(stems)
    tail = _escaped(separator) + ("{channel}" if channels else "") + _escaped(suffix)
    prefix = re.sub(r"\d+$", "", _common_start(heads))
    forms = [(start, form) for start in ("", prefix) for form in _forms([head[len(start) :] for head in heads])]
    start, form = next((form for form in forms if _gives(form, heads, ids)), forms[0])
    return _Pattern(f"{_escaped(start)}{form}{tail}", channels)


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    n_equal = next(
        (place for place, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first)
    )
    return first[:n_equal]


def split_channels(stems: Sequence[str]) -> tuple[list[str], str, tuple[str, ...]]:
    """Split names into samples and channels: the last parts are channels if each sample has all of a few.

    Parameters
    ----------
    stems
        Names of files without their endings.

    Returns
    -------
    tuple
        Names of the samples, the separator, and the channels; no channels where the names hold none.
    """
    for separator in ("_", "-", ".", " "):
        parts = [stem.rpartition(separator) for stem in stems]
        channels = {channel for *_, channel in parts}
        counts = Counter(head for head, *_ in parts)
        # Numbers are rather samples or fields.
        are_names = 1 < len(channels) <= MOST_CHANNELS and not all(map(str.isdecimal, channels))
        if are_names and "" not in counts and set(counts.values()) == {len(channels)}:
            return list(counts), separator, tuple(sorted(channels))
    return list(stems), "", ()


def _forms(heads: Sequence[str]) -> list[str]:
    """The fields that fit ids: text, or a number with leading zeros."""
    widths = {len(head) for head in heads}
    is_padded = all(map(str.isdecimal, heads)) and len(widths) == 1 and any(head.startswith("0") for head in heads)
    return [f"{{sample_id:0{widths.pop()}d}}", "{sample_id}"] if is_padded else ["{sample_id}"]


def _gives(form: tuple[str, str], heads: Sequence[str], ids: Collection[str]) -> bool:
    start, field = form
    found = {head[len(start) :] for head in heads}
    if field != "{sample_id}":
        found = {str(int(head)) for head in found}
        ids = {str(int(one)) if one.isdecimal() else one for one in ids}
    return not ids or not found.isdisjoint(ids)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
