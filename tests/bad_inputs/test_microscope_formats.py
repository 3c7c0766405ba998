"""Damaged, unclear and unreadable files of microscopes: each ends in a message that names the file."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from cellfeat.errors import ImageError
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.image_file.read import read_image
from tests.samples.formats.h5sc_files import write_h5sc
from tests.samples.formats.microscope_files import fill_zarr, write_czi, write_lif, write_nd2, write_zarr

PIXELS = np.random.default_rng(0).integers(1, 4096, (2, 3, 20, 24), dtype=np.uint16)
"""Depths, channels, height and width."""


def nd2_file(folder: Path, **options) -> Path:
    pytest.importorskip("nd2")
    return write_nd2(folder / "a.nd2", PIXELS, {"Z": 2}, **options)


def czi_file(folder: Path, **options) -> Path:
    pytest.importorskip("czifile")
    return write_czi(folder / "a.czi", PIXELS[np.newaxis, np.newaxis], **options)


def lif_file(folder: Path) -> Path:
    pytest.importorskip("liffile")
    return write_lif(folder / "a.lif", {"one": PIXELS[np.newaxis]})


def zarr_file(folder: Path, version: str = "0.4") -> Path:
    pytest.importorskip("zarr")
    return write_zarr(folder / "a.ome.zarr", PIXELS, "zcyx", version=version)


def torn(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def edited(path: Path, change: Callable[[dict], None]) -> Path:
    """A Zarr folder with other metadata."""
    file = path / ".zattrs"
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))
    return path


def chunks_of(path: Path) -> list[Path]:
    metadata = {".zarray", ".zattrs", ".zgroup", "zarr.json"}
    return [file for file in sorted(path.rglob("*")) if file.is_file() and file.name not in metadata]


def without_chunks(path: Path) -> Path:
    for file in chunks_of(path):
        file.unlink()
    return path


def torn_chunks(path: Path) -> Path:
    for file in chunks_of(path):
        file.write_bytes(file.read_bytes()[:12])
    return path


def plate(folder: Path) -> Path:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": []}
    return folder / "a.zarr"


def bare_array(folder: Path) -> Path:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(folder / "a.zarr", data=PIXELS, zarr_format=2)
    return folder / "a.zarr"


def floats_with_nan(folder: Path) -> Path:
    zarr = pytest.importorskip("zarr")
    pixels = PIXELS.astype("f4")
    pixels[:, 0, 3, 4] = np.nan
    fill_zarr(zarr.open_group(folder / "a.zarr", mode="w", zarr_format=2), pixels, "zcyx")
    return folder / "a.zarr"


def empty_folder(folder: Path) -> Path:
    pytest.importorskip("zarr")
    (folder / "a.zarr").mkdir()
    return folder / "a.zarr"


def other_bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return write


BAD = {
    "nd2 torn": (lambda folder: torn(nd2_file(folder), 0.5), "damaged ND2"),
    "nd2 without its end": (lambda folder: torn(nd2_file(folder), 0.99), "damaged ND2"),
    "nd2 without a frame": (lambda folder: nd2_file(folder, lose=[1]), "frame 1 is missing"),
    "nd2 of a few bytes": (other_bytes("a.nd2", b"\xda\xce\xbe\x0a"), "damaged ND2"),
    "nd2 of text": (other_bytes("a.nd2", b"not an image at all"), "not an image"),
    "czi torn": (lambda folder: torn(czi_file(folder), 0.5), "damaged CZI"),
    "czi without its end": (lambda folder: torn(czi_file(folder), 0.95), "damaged CZI"),
    "czi without a plane": (lambda folder: czi_file(folder, lose=[4]), "planes are missing"),
    "czi of a header": (other_bytes("a.czi", b"ZISRAWFILE".ljust(64, b"\0")), "damaged CZI"),
    "czi empty": (other_bytes("a.czi", b""), "empty"),
    "lif torn": (lambda folder: torn(lif_file(folder), 0.8), "damaged LIF"),
    "lif torn in its header": (lambda folder: torn(lif_file(folder), 0.05), "damaged LIF"),
    "lif of zeros": (other_bytes("a.lif", b"\x70\0\0\0" + bytes(60)), "damaged LIF"),
    "zarr 0.4 without chunks": (lambda folder: without_chunks(zarr_file(folder)), "none of its .* chunks"),
    "zarr 0.5 without chunks": (lambda folder: without_chunks(zarr_file(folder, "0.5")), "none of its .* chunks"),
    "zarr 0.4 of torn chunks": (lambda folder: torn_chunks(zarr_file(folder)), "damaged OME-Zarr"),
    "zarr 0.5 of torn chunks": (lambda folder: torn_chunks(zarr_file(folder, "0.5")), "damaged OME-Zarr"),
    "zarr of wrong axes": (
        lambda folder: edited(zarr_file(folder), lambda told: told["multiscales"][0]["axes"].pop()),
        "4 axes, called",
    ),
    "zarr of unknown axes": (
        lambda folder: edited(zarr_file(folder), lambda told: told["multiscales"][0]["axes"][0].update(name="q")),
        "expected axes out of",
    ),
    "zarr of a level that is not there": (
        lambda folder: edited(zarr_file(folder), lambda told: told["multiscales"][0]["datasets"][0].update(path="9")),
        "damaged OME-Zarr",
    ),
    "zarr without multiscales": (
        lambda folder: edited(zarr_file(folder), lambda told: told.pop("multiscales")),
        "no 'multiscales'",
    ),
    "zarr of broken metadata": (other_bytes("a.zarr", b"{"), "not an image"),
    "zarr plate": (plate, "plate of several images.*A/1/0"),
    "zarr array alone": (bare_array, "without OME metadata"),
    "zarr of NaN": (floats_with_nan, "NaN"),
    "zarr folder without anything": (empty_folder, "OME-Zarr"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_with_its_reason(name, tmp_path):
    write, reason = BAD[name]
    path = write(tmp_path)

    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path, 10**6, PlaneChoice(z=1))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("write", "library"),
    [(nd2_file, "nd2"), (czi_file, "czifile"), (lif_file, "liffile"), (zarr_file, "zarr")],
    ids=["nd2", "czi", "lif", "zarr"],
)
def test_missing_library_is_named_with_its_extra(write, library, tmp_path, monkeypatch):
    path = write(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(ImageError, match=rf"package {library} reads.*pip install 'cellfeat\[{path.suffix[1:]}\]'"):
        read_image(path, 10**6)


def images_of(folder: Path, write: Callable[[Path], Path]) -> Path:
    root = folder / "images"
    for label in "AB":
        (root / label).mkdir(parents=True)
        for number in range(2):
            path = write(folder)
            shutil.move(path, root / label / f"{number}{''.join(path.suffixes)}")
    return root


EXTRACT = ("--labels", "none", "--set", "images.layout=folders", "--set", "images.channels=[0, 1, 2]")


@pytest.mark.parametrize("write", [nd2_file, czi_file, lif_file, zarr_file], ids=["nd2", "czi", "lif", "zarr"])
def test_stack_without_choice_ends_the_run_with_the_setting(write, inside, cli, network):
    root = images_of(inside, write)

    ending = cli("extract", "--images", root, *EXTRACT, "--output", "f.h5", *network)

    ending.is_refusal(r"A/0\..*2 depths.*images\.plane=\{z: 0\}")


@pytest.mark.slow
def test_choice_stands_in_the_recipe_and_another_is_refused(inside, cli, network):
    from cellfeat.extraction.store import read_summary

    root = images_of(inside, zarr_file)
    arguments = ("extract", "--images", root, *EXTRACT, "--output", "f.h5", *network, "--set")

    assert cli(*arguments, "images.plane={z: max}").code == 0
    summary = read_summary(Path("f.h5"))
    assert (summary.n_samples, summary.recipe["plane"]) == (4, {"z": "max"})
    cli(*arguments, "images.plane={z: 0}").is_refusal("f.h5.*plane")


def h5sc_with(change: Callable[[h5py.File], None]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = write_h5sc(folder / "cells.h5sc")
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return write


def shorter_table(file: h5py.File) -> None:
    del file["obs/scportrait_cell_id"]
    file["obs/scportrait_cell_id"] = np.arange(3)


def flat_images(file: h5py.File) -> None:
    del file["obsm/single_cell_images"]
    file["obsm/single_cell_images"] = np.zeros((12, 5))


def endless_table(file: h5py.File) -> None:
    del file["obs/scportrait_cell_id"]
    file.create_dataset("obs/scportrait_cell_id", (10**12,), "u8", chunks=(1000,))


BAD_CELLS = {
    "without crops": (h5sc_with(lambda file: file.pop("obsm/single_cell_images")), "holds no crops"),
    "without a table": (h5sc_with(lambda file: file.pop("obs")), "obs/scportrait_cell_id"),
    "without ids": (h5sc_with(lambda file: file.pop("obs/scportrait_cell_id")), "obs/scportrait_cell_id"),
    "with a shorter table": (h5sc_with(shorter_table), "12 rows"),
    "with an endless table": (h5sc_with(endless_table), "12 rows"),
    "with features for crops": (h5sc_with(flat_images), r"got shape \(12, 5\)"),
    "torn": (lambda folder: torn(write_h5sc(folder / "cells.h5sc"), 0.5), "damaged h5sc"),
    "of text": (other_bytes("cells.h5sc", b"no HDF5 at all"), "damaged h5sc"),
    "empty": (other_bytes("cells.h5sc", b""), "damaged h5sc"),
}


@pytest.mark.parametrize("name", BAD_CELLS)
def test_bad_file_of_cells_is_refused_before_any_work(name, inside, cli, network):
    write, reason = BAD_CELLS[name]
    path = write(inside)

    ending = cli("extract", "--images", path, "--labels", "none", "--output", "f.h5", *network)

    ending.is_refusal(f"cells.h5sc: .*{reason}")
    assert not Path("f.h5").exists()


@pytest.mark.parametrize("value", ["{z: middle}", "{z: -1}", "{y: 0}", "3", "{series: true}"])
def test_wrong_setting_is_refused(value, inside, cli):
    assert yaml.safe_load(value) is not None
    cli("extract", "--set", f"images.plane={value}").is_refusal(r"images\.plane")
