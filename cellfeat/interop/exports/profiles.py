"""Format `profiles`: single-cell profiles for pycytominer, which takes columns of features by their names.

Columns that begin with ``Metadata_`` are metadata, those that begin with ``Cells_`` features.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from cellfeat.interop.exports.contents import Column, Contents
from cellfeat.interop.exports.names import unique_names
from cellfeat.interop.exports.tables import table_blocks, write_as_csv_gz, write_as_parquet
from cellfeat.samples.column_names.profiles import OBJECT_NAMES, PLATE_NAMES, SITE_NAMES, WELL_NAMES, plain_name

PREFIX = "Metadata_"
COMPARTMENTS = ("Cells_", "Nuclei_", "Cytoplasm_")
_NUMBERED = re.compile(r".+_\d{4,}")
STANDARD_NAMES = {
    "Plate": (*PLATE_NAMES, "barcode"),
    "Well": WELL_NAMES,
    "Site": SITE_NAMES,
    "ObjectNumber": (
        *OBJECT_NAMES, "object", "cellid", "cell", "cellnumber", "nucleus", "nucleusid", "objectlabel", "maskvalue",
    ),
}  # fmt: skip
"""Names of columns, as `plain_name` gives them, that become ``Metadata_Plate`` and so on."""


def write_profiles(contents: Contents, path: Path) -> None:
    """Write profiles as Parquet.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    write_as_parquet(_blocks(contents), path)


def write_profiles_csv_gz(contents: Contents, path: Path) -> None:
    """Write profiles as compressed CSV.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    write_as_csv_gz(_blocks(contents), path)


def _blocks(contents: Contents) -> Iterator[pa.Table]:
    return table_blocks(contents, metadata_columns(contents), profile_names(contents.feature_names))


def profile_names(feature_names: list[str]) -> list[str]:
    """Give the features names that pycytominer takes for features.

    Examples
    --------
    >>> profile_names(["planes_0000", "ER mito_0001"])
    ['Cells_CellFeat_planes_0000', 'Cells_CellFeat_ER-mito_0001']
    """
    return unique_names(map(_profile_name, feature_names))


def _profile_name(name: str) -> str:
    if name.startswith(COMPARTMENTS):  # of an imported table
        return name
    channel, underscore, number = name.rpartition("_") if _NUMBERED.fullmatch(name) else (name, "", "")
    # Underscores separate the parts of a name: compartment, measurement, channel.
    return f"Cells_CellFeat_{re.sub(r'[^A-Za-z0-9.]+', '-', channel)}{underscore}{number}"


def metadata_columns(contents: Contents) -> dict[str, Column]:
    """Collect the metadata by name, in pycytominer's words where a column has one; shape ``(n_samples,)`` each."""
    standard = standard_columns(list(contents.samples.columns))
    columns: dict[str, Column] = {
        f"{PREFIX}{name}": contents.samples.columns[column] for name, column in standard.items()
    }
    columns |= {
        f"{PREFIX}cellfeat_id": contents.samples.ids,
        f"{PREFIX}label": contents.labels,
        f"{PREFIX}group": contents.samples.groups,
    }
    if contents.folds is not None:
        columns[f"{PREFIX}fold"] = contents.folds
    columns |= {f"{PREFIX}{head}_predicted": found.predicted for head, found in contents.heads.items()}
    columns |= _positions(contents, standard)
    further = {name: values for name, values in contents.samples.columns.items() if name not in standard.values()}
    names = [f"{PREFIX}{re.sub(f'^{PREFIX}', '', name, flags=re.IGNORECASE)}" for name in further]
    return columns | dict(zip(unique_names(names, columns), further.values(), strict=True))


def _positions(contents: Contents, standard: Mapping[str, str]) -> dict[str, Column]:
    """Positions as CellProfiler calls them, and the object number where no column of the table has it."""
    regions = contents.samples.regions
    if regions is None:
        return {}
    x, y = regions.centre.T
    columns: dict[str, Column] = {f"{PREFIX}Field": regions.field}
    columns |= {f"{PREFIX}Location_Center_X": x, f"{PREFIX}Location_Center_Y": y}
    if "ObjectNumber" not in standard and (regions.mask_value > 0).all():
        columns[f"{PREFIX}ObjectNumber"] = regions.mask_value
    return columns


def standard_columns(names: list[str]) -> dict[str, str]:
    """Find the columns of plate, well, site and object: the column by its name in profiles.

    Examples
    --------
    >>> standard_columns(["Metadata_Plate", "WELL", "field_id", "Nuclei_ObjectNumber", "donor"])
    {'Plate': 'Metadata_Plate', 'Well': 'WELL', 'Site': 'field_id', 'ObjectNumber': 'Nuclei_ObjectNumber'}
    """
    plain = {name: plain_name(name) for name in names}
    found = {}
    for standard, known in STANDARD_NAMES.items():
        matches = [name for word in known for name in names if plain[name] == word]
        if matches:
            found[standard] = matches[0]
    return found
