"""Names of columns that hold positions, as microscopy tools write them: for layout `fields` and for near copies.

Of CellProfiler these are ``Location_Center_X``, ``Nuclei_Location_Center_X`` and ``AreaShape_Center_X``, where objects
have any name; of DeepProfiler ``Nuclei_Location_Center_X``, of scikit-image ``centroid-0`` (the row) and
``centroid-1``, of napari ``axis-0`` and ``axis-1``, where those of volumes begin with the depth; by hand ``x``,
``pos_x``, ``PositionX``, ``row`` and ``column``.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

FIELD_WORDS = frozenset(
    ("plate", "well", "field", "fov", "site", "image", "slide", "scene", "tile", "file", "position", "series", "donor")
)
"""Words in the name of a column that tells which picture a sample was cut from."""

TIME_WORDS = frozenset(("frame", "time", "timepoint", "z"))
"""Words in the name of a column that tells apart pictures of one place."""

_AXIS = re.compile(
    r"[cp]?(?P<axis>[xyz])(?P<after>pos|position|min|max|coord|cent(er|re)|loc|start|end)?"
    r"|(?P<before>pos|coord|min|max|cent(er|re))(?P<last>[xyz])"
    r"|(?P<side>rows?|cols?|columns?|left|top|right|bottom)"
)
_NUMBERED_AXIS = re.compile(r"(weighted[-_ ]?)?(?P<what>centroid|bbox|axis)[-_ ]?(?P<number>\d)", re.I)
_OF_ANY_OBJECT = re.compile(
    r"(?P<object>.*?)[-_. ]?(?P<what>(area[-_. ]?shape|location)[-_. ]?cent(er|re)|cent(er|re)|centroid|location)"
    r"[-_. ]?(?P<axis>[xyz])",
    re.I,
)
_AXIS_OF_SIDE = {"row": "y", "rows": "y", "top": "y", "bottom": "y"}

_CENTRE_WORDS = frozenset(
    (
        *("pos", "position", "loc", "location", "coord", "coords", "coordinate", "coordinates", "place"),
        *("centre", "center", "centroid", "mid", "middle", "index", "number", "no"),
        *("px", "pixel", "pixels", "weighted", "area", "shape", "metadata", "of", "mass"),
        *("cell", "cells", "nucleus", "nuclei", "nuc", "cytoplasm", "object", "objects", "crop", "local"),
        *("field", "image", "fov"),
    )
)
"""Words that may stand beside the axis in the name of a centre on the field."""

_MICROMETRES = frozenset(
    ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres")
)

_OTHER_WORDS = _MICROMETRES | frozenset(
    (
        *("offset", "origin", "min", "max", "minimum", "maximum", "start", "end", "stop", "bounding", "box", "bbox"),
        *("mm", "nm", "roi", "stage", "global", "well", "plate"),
    )
)
"""Words beside the axis in the names of other positions: of corners, of the stage, on the plate, or not in pixels."""

_OBJECTS = ("nuclei", "nucleus", "cells", "cell", "cytoplasm")
"""Objects whose centres are taken where a table has several, the first one first."""

_GRID = "grid"
_CORNERS = frozenset(("min", "max", "start", "end", "left", "top", "right", "bottom"))
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])")


class Axis(NamedTuple):
    """What the name of a column of positions says.

    Attributes
    ----------
    axis
        ``x``, ``y`` or ``z``.
    words
        The other words of the name, and ``grid`` for rows and columns; equal for x and y of one place.
    is_centre
        Whether it may be the centre of a cell on its field, in pixels.
    """

    axis: str
    words: tuple[str, ...]
    is_centre: bool

    @property
    def is_grid(self) -> bool:
        """Whether it counts rows or columns, which may be those of a plate."""
        return _GRID in self.words

    @property
    def is_in_micrometres(self) -> bool:
        """Whether it is not in pixels."""
        return bool(_MICROMETRES & set(self.words))

    @property
    def rank(self) -> tuple[int, int]:
        """Order in which centres are preferred: bare names first, then the order of `_OBJECTS`."""
        place = next((i for i, name in enumerate(_OBJECTS) if name in self.words), len(_OBJECTS))
        return len(self.words), place


def words_of(name: str) -> list[str]:
    """Split the name of a column into lower-case words.

    Examples
    --------
    >>> words_of("Metadata_Plate"), words_of("ImageNumber"), words_of("field1")
    (['metadata', 'plate'], ['image', 'number'], ['field'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def is_position(name: str) -> bool:
    """Whether the name of a column is that of a position.

    Examples
    --------
    >>> [is_position(name) for name in ("x", "Nuclei_Location_Center_X", "centroid-1", "PosY", "texture_x", "area")]
    [True, True, True, True, False, False]
    """
    return axis_of(name) is not None


def axis_of(name: str) -> Axis | None:
    """Understand the name of a column of positions; None where it is another column."""
    if numbered := _NUMBERED_AXIS.fullmatch(name):
        axis = {"0": "y", "1": "x"}.get(numbered["number"], "z")
        return Axis(axis, (numbered["what"].lower(),), numbered["what"].lower() != "bbox")
    words = words_of(name)
    if whole := _AXIS.fullmatch("".join(words)):
        return _axis(whole, ())
    axes = [match for word in words if (match := _AXIS.fullmatch(word))]
    if len(axes) > 1:
        # Beside another axis, px means pixels.
        axes = [match for match in axes if match[0] != "px"]
    others = tuple(word for word in words if not _AXIS.fullmatch(word) or (word == "px" and len(words) > 1))
    if not axes or not set(others) <= _CENTRE_WORDS | _OTHER_WORDS:
        return _axis_of_any_object(name)
    # Of several, such as ``row_y``, the last one: words of objects come before the axis.
    return _axis(axes[-1], others)


def _axis_of_any_object(name: str) -> Axis | None:
    """Understand the centre of an object with a name of its own: ``FilteredNuclei_Location_Center_X``."""
    match = _OF_ANY_OBJECT.fullmatch(name)
    if match is None:
        return None
    words = (*words_of(match["object"]), *words_of(match["what"]))
    return Axis(match["axis"].lower(), words, not set(words) & _OTHER_WORDS)


def _axis(match: re.Match[str], others: tuple[str, ...]) -> Axis:
    side = match["side"]
    axis = _AXIS_OF_SIDE.get(side, "x") if side else match["axis"] or match["last"]
    about = [word for word in (match["after"], match["before"], _GRID if side else None) if word]
    is_corner = bool({*about, side or ""} & _CORNERS)
    return Axis(axis, (*others, *about), not is_corner and set(others) <= _CENTRE_WORDS)


def centre_columns(names: Iterable[str], *, in_micrometres: bool = False) -> tuple[str, str] | None:
    """Find the columns of x and y of the centres of cells on their field.

    Bare names come first, then nuclei before cells; x and y are of one kind, such as of the nuclei.

    Parameters
    ----------
    names
        Names of columns.
    in_micrometres
        Whether to look for centres in micrometres in place of pixels.

    Returns
    -------
    tuple of str, or None
        The column of x, which counts to the right, and that of y, which counts downwards.

    Examples
    --------
    >>> centre_columns(["Cells_Location_Center_Y", "Nuclei_Location_Center_X", "Nuclei_Location_Center_Y", "area"])
    ('Nuclei_Location_Center_X', 'Nuclei_Location_Center_Y')
    >>> centre_columns(["Centroid X µm", "Centroid Y µm"], in_micrometres=True)
    ('Centroid X µm', 'Centroid Y µm')
    >>> centre_columns(["centroid-0", "centroid-1", "centroid-2"])
    ('centroid-2', 'centroid-1')
    """
    axes = _of_volumes({name: axis for name in names if (axis := axis_of(name))})
    centres = {
        name: axis
        for name, axis in axes.items()
        if (_is_centre_in_micrometres(axis) if in_micrometres else axis.is_centre)
    }
    y_of = {axis.words: name for name, axis in reversed(centres.items()) if axis.axis == "y"}
    pairs = [(name, y_of[axis.words]) for name, axis in centres.items() if axis.axis == "x" and axis.words in y_of]
    # A name such as ``row`` ends too many others: only bare ones are of the field.
    fitting = [(x, y) for x, y in pairs if centres[x].words == (_GRID,) or not centres[x].is_grid]
    return min(fitting, key=lambda pair: (*centres[pair[0]].rank, len(pair[0])), default=None)


def _of_volumes(axes: dict[str, Axis]) -> dict[str, Axis]:
    """Axes by the names of their columns, where the first of three numbers counts depths."""
    numbers = {name: match for name in axes if (match := _NUMBERED_AXIS.fullmatch(name))}
    volumes = {match["what"].lower() for match in numbers.values() if match["number"] == "2"}
    shifted = {
        name: axes[name]._replace(axis="zyx"[int(match["number"])])
        for name, match in numbers.items()
        if match["what"].lower() in volumes - {"bbox"} and int(match["number"]) < 3
    }
    return {**axes, **shifted}


def _is_centre_in_micrometres(axis: Axis) -> bool:
    return axis.is_in_micrometres and set(axis.words) <= _CENTRE_WORDS | _MICROMETRES
