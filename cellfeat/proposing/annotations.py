"""Files of annotations, one for each image: outlines, boxes, positions or classes of cells, which are not read."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cellfeat.proposing.survey import Survey, files_of_the_user, spread
from cellfeat.samples.fields.field import without_ending
from cellfeat.samples.folders.file_kinds import IMAGE_ENDINGS
from cellfeat.samples.folders.local import scan
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import first_ten


class _Kind(NamedTuple):
    """Whether files may say classes, and what their content shows where microscopes write files of this ending, too."""

    holds_classes: bool
    content: re.Pattern[bytes] | None = None


# Written as annotation programs write them: Micro-Manager has "Label", and Leica <Object>.
_WORDS = (
    "labels?|label_?name|class(es|_?name|ification)?|category|shapes|objects?|features|regions|polygons?|bndbox|"
    "bbox(es)?|boxes|contours?|outlines?|centroids?|cells|([A-Za-z]+_)?[Aa]nnotations?|CellCounter_Marker_File|"
    "[Cc]ell[_ ]?([Tt]ype|[Ll]ine)|diagnosis|phenotype|genotype|treatment|compound"
)
_KINDS: Mapping[str, _Kind] = {
    "_cp_outlines.txt": _Kind(False),  # Cellpose
    ".roi": _Kind(False),  # ImageJ
    ".zip": _Kind(False),  # ImageJ: RoiSet.zip
    ".txt": _Kind(True),  # YOLO
    ".geojson": _Kind(True),  # QuPath
    ".ndpa": _Kind(True),  # NDP.view
    ".mat": _Kind(True),  # published sets of label images
    ".npy": _Kind(True),
    ".json": _Kind(True, re.compile(rf'"({_WORDS})"\s*:'.encode())),  # LabelMe, Supervisely
    ".xml": _Kind(True, re.compile(rf"<({_WORDS})[\s/>]".encode())),  # Pascal VOC, Cell Counter, ImageScope
    ".yaml": _Kind(True, re.compile(rf"(?m)^[\s-]*({_WORDS})\s*:".encode())),
    ".yml": _Kind(True, re.compile(rf"(?m)^[\s-]*({_WORDS})\s*:".encode())),
}
_NOUNS = (
    "rois?|roi_?sets?|annot(ation)?s?|labels?|polygons?|objects?|detections?|points?|markers?|bbox(es)?|box(es)?|"
    "centroids?|contours?|outlines?|cells?|nuclei|shapes?|coord(inate)?s?|masks?|xmls?|jsons?|geojsons?|cell_?counter"
)
_NAME = re.compile(rf"(?:(?:{_NOUNS})[ _.-]+)?(?P<image>.+?)(?:[ _.-]+(?:{_NOUNS}))?", re.IGNORECASE)
_FOLDER = re.compile(_NOUNS, re.IGNORECASE)
_MOST_BYTES = 100_000
_FEW = 3


def annotations(survey: Survey, manifest: Manifest) -> list[str]:
    """Files that are named like the images, one for each, and may say where their cells are or of what class.

    Parameters
    ----------
    survey
        What the folder holds.
    manifest
        The samples: where they are cells of whole fields, files that may hold classes alone count.

    Returns
    -------
    list of str
        Names below the folder, or below its own folder where they lie beside it; empty where there are fewer than two.
    """
    wanted = [ending for ending, kind in _KINDS.items() if kind.holds_classes or manifest.crops is None]
    by_ending: dict[str, list[str]] = {}
    for name in _names(survey.folder):
        ending = next(filter(name.lower().endswith, _KINDS), None)
        if ending in wanted:
            by_ending.setdefault(ending, []).append(name)
    if not by_ending:
        return []
    stems = {_image_stem(name) for name in (*survey.names, *manifest.table["sample_id"])}
    found = []
    for ending, names in by_ending.items():
        of_images = [name for name in names if _is_of_image(name[: -len(ending)], stems)]
        if len(of_images) > 1 and _shows(survey.folder, of_images, _KINDS[ending].content):
            found += of_images
    return found


def annotation_advice(names: list[str]) -> str:
    """Say that files are not read, and what to do with what they hold.

    Parameters
    ----------
    names
        The files.
    """
    few = [names[place] for place in spread(len(names), 2)]
    return (
        f"{len(names)} files are named like images, such as {first_ten(few)}, and are not read: if they hold the "
        "outlines of cells, save them as label images, a TIFF or PNG for each image, in a folder called masks; if they "
        "hold boxes, positions or classes, write one CSV with a row for each cell (the name of its image, x and y of "
        "its centre in pixels, its class) or for each image (its name and class), and name it with --labels FILE"
    )


def _names(folder: Path) -> Iterator[str]:
    """Files of a folder, and of folders beside it that are called like annotations, as ``labels`` beside ``images``."""
    yield from files_of_the_user(folder)
    above = folder / ".." if folder.name in ("", "..") else folder.parent
    try:
        beside = sorted(one.name for one in above.iterdir() if _FOLDER.fullmatch(one.name) and one.is_dir())
    except OSError:
        return
    for name in beside:
        if not (above / name).samefile(folder):
            yield from sorted(f"../{name}/{file}" for file in scan(above / name))


def _image_stem(name: str) -> str:
    """The name of an image without folders and ending; a name without an image's ending stays."""
    own = name.rpartition("/")[2]
    return without_ending(own) if f".{own.rpartition('.')[2].lower()}" in IMAGE_ENDINGS else own


def _is_of_image(stem: str, stems: Collection[str]) -> bool:
    """Whether a name without its ending is that of an image, perhaps with its ending or a word such as RoiSet."""
    own = stem.rpartition("/")[2]
    plain = _NAME.fullmatch(own)
    return _image_stem(own) in stems or (plain is not None and _image_stem(plain["image"]) in stems)


def _shows(folder: Path, names: list[str], content: re.Pattern[bytes] | None) -> bool:
    """Whether the content of a few files is that of annotations."""
    return content is None or all(content.search(_start(folder / names[at])) for at in spread(len(names), _FEW))


def _start(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return content.read(_MOST_BYTES)
    except OSError:
        return b""
