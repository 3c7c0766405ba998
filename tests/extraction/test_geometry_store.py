"""Places on fields in the feature file: written, read, replaced, taken, and covered by the checksum."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.errors import FeatureFileError, ManifestError
from cellfeat.extraction.store import (
    Carried,
    PartStore,
    SampleTable,
    describe_summary,
    held_output,
    load_features,
    read_summary,
    read_table,
    replace_table,
    verify_features,
)
from cellfeat.samples.regions import Regions
from tests.extraction.store_runs import HEADER, MORE, MORE_TABLE, NEW_HEADER, PROVENANCE, SOURCE, TABLE, make_rows


def regions_of(n: int, *, field_size: bool = False) -> Regions:
    rng = np.random.default_rng(n)
    corners = rng.integers(-8, 500, (n, 2))
    return Regions(
        field=np.array([f"plate 1/feld-{'äöü'[i % 3]}" for i in range(n)]),
        centre=(corners[:, ::-1] + 16.5).astype(np.float64),
        box=np.column_stack([corners, np.full((n, 2), 32)]),
        mask_value=np.arange(n) * 70_000,
        field_size=np.full((n, 2), 540) if field_size else None,
    )


REGIONS = regions_of(10)


def write(output: Path, regions: Regions | None = REGIONS) -> Path:
    with held_output(output):
        parts = PartStore(output, HEADER)
        for part in HEADER.part_rows():
            parts.write(make_rows(part))
        parts.consolidate(replace(TABLE, regions=regions), PROVENANCE)
    return output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "cells.h5")


@pytest.mark.parametrize("field_size", [False, True])
def test_regions_are_read_as_they_were_written(tmp_path: Path, field_size: bool) -> None:
    regions = regions_of(10, field_size=field_size)
    path = write(tmp_path / "cells.h5", regions)
    verify_features(path)
    assert load_features(path).samples.regions == regions
    assert read_table(path) == replace(TABLE, regions=regions)
    few = load_features(path).take(np.array([9, 0])).samples.regions
    assert few == regions.take(np.array([9, 0]))


def test_whole_images_have_no_geometry(tmp_path: Path) -> None:
    path = write(tmp_path / "cells.h5", None)
    with h5py.File(path) as file:
        assert "geometry" not in file
    assert load_features(path).samples.regions is None
    assert load_features(path).take(np.array([1])).samples.regions is None


def test_geometry_has_fixed_types(path: Path) -> None:
    with h5py.File(path) as file:
        types = {name: item.dtype for name, item in file["geometry"].items()}
    assert types.pop("field").kind == "S"
    assert types == {"centre": np.float64, "box": np.int64, "mask_value": np.int64}


def test_replaced_table_replaces_geometry(path: Path) -> None:
    moved = replace(REGIONS, box=REGIONS.box + np.array([1, 0, 0, 0]))
    for regions in (moved, None, REGIONS):
        replace_table(path, replace(TABLE, regions=regions), PROVENANCE)
        verify_features(path)
        assert load_features(path).samples.regions == regions


def test_update_writes_the_new_geometry(path: Path) -> None:
    new = replace(MORE_TABLE, regions=regions_of(12))
    with held_output(path):
        parts = PartStore(path, NEW_HEADER, Carried(path, SOURCE, MORE))
        for part in NEW_HEADER.part_rows():
            parts.write(make_rows(part))
        parts.consolidate(new, PROVENANCE)
    assert load_features(path).samples.regions == new.regions
    assert read_summary(path).samples == MORE


def change(path: Path, name: str, values: np.ndarray | None) -> None:
    """Change a dataset without sealing the file again; None removes it."""
    with h5py.File(path, "r+") as file:
        del file[name]
        if values is not None:
            file[name] = values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("geometry/box", REGIONS.box + 1),
        ("geometry/centre", REGIONS.centre + 0.5),
        ("geometry/mask_value", REGIONS.mask_value + 1),
        ("geometry/field", np.array([b"other"] * 10)),
        ("geometry", None),
    ],
)
def test_changed_geometry_breaks_the_checksum(path: Path, name: str, values: np.ndarray | None) -> None:
    change(path, name, values)
    for read in (load_features, verify_features):
        with pytest.raises(FeatureFileError, match="checksum"):
            read(path)


def test_added_geometry_breaks_the_checksum(tmp_path: Path) -> None:
    path, other = write(tmp_path / "whole.h5", None), write(tmp_path / "cut.h5")
    with h5py.File(path, "r+") as file, h5py.File(other) as source:
        source.copy("geometry", file)
    with pytest.raises(FeatureFileError, match="checksum"):
        load_features(path)


def test_description_counts_fields(finished_with_fields: Path) -> None:
    text = describe_summary(read_summary(finished_with_fields))
    assert "3, of 3 to 4 samples each; boxes 32 x 32" in text


@pytest.fixture
def finished_with_fields(path: Path) -> Path:
    recipe = {
        **{
            "transform": {},
            "channels": ["dapi", "actin"],
            "channels_as": "planes",
            "passes": ["planes"],
            "precision": "fp32",
        },
        "backbone": {"name": "convnext_base", "pool": "mean"},
        "intensity": {"range": [0, 255], "percentile": None},
    }
    provenance = {
        **{"times": {"seconds": {"wall": 1.0}, "finished": "now"}, "weights": "w", "device": "cpu", "versions": {}},
        "execution": {"implementation": "plain"},
    }
    header = replace(HEADER, recipe=recipe)
    output = path.with_name("described.h5")
    with held_output(output):
        parts = PartStore(output, header)
        for part in header.part_rows():
            parts.write(make_rows(part))
        parts.consolidate(replace(TABLE, regions=REGIONS), provenance)
    return output


def test_tables_of_other_regions_differ() -> None:
    table = replace(TABLE, regions=REGIONS)
    assert table == replace(TABLE, regions=regions_of(10))
    assert table != TABLE
    assert table != replace(TABLE, regions=replace(REGIONS, box=REGIONS.box + 1))
    assert SampleTable([], [], []) == SampleTable([], [], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field": np.array(["", *["a"] * 9])}, "field without a name"),
        ({"centre": np.full((10, 2), np.nan)}, "10 of 10 samples have a centre that is not finite"),
        ({"centre": np.zeros(10)}, r"centre .* shape \(10,\), expected \(10, 2\)"),
        ({"box": REGIONS.box - [0, 0, 32, 0]}, "box without pixels"),
        ({"box": REGIONS.box.astype(float)}, "box .* type float64"),
        ({"box": np.full((10, 4), np.iinfo(np.int64).min)}, "box"),
        ({"box": REGIONS.box + np.array([2**40, 0, 0, 0])}, "numbers beyond"),
        ({"mask_value": np.full(10, -1)}, "negative mask value"),
        ({"field_size": np.full((10, 2), -1)}, "field of negative size"),
    ],
)
def test_impossible_regions_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        replace(REGIONS, **changes)
