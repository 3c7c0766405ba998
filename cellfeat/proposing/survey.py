"""What a folder holds: images, masks, tables, and what a few of the images are."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from cellfeat.errors import ImageError, ManifestError, MissingFileError
from cellfeat.samples.channels import opaque_planes
from cellfeat.samples.fields.mask_files import MASK_ENDING
from cellfeat.samples.file_kinds import FileKinds
from cellfeat.samples.file_sets import is_mask
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice
from cellfeat.samples.image_file import read_image
from cellfeat.samples.images import MAX_PIXELS
from cellfeat.samples.layouts import scan

TABLE_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".xlsx", ".txt")
MOST_TABLES = 20
MOST_EXAMPLES = 24
MOST_EXAMPLE_PIXELS = 60_000_000
_PREVIEW = re.compile(r"(^|[ _.-])(thumb|thumbnail|preview|overview|montage)s?([ _.-]|\d|$)", re.IGNORECASE)
_PREDICTIONS = re.compile(r"(predictions?|(sample_)?submission)", re.IGNORECASE)
_HIGHEST = PlaneChoice(z="max")
_WANTS_DEPTH = "images.plane={z: 0}"
# Figures and caches that cellfeat and others write.
_OWN_FOLDERS = ("results", "features", "__macosx")


@dataclass(frozen=True)
class Example:
    """One image file, read for a look: its name, planes without transparency, type, bits and size."""

    name: str
    planes: tuple[int, ...]
    channel_names: tuple[str, ...]
    dtype: str
    bits: int
    size: tuple[int, int]
    file_format: str
    is_grey_rgb: bool


@dataclass(frozen=True)
class Survey:
    """What a folder holds.

    Attributes
    ----------
    folder
        The folder as it was given.
    root
        The deepest folder that holds all images.
    names
        Images below `root`, sorted.
    masks, previews
        Images that are named like masks or previews of others; they are not in `names`.
    tables
        Files that may be tables of labels.
    n_others
        Number of all other files.
    examples
        Some of the images, read.
    unreadable
        Messages about images that could not be read.
    projection
        For ``images.plane``, where every image has several depths and the user chose none; None otherwise.
    """

    folder: Path
    root: Path
    names: tuple[str, ...]
    masks: tuple[str, ...]
    previews: tuple[str, ...]
    tables: tuple[Path, ...]
    n_others: int
    examples: tuple[Example, ...]
    unreadable: tuple[str, ...]
    projection: Mapping[str, str] | None = None

    @property
    def left_out(self) -> list[str]:
        """Masks and previews below `root`, as seen from there."""
        below = self.root.relative_to(self.folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        return [name[len(prefix) :] for name in (*self.masks, *self.previews) if name.startswith(prefix)]

    @property
    def one_plane(self) -> bool:
        """Whether most images hold one channel, grey images saved as RGB included."""
        n_single = sum(len(example.planes) == 1 or example.is_grey_rgb for example in self.examples)
        return 2 * n_single > len(self.examples)


def survey_folder(folder: Path, *, ignored: Sequence[Path] = (), plane: PlaneChoice = NO_CHOICE) -> Survey:
    """Look at a folder.

    Parameters
    ----------
    folder
        The folder.
    ignored
        Files that are not images of cells, such as the picture of an earlier call.
    plane
        Which plane of stacks the user chose.

    Raises
    ------
    MissingFileError
        If the folder does not exist.
    ManifestError
        If a folder cannot be listed, or there are no images.
    """
    if not folder.is_dir():
        hint = "it is a file; name the folder that holds it" if folder.exists() else "name the folder of your images"
        raise MissingFileError(f"{folder}: no such folder: {hint}")
    kinds = FileKinds(folder)
    hidden = {path.name: path.resolve() for path in ignored}
    on_disk = sorted(name for name in scan(folder) if not _is_hidden(folder, name, hidden))
    images = [name for name in on_disk if kinds.is_image(name)]
    own = [name for name in images if name.split("/")[0].lower() in _OWN_FOLDERS and "/" in name]
    others = set(own)
    images = [name for name in images if name not in others] or images
    tables = [name for name in on_disk if name.lower().endswith(TABLE_ENDINGS) and not name.startswith("results/")]
    # Tables of all images lie above those of one.
    tables.sort(key=lambda name: (name.count("/"), name))
    if not images:
        raise ManifestError(_nothing(folder, on_disk))
    return _sorted_out(folder, images, tables, len(on_disk), plane)


def _is_hidden(folder: Path, name: str, hidden: Mapping[str, Path]) -> bool:
    own = name.rpartition("/")[2]
    return own in hidden and (folder / name).resolve() == hidden[own]


def tables_beside(folder: Path) -> list[Path]:
    """Files beside a folder that may be tables of labels."""
    above = folder / ".." if folder.name in ("", "..") else folder.parent
    try:
        names = sorted(path.name for path in above.iterdir() if path.name.lower().endswith(TABLE_ENDINGS))
    except OSError:
        return []
    return [above / name for name in names if (above / name).is_file() and not _PREDICTIONS.match(name)]


def _nothing(folder: Path, on_disk: Sequence[str]) -> str:
    if not on_disk:
        return f"{folder}: the folder is empty; name the folder of your images"
    endings = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in on_disk)
    told = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    return (
        f"{folder}: none of its {len(on_disk)} files is a PNG, JPEG or TIFF ({told}); name the folder of your images, "
        "or save them as TIFF or PNG"
    )


def _sorted_out(folder: Path, images: Sequence[str], tables: Sequence[str], n_files: int, plane: PlaneChoice) -> Survey:
    stems = {name.rpartition(".")[0] for name in images}
    masks = _masks(images, stems)
    previews = [name for name in images if _PREVIEW.search(name.rpartition("/")[2])]
    left_out = {*masks, *previews}
    kept = [name for name in images if name not in left_out]
    if not kept:
        # Everything is named like masks, so these are the images.
        kept, masks, previews = list(images), [], []
    below = common_folder(kept)
    names = tuple(name[len(below) :] for name in kept)
    root = folder / below if below else folder
    examples, unreadable = _examples(root, names, plane)
    projected = _examples(root, names, _HIGHEST) if plane == NO_CHOICE and _are_depths(examples, unreadable) else None
    is_stack = projected is not None and not projected[1]
    examples, unreadable = projected if projected and is_stack else (examples, unreadable)
    return Survey(
        folder=folder,
        root=root,
        names=names,
        masks=tuple(masks),
        previews=tuple(previews),
        tables=tuple(folder / name for name in tables),
        n_others=n_files - len(images) - len(tables),
        examples=examples,
        unreadable=unreadable,
        projection={"z": "max"} if is_stack else None,
    )


def _are_depths(examples: Sequence[Example], unreadable: Sequence[str]) -> bool:
    """Whether no image can be read, for want of a depth to choose."""
    return not examples and all(_WANTS_DEPTH in message for message in unreadable)


def _masks(images: Sequence[str], stems: set[str]) -> list[str]:
    """Images named like masks of others: of an image, or of a field that has a file for each channel."""
    masks = [name for name in images if is_mask(name, stems)]
    others = sorted(stems - {name.rpartition(".")[0] for name in masks})
    for name in set(images) - set(masks):
        ending = MASK_ENDING.fullmatch(name.rpartition(".")[0].rpartition("/")[2])
        if ending:
            base = name[: name.rindex("/") + 1] + ending[1] if "/" in name else ending[1]
            place = bisect_left(others, f"{base} ")
            following = [stem for stem in others[place : place + 3] if stem != name.rpartition(".")[0]]
            if any(stem.startswith(base) for stem in following):
                masks.append(name)
    return sorted(masks)


def common_folder(names: Sequence[str]) -> str:
    """The folder that holds all files, with ``/`` at its end; ``""`` where they share none."""
    first, last = min(names), max(names)
    common = ""
    for one, other in zip(first.split("/")[:-1], last.split("/")[:-1], strict=False):
        if one != other:
            break
        common += f"{one}/"
    return common


def spread(n_items: int, n_wanted: int) -> list[int]:
    """Give places spread over a list, its first and last included.

    Parameters
    ----------
    n_items
        Length of the list.
    n_wanted
        How many places, at most.
    """
    return sorted({int(place) for place in np.linspace(0, n_items - 1, min(n_items, n_wanted))})


def _examples(root: Path, names: Sequence[str], plane: PlaneChoice) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    examples: list[Example] = []
    unreadable: list[str] = []
    n_pixels = 0
    for place in _in_turns(names):
        if n_pixels > MOST_EXAMPLE_PIXELS:
            break
        try:
            image = read_image(root / names[place], MAX_PIXELS, plane)
        except (ImageError, MissingFileError) as error:
            unreadable.append(str(error))
            continue
        n_pixels += image.pixels.size
        examples.append(_example(names[place], image))
    return tuple(examples), tuple(unreadable)


def _in_turns(names: Sequence[str]) -> list[int]:
    """Places of files to read: some of each ending, spread over all."""
    by_ending: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_ending.setdefault(name.rpartition(".")[2].lower(), []).append(place)
    n_each = max(3, MOST_EXAMPLES // len(by_ending))
    return [places[one] for places in list(by_ending.values())[:8] for one in spread(len(places), n_each)]


def _example(name: str, image: Image) -> Example:
    planes = opaque_planes(image)
    first = image.pixels[planes[0]] if planes else image.pixels[0]
    is_grey = len(planes) == 3 and all(np.array_equal(first, image.pixels[plane]) for plane in planes[1:])
    height, width = image.pixels.shape[1:]
    return Example(
        name,
        tuple(planes),
        tuple(image.channel_names[: len(image.pixels)]),
        image.pixels.dtype.name,
        image.bits_stated,
        (int(height), int(width)),
        image.file_format,
        is_grey,
    )
