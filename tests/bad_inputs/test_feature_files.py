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

from cellfeat.errors import FeatureFileError
from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    held_output,
    load_features,
    no_intensities,
    no_properties,
    read_summary,
)
from cellfeat.extraction.store.format import table_checksum, write_json, write_text_attribute
from cellfeat.extraction.store.writing import Content
from cellfeat.extraction.store.writing import write_features as write_content
from cellfeat.provenance import digest_json

N_SAMPLES, DIM = 20, 4
RECIPE = {"backbone": {"name": "convnext_base"}, "passes": ["planes"], "views": 1, "precision": "fp32"}
HEADER = RunHeader(RECIPE, "sha256:samples", {"batch_size": 4}, N_SAMPLES, 1, DIM, part_size=8)
LABELS = ["HeLa", "A549"] * (N_SAMPLES // 2)


def write_features(path: Path, *, header: RunHeader = HEADER, labels: list[str] = LABELS, failed: bool = False) -> Path:
    """A feature file as extraction writes it, with random embeddings."""
    n = header.n_samples
    rows = [_rows(header, part, failed) for part in header.part_rows()]
    table = SampleTable([f"s{i}" for i in range(n)], labels, [""] * n)
    # Not through the parts of a run, which refuses to publish samples that have all failed.
    write_content(path, n, header.row_shape, Content(rows, table, header.recipe, header.samples, {"settings": {}}))
    return path


def _rows(header: RunHeader, part: range, failed: bool) -> Rows:
    rng = np.random.default_rng(part.start)
    shape = (len(part), header.n_views, header.embedding_dim)
    embeddings = np.full(shape, np.nan, np.float32) if failed else rng.normal(size=shape).astype(np.float32)
    digests = rng.integers(0, 256, (len(part), 32), np.uint8)
    status = np.full(len(part), failed, np.uint8)
    arrays = (embeddings, status, digests, no_properties(len(part)), no_intensities(len(part)))
    return Rows.from_arrays(part.start, arrays, dict.fromkeys(part, "gone") if failed else {})


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
        arrays = ("embeddings", "status", "pixel_digest", "properties", "intensities", "checksums")
        for name in (*arrays, "sample_id", "manifest/label", "manifest/group"):
            values = file[name][:0]
            del file[name]
            file.create_dataset(name, data=values, dtype=values.dtype)
        write_text_attribute(file, "checksum", table_checksum(file))


def as_pair(name: str, content: bytes, offsets: np.ndarray) -> Change:
    """A column of text as bytes with offsets."""

    def change(file: h5py.File) -> None:
        del file[name]
        pair = file.create_group(name)
        pair["bytes"], pair["offsets"] = np.frombuffer(content, np.uint8), offsets.astype("<i8")
        write_text_attribute(file, "checksum", table_checksum(file))

    return in_hdf5(change)


def json_text(name: str, content: bytes) -> Change:
    return as_dataset(name, data=np.frombuffer(content, np.uint8))


def without(name: str) -> Change:
    return in_hdf5(lambda file: file.__delitem__(name))


def attribute(name: str, value: object) -> Change:
    return in_hdf5(lambda file: file.attrs.__setitem__(name, value))


def without_attribute(name: str) -> Change:
    return in_hdf5(lambda file: file.attrs.__delitem__(name))


def resealed_recipe(recipe: object) -> Change:
    """Another recipe under its own, right fingerprint."""

    def change(file: h5py.File) -> None:
        del file["recipe"]
        write_json(file, "recipe", recipe)
        write_text_attribute(file, "fingerprint", digest_json(recipe))

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


DAMAGED = "damaged, or still being copied"
REFUSED = {
    "empty": Refused(lambda path: path.write_bytes(b""), "is empty"),
    "zeros": Refused(lambda path: path.write_bytes(bytes(5000)), "starts with zeros"),
    "text": Refused(lambda path: path.write_text("sample_id,embedding\n"), r"a table \(CSV\)"),
    "a pickle": Refused(lambda path: path.write_bytes(pickle.dumps(Hacked())), "a Python pickle"),
    "an npz of objects": Refused(npz_of_objects, "ZIP archive"),
    "half of it": Refused(lambda path: path.write_bytes(path.read_bytes()[:5000]), DAMAGED),
    "magic alone": Refused(lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), DAMAGED),
    "a pipe": Refused(lambda path: (path.unlink(), os.mkfifo(path)), "not a regular file"),
    "a link to itself": Refused(lambda path: (path.unlink(), path.symlink_to(path.name)), "does not exist|link"),
    "another tool's": Refused(
        lambda path: (path.unlink(), h5py.File(path, "w").create_dataset("features", data=np.zeros((3, 4)))),
        "not a feature file of cellfeat: it holds features",
    ),
    "a newer format": Refused(attribute("format", 99), "format 99, expected 2; it was written by a newer version"),
    "a format of text": Refused(attribute("format", "1"), "not a feature file of cellfeat"),
    "no format": Refused(without_attribute("format"), "not a feature file of cellfeat"),
    "format 1": Refused(attribute("format", 1), "format 1.*cellfeat 0.1.*another --output"),
    "no recipe": Refused(without("recipe"), "'recipe' is missing"),
    "no checksum": Refused(without_attribute("checksum"), "'checksum' is missing"),
    "a checksum of variable length": Refused(attribute("checksum", "sha256:"), "'checksum' is not"),
    "a checksum of numbers": Refused(attribute("checksum", np.arange(3)), "'checksum' is not"),
    "a recipe of text": Refused(json_text("recipe", b"{"), DAMAGED),
    "a recipe of doubles": Refused(as_dataset("recipe", data=np.zeros(3)), "'recipe' has type float64"),
    "a recipe that is a list": Refused(resealed_recipe([1]), "recipe|damaged"),
    "a recipe without passes": Refused(resealed_recipe({"views": 1}), "recipe|damaged|checksum"),
    "a changed recipe": Refused(json_text("recipe", b"{}"), "fingerprint is not the digest of its recipe"),
    "a deep recipe": Refused(json_text("recipe", b"[" * 50_000), DAMAGED),
    "no provenance": Refused(without("provenance"), "'provenance' is missing"),
    "other provenance": Refused(json_text("provenance", b"{}"), "checksum of its ids, labels or provenance"),
    "no embeddings": Refused(without("embeddings"), "'embeddings' is missing"),
    "no labels": Refused(without("manifest/label"), "'manifest/label' is missing"),
    "no table": Refused(without("manifest"), "manifest|damaged"),
    "no columns": Refused(without("manifest/columns"), "manifest/columns|damaged"),
    "no checksums": Refused(without("checksums"), "'checksums' is missing"),
    "doubles": Refused(as_dataset("embeddings", data=np.zeros((20, 1, 4))), "'embeddings' has type float64"),
    "no rows": Refused(without_rows, "holds no samples"),
    "flat embeddings": Refused(as_dataset("embeddings", data=np.zeros((20, 4), "f4")), r"'embeddings' has shape"),
    "too few rows": Refused(as_dataset("embeddings", data=np.zeros((3, 1, 4), "f4")), r"'status' has shape"),
    "other numbers": Refused(as_dataset("embeddings", data=np.zeros((20, 1, 4), "f4")), "do not match their checksum"),
    "wide status": Refused(as_dataset("status", data=np.zeros((20, 2), "u1")), "'status' has shape"),
    "status of text": Refused(as_dataset("status", data=["ok"] * 20), "'status' has type"),
    "labels of numbers": Refused(as_dataset("manifest/label", data=np.zeros(20)), "'manifest/label' has type"),
    "checksums of numbers": Refused(as_dataset("checksums", data=np.zeros(3)), "'checksums' has type"),
    "other properties": Refused(
        in_hdf5(lambda file: file["properties"].__setitem__(0, (b"uint16", b"16", 9, 1, 1, b"png"))),
        "rows 0 to 7 do not match their checksum",
    ),
    "other intensities": Refused(
        in_hdf5(lambda file: file["intensities"].__setitem__((0, 0), (0.5, 0.1, 1))),
        "rows 0 to 7 do not match their checksum",
    ),
    "no intensities": Refused(without("intensities"), "'intensities' is missing"),
    "intensities of numbers": Refused(as_dataset("intensities", data=np.zeros((20, 1))), "'intensities' has type"),
    "properties of pairs": Refused(
        as_dataset("properties", data=np.zeros(20, [("a", "i8", (2,))])), "'properties' has type"
    ),
    "failures of pairs": Refused(
        as_dataset("failures", data=np.zeros(1, [("row", "i8", (2,))])), "group 'failures' is missing"
    ),
    "failures of row infinity": Refused(as_dataset("failures/row", data=np.array([np.inf])), "'failures/row' has type"),
    "a reason without a row": Refused(
        as_dataset("failures/reason", data=np.array([b"gone"])), "'failures/reason' has shape"
    ),
    "more in the table": Refused(
        in_hdf5(lambda file: file["manifest"].create_dataset("more", data=1)), "group 'manifest' holds"
    ),
    "a circle of groups": Refused(
        in_hdf5(lambda file: file["manifest"].__setitem__("more", file["/"])), "group 'manifest' holds"
    ),
    "a column without a name": Refused(
        in_hdf5(lambda file: file["manifest/columns"].create_dataset("000", data=np.array([b"x"] * 20))),
        "'manifest/column_names' has shape",
    ),
    "offsets without bytes": Refused(as_pair("manifest/label", b"", np.arange(21)), "offsets of '/manifest/label'"),
    "offsets that go back": Refused(
        as_pair("manifest/label", b"ab", np.array([0, 2, 1, *[2] * 18])), "offsets of '/manifest/label'"
    ),
    "too few offsets": Refused(as_pair("manifest/label", b"ab", np.array([0, 2])), "offsets' has shape"),
    "ids that are no UTF-8": Refused(as_dataset("sample_id", data=np.array([b"\xff"] * 20)), DAMAGED + "|checksum"),
    "one label": Refused(as_dataset("manifest/label", data=np.array([b"HeLa"])), "'manifest/label' has shape"),
    "a scalar for ids": Refused(as_dataset("sample_id", data="s0"), "sample_id|damaged"),
    "a shape of terabytes": Refused(
        as_dataset("embeddings", shape=(20, 1, 10**12), dtype="f4", chunks=(1, 1, 1024)), "'embeddings' holds less"
    ),
    "ids of terabytes": Refused(
        as_dataset("sample_id", shape=(20,), dtype=h5py.string_dtype("utf-8", 2**31 - 1)), "'sample_id' holds less"
    ),
    "checksums of terabytes": Refused(vast("checksums"), "'checksums' holds less than its shape"),
    "failures of terabytes": Refused(vast("failures/row"), "'failures/row' holds less than its shape"),
    "packed numbers": Refused(
        as_dataset("embeddings", data=np.zeros((20, 1, 4), "f4"), chunks=True, compression="gzip"), "filter: refused"
    ),
    "an external link": Refused(as_link("embeddings", h5py.ExternalLink("/etc/passwd", "/x")), "a link to elsewhere"),
    "a soft link": Refused(as_link("embeddings", h5py.SoftLink("/status")), "a link to elsewhere"),
    "an external table": Refused(as_link("manifest", h5py.ExternalLink("other.h5", "/manifest")), "link"),
    "an external column": Refused(
        in_hdf5(lambda file: file.__setitem__("manifest/columns/000", h5py.ExternalLink("/etc/passwd", "/x"))),
        "link|column_names",
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
def test_damaged_or_foreign_file_is_refused(name, inside, cli):
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


def places(path: Path) -> list[str]:
    """Every dataset of a file, and every attribute with an @ before its name."""
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        return [*found, *(f"@{name}" for name in file.attrs)]


def test_text_of_variable_length_is_neither_written_nor_read(inside):
    """Such texts lie in heaps that HDF5 reads without checks: it would never return from a heap of zeros."""
    path = write_features(inside / "cells.h5", failed=True)
    whole = path.read_bytes()
    assert len(places(path)) > 14
    for place in places(path):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            if place.startswith("@"):
                assert not file.attrs.get_id(place[1:]).get_type().detect_class(h5py.h5t.VLEN)
                file.attrs[place[1:]] = "text"
            else:
                assert not file[place].id.get_type().detect_class(h5py.h5t.VLEN)
                shape = file[place].shape
                del file[place]
                file.create_dataset(place, data=np.full(shape, "a text", object), dtype=h5py.string_dtype())
        content = bytearray(path.read_bytes())
        start = content.find(b"GCOL") + 16
        if start > 15:  # a dataset without values has no heap
            content[start : start + 4000] = bytes(len(content[start : start + 4000]))
            path.write_bytes(content)
        for read in (read_summary, load_features):
            with pytest.raises(FeatureFileError, match=r"has type|is not a short|no integer attribute"):
                read(path)


UNFIT = {
    "one class": ({"labels": ["HeLa"] * N_SAMPLES}, "class"),
    "no labels": ({"labels": [""] * N_SAMPLES}, "label"),
    "a class of two": ({"labels": ["HeLa"] * (N_SAMPLES - 2) + ["RT4"] * 2}, "RT4"),
    "nothing readable": ({"failed": True}, "read|failed|sample"),
    "one sample": ({"header": replace(HEADER, n_samples=1), "labels": ["HeLa"]}, "class|sample"),
}


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_features_unfit_for_learning_are_refused(name, command, inside, cli):
    arguments, message = UNFIT[name]
    path = write_features(inside / "cells.h5", **arguments)
    what = ("--heads", "dummy") if command == "compare" else ("--head", "dummy")
    cli(command, "--features", path, *what).is_refusal(message)


def test_unexplained_nan_is_refused(inside, cli):
    """As another tool might write it: every checksum fits, and a sample that is called whole has no numbers."""
    path = inside / "cells.h5"
    with held_output(path):
        parts = PartStore(path, HEADER)
        for part in HEADER.part_rows():
            embeddings = np.ones((len(part), 1, DIM), np.float32)
            embeddings[0, 0, 0] = np.nan
            digests = np.ones((len(part), 32), "u1")
            arrays = (
                embeddings,
                np.zeros(len(part), "u1"),
                digests,
                no_properties(len(part)),
                no_intensities(len(part)),
            )
            parts.write(Rows.from_arrays(part.start, arrays, {}))
        parts.consolidate(SampleTable([f"s{i}" for i in range(N_SAMPLES)], LABELS, [""] * N_SAMPLES), {"settings": {}})
    for arguments in (("verify", path), ("compare", "--features", path, "--heads", "dummy")):
        cli(*arguments).is_refusal(r"cells.h5: 1 samples have embeddings that are not finite, the first in row 0")


def test_foreign_recipe_and_settings_are_refused(inside, cli):
    path = write_features(inside / "cells.h5")
    cli("inspect", path).is_refusal("recipe or provenance is not as cellfeat writes it")
    for arguments in (("--images",), ("--sample", "1")):
        ending = cli("verify", path, *arguments)
        assert ending.code == 1
        assert "its provenance" in ending.err


@pytest.mark.slow
def test_whole_file_is_accepted(inside, cli):
    path = write_features(inside / "cells.h5")
    assert "whole; 20 samples, 0 failed" in cli("verify", path).out
    ending = cli("compare", "--features", path, "--heads", "dummy", "--output", "results")
    assert ending.code == 0, ending.err
    assert json.loads((inside / "results" / "comparison.json").read_text())
