"""Positions and label images that are exchanged, turned or of another scale are told; right and random ones are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat import propose
from cellfeat.config_sources import load_settings
from cellfeat.errors import ManifestError
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.cell_places import misplaced_cells
from tests.samples.fields.field_files import settings_of_round_cells, write_round_cells

CHANGES = {
    "with x and y exchanged": lambda x, y, side: (y, x),
    "mirrored from left to right": lambda x, y, side: (side - 1 - x, y),
    "turned by 180 degrees": lambda x, y, side: (side - 1 - x, side - 1 - y),
    "multiplied by 2": lambda x, y, side: (x / 2, y / 2),
}


def told(folder: Path, change: Any = None, **options: Any) -> str | None:
    write_round_cells(folder, change, **options)
    given = {**settings_of_round_cells(folder), "labels.label": None, "labels.group": None}
    settings = load_settings(overrides=given)
    return misplaced_cells(build_manifest(settings.images, settings.labels), max_pixels=10**6)


@pytest.mark.parametrize("name", CHANGES)
def test_changed_positions_are_told_with_their_change(tmp_path: Path, name: str) -> None:
    assert f"where the positions are {'taken ' if 'exchanged' in name else ''}{name}:" in str(
        told(tmp_path, CHANGES[name])
    )


@pytest.mark.parametrize("factor", [4, 8, 16])
def test_positions_of_a_binned_image_are_told(tmp_path: Path, factor: int) -> None:
    said = told(tmp_path, lambda x, y, side: (x / factor, y / factor))
    assert f"where the positions are multiplied by {factor}:" in str(said)


@pytest.mark.parametrize("pixel_size", [0.325, 0.5, 0.65])
def test_positions_in_micrometres_are_told_where_files_state_the_size_of_a_pixel(
    tmp_path: Path, pixel_size: float
) -> None:
    said = told(tmp_path, lambda x, y, side: (x * pixel_size, y * pixel_size), pixel_size=pixel_size)
    assert "where the positions are taken for micrometres:" in str(said)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("height", [200, 150])
def test_right_positions_of_bright_and_dark_cells_are_not(tmp_path: Path, height: int, sign: int) -> None:
    assert told(tmp_path, height=height, sign=sign, pixel_size=0.65) is None


def test_random_positions_are_not_said_to_be_turned(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    assert told(tmp_path, lambda x, y, side: tuple(rng.integers(20, 180, 2))) is None


def test_few_cells_say_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, CHANGES["with x and y exchanged"], n_cells=4) is None


def test_init_says_it(tmp_path: Path) -> None:
    proposal = propose(write_round_cells(tmp_path, CHANGES["with x and y exchanged"]))
    assert any("x and y exchanged" in line for line in proposal.remarks)


def test_shares_of_the_field_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"cells.csv: x and y of all 32 cells lie between 0 and 1.*multiply x by"):
        told(tmp_path, lambda x, y, side: (x / side, y / side))


def test_init_says_why_shares_of_the_field_give_no_cells(tmp_path: Path) -> None:
    folder = write_round_cells(tmp_path, lambda x, y, side: (x / side, y / side))
    with pytest.raises(ManifestError, match=r"^no cells are cut out of the images: .*lie between 0 and 1"):
        propose(folder)
