"""Settings of fields for other images: label images and tables that lie beside them in the same way."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BESIDE = ("masks_root", "positions", "table")


def fields_beside(images: Mapping[str, Any], root: Path, *, are_moved: bool) -> dict[str, Any]:
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
            settings[key] = _beside(settings[key], Path(images["root"]), root, are_moved=are_moved)
    return settings


def _beside(place: str, earlier: Path, root: Path, *, are_moved: bool) -> str | None:
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
