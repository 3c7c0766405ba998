"""Feature files that are none, or hold what no head can learn from: one message from every command that reads them."""

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest

from cellfeat.extraction.store import PartStore, Rows, RunHeader, SampleTable, held_output
from cellfeat.extraction.store.format import table_checksum
from cellfeat.provenance import canonical_json, digest_json

N_SAMPLES, DIM = 20, 4
RECIPE = {"backbone": {"name": "convnext_base"}, "passes": ["planes"], "views": 1, "precision": "fp32"}
HEADER = RunHeader(RECIPE, "sha256:samples", {"batch_size": 4}, N_SAMPLES, 1, DIM, part_size=8)
LABELS = ["HeLa", "A549"] * (N_SAMPLES // 2)


def write_features(path: Path, *, header: RunHeader = HEADER, labels: list[str] = LABELS, failed: bool = False) -> Path:
    """A feature file as extraction writes it, with random embeddings."""
    n = header.n_samples
    with held_output(path):
        parts = PartStore(path, header)
        for part in header.part_rows():
            rng = np.random.default_rng(part.start)
            shape = (len(part), header.n_views, header.embedding_dim)
            embeddings = np.full(shape, np.nan, np.float32) if failed else rng.normal(size=shape).astype(np.float32)
            digests = rng.integers(0, 256, (len(part), 32), np.uint8)
            status = np.full(len(part), failed, np.uint8)
            parts.write(Rows(part.start, embeddings, status, digests, dict.fromkeys(part, "gone") if failed else {}))
        parts.consolidate(SampleTable([f"s{i}" for i in range(n)], labels, [""] * n), {"settings": {}})
    return path


Change = Callable[[Path], object]


def in_hdf5(change: Callable[[h5py.File], object]) -> Change:
    def changed(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return changed


def as_dataset(name: str, **options: object) -> Change:
    """Another dataset under a name of ours."""

    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return in_hdf5(change)


def as_link(name: str, link: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return in_hdf5(change)


def as_virtual(file: h5py.File) -> None:
    shape = file["embeddings"].shape
    del file["embeddings"]
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
    file.create_virtual_dataset("embeddings", layout)


def vast(name: str) -> Change:
    """A shape of terabytes, without a byte behind it."""

    def change(file: h5py.File) -> None:
        dtype = file[name].dtype
        del file[name]
        file.create_dataset(name, (10**12,), dtype, chunks=(1024,))

    return in_hdf5(change)


def without_rows(path: Path) -> None:
    """No sample at all, and every checksum in order."""
    with h5py.File(path, "r+") as file:
        empty = {name: file[name][:0] for name in ("embeddings", "status", "pixel_digest", "failures", "checksums")}
        for name, values in empty.items():
            del file[name]
            file.create_dataset(name, data=values, dtype=values.dtype)
        for name in ("sample_id", "manifest/label", "manifest/group"):
            del file[name]
            file.create_dataset(name, (0,), h5py.string_dtype())
        file.attrs["checksum"] = table_checksum(file)


def without(name: str) -> Change:
    return in_hdf5(lambda file: file.__delitem__(name))


def attribute(name: str, value: object) -> Change:
    return in_hdf5(lambda file: file.attrs.__setitem__(name, value))


def without_attribute(name: str) -> Change:
    return in_hdf5(lambda file: file.attrs.__delitem__(name))


def resealed_recipe(recipe: object) -> Change:
    """Another recipe under its own, right fingerprint."""

    def change(file: h5py.File) -> None:
        file.attrs["recipe"], file.attrs["fingerprint"] = canonical_json(recipe), digest_json(recipe)

    return in_hdf5(change)


class Hacked(bytes):
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch ran",)


def npz_of_objects(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, embeddings=np.array([Hacked()], dtype=object))


class Refused(NamedTuple):
    change: Change
    message: str


DAMAGED = "damaged, or not an HDF5 file"
REFUSED = {
    "empty": Refused(lambda path: path.write_bytes(b""), DAMAGED),
    "text": Refused(lambda path: path.write_text("sample_id,embedding\n"), DAMAGED),
    "a pickle": Refused(lambda path: path.write_bytes(pickle.dumps(Hacked())), DAMAGED),
    "an npz of objects": Refused(npz_of_objects, DAMAGED),
    "half of it": Refused(lambda path: path.write_bytes(path.read_bytes()[:5000]), DAMAGED),
    "magic alone": Refused(lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), DAMAGED),
    "a pipe": Refused(lambda path: (path.unlink(), os.mkfifo(path)), "is no file"),
    "a link to itself": Refused(lambda path: (path.unlink(), path.symlink_to(path.name)), "does not exist|link"),
    "another tool's": Refused(
        lambda path: (path.unlink(), h5py.File(path, "w").create_dataset("features", data=np.zeros((3, 4)))),
        "not a feature file of cellfeat",
    ),
    "a newer format": Refused(attribute("format", 99), "format 99, expected 1; it was written by another version"),
    "a format of text": Refused(attribute("format", "1"), "not a feature file of cellfeat"),
    "no format": Refused(without_attribute("format"), "not a feature file of cellfeat"),
    "no recipe": Refused(without_attribute("recipe"), DAMAGED),
    "no checksum": Refused(without_attribute("checksum"), DAMAGED),
    "a recipe of text": Refused(attribute("recipe", "{"), DAMAGED),
    "a recipe of numbers": Refused(attribute("recipe", np.arange(3)), DAMAGED),
    "a recipe that is a list": Refused(resealed_recipe([1]), "recipe|damaged"),
    "a recipe without passes": Refused(resealed_recipe({"views": 1}), "recipe|damaged|checksum"),
    "a changed recipe": Refused(attribute("recipe", "{}"), "fingerprint is not the digest of its recipe"),
    "a deep recipe": Refused(attribute("recipe", "[" * 50_000), DAMAGED),
    "no provenance": Refused(without_attribute("provenance"), DAMAGED),
    "other provenance": Refused(attribute("provenance", "{}"), "checksum of its ids, labels or provenance"),
    "no embeddings": Refused(without("embeddings"), "'embeddings' is missing"),
    "no labels": Refused(without("manifest/label"), "'manifest/label' is missing"),
    "no table": Refused(without("manifest"), "manifest|damaged"),
    "no columns": Refused(without("manifest/columns"), "manifest/columns|damaged"),
    "no checksums": Refused(without("checksums"), "'checksums' is missing"),
    "doubles": Refused(as_dataset("embeddings", data=np.zeros((20, 1, 4))), "embeddings are float64"),
    "no rows": Refused(without_rows, "holds no samples"),
    "flat embeddings": Refused(as_dataset("embeddings", data=np.zeros((20, 4), "f4")), r"of shape \(20, 4\)"),
    "too few rows": Refused(as_dataset("embeddings", data=np.zeros((3, 1, 4), "f4")), r"of shape \(3, 1, 4\)"),
    "other numbers": Refused(as_dataset("embeddings", data=np.zeros((20, 1, 4), "f4")), "do not match their checksum"),
    "wide status": Refused(as_dataset("status", data=np.zeros((20, 2), "u1")), "'status' has shape"),
    "status of text": Refused(as_dataset("status", data=["ok"] * 20), "status|damaged|checksum"),
    "labels of numbers": Refused(as_dataset("manifest/label", data=np.zeros(20)), "label|damaged|checksum"),
    "checksums of numbers": Refused(as_dataset("checksums", data=np.zeros(3)), "checksums|damaged"),
    "failures of row infinity": Refused(
        as_dataset("failures", data=np.array([(np.inf, "gone")], [("row", "f8"), ("reason", h5py.string_dtype())])),
        DAMAGED,
    ),
    "failures of pairs": Refused(as_dataset("failures", data=np.zeros(1, [("row", "i8", (2,))])), "which no table has"),
    "ids in chunks": Refused(
        as_dataset("sample_id", data=["s"] * 20, dtype=h5py.string_dtype(), chunks=(5,)), "cut into chunks"
    ),
    "one label": Refused(as_dataset("manifest/label", data=["HeLa"]), "'manifest/label' has shape"),
    "a scalar for ids": Refused(as_dataset("sample_id", data="s0"), "sample_id|damaged"),
    "a shape of terabytes": Refused(
        as_dataset("embeddings", shape=(20, 1, 10**12), dtype="f4", chunks=(1, 1, 1024)), "'embeddings' holds less"
    ),
    "ids of terabytes": Refused(
        as_dataset("sample_id", shape=(10**12,), dtype=h5py.string_dtype(), chunks=(1024,)), "'sample_id' holds less"
    ),
    "checksums of terabytes": Refused(vast("checksums"), "'checksums' holds less than its shape"),
    "failures of terabytes": Refused(vast("failures"), "'failures' holds less than its shape"),
    "packed numbers": Refused(
        as_dataset("embeddings", data=np.zeros((20, 1, 4), "f4"), chunks=True, compression="gzip"), "filter: refused"
    ),
    "an external link": Refused(as_link("embeddings", h5py.ExternalLink("/etc/passwd", "/x")), "a link to elsewhere"),
    "a soft link": Refused(as_link("embeddings", h5py.SoftLink("/status")), "a link to elsewhere"),
    "an external table": Refused(as_link("manifest", h5py.ExternalLink("other.h5", "/manifest")), "link"),
    "an external column": Refused(
        in_hdf5(lambda file: file.__setitem__("manifest/columns/000", h5py.ExternalLink("/etc/passwd", "/x"))), "link"
    ),
    "external columns": Refused(as_link("manifest/columns", h5py.ExternalLink("other.h5", "/c")), "link"),
    "external storage": Refused(
        as_dataset("embeddings", shape=(20, 1, 4), dtype="f4", external=[("/etc/passwd", 0, 320)]), "from elsewhere"
    ),
    "external labels": Refused(
        as_dataset("status", shape=(20,), dtype="u1", external=[("/etc/passwd", 0, 20)]), "from elsewhere"
    ),
    "a virtual dataset": Refused(in_hdf5(as_virtual), "from elsewhere"),
    "a group for a dataset": Refused(
        in_hdf5(lambda file: (file.__delitem__("embeddings"), file.create_group("embeddings"))), "is not a dataset"
    ),
    "a dataset for a group": Refused(
        in_hdf5(lambda file: (file.__delitem__("manifest"), file.create_dataset("manifest", data=1))), "is missing"
    ),
}  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and symbolic links")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_feature_file_is_refused_by_every_reader(name, inside, cli):
    change, message = REFUSED[name]
    path = write_features(inside / "cells.h5")
    change(path)
    for arguments in (("verify", path), ("compare", "--features", path, "--heads", "dummy")):
        cli(*arguments).is_refusal(f"cells.h5.*({message})")
    assert [path.name for path in inside.iterdir()] == ["cells.h5"], "nothing ran, and nothing was written"


@pytest.mark.parametrize("name", ["a pickle", "a newer format", "a changed recipe", "an external link", "half of it"])
def test_inspect_refuses_it_too(name, inside, cli):
    change, message = REFUSED[name]
    path = write_features(inside / "cells.h5")
    change(path)
    cli("inspect", path).is_refusal(message)


UNFIT = {
    "one class": ({"labels": ["HeLa"] * N_SAMPLES}, "class"),
    "no labels": ({"labels": [""] * N_SAMPLES}, "label"),
    "a class of two": ({"labels": ["HeLa"] * (N_SAMPLES - 2) + ["RT4"] * 2}, "RT4"),
    "nothing readable": ({"failed": True}, "read|failed|sample"),
    "one sample": ({"header": replace(HEADER, n_samples=1), "labels": ["HeLa"]}, "class|sample"),
}


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_features_that_cannot_be_learnt_from_are_refused(name, command, inside, cli):
    arguments, message = UNFIT[name]
    path = write_features(inside / "cells.h5", **arguments)
    what = ("--heads", "dummy") if command == "compare" else ("--head", "dummy")
    cli(command, "--features", path, *what).is_refusal(message)


def test_a_row_of_nan_that_no_failure_explains_is_refused(inside, cli):
    """As another tool might write it: every checksum fits, and a sample that is called whole has no numbers."""
    path = inside / "cells.h5"
    with held_output(path):
        parts = PartStore(path, HEADER)
        for part in HEADER.part_rows():
            embeddings = np.ones((len(part), 1, DIM), np.float32)
            embeddings[0, 0, 0] = np.nan
            parts.write(Rows(part.start, embeddings, np.zeros(len(part), "u1"), np.ones((len(part), 32), "u1"), {}))
        parts.consolidate(SampleTable([f"s{i}" for i in range(N_SAMPLES)], LABELS, [""] * N_SAMPLES), {"settings": {}})
    for arguments in (("verify", path), ("compare", "--features", path, "--heads", "dummy")):
        cli(*arguments).is_refusal(r"cells.h5: 1 samples have embeddings that are not finite, the first in row 0")


def test_a_recipe_and_settings_of_something_else_are_refused_by_what_needs_them(inside, cli):
    path = write_features(inside / "cells.h5")
    cli("inspect", path).is_refusal("recipe or provenance is not as cellfeat writes it")
    for arguments in (("--images",), ("--sample", "1")):
        ending = cli("verify", path, *arguments)
        assert ending.code == 1
        assert "its provenance" in ending.err


def test_the_whole_file_is_accepted(inside, cli):
    path = write_features(inside / "cells.h5")
    assert "whole; 20 samples, 0 failed" in cli("verify", path).out
    ending = cli("compare", "--features", path, "--heads", "dummy", "--output", "results")
    assert ending.code == 0, ending.err
    assert json.loads((inside / "results" / "comparison.json").read_text())
