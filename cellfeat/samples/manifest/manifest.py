"""The table of samples: id, label, group and files of each sample."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from cellfeat.provenance import digest_json
from cellfeat.samples.fields.crops import Crops
from cellfeat.samples.formats.planes import NO_CHOICE, PlaneChoice
from cellfeat.samples.regions import Regions
from cellfeat.storage.url import Location
from cellfeat.types import Integers

OWN_COLUMNS = ("sample_id", "label", "group")


@dataclass(frozen=True, repr=False)
class Manifest:
    """The samples, in order.

    Attributes
    ----------
    table
        One row per sample, all columns str: ``sample_id``, ``label`` and ``group`` (``""`` where there is none), the
        file names relative to `root` (``file``, or ``file_<channel>`` for each channel), and the further columns of
        the labels table and of the names.
    root
        The folder that file names are relative to.
    channels
        The channels of a sample, in order.
    remarks
        Messages for the user about what was found and left out.
    layout
        The value of ``images.layout`` that was taken.
    regions
        Where each sample lies on its field; None where each sample is a whole image.
    crops
        How samples are cut out of their fields; None where each sample is a whole image.
    plane
        Which plane of a stack is read.
    """

    table: pd.DataFrame
    root: Location
    channels: tuple[str | int, ...]
    remarks: tuple[str, ...] = ()
    layout: str = "auto"
    regions: Regions | None = None
    crops: Crops | None = None
    plane: PlaneChoice = NO_CHOICE

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        channels = ", ".join(map(str, self.channels))
        n_classes = len(set(self.table["label"]) - {""})
        return f"<Manifest of {len(self):,} samples in {self.root}: {n_classes} classes, channels {channels}>"

    @property
    def file_columns(self) -> tuple[str, ...]:
        """The columns of file names: ``file``, or one per channel."""
        if "file" in self.table.columns:
            return ("file",)
        return tuple(f"file_{channel}" for channel in self.channels)

    @property
    def columns(self) -> tuple[str, ...]:
        """The further columns of the labels table and of the names."""
        own = {*OWN_COLUMNS, *self.file_columns}
        return tuple(column for column in self.table.columns if column not in own)

    def files(self, row: int) -> tuple[Location, ...]:
        """The files of one sample: one that contains all channels, or one per channel."""
        return tuple(self.root / str(self.table[column].iat[row]) for column in self.file_columns)

    def digest(self) -> str:
        """sha256 of the ids, file names, channels and crops. Labels and groups are not included."""
        columns = ("sample_id", *self.file_columns)
        samples = {column: self.table[column].tolist() for column in columns}
        crops = {} if self.regions is None or self.crops is None else {"crops": _crops_record(self.regions, self.crops)}
        return digest_json({"channels": list(self.channels), "samples": samples} | crops)

    def take(self, rows: Integers) -> Self:
        """Give the manifest of some samples, in the order of `rows`, their row numbers, shape ``(n,)``.

        The index of the new table keeps the row numbers.
        """
        rows = np.asarray(rows, np.intp)
        return replace(
            self,
            table=self.table.iloc[rows],
            regions=None if self.regions is None else self.regions.take(rows),
            crops=None if self.crops is None else self.crops.take(rows),
        )


def _crops_record(regions: Regions, crops: Crops) -> dict[str, Any]:
    return {
        "field": regions.field.tolist(),
        "box": regions.box.tolist(),
        "mask_value": regions.mask_value.tolist(),
        "mask": crops.masks.tolist(),
    }
