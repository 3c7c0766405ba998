"""Files in class folders that belong to one cell: masks beside images, and one file for each channel."""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from cellfeat.samples.layouts.class_folders import FoldersLayout
from cellfeat.samples.layouts.hints import split_channels
from cellfeat.samples.layouts.previews import is_preview_folder, previews_among
from cellfeat.samples.layouts.search import Search, natural_key
from cellfeat.text import first_ten

_MASK = r"(cp[_-]?)?masks?|segs?|segmentations?|annotations?|ground[_-]?truths?|gt|outlines?|label[_-]?(image|map)s?"
_MASK_ENDING = re.compile(rf"(.+?)[ ._-]+({_MASK}|labels?)", re.IGNORECASE)
_MASK_FOLDER = re.compile(rf"({_MASK}|labels)([ _-].*)?", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(r"(raw|imgs?|images?|pictures?)([ _-].*)?", re.IGNORECASE)
_FEWEST_SETS = 3


def folder_problems(search: Search, classes: Collection[str]) -> list[str]:
    """Lines of an error message where the class folders are those of images, and of their masks or previews.

    Parameters
    ----------
    search
        The settings and the files on disk.
    classes
        Names of the classes.
    """
    if not _folders_are_classes(search):
        return []
    masks = sorted(name for name in classes if _MASK_FOLDER.fullmatch(name) or is_preview_folder(name))
    images = sorted(filter(_IMAGE_FOLDER.fullmatch, set(classes) - set(masks)))
    if not masks or not images or len(masks) + len(images) < len(classes):
        return []
    return [
        f"- the folders {first_ten([*images, *masks])} are taken as classes, but are named like images and their masks "
        "or previews; make a folder for each class, or take the images alone: "
        f"--images {search.images.root / images[0]}, with a labels table (--labels FILE) or --labels none"
    ]


def file_set_remarks(search: Search) -> list[str]:
    """Say which samples are named like masks or previews of others, or like the channels of one cell.

    Parameters
    ----------
    search
        The settings, and the files on disk.
    """
    if not isinstance(search.layout, FoldersLayout):
        return []
    names = sorted((sample.sample_id for sample in search.found), key=natural_key)
    return [*_mask_remarks(names), *_preview_remarks(names), *_channel_remarks(names)]


def is_mask(name: str, stems: Collection[str]) -> bool:
    """Whether an image is named like the mask of another one, or lies in a folder of masks.

    Parameters
    ----------
    name
        Its path.
    stems
        Paths of all images, without their endings.
    """
    stem = name.rpartition(".")[0]
    folder, _, own = stem.rpartition("/")
    if any(map(_MASK_FOLDER.fullmatch, folder.split("/"))):
        return True
    end = _MASK_ENDING.fullmatch(own)
    return end is not None and f"{folder}/{end[1]}".lstrip("/") in stems


def _folders_are_classes(search: Search) -> bool:
    has_column = search.labels.file and search.labels.label
    return isinstance(search.layout, FoldersLayout) and not has_column


def _mask_remarks(names: Sequence[str]) -> list[str]:
    by_stem = {_stem(name): name for name in names}
    ends = ((name, _MASK_ENDING.fullmatch(_stem(name))) for name in names)
    pairs = [(name, by_stem[end[1]]) for name, end in ends if end and end[1] in by_stem]
    if not pairs:
        return []
    told = first_ten(f"{mask} of {image}" for mask, image in pairs)
    return [
        f"warning: {len(pairs)} of {len(names)} images are named like masks of others, and are taken as samples of "
        f"their own: {told}; if they are masks, move them out of the class folders"
    ]


def _preview_remarks(names: Sequence[str]) -> list[str]:
    previews = previews_among(names)
    if not previews:
        return []
    return [
        f"warning: {len(previews)} of {len(names)} images are named like previews or copies of others, and are "
        f"taken as samples of their own: {first_ten(previews)}; if they are, move them out of the class folders"
    ]


def _channel_remarks(names: Sequence[str]) -> list[str]:
    """Sets of files, all with the same endings such as ``_DAPI`` and ``_GFP``."""
    endings = {PurePosixPath(name).suffix for name in names}
    heads, separator, channels = split_channels([_stem(name) for name in names])
    if len(endings) > 1 or len(heads) < _FEWEST_SETS or not channels:
        return []
    ends = first_ten(f"{separator}{channel}" for channel in channels)
    return [
        f"warning: the {len(names)} images are {len(heads)} names with the endings {ends}, and each file is taken as a "
        "sample of its own; if the files of a name are the channels of one cell: "
        f"{_channels_advice(heads, f'{separator}{{channel}}{endings.pop()}', channels)}"
    ]


def _channels_advice(heads: Sequence[str], tail: str, channels: Sequence[str]) -> str:
    """Settings that read the files of a name as one sample; `tail` is the end of their pattern."""
    separate = " --set preprocessing.channels_as=separate" if len(channels) == 2 else ""
    settings = f"--set 'images.channels=[{', '.join(channels)}]'{separate}"
    # The ids of a pattern have no folder, so equal names in two folders would be one id.
    if len({PurePosixPath(head).name for head in heads}) == len(heads) and all(head.count("/") == 1 for head in heads):
        return f"--set images.layout=pattern --set 'images.pattern={{label}}/{{sample_id}}{tail}' {settings}"
    return (
        "list them in a labels table, with a column of file names for each channel: --labels FILE --set "
        f"'labels.files=[COLUMN, …]' {settings}"
    )


def _stem(name: str) -> str:
    return name.removesuffix(PurePosixPath(name).suffix)
