"""The content of one part: an HDF5 file of rows, their checksum, and the machine that made them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import h5py
import numpy as np

from cellfeat.errors import FeatureFileError, RecordError
from cellfeat.extraction.store.format import (
    ROW_DATASETS,
    Rows,
    RowShape,
    read_failures,
    write_failures,
    write_json,
    write_text_attribute,
)
from cellfeat.extraction.store.opening import HDF5_FAULTS, Layout, check_failures
from cellfeat.provenance import digest_json
from cellfeat.records import parse_json
from cellfeat.storage.url import Location

PARTS = "rows-"
"""How names of finished parts begin."""
MAKER = "made_by"
"""The dataset that says which machine made a part."""


@dataclass(frozen=True)
class Part:
    """Rows of a part, or its first ones, as they were read.

    Attributes
    ----------
    rows
        The rows.
    made_by
        The machine that made them; see `cellfeat.extraction.shares.machine`.
    """

    rows: Rows
    made_by: Mapping[str, Any]

    @property
    def host(self) -> str:
        """The name of the machine."""
        return str(self.made_by.get("host", "an unknown machine"))


def part_bytes(part: Part, run: str) -> bytes:
    """Give the content of the file of a part.

    Parameters
    ----------
    part
        The rows, and who made them.
    run
        Digest of the run, as `RunHeader.digest` gives it.
    """
    rows, buffer = part.rows, BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["start"] = rows.start
        write_text_attribute(file, "run", run)
        write_text_attribute(file, "checksum", part_checksum(rows))
        for name, array in zip(ROW_DATASETS, rows.arrays(), strict=True):
            file[name] = array
        write_failures(file, rows.failures)
        write_json(file, MAKER, part.made_by)
    return buffer.getvalue()


def parse_part(content: bytes, place: Location, shape: RowShape, run: str) -> Part | None:
    """Read the content of a part; None where it is damaged, or belongs to another run.

    Parameters
    ----------
    content
        The bytes of its file.
    place
        Where they lie, for messages.
    shape
        The shape of a row.
    run
        Digest of the run.
    """
    with _damage_ignored(), h5py.File(BytesIO(content), "r") as file:
        layout = Layout(place, file)
        # A file of another run may be intact, but its rows belong to another recipe or other samples.
        if layout.text_attribute("run") != run:
            return None
        return _parse(layout, shape)
    return None


def _parse(layout: Layout, shape: RowShape) -> Part | None:
    start, n_rows = layout.number_attribute("start"), layout.file["status"].shape[0]
    if start is None:
        return None
    datasets = [layout.dataset(name, dtype, wanted) for name, (wanted, dtype) in shape.datasets(n_rows).items()]
    check_failures(layout)
    rows = Rows.from_arrays(start, (dataset[:] for dataset in datasets), read_failures(layout.file))
    if part_checksum(rows) != layout.text_attribute("checksum"):
        return None
    return Part(rows, _maker(layout))


def _maker(layout: Layout) -> Mapping[str, Any]:
    """Read who made a part. The checksum of the rows does not cover it, so it may be damaged."""
    try:
        found = parse_json(bytes(layout.dataset(MAKER, np.uint8, (None,))[:]))
    except (FeatureFileError, RecordError):
        return {}
    return found if isinstance(found, dict) else {}


def part_checksum(rows: Rows) -> str:
    """Digest the rows of a part, with the reasons of those that failed."""
    return digest_json([rows.checksum(), sorted(rows.failures.items())])


@contextmanager
def _damage_ignored() -> Iterator[None]:
    """End the block where the content is damaged."""
    try:
        yield
    except (*HDF5_FAULTS, MemoryError):
        return
