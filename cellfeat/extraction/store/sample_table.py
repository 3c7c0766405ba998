"""The table of samples in a feature file: ids, labels, groups, further columns, and places on fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import h5py

from cellfeat.extraction.store.columns import read_strings, read_texts, write_texts
from cellfeat.extraction.store.geometry import read_geometry, write_geometry
from cellfeat.samples.regions import Regions
from cellfeat.types import Strings


@dataclass(frozen=True)
class SampleTable:
    """The columns of the manifest that a feature file keeps.

    Attributes
    ----------
    sample_id, label, group
        Text by row; ``""`` where a sample has none.
    columns
        Every further column of the labels table.
    regions
        Where each sample lies on its field; None where each sample is a whole image.
    """

    sample_id: list[str]
    label: list[str]
    group: list[str]
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    regions: Regions | None = None


def write_table(file: h5py.File, table: SampleTable) -> None:
    """Write the ids, labels, groups, further columns and places on fields.

    Parameters
    ----------
    file
        A file that has none of them.
    table
        What to write.
    """
    write_texts(file, "sample_id", table.sample_id)
    manifest = file.create_group("manifest")
    write_texts(manifest, "label", table.label)
    write_texts(manifest, "group", table.group)
    # A column may have any name, "." and "a/b" included; a dataset may not.
    write_texts(manifest, "column_names", list(table.columns))
    columns = manifest.create_group("columns")
    for number, values in enumerate(table.columns.values()):
        write_texts(columns, f"{number:03d}", values)
    write_geometry(file, table.regions)


def read_table_of(file: h5py.File) -> SampleTable:
    """Read the ids, labels, groups, further columns and places on fields."""
    manifest = file["manifest"]
    return SampleTable(
        sample_id=read_texts(file, "sample_id"),
        label=read_texts(manifest, "label"),
        group=read_texts(manifest, "group"),
        columns={name: read_texts(manifest["columns"], number) for name, number in _column_numbers(file)},
        regions=read_geometry(file),
    )


def read_columns(file: h5py.File) -> dict[str, Strings]:
    """Read the further columns of the labels table by name; shape ``(n_samples,)`` each."""
    return {name: read_strings(file["manifest/columns"], number) for name, number in _column_numbers(file)}


def _column_numbers(file: h5py.File) -> Iterator[tuple[str, str]]:
    names = read_texts(file["manifest"], "column_names")
    return ((name, f"{number:03d}") for number, name in enumerate(names))
