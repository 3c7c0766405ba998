"""Which label image belongs to which field: by a pattern, or by the usual endings of their names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cellfeat.config import ImagesSettings
from cellfeat.errors import ImageError, ManifestError, MissingFileError
from cellfeat.samples.fields.field import FieldOfView, without_ending
from cellfeat.samples.fields.label_image import HOW_TO_SAVE
from cellfeat.samples.fields.names import NamePattern
from cellfeat.samples.fields.numbered_files import check_numbered_files
from cellfeat.samples.fields.objects import LabelObjects, find_objects
from cellfeat.samples.folders.local import scan
from cellfeat.text import first_ten

_MASK = (
    r"(cp[_-]?)?masks?|segs?|segmentations?|label[_-]?(image|map|mask)?s?|(nuclei|nucleus|cells?|instances?)[_-]?masks?"
)
MASK_ENDING = re.compile(rf"(.+?)[ ._-]+({_MASK})", re.IGNORECASE)
_MASK_FOLDER = re.compile(rf"({_MASK})([ _-].*)?", re.IGNORECASE)
_READABLE = (".png", ".tif", ".tiff", ".bmp")
_READERS = 4


@dataclass(frozen=True)
class MaskFiles:
    """The label images of fields.

    Attributes
    ----------
    root
        Their folder.
    by_field
        Name of the label image below it, by the id of the field.
    objects
        The objects of each, by the id of the field.
    remarks
        Messages for the user.
    """

    root: Path
    by_field: Mapping[str, str]
    objects: Mapping[str, LabelObjects]
    remarks: tuple[str, ...] = ()


def masks_folder(images: ImagesSettings) -> Path:
    """The folder of the label images.

    Raises
    ------
    MissingFileError
        If it does not exist.
    """
    root = images.fields.masks_root or images.local_root
    if not root.is_dir():
        raise MissingFileError(
            f"the folder of label images {root} does not exist; name it with --set images.fields.masks_root=FOLDER"
        )
    return root


def is_mask_name(name: str) -> bool:
    """Whether a file is called like a label image, by its ending or its folder."""
    *folders, file = name.split("/")
    return bool(MASK_ENDING.fullmatch(without_ending(file))) or any(map(_MASK_FOLDER.fullmatch, folders))


def find_masks(images: ImagesSettings, fields: Sequence[FieldOfView]) -> MaskFiles:
    """Find the label images of fields, and read them.

    Parameters
    ----------
    images
        The settings.
    fields
        The fields.

    Raises
    ------
    MissingFileError
        If their folder does not exist.
    ManifestError
        If no field has a label image, or one cannot be used.
    """
    root = masks_folder(images)
    names = scan(root)
    by_field = _by_pattern(images, fields, names) if images.fields.masks else _by_ending(images, fields, names)
    if not by_field:
        raise ManifestError(_none_found(images, root, names, fields))
    remarks = [f"label images in {root} are taken by their names, such as {next(iter(by_field.values()))}"]
    without = [one.name for one in fields if one.name not in by_field]
    if without:
        remarks.append(f"left out: {len(without)} of {len(fields)} fields without a label image: {first_ten(without)}")
    objects, faults = _read_all(root, by_field, images.max_pixels)
    if faults:
        raise ManifestError(
            "\n".join(
                [f"{len(faults)} of {len(by_field)} label images cannot be used:", *(f"- {f}" for f in faults[:10])]
            )
        )
    empty = [by_field[name] for name, found in objects.items() if not len(found.values)]
    if empty:
        remarks.append(f"{len(empty)} of {len(by_field)} label images hold no cell: {first_ten(empty)}")
    scattered = [f"{by_field[name]} {value}" for name, found in objects.items() for value in found.scattered]
    if scattered:
        remarks.append(
            f"warning: {len(scattered)} numbers of label images lie in several places of similar size, and the crop is "
            f"taken in the middle between these: {first_ten(scattered)}; if they are different cells, give each a "
            "number of its own"
        )
    return MaskFiles(root, by_field, objects, tuple(remarks if not images.fields.masks else remarks[1:]))


def _by_pattern(images: ImagesSettings, fields: Sequence[FieldOfView], names: set[str]) -> dict[str, str]:
    pattern = NamePattern(str(images.fields.masks), "images.fields.masks", tuple(images.channels))
    if not all(pattern.filled(one.named_values) in names for one in fields):
        check_numbered_files(pattern, [one.named_values for one in fields], names.__contains__)
    found = {}
    for one in fields:
        name = pattern.filled(one.named_values)
        if name in names:
            found[one.name] = str(name)
            continue
        # A field without a pattern of its own may be named by any of its files.
        named = [pattern.filled({**one.named_values, "field": stem}) for stem in one.stems]
        fitting = next((name for name in named if name in names), None)
        if fitting:
            found[one.name] = fitting
    return found


def _by_ending(images: ImagesSettings, fields: Sequence[FieldOfView], names: set[str]) -> dict[str, str]:
    own = {name for one in fields for name in one.files} if masks_folder(images) == images.root else set()
    candidates: dict[str, list[str]] = {}
    for name in sorted(names - own):
        if name.lower().endswith(_READABLE):
            for key in _keys(name, is_apart=images.fields.masks_root is not None):
                candidates.setdefault(key.casefold(), []).append(name)
    found = {}
    for one in fields:
        keys = [key for stem in (*one.stems, one.name) for key in (stem, stem.rpartition("/")[2])]
        fitting = next((candidates[key.casefold()] for key in keys if key.casefold() in candidates), [])
        if len(set(fitting)) == 1:
            found[one.name] = fitting[0]
        elif fitting:
            raise ManifestError(
                f"field {one.name}: several files may be its label image: {first_ten(fitting)}; say which with "
                "--set 'images.fields.masks={field}_masks.tif', as they are named"
            )
    return found


def _keys(name: str, *, is_apart: bool) -> Iterator[str]:
    """Stems of fields that a file may be the label image of."""
    *folders, _ = name.split("/")
    inside = [folder for folder in folders if not _MASK_FOLDER.fullmatch(folder)]
    stem = without_ending(name)
    ending = MASK_ENDING.fullmatch(stem.rpartition("/")[2])
    if not ending and len(inside) == len(folders) and not is_apart:
        return
    base = ending[1] if ending else stem.rpartition("/")[2]
    yield "/".join([*inside, base])
    if inside:
        yield base


def _read_all(root: Path, by_field: Mapping[str, str], max_pixels: int) -> tuple[dict[str, LabelObjects], list[str]]:
    def read(name: str) -> LabelObjects | str:
        try:
            return find_objects(root / name, name, max_pixels)
        except (ImageError, MissingFileError) as error:
            return str(error)

    with ThreadPoolExecutor(_READERS) as pool:
        results = dict(zip(by_field, pool.map(read, by_field.values()), strict=True))
    objects = {name: found for name, found in results.items() if isinstance(found, LabelObjects)}
    return objects, [found for found in results.values() if isinstance(found, str)]


def _none_found(images: ImagesSettings, root: Path, names: set[str], fields: Sequence[FieldOfView]) -> str:
    pickles = sorted(name for name in names if name.endswith("_seg.npy"))
    if pickles:
        return (
            f"{root}: the masks of Cellpose are there as {first_ten(pickles)}, which are pickles and are not read; "
            f"{HOW_TO_SAVE}"
        )
    example = fields[0].stems[0] if fields and fields[0].stems else "{field}"
    wanted = images.fields.masks or f"{example}_masks.tif, or masks/{example}.tif"
    there = first_ten(sorted(names)[:3]) or "none"
    return (
        f"no field has a label image in {root}: expected names such as {wanted}; say how they are named with "
        "--set 'images.fields.masks={field}_cp_masks.png', and where they are with "
        "--set images.fields.masks_root=FOLDER; with positions in a table in place of label images: "
        f"--set images.fields.positions=FILE; {_beside(images)}there are files such as {there}"
    )


def _beside(images: ImagesSettings) -> str:
    """Name a folder of label images that lies beside the folder of images."""
    if images.fields.masks_root is not None:
        return ""
    found = [one for one in images.local_root.parent.glob("*") if one.is_dir() and _MASK_FOLDER.fullmatch(one.name)]
    return f"{found[0]} lies beside it: --set images.fields.masks_root={found[0]}; " if found else ""
