"""Settings of fields for other images: label images and tables that lie beside them in the same way."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellfeat.samples.fields.field import plain_column
from cellfeat.samples.layouts.pattern_fields import further_names
from cellfeat.samples.tables.file import read_table_file
from cellfeat.storage.url import Location, as_location

_BESIDE = ("masks_root", "positions", "table")


def fields_beside(images: Mapping[str, Any], root: Location, *, are_moved: bool) -> dict[str, Any]:
    """Make the section ``images.fields`` for images in another folder.

    A folder of label images that lay beside the images is looked for beside the new ones, and so are tables.

    Parameters
    ----------
    images
        The section ``images`` of the earlier settings, as JSON values.
    root
        The folder of the other images.
    are_moved
        Whether they are the same images in another place. Then label images and tables that did not move are kept;
        those of other images would give wrong positions, and are dropped.
    """
    settings = dict(images.get("fields") or {})
    for key in _BESIDE:
        if settings.get(key):
            settings[key] = _beside(settings[key], as_location(images["root"]), root, are_moved=are_moved)
    return settings


def _beside(place: str, earlier: Location, root: Location, *, are_moved: bool) -> str | None:
    if not (isinstance(earlier, Path) and isinstance(root, Path)):
        return place if are_moved else None
    if earlier.resolve() == root.resolve():
        return place
    # Only the folders before a name in braces exist.
    fixed = Path(place.partition("{")[0]) if "{" in place else Path(place)
    try:
        moved = os.path.normpath(root / os.path.relpath(place, earlier))
        found = os.path.normpath(root / os.path.relpath(fixed, earlier))
    except ValueError:  # another drive
        return place if are_moved else None
    is_other = Path(found).resolve() != fixed.resolve()
    if Path(found).exists() and (is_other or are_moved):
        return moved
    return place if are_moved else None


def group_of_other_fields(
    earlier: Mapping[str, Any], fields: Mapping[str, Any], columns: Sequence[str]
) -> str | list[str] | None:
    """Give the groups that other fields have as well, None where they lack a column of them.

    Parameters
    ----------
    earlier
        The earlier settings, as JSON values.
    fields
        The section ``images.fields`` for the other fields.
    columns
        Columns of their labels table.
    """
    group: str | list[str] | None = earlier["labels"].get("group")
    named = [group] if isinstance(group, str) else group or []
    known = {"field", *columns, *further_names(earlier["images"].get("pattern") or "")}
    for key in ("table", "positions"):
        place = fields.get(key)
        if place and "{" not in place and Path(place).is_file():
            known.update(map(str, read_table_file(Path(place)).cells.columns))
    plain = set(map(plain_column, known))
    return group if all(plain_column(name) in plain for name in named) else None
