"""Stacks and files of microscopes and scPortrait that ``cellfeat init`` cannot use: one message, no file written."""

import sys
from pathlib import Path

import pytest

from tests.proposing.layout_folders import pixels, save
from tests.samples.formats.h5sc_files import write_h5sc
from tests.samples.formats.microscope_files import write_nd2


@pytest.fixture
def data(inside: Path) -> Path:
    """The folder ``data``, in the working directory."""
    (inside / "data").mkdir()
    return inside / "data"


def stacks(folder: Path) -> None:
    for i in range(4):
        save(folder, f"{'AB'[i % 2]}/{i}.tif", pixels(3, 2, 8, 8), metadata={"axes": "ZCYX"}, ome=True)


@pytest.mark.parametrize("plane", ["{z: 7}", "{t: 2}", "{series: 3}"])
def test_plane_that_no_file_has(plane, data, cli):
    stacks(data)
    given = () if "z" in plane else ("--set", "images.plane.z=0")
    cli("init", "data", "--yes", "--set", f"images.plane={plane}", *given).is_refusal("none of 4 images.*has no")
    assert not (data.parent / "cellfeat.yaml").exists()


@pytest.mark.parametrize("plane", ["{q: 1}", "7", "{z: most}"])
def test_plane_that_is_no_setting(plane, data, cli):
    stacks(data)
    cli("init", "data", "--yes", "--set", f"images.plane={plane}").is_refusal("images.plane")


def test_missing_package_is_named_with_the_command(data, cli, monkeypatch):
    (data / "a.nd2").write_bytes(b"\xda\xce\xbe\x0a" + bytes(64))
    monkeypatch.setitem(sys.modules, "nd2", None)
    cli("init", "data", "--yes").is_refusal(r"a.nd2.*pip install 'cellfeat\[nd2\]'")


def test_damaged_nd2_among_whole_ones_is_quarantined(data, cli):
    pytest.importorskip("nd2")
    for i in range(4):
        write_nd2(data / f"{i}.nd2", pixels(2, 2, 8, 8, dtype="uint16"), {"Z": 2})
    (data / "3.nd2").write_bytes((data / "3.nd2").read_bytes()[:200])
    done = cli("init", "data", "--yes")
    assert done.code == 0, done.err
    assert "3.nd2" in done.err


def test_damaged_file_of_scportrait(data, cli):
    whole = write_h5sc(data / "a.h5sc").read_bytes()
    (data / "a.h5sc").write_bytes(whole[:1000])
    for path in ("data", "data/a.h5sc"):
        cli("init", path, "--yes").is_refusal("a.h5sc: a truncated or damaged h5sc file")


def test_column_that_obs_lacks(data, cli):
    write_h5sc(data / "a.h5sc")
    cli("init", "data", "--yes", "--group", "plate").is_refusal("plate.*condition")


def test_folder_of_zarr_itself(data, cli):
    (data / "a.zarr").mkdir()
    cli("init", "data/a.zarr", "--yes").is_refusal("one image of Zarr")


def test_plate_of_zarr_says_how_its_images_are_named(data, cli):
    zarr = pytest.importorskip("zarr")
    plate = zarr.open_group(data / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": []}
    cli("init", "data", "--yes").is_refusal("plate.zarr.*plate of several images.*labels.files=COLUMN")


def test_binary_file_called_like_a_table(data, cli):
    (data / "a.csv").write_bytes(bytes(range(256)))
    cli("init", "data", "--yes").is_refusal("none of its 1 files")
    cli("init", "data/a.csv", "--yes").is_refusal("it is a file")
