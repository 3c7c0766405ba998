"""Whether cells lie where their fields show something, or would if x and y were exchanged, or an image was turned."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.images import SampleReader
from cellfeat.text import counted
from cellfeat.types import Floats

_MOST_FIELDS = 6
_FEWEST_CELLS = 20
"""Of all fields together: at so many random places the mean brightness is within 0.7 deviations in 998 of 1,000."""
_STANDS_OUT, _SHARE_HERE = 1.0, 0.35
"""Deviations from the mean of a field from which on places stand out; and the share of it that is left where the cells
are said to be, if they are not there."""
_RADIUS = 2
_BINNINGS = (2, 4, 8, 16)
_AS_GIVEN = "as given"


def misplaced_cells(manifest: Manifest, *, max_pixels: int) -> str | None:
    """Say that cells lie on nothing, and which change would put them on something; None where they may be right.

    A few fields are read. The brightness around the centres is compared with that of the whole field, for the positions
    as they are, mirrored, turned, enlarged as those of a binned image have to be, and taken for micrometres.

    Parameters
    ----------
    manifest
        The samples.
    max_pixels
        The most pixels that one file may hold, channels counted.
    """
    contrasts = list(_contrasts(manifest, max_pixels))
    n_cells = sum(n for n, _ in contrasts)
    if n_cells < _FEWEST_CELLS:
        return None
    changes = [change for change in contrasts[0][1] if all(change in by_change for _, by_change in contrasts)]
    weights = [n / n_cells for n, _ in contrasts]
    mean = {
        change: sum(weight * by_change[change] for weight, (_, by_change) in zip(weights, contrasts, strict=True))
        for change in changes
    }
    found = {change: float(np.abs(value).max()) for change, value in mean.items()}
    best = max(found, key=lambda change: found[change])
    if found[best] < _STANDS_OUT or found[_AS_GIVEN] > _SHARE_HERE * found[best]:
        return None
    return (
        f"warning: cells may lie beside their places: {counted(n_cells, 'cell')} of {counted(len(contrasts), 'field')} "
        f"were looked at, and the images stand out there by {found[_AS_GIVEN]:.1f} standard deviations, but by "
        f"{found[best]:.1f} where the positions are {best}: look at crops (cellfeat init draws some), and correct the "
        "positions or the label images"
    )


def _contrasts(manifest: Manifest, max_pixels: int) -> Iterator[tuple[int, dict[str, Floats]]]:
    """For some fields: their number of cells, and by each change how each channel stands out at the cells."""
    regions = manifest.regions
    if regions is None or manifest.crops is None:
        return
    reader = SampleReader.for_manifest(manifest, max_pixels=max_pixels)
    fields, first = np.unique(regions.field, return_index=True)
    for place in np.unique(np.linspace(0, len(fields) - 1, min(len(fields), _MOST_FIELDS)).astype(np.intp)).tolist():
        # The extraction itself reports fields that cannot be read.
        with suppress(ImageError, MissingFileError):
            pixels, images = reader.read_files(int(first[place]))
            centres = regions.centre[regions.field == fields[place]]
            yield len(centres), _by_change(pixels, centres, images[0].pixel_size)


def _by_change(pixels: np.ndarray, centres: Floats, pixel_size: float | None) -> dict[str, Floats]:
    # Channel by channel: a whole field in float64 may be eight times as large as its file.
    deviation = np.array([channel.std(dtype=np.float64) for channel in pixels])
    mean = np.array([channel.mean(dtype=np.float64) for channel in pixels])
    return {
        change: (_around(pixels, places) - mean) / np.where(deviation > 0, deviation, 1)
        for change, places in _changed(centres, pixels.shape[2], pixels.shape[1], pixel_size)
    }


def _changed(centres: Floats, width: int, height: int, pixel_size: float | None) -> Iterator[tuple[str, Floats]]:
    """The centres as they are, and as they would be after each change under which all stay on the field."""
    x, y = centres.T
    right, low = width - 1 - x, height - 1 - y
    yield _AS_GIVEN, centres
    yield "mirrored from left to right", np.column_stack([right, y])
    yield "turned upside down", np.column_stack([x, low])
    yield "turned by 180 degrees", np.column_stack([right, low])
    if width == height:
        yield "taken with x and y exchanged", np.column_stack([y, x])
        yield "turned by 90 degrees", np.column_stack([low, x])
        yield "turned by 270 degrees", np.column_stack([y, right])
        yield "mirrored at the other diagonal", np.column_stack([low, right])
    scales = {"taken for micrometres": 1 / pixel_size} if pixel_size and pixel_size != 1 else {}
    scales |= {f"multiplied by {factor}": float(factor) for factor in _BINNINGS}
    for change, factor in scales.items():
        if (centres * factor < (width, height)).all():
            yield change, centres * factor


def _around(pixels: np.ndarray, centres: Floats) -> Floats:
    """The mean of each channel over a small square around each centre, shape ``(C,)``."""
    steps = np.arange(-_RADIUS, _RADIUS + 1)
    columns = np.clip(np.rint(centres[:, :1]).astype(np.intp) + steps, 0, pixels.shape[2] - 1)
    rows = np.clip(np.rint(centres[:, 1:]).astype(np.intp) + steps, 0, pixels.shape[1] - 1)
    places = pixels[:, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return np.asarray(places.mean(axis=(1, 2, 3), dtype=np.float64))
