"""The geometry of samples that were cut out of fields: an optional group of the feature file."""

from pathlib import Path

import h5py
import numpy as np

from cellfeat.errors import FeatureFileError, ManifestError
from cellfeat.extraction.store.columns import read_strings, write_texts
from cellfeat.samples.regions import Regions

GEOMETRY = "geometry"
"""Name of the group; a file of whole images has none."""

FIELD, CENTRE, BOX, MASK_VALUE, FIELD_SIZE = "field", "centre", "box", "mask_value", "field_size"
NUMBERS = {
    CENTRE: (np.dtype("<f8"), 2),
    BOX: (np.dtype("<i8"), 4),
    MASK_VALUE: (np.dtype("<i8"), None),
    FIELD_SIZE: (np.dtype("<i8"), 2),
}
"""Type of each dataset of numbers, and how many numbers a row has; None: one, in a dataset of one dimension."""

OPTIONAL = {FIELD_SIZE}


def write_geometry(file: h5py.File, regions: Regions | None) -> None:
    """Write where samples lie on their fields; nothing for whole images.

    Parameters
    ----------
    file
        A file that has no geometry.
    regions
        What to write.
    """
    if regions is None:
        return
    group = file.create_group(GEOMETRY)
    write_texts(group, FIELD, regions.field.tolist())
    for name, (dtype, _) in NUMBERS.items():
        values = getattr(regions, name)
        if values is not None:
            group[name] = np.ascontiguousarray(values, dtype)


def read_geometry(file: h5py.File) -> Regions | None:
    """Read where samples lie on their fields; None for whole images.

    Raises
    ------
    FeatureFileError
        If the numbers cannot be true, such as a box without pixels.
    """
    if GEOMETRY not in file:
        return None
    group = file[GEOMETRY]
    numbers = {name: group[name][:] for name in NUMBERS if name in group}
    try:
        return Regions(read_strings(group, FIELD), **numbers)
    except ManifestError as error:
        raise FeatureFileError(
            f"{Path(file.filename)}: {error}; cellfeat writes no such geometry: extract again into another --output"
        ) from None
