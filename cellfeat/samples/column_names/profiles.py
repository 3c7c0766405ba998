"""Names of columns of CellProfiler, pycytominer and plates: what they mean, for import, export and layout `fields`."""

import re
from collections.abc import Iterable

_MEASURES = (
    "AreaShape|Intensity|Texture|Correlation|Colocalization|Granularity|Neighbors|RadialDistribution|ObjectSkeleton|"
    "ImageQuality|Count|Threshold|Math|Overlap"
)
_OF_COMPARTMENT = re.compile(r"(Cells?|Nuclei|Nucleus|Cytoplasm|Image)_.+", re.IGNORECASE)
_MEASURE = re.compile(rf"(.+_)?({_MEASURES})_.+", re.IGNORECASE)
_METADATA = re.compile(r"((Image|Cells?|Nuclei|Cytoplasm)_)?Metadata_.+", re.IGNORECASE)
_TRAPS = {
    "coordinates": re.compile(r"(.+_)?(Location|AreaShape_Center|(AreaShape_)?BoundingBox\w*)_.+", re.IGNORECASE),
    "numbers of objects and images": re.compile(
        r"(.+_)?((\w*Object|Image|Table)_?Number|Parent_.+|Children_.+|Group_(Index|Number|Length)|Number_Object_Number"
        r"|\w*ObjectNumber_.+)",
        re.IGNORECASE,
    ),
    "files and processing": re.compile(
        r"((Image|Mean|Median)_)?(FileName|PathName|URL|MD5Digest|ExecutionTime|ModuleError|ProcessingStatus|Width|"
        r"Height|Scaling|Series|Frame|Channel)(_.+)?",
        re.IGNORECASE,
    ),
}
"""Columns that look like features and say where a cell lies, or how many came before it."""
_PLACE = re.compile(
    r"(.+_)?((Location|AreaShape)_Center_[XYZ]|(Object|Image|Table)_?Number|Number_Object_Number)", re.IGNORECASE
)
_LEAST_SHARE = 0.3

PLATE_NAMES = ("plate", "plateid", "platename", "platebarcode", "assayplatebarcode", "platte", "plattenid")
WELL_NAMES = ("well", "wellid", "wellname", "wellposition")
SITE_NAMES = ("site", "siteid", "field", "fieldid", "fieldofview", "fov", "fovid")
OBJECT_NAMES = ("objectnumber", "objectid")
"""What columns of plates, wells, fields and numbers of objects are called, as `plain_name` gives it."""


def is_cellprofiler(names: Iterable[str]) -> bool:
    """Whether the columns of a table are CellProfiler's or pycytominer's.

    Examples
    --------
    >>> is_cellprofiler(["ImageNumber", "Cells_AreaShape_Area", "Cells_Texture_Contrast_DNA"])
    True
    >>> is_cellprofiler(["id", "area", "mean_intensity"])
    False
    """
    names = list(names)
    n_measures = sum(is_measure(name) for name in names)
    return n_measures >= 2 and n_measures >= _LEAST_SHARE * len(names)


def is_measure(name: str) -> bool:
    """Whether a column is named as a measurement; columns that `trap` names are named so, too."""
    is_named_so = _MEASURE.fullmatch(name) or _OF_COMPARTMENT.fullmatch(name)
    return is_named_so is not None and not is_metadata(name)


def is_certain_measure(name: str) -> bool:
    """Whether a column is a measurement, a place, a number or a file of CellProfiler, whatever its values are.

    The name of a compartment alone does not say so: ``Cell_Line`` is a label.

    Examples
    --------
    >>> [is_certain_measure(name) for name in ("Cells_AreaShape_Area", "Parent_Nuclei", "Cell_Line", "frame")]
    [True, True, False, False]
    """
    return _MEASURE.fullmatch(name) is not None or ("_" in name and trap(name) != "")


def is_metadata(name: str) -> bool:
    """Whether a column is metadata: ``Metadata_Well``, ``Image_Metadata_Plate``."""
    return _METADATA.fullmatch(name) is not None


def trap(name: str) -> str:
    """Say what a column holds that is named as a feature and is none; "" for a feature.

    Examples
    --------
    >>> trap("Nuclei_Location_Center_X"), trap("Cells_Parent_Nuclei"), trap("Cells_AreaShape_Area")
    ('coordinates', 'numbers of objects and images', '')
    """
    return next((what for what, pattern in _TRAPS.items() if pattern.fullmatch(name)), "")


def is_place(name: str) -> bool:
    """Whether a column says where a cell lies or which it is: kept beside the features, for audits and groups."""
    return _PLACE.fullmatch(name) is not None


def plain_name(name: str) -> str:
    """Give a name without compartment and ``Metadata``, in lower case and without punctuation.

    Examples
    --------
    >>> plain_name("Image_Metadata_Plate"), plain_name("Nuclei_Number_Object_Number"), plain_name("Cell ID")
    ('plate', 'objectnumber', 'cellid')
    """
    short = re.sub(r"^(Image|Cells?|Nuclei|Nucleus|Cytoplasm)_(?=Metadata_|\w*Number)", "", name, flags=re.IGNORECASE)
    short = re.sub(r"^Metadata_", "", short, flags=re.IGNORECASE)
    short = re.sub(r"^Number_(?=Object_Number)", "", short, flags=re.IGNORECASE)
    return "".join(filter(str.isalnum, short)).casefold()
