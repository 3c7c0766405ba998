"""OME-Zarr 0.4 and 0.5: a folder that is an image, or holds several."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import truncated
from cellfeat.samples.formats.microscopes.stack_file import Notes, StackFile, bits_of
from cellfeat.samples.formats.pixel_size import square_size, unit_in_micrometres
from cellfeat.samples.formats.planes import Stack

_MOST_SERIES = 10_000


@contextmanager
def open_zarr(path: Path) -> Iterator[StackFile]:
    """Open a folder of OME-Zarr: one image (``multiscales``), or several in folders 0, 1, 2 and so on.

    Only the full resolution is read, the first of the image's levels.

    Parameters
    ----------
    path
        The folder.
    """
    import zarr

    root = zarr.open(path, mode="r")
    if isinstance(root, zarr.Array):
        raise ImageError(
            "is a Zarr array without OME metadata, so its axes are unknown; name the folder above it, which holds "
            "'multiscales', or save it as OME-Zarr"
        )
    images = _images(root)
    yield StackFile(list(images), lambda number: _open_image(list(images.values())[number]))


def _ome(group: Any) -> dict[str, Any]:
    """The OME metadata of a group: below ``ome`` from version 0.5 on."""
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _images(root: Any) -> dict[str, Any]:
    """The groups that are images, by name."""
    told = _ome(root)
    if "multiscales" in told:
        return {root.name or "/": root}
    if "plate" in told or "well" in told:
        what, example = ("plate", "A/1/0") if "plate" in told else ("well", "0")
        raise ImageError(
            f"is an OME-Zarr {what} of several images; name each of them in a labels table, such as "
            f"{Path(str(root.store.root)).name}/{example}, with --set labels.files=COLUMN"
        )
    names = _series_names(root)
    if not names:
        raise ImageError(
            "holds no 'multiscales', so it is no OME-Zarr image; save it as OME-Zarr 0.4 or 0.5, or as TIFF"
        )
    return {name: root[name] for name in names}


def _series_names(root: Any) -> list[str]:
    """Names 0, 1, 2 … of the images that bioformats2raw writes beside each other."""
    names: list[str] = []
    while len(names) < _MOST_SERIES and str(len(names)) in root and "multiscales" in _ome(root[str(len(names))]):
        names.append(str(len(names)))
    return names


def _open_image(group: Any) -> tuple[Stack, Notes]:
    told = _ome(group)
    scales = told["multiscales"][0]
    level = scales["datasets"][0]
    array = group[level["path"]]
    axes = _axes(scales, array.ndim)
    if array.nchunks and not array.nchunks_initialized:
        raise ImageError(truncated("OME-Zarr image", f"none of its {array.nchunks} chunks is there"))

    def read(index: Mapping[str, int]) -> np.ndarray:
        return np.asarray(array[tuple(index.get(axis, slice(None)) for axis in axes)])

    return Stack(axes, array.shape, array.dtype, read), Notes(
        bits_of(array.dtype), _channel_names(told), _pixel_size(scales, level, axes)
    )


def _axes(scales: Mapping[str, Any], n_axes: int) -> str:
    """Letters of the axes; up to version 0.3 they are fixed, and may be missing."""
    told = scales.get("axes") or "tczyx"[-n_axes:]
    names = [str(axis["name"] if isinstance(axis, dict) else axis).upper() for axis in told]
    if len(names) != n_axes or len(set(names)) != n_axes or not set(names) <= set("TCZYX"):
        raise ImageError(
            f"has {n_axes} axes, called {names}; expected axes out of t, c, z, y and x: its metadata are wrong"
        )
    return "".join(names)


def _channel_names(told: Mapping[str, Any]) -> tuple[str, ...]:
    channels = (told.get("omero") or {}).get("channels") or []
    return tuple(str(channel.get("label", "")) for channel in channels)


def _pixel_size(scales: Mapping[str, Any], level: Mapping[str, Any], axes: str) -> float | None:
    """Width of a pixel: the scales of the level and of the whole image, multiplied."""
    sizes = np.ones(len(axes))
    is_stated = False
    for step in [*(level.get("coordinateTransformations") or []), *(scales.get("coordinateTransformations") or [])]:
        if step.get("type") == "scale" and len(step.get("scale", ())) == len(axes):
            sizes *= np.asarray(step["scale"], np.float64)
            is_stated = True
    told = scales.get("axes") or []
    units = [unit_in_micrometres(axis.get("unit")) if isinstance(axis, dict) else None for axis in told]
    if not is_stated or len(units) != len(axes) or None in (units[axes.index("X")], units[axes.index("Y")]):
        return None
    width, height = (sizes[axes.index(axis)] * (units[axes.index(axis)] or 1.0) for axis in "XY")
    return square_size(float(width), float(height))
