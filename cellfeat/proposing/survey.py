"""What a folder holds: images, masks, tables, and what a few of the images are."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from cellfeat.errors import ImageError, ManifestError, MissingFileError
from cellfeat.proposing.mask_names import masks_among
from cellfeat.proposing.number_tables import first_with_numbers, import_advice, is_table_name
from cellfeat.samples.folders.file_kinds import FileKinds, is_archive
from cellfeat.samples.folders.local import LocalFolder, scan
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.formats.extents import ONE_PLANE, Extent, missing_reader, read_extent
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice
from cellfeat.samples.image_file.channels import has_colour_map, opaque_planes, plane_of_grey
from cellfeat.samples.image_file.read import read_image
from cellfeat.samples.layouts.previews import previews_among
from cellfeat.samples.reading.images import MAX_PIXELS
from cellfeat.samples.tables.encoded_images import encoded_images
from cellfeat.text import first_ten

TABLE_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".xlsx", ".txt")
MOST_TABLES = 20
MOST_EXAMPLES = 24
MOST_EXAMPLE_PIXELS = 60_000_000
_PREDICTIONS = re.compile(r"(predictions?|(sample_)?submission)", re.IGNORECASE)
# Figures and caches that cellfeat and others write.
_OWN_FOLDERS = ("results", "features", "__macosx")


@dataclass(frozen=True)
class Example:
    """One image file, read for a look: its name, planes without transparency, type, bits and size.

    `grey_plane` is the plane that holds all of a grey image that was saved as RGB, in white or in one colour.
    `is_colour_map` says that it was drawn with a colour map, as viridis.
    """

    name: str
    planes: tuple[int, ...]
    channel_names: tuple[str, ...]
    dtype: str
    bits: int
    size: tuple[int, int]
    file_format: str
    grey_plane: int | None
    is_colour_map: bool = False
    extent: Extent = ONE_PLANE
    pixel_size: float | None = None
    names_axes: bool = True


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
        Images that are named like masks, previews, composites or copies of others; they are not in `names`.
    tables
        Files that may be tables of labels.
    n_others
        Number of all other files.
    examples
        Some of the images, read.
    unreadable
        Messages about images that could not be read.
    plane
        What the user chose of stacks.
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
    plane: PlaneChoice = NO_CHOICE

    @property
    def left_out(self) -> list[str]:
        """Masks and previews below `root`, as seen from there."""
        below = self.root.relative_to(self.folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        return [name[len(prefix) :] for name in (*self.masks, *self.previews) if name.startswith(prefix)]

    @property
    def one_plane(self) -> bool:
        """Whether most images hold one channel, grey images saved as RGB included."""
        n_single = sum(len(example.planes) == 1 or example.grey_plane is not None for example in self.examples)
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
        What the user chose of stacks.

    Raises
    ------
    MissingFileError
        If the folder does not exist.
    ManifestError
        If a folder cannot be listed, there are no images, or the package that reads them is not installed.
    """
    if not folder.is_dir():
        hint = "it is a file; name the folder that holds it" if folder.exists() else "name the folder of your images"
        hint = "it is an archive; unpack it, and name the folder" if is_archive(folder.name) else hint
        raise MissingFileError(f"{folder}: no such folder: {hint}")
    if is_zarr(folder):
        raise ManifestError(f"{folder}: is one image of Zarr; name the folder that holds your images")
    kinds = FileKinds(LocalFolder(folder))
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


def files_of_the_user(folder: Path) -> list[str]:
    """Names of all files below a folder, sorted, without what cellfeat writes into the folder where it runs."""
    return sorted(name for name in scan(folder) if not name.startswith(("results/", "features/")))


def tables_beside(folder: Path) -> list[Path]:
    """Files beside a folder that may be tables of labels, and no tables of files that were written for others."""
    above = folder / ".." if folder.name in ("", "..") else folder.parent
    try:
        names = sorted(path.name for path in above.iterdir() if path.name.lower().endswith(TABLE_ENDINGS))
    except OSError:
        return []
    files = [above / name for name in names if not _PREDICTIONS.match(name)]
    return [file for file in files if file.is_file() and not _is_table_of_files(file)]


def _is_table_of_files(file: Path) -> bool:
    if not file.name.endswith("_files.csv"):
        return False
    with suppress(OSError), file.open(encoding="utf-8", errors="replace") as lines:
        return re.match(r"sample_id,(.*,)?[^,]*file\b", lines.readline()) is not None
    return False


