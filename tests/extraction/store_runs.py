"""A small run of the store that its tests share: ten rows in three parts, one of which failed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cellfeat.extraction.store import (
    INTENSITIES,
    NEW,
    PROPERTIES,
    Carried,
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    held_output,
    no_intensities,
    no_properties,
    read_summary,
    remove_parts,
    verify_features,
)

N_SAMPLES = 10
RECIPE = {"backbone": {"name": "convnext_base"}, "passes": ["planes"], "views": 2, "precision": "fp32"}
HEADER = RunHeader(
    recipe=RECIPE,
    samples="sha256:samples",
    execution={"batch_size": 4},
    n_samples=N_SAMPLES,
    n_views=2,
    embedding_dim=3,
    part_size=4,
    n_channels=2,
)
TABLE = SampleTable(
    sample_id=[f"s{i}" for i in range(N_SAMPLES)],
    label=["HeLa" if i % 2 else "U-2 OS" for i in range(N_SAMPLES)],
    group=[""] * N_SAMPLES,
    columns={"plate": [f"p{i // 5}" for i in range(N_SAMPLES)]},
)
PROVENANCE = {"request": {"views": 2}}


def make_rows(part: range) -> Rows:
    rng = np.random.default_rng(part.start)
    n = len(part)
    properties = np.array([("uint16", "12", 11, 64, 60 + row, "tiff+png") for row in part], PROPERTIES)
    rows = Rows(
        start=part.start,
        embeddings=rng.normal(size=(n, 2, 3)).astype(np.float32),
        status=np.zeros(n, np.uint8),
        pixel_digest=rng.integers(0, 256, (n, 32), dtype=np.uint8),
        properties=properties,
        intensities=rng.random((n, 2), np.float32).astype(INTENSITIES),
        failures={},
    )
    if part.start == 4:
        rows.embeddings[1], rows.status[1], rows.pixel_digest[1] = np.nan, 1, 0
        rows.properties[1], rows.intensities[1] = no_properties(1)[0], no_intensities(1, 2)[0]
        return Rows.from_arrays(rows.start, rows.arrays(), {5: "truncated"})
    return rows


MakeRows = Callable[[range], Rows]


def run_to_end(output: Path, make: MakeRows = make_rows) -> int:
    """What an extraction does with the store; returns how many parts it had to make."""
    with held_output(output):
        if output.exists():
            verify_features(output)
            remove_parts(output)
            return 0
        parts = PartStore(output, HEADER)
        missing = [rows for rows in HEADER.part_rows() if parts.read(rows) is None]
        for part in missing:
            parts.write(make(part))
        parts.consolidate(TABLE, PROVENANCE)
        return len(missing)


MORE = "sha256:other samples"
SOURCE = np.array([7, 8, NEW, NEW, 5, 1, NEW, 0, NEW, NEW, NEW, 9], np.int64)
"""An update: some of the ten rows in another order, a failed one among them, and six new ones between them."""
NEW_HEADER = RunHeader(**{**HEADER.__dict__, "samples": "sha256:new samples", "n_samples": 6})
MORE_TABLE = SampleTable([f"t{i}" for i in range(12)], ["HeLa"] * 12, [""] * 12)


def update_to_end(output: Path, make: MakeRows = make_rows) -> int:
    """What an update does with the store; returns how many parts it had to make."""
    with held_output(output):
        if read_summary(output).samples == MORE:
            verify_features(output)
            remove_parts(output)
            return 0
        parts = PartStore(output, NEW_HEADER, Carried(output, SOURCE, MORE))
        missing = [rows for rows in NEW_HEADER.part_rows() if parts.read(rows) is None]
        for part in missing:
            parts.write(make(part))
        parts.consolidate(MORE_TABLE, PROVENANCE)
        return len(missing)


def contents(path: Path) -> dict[str, Any]:
    """Every dataset and attribute, with the bytes behind it."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            values = item[:]
            found[name] = values.tolist() if values.dtype.hasobject else (values.dtype, values.shape, values.tobytes())

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)
    return found
