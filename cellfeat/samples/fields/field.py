"""A field of view: its id, its files, and what is known of it beside its pixels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

_PREFIX = re.compile(r"^(image_)?(metadata_)?", re.IGNORECASE)
_SYNONYMS = {
    "fov": "site",
    "field_id": "field",
    "fieldid": "field",
    "wellname": "well",
    "well_name": "well",
    "platename": "plate",
    "plate_name": "plate",
    "image_number": "imagenumber",
}


@dataclass(frozen=True)
class FieldOfView:
    """One whole image, out of which samples are cut.

    Attributes
    ----------
    name
        Its id.
    files
        Its file names below the folder of images: one of all channels, or one per channel.
    values
        What its name or its row in a table says, such as ``plate`` and ``well``; columns of the samples.
    stems
        Paths without ending by which a label image may be named.
    number
        Its ImageNumber; "" where there is none.
    place
        The row of a table that lists it, for messages; "" where its name alone says what it is.
    """

    name: str
    files: tuple[str, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    stems: tuple[str, ...] = ()
    number: str = ""
    place: str = ""

    @cached_property
    def keys(self) -> dict[str, str]:
        """Values by the plain form of their names, themselves in plain form: what rows of tables are matched by."""
        keys = {plain_column(name): plain_value(value) for name, value in self.values.items() if value}
        own = {"imagenumber": plain_value(self.number)} if self.number else {}
        return {"field": plain_value(self.name)} | keys | own

    @cached_property
    def named_values(self) -> dict[str, str]:
        """What a pattern of file names may say in braces: ``field``, and values by their names and plain names."""
        lower = {name.lower().removeprefix("metadata_"): value for name, value in self.values.items()}
        plain = {plain_column(name): value for name, value in self.values.items()}
        return {"field": self.name, **lower, **plain, **self.values}


def plain_column(name: str) -> str:
    """A column's name without what programs put before it, in small letters.

    Examples
    --------
    >>> plain_column("Metadata_Well"), plain_column("Image_Metadata_Site"), plain_column("FOV")
    ('well', 'site', 'site')
    """
    plain = _PREFIX.sub("", name.strip()).lower().replace(" ", "_")
    return _SYNONYMS.get(plain, plain)


def plain_value(text: str) -> str:
    """A value in small letters, and without leading zeros and a decimal point of whole numbers.

    Examples
    --------
    >>> plain_value("A01"), plain_value("007"), plain_value("3.0")
    ('a1', '7', '3')
    """
    whole = re.sub(r"^(\d+)\.0*$", r"\1", text.strip())
    # Zeros before a number, not within it: A01 and A1 are one well, A10 is another.
    return re.sub(r"(?<![\d.])0+(?=\d)", "", whole).casefold()


def without_ending(name: str) -> str:
    """A path without the ending of its last part; ``.ome.tif`` is one ending."""
    return re.sub(r"(\.ome)?\.[^./]+$", "", name, flags=re.IGNORECASE)
