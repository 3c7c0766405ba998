"""Feature files with forged places on fields: sealed again, so that only the values or the layout give them away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cellfeat.extraction.store import read_table, replace_table
from cellfeat.extraction.store.format import table_checksum, write_text_attribute
from cellfeat.samples.regions import Regions
from tests.bad_inputs.test_feature_files import N_SAMPLES, write_features

Forge = Callable[[h5py.File], object]

REGIONS = Regions(
    field=np.array([f"f{i % 4}" for i in range(N_SAMPLES)]),
    centre=np.full((N_SAMPLES, 2), 40.5),
    box=np.tile([8, 8, 64, 64], (N_SAMPLES, 1)),
    mask_value=np.arange(N_SAMPLES),
)


def write_cut_out(path: Path) -> Path:
    """A feature file of samples that were cut out of fields."""
    write_features(path)
    replace_table(path, replace(read_table(path), regions=REGIONS), {"settings": {}})
    return path


def put(name: str, values: object, **options: object) -> Forge:
    """Other values under a name of the geometry."""

    def forge(file: h5py.File) -> None:
        del file[f"geometry/{name}"]
        file.create_dataset(f"geometry/{name}", data=values, **options)

    return forge


def in_row(name: str, row: int, values: object) -> Forge:
    return lambda file: file[f"geometry/{name}"].__setitem__(row, values)


def as_link(file: h5py.File) -> None:
    del file["geometry"]
    file["geometry"] = h5py.ExternalLink("other.h5", "/geometry")


def as_dataset(file: h5py.File) -> None:
    del file["geometry"]
    file["geometry"] = np.zeros((N_SAMPLES, 4))


VARIABLE = h5py.string_dtype("utf-8")
FORGED: dict[str, tuple[Forge, str]] = {
    "too few boxes": (put("box", REGIONS.box[:3]), r"'geometry/box' has shape \(3, 4\), expected \(20, 4\)"),
    "boxes of two numbers": (put("box", REGIONS.box[:, :2]), "'geometry/box' has shape"),
    "boxes of floats": (put("box", REGIONS.box.astype("f8")), "'geometry/box' has type float64"),
    "a negative height": (in_row("box", 7, [0, 0, -64, 64]), "box without pixels.*row 7.*field 'f3'"),
    "an empty box": (in_row("box", 0, [0, 0, 64, 0]), "box without pixels.*row 0"),
    "a box that overflows": (in_row("box", 2, [2**62, 0, 2**62, 64]), "numbers beyond 2147483647.*row 2"),
    "the lowest integer": (in_row("box", 2, [-(2**63), 0, 64, 64]), "numbers beyond 2147483647.*row 2"),
    "a centre that is NaN": (in_row("centre", 5, [np.nan, 3.0]), "centre that is not finite.*row 5"),
    "a centre at infinity": (in_row("centre", 5, [np.inf, 3.0]), "centre that is not finite.*row 5"),
    "centres of one number": (put("centre", np.zeros(N_SAMPLES)), "'geometry/centre' has shape"),
    "a negative mask value": (in_row("mask_value", 19, -1), "negative mask value.*row 19"),
    "no centres": (lambda file: file.__delitem__("geometry/centre"), "'geometry/centre' is missing"),
    "no fields": (lambda file: file.__delitem__("geometry/field"), "'geometry/field' is missing"),
    "a field without a name": (put("field", np.array([b"", *[b"f"] * 19])), "field without a name.*row 0"),
    "fields that are no UTF-8": (put("field", np.array([b"\xff\xfe"] * N_SAMPLES)), "damaged"),
    "fields of variable length": (put("field", ["f"] * N_SAMPLES, dtype=VARIABLE), "'geometry/field' has type"),
    "fields of numbers": (put("field", np.zeros(N_SAMPLES)), "'geometry/field' has type float64"),
    "one field too many": (put("field", np.array([b"f"] * 21)), "'geometry/field' has shape"),
    "more in the group": (
        lambda file: file.create_dataset("geometry/outline", data=np.zeros(3)),
        "group 'geometry' holds 'outline'",
    ),
    "a negative field size": (
        lambda file: file.create_dataset("geometry/field_size", data=np.full((N_SAMPLES, 2), -540, "<i8")),
        "field of negative size.*row 0",
    ),
    "a link to elsewhere": (as_link, "group 'geometry' is missing or a link"),
    "a dataset for the group": (as_dataset, "group 'geometry' is missing"),
    "an empty group": (
        lambda file: (file.__delitem__("geometry"), file.create_group("geometry")),
        "'geometry/field' is missing",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_geometry_is_refused(name, inside, cli):
    forge, message = FORGED[name]
    path = write_cut_out(inside / "cells.h5")
    with h5py.File(path, "r+") as file:
        forge(file)
        if not any(word in name for word in ("link", "dataset", "variable")):  # which no checksum can cover
            write_text_attribute(file, "checksum", table_checksum(file))
    for arguments in (("verify", path), ("compare", "--features", path, "--heads", "dummy")):
        cli(*arguments).is_refusal(f"cells.h5.*({message})")
    assert [path.name for path in inside.iterdir()] == ["cells.h5"], "nothing was written"


def test_whole_geometry_is_accepted(inside, cli):
    assert "whole; 20 samples" in cli("verify", write_cut_out(inside / "cells.h5")).out


def test_file_that_lost_its_geometry_is_refused(inside, cli):
    path = write_cut_out(inside / "cells.h5")
    with h5py.File(path, "r+") as file:
        del file["geometry"]
    cli("verify", path).is_refusal("checksum")