def _nothing(folder: Path, on_disk: Sequence[str]) -> str:
    if not on_disk:
        return f"{folder}: the folder is empty; name the folder of your images"
    endings = Counter(PurePosixPath(name).suffix.lower() or "no ending" for name in on_disk)
    told = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    parquet = [name for name in on_disk if name.lower().endswith(".parquet")]
    for name in parquet[:MOST_TABLES]:
        images = encoded_images(folder / name, f"pathlib.Path({str(folder)!r}).rglob('*.parquet')")
        if images is not None:
            return f"{folder}: holds no files of images, but {folder / name}: {images}"
    numbers = first_with_numbers(folder / name for name in on_disk if is_table_name(name))
    if numbers is not None:
        return f"{folder}: holds no images, but {numbers} is {import_advice(numbers)}"
    archives = [name for name in on_disk if is_archive(name)]
    if archives:
        return f"{folder}: holds no images, but archives, which are not read: {first_ten(archives)}; unpack them first"
    return (
        f"{folder}: none of its {len(on_disk)} files is a PNG, JPEG, TIFF or BMP, or of a microscope's format "
        f"({told}); name the folder of your images, or save them as TIFF or PNG"
    )


def _sorted_out(folder: Path, images: Sequence[str], tables: Sequence[str], n_files: int, plane: PlaneChoice) -> Survey:
    stems = {name.rpartition(".")[0] for name in images}
    masks = masks_among(images, stems)
    previews = previews_among(images)
    left_out = {*masks, *previews}
    kept = [name for name in images if name not in left_out]
    if not kept:
        # Everything is named like masks, so these are the images.
        kept, masks, previews = list(images), [], []
    below = common_folder(kept)
    names = tuple(name[len(below) :] for name in kept)
    root = folder / below if below else folder
    examples, unreadable = _examples(root, names, plane)
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
        plane=plane,
    )


def narrowed(survey: Survey, folder: str) -> Survey:
    """Keep the images of one folder; the tables stay.

    Parameters
    ----------
    survey
        What there is.
    folder
        A folder below its root.
    """
    inside = [name for name in survey.names if name.startswith(f"{folder}/")]
    below = common_folder(inside)
    names = tuple(name[len(below) :] for name in inside)
    examples, unreadable = _examples(survey.root / below, names, survey.plane)
    return replace(survey, root=survey.root / below, names=names, examples=examples, unreadable=unreadable)


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
        path = root / names[place]
        missing = missing_reader(path)
        if missing is not None:
            raise ManifestError(f"{path}: {missing}")
        try:
            extent = read_extent(path, plane.series or 0)
            image = read_image(path, MAX_PIXELS, _one_plane(extent, plane))
        except (ImageError, MissingFileError) as error:
            told = str(error)
            unreadable.append(told if str(path) in told else f"{path}: {told}")
            continue
        n_pixels += image.pixels.size
        examples.append(_example(names[place], image, extent))
    return tuple(examples), tuple(unreadable)


def _one_plane(extent: Extent, plane: PlaneChoice) -> PlaneChoice:
    """A plane to look at: the one that the user chose, else the middle depth, first time and first image."""
    middle = extent.depths // 2 if extent.depths > 1 else None
    return PlaneChoice(
        z=middle if plane.z is None else plane.z,
        t=0 if plane.t is None and extent.times > 1 else plane.t,
        series=0 if plane.series is None and extent.series > 1 else plane.series,
    )


def _in_turns(names: Sequence[str]) -> list[int]:
    """Places of files to read: some of each ending, spread over all."""
    by_ending: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_ending.setdefault(name.rpartition(".")[2].lower(), []).append(place)
    n_each = max(3, MOST_EXAMPLES // len(by_ending))
    return [places[one] for places in list(by_ending.values())[:8] for one in spread(len(places), n_each)]


def _example(name: str, image: Image, extent: Extent) -> Example:
    planes = opaque_planes(image)
    height, width = image.pixels.shape[1:]
    return Example(
        name,
        tuple(planes),
        tuple(image.channel_names[: len(image.pixels)]),
        image.pixels.dtype.name,
        image.bits_stated,
        (int(height), int(width)),
        image.file_format,
        plane_of_grey(image),
        has_colour_map(image),
        extent,
        image.pixel_size,
        image.names_axes,
    )
