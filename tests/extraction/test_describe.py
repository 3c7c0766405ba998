"""What `inspect` says of a feature file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellfeat.extraction.store import (
    PROPERTIES,
    Rows,
    SampleTable,
    describe_summary,
    no_intensities,
    read_summary,
)
from cellfeat.extraction.store.format import RowShape
from cellfeat.extraction.store.writing import Content, write_features

Describe = Callable[..., dict[str, str]]

TABLE = SampleTable(
    sample_id=[f"s{i}" for i in range(8)],
    label=["HeLa", "A549", "HeLa", "HeLa", "U-2 OS", "A549", "", "HeLa"],
    group=["p1", "p2", "p1", "p1", "p2", "p3", "", ""],
    columns={"well": [f"w{i}" for i in range(8)], "plate": ["p"] * 8},
)
KIND = ("uint16", "12", 11, 64, 60, "tiff")


def recipe_and_provenance() -> tuple[dict, dict]:
    recipe = {
        "backbone": {"name": "efficientnet_lite0", "pool": "norm"},
        "transform": {"input_size": 64},
        "channels": ["dapi", "line\nbreak"],
        "channels_as": "planes",
        "intensity": {"range": None, "percentile": None},
        "precision": "fp32",
    }
    provenance = {
        "times": {"finished": "today", "seconds": {"wall": 1.0}},
        "weights": "imagenet",
        "execution": {"implementation": "eager"},
        "device": "cpu",
        "versions": {"cellfeat": "0.2"},
    }
    return recipe, provenance


@pytest.fixture
def described(tmp_path: Path) -> Describe:
    """Writes a feature file with this table and these file properties, and gives the rows of its description."""

    def describe(table: SampleTable = TABLE, kinds: list[tuple] | None = None) -> dict[str, str]:
        n = len(table.sample_id)
        properties = np.array(kinds or [KIND] * n, PROPERTIES)
        is_failed = properties["height"] == 0
        embeddings = np.where(is_failed[:, np.newaxis, np.newaxis], np.nan, np.zeros((n, 1, 2))).astype(np.float32)
        recipe, provenance = recipe_and_provenance()
        output, shape = tmp_path / "features.h5", RowShape(n_views=1, embedding_dim=2, n_channels=2)
        digests = np.full((n, 32), 7, np.uint8) * ~is_failed[:, np.newaxis]
        failures = dict.fromkeys(np.flatnonzero(is_failed).tolist(), "truncated")
        status, intensities = is_failed.astype(np.uint8), no_intensities(n, shape.n_channels)
        rows = Rows(0, embeddings, status, digests, properties, intensities, failures=failures)
        write_features(output, n, shape, Content([rows], table, recipe, "sha256:s", provenance))
        lines = describe_summary(read_summary(output)).split("\n")[1:]
        assert all(line.startswith("  ") for line in lines), "one line a row"
        return {line[2:14].strip(): line[15:] for line in lines}

    return describe


def test_classes_groups_and_columns_are_counted(described: Describe) -> None:
    rows = described()
    assert rows["classes"] == "3 (HeLa 4, A549 2, U-2 OS 1); 1 samples without"
    assert rows["groups"] == "3, the largest p1 with 3 samples; 2 samples without"
    assert rows["columns"] == "well (8 values), plate (1 values)"


def test_file_without_labels_groups_and_columns_says_so(described: Describe) -> None:
    rows = described(replace(TABLE, label=[""] * 8, group=[""] * 8, columns={}))
    assert "no sample has a label" in rows["classes"]
    assert rows["groups"] == "none given"
    assert "columns" not in rows


def test_long_lists_and_names_are_shortened(described: Describe) -> None:
    n = 60
    table = SampleTable(
        sample_id=[f"s{i}" for i in range(n)],
        label=[f"{'class' * 40} {i}" for i in range(n)],
        group=[f"{'plate' * 40} {i}" for i in range(n)],
        columns={f"{'column' * 40} {i}": ["a"] * n for i in range(30)},
    )
    rows = described(table, [KIND] * n)
    assert rows["classes"].startswith("60 (")
    assert " more)" in rows["classes"]
    assert rows["columns"].endswith(" more")
    assert max(map(len, rows.values())) < 700


def test_names_are_one_line(described: Describe) -> None:
    hostile = "a\nb\x1b[2J"
    rows = described(replace(TABLE, label=[hostile] * 8, group=[hostile] * 8, columns={hostile: ["x"] * 8}))
    assert r"a\nb\x1b[2J 8" in rows["classes"]
    assert r"line\nbreak" in rows["channels"]


def test_few_kinds_of_files_are_shown_whole(described: Describe) -> None:
    rows = described(kinds=[("uint8", "8", 7, 64, 64, "png")] * 4 + [KIND] * 3 + [("", "", 0, 0, 0, "")])
    assert rows["samples"] == "8, of which 1 failed"
    assert rows["files"] == "4 uint8, 64 x 64, png; 3 uint16 (12 bits), 64 x 60, tiff"
    assert rows["bits used"] == "uint16 11, uint8 7"


def test_many_kinds_of_files_are_shown_by_property(described: Describe) -> None:
    rows = described(kinds=[("uint16", "16", 9 + i % 4, 50 + i, 80 - i, "tiff") for i in range(7)] + [KIND])
    assert "files" not in rows
    assert rows["types"] == "8 uint16"
    assert rows["bits stated"] == "7 16, 1 12"
    assert rows["sizes"] == "8 different: 50 to 64 high, 60 to 80 wide"
    assert rows["formats"] == "8 tiff"
    assert rows["bits used"] == "uint16 9 to 12"


def test_floats_have_no_bits(described: Describe) -> None:
    rows = described(kinds=[("float32", "32", 0, 64, 64, "tiff")] * 8)
    assert rows["files"] == "8 float32, 64 x 64, tiff"
    assert "bits used" not in rows


def test_file_without_a_readable_image_says_so(described: Describe) -> None:
    assert described(kinds=[("", "", 0, 0, 0, "")] * 8)["files"] == "none could be read"
