"""The folder of what is kept to show a feature file's samples: thumbnails, and the map."""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from cellfeat.errors import CellfeatError
from cellfeat.extraction.store.features import Features
from cellfeat.extraction.store.in_memory import IN_MEMORY
from cellfeat.extraction.store.reading import read_pixel_digests, read_table
from cellfeat.extraction.store.samples import samples_digest
from cellfeat.provenance import explained_errors, link_target, make_folder
from cellfeat.storage.file_cache import cache_folder
from cellfeat.storage.url import Location, as_location

DIGITS = 16
"""Hex digits of the samples' digest that name a folder."""
_NAME = re.compile(rf"[0-9a-f]{{{DIGITS}}}")
_UNUSED_SECONDS = 30 * 86_400


def view_folder(features: Features) -> Path:
    """Name the folder of what is kept to show samples; it need not exist.

    It is ``cells.view/<first digits of the samples' digest>/`` beside ``cells.h5``. A feature file on an object store,
    in memory, or in a folder that cannot be written has it in the cache: see `cellfeat.storage.file_cache`. Other
    labels or groups have the same folder, other images another one.
    """
    return folder_of_samples(features.path, features.samples.digest)


def folder_of_samples(path: Location, digest: str) -> Path:
    """Name the folder as `view_folder`.

    Parameters
    ----------
    path
        The feature file.
    digest
        Digest of its samples.
    """
    name, beside = short_digest(digest), views_beside(path)
    cached = _cached_views() / name
    if beside is None:
        return cached
    is_usable = (beside / name).is_dir() or (not cached.is_dir() and _can_be_made(beside))
    return beside / name if is_usable else cached


def make_view_folder(features: Features) -> Path:
    """Make the folder that `view_folder` names; see `make_folder_of_samples`.

    Raises
    ------
    DiskFullError, WriteError
        If it cannot be made.
    """
    return make_folder_of_samples(features.path, features.samples.digest)


def make_folder_of_samples(path: Location, digest: str) -> Path:
    """Make the folder that `folder_of_samples` names.

    Folders of earlier contents of the feature file are removed, and those in the cache that nobody used for 30 days.

    Parameters
    ----------
    path, digest
        As for `folder_of_samples`.

    Raises
    ------
    DiskFullError, WriteError
        If it cannot be made.
    """
    folder = folder_of_samples(path, digest)
    with explained_errors(folder):
        make_folder(folder)
    if folder.parent == _cached_views():
        _remove_unused(folder)
    else:
        _remove_outdated(folder, path, digest)
    return folder


def views_beside(path: Location) -> Path | None:
    """The folder beside a feature file that holds a folder for each of its contents; None where there is no place."""
    location = as_location(path)
    if not isinstance(location, Path) or location == IN_MEMORY:
        return None
    target = link_target(location)
    return target.with_name(f"{target.name.removesuffix('.h5')}.view")


def short_digest(digest: str) -> str:
    """The part of a digest that names a folder.

    Examples
    --------
    >>> short_digest("sha256:0123456789abcdef0123")
    '0123456789abcdef'
    """
    return digest.removeprefix("sha256:")[:DIGITS]


def _cached_views() -> Path:
    return cache_folder() / "views"


def _can_be_made(views: Path) -> bool:
    return os.access(views if views.exists() else views.parent, os.W_OK)


def _remove_outdated(newest: Path, path: Location, digest: str) -> None:
    others = _folders_beside(newest)
    # Features of some samples of a file leave what belongs to the whole file.
    if others and _holds(path, digest):
        for folder in others:
            shutil.rmtree(folder, ignore_errors=True)


def _holds(path: Location, digest: str) -> bool:
    """Whether the samples in a feature file have this digest now."""
    try:
        ids = np.array(read_table(path).sample_id)
        return samples_digest(ids, read_pixel_digests(path)) == digest
    except CellfeatError:
        return False


def _remove_unused(newest: Path) -> None:
    with suppress(OSError):
        os.utime(newest)
    for folder in _folders_beside(newest):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _UNUSED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _folders_beside(folder: Path) -> list[Path]:
    """The other folders of samples beside one; nothing else that lies there."""
    return [one for one in folder.parent.iterdir() if one != folder and _NAME.fullmatch(one.name) and one.is_dir()]
