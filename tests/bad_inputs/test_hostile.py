"""Files made to run code, to be followed elsewhere, or to steer a terminal or a spreadsheet: none of it happens."""

import csv
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import torch
from torchvision import models

from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    held_output,
    load_features,
    no_intensities,
    no_properties,
)
from cellfeat.provenance import digest_bytes, digest_json

TRACE = "ran"


class Hacked:
    """Unpickled, it leaves a trace in the working directory."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(TRACE),)


def torch_saved(value: object, **options: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def npz(value: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, weights=np.array([value], dtype=object))
    return file.getvalue()


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def safetensors_header(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def half_of_a_state() -> dict[str, object]:
    return {**models.get_model("mobilenet_v3_small").state_dict(), "classifier.3.bias": Hacked()}


HACKED_PICKLE = pickle.dumps({"weight": Hacked()}, protocol=2)
WEIGHTS: dict[str, Callable[[], bytes]] = {
    "pickle.pth": lambda: HACKED_PICKLE,
    "pickle-4.pt": lambda: pickle.dumps(Hacked(), protocol=4),
    "pickle.bin": lambda: HACKED_PICKLE,
    "pickle.safetensors": lambda: HACKED_PICKLE,
    "saved.pth": lambda: torch_saved({"weight": Hacked()}),
    "saved.pt": lambda: torch_saved(Hacked()),
    "saved.bin": lambda: torch_saved([Hacked()]),
    "saved.safetensors": lambda: torch_saved({"weight": Hacked()}),
    "legacy.pth": lambda: torch_saved({"weight": Hacked()}, _use_new_zipfile_serialization=False),
    "among-tensors.pth": lambda: torch_saved(half_of_a_state()),
    "whole-model.pth": lambda: torch_saved(models.get_model("mobilenet_v3_small")),
    "npz.pth": lambda: npz(Hacked()),
    "npz.bin": lambda: npz(Hacked()),
    "zip-of-pickle.pth": lambda: zipped({"archive/data.pkl": HACKED_PICKLE, "archive/version": b"3\n"}),
    "zip-that-climbs.pth": lambda: zipped({"../../ran": b"x", "archive/data.pkl": HACKED_PICKLE}),
    "zip-bomb.pth": lambda: zipped(
        {"archive/data.pkl": bytes(2**24), "archive/version": b"3\n"}, zipfile.ZIP_DEFLATED
    ),
    "zip-bomb.safetensors": lambda: zipped({"x": bytes(2**24)}, zipfile.ZIP_DEFLATED),
    "tar.pth": lambda: b"storages".ljust(100, b"\0") + bytes(412) + b"ustar\0",
    "vast-header.safetensors": lambda: struct.pack("<Q", 2**62) + b"{}",
    "vast-tensor.safetensors": lambda: safetensors_header(
        {"weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
    ),
    "overlapping.safetensors": lambda: safetensors_header(
        {name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in "ab"}, bytes(4)
    ),
    "deep.safetensors": lambda: struct.pack("<Q", 50_000) + b"[" * 50_000,
    "torchscript.pt": lambda: zipped({"x/code/__torch__.py": b"touch()", "x/data.pkl": HACKED_PICKLE,
                                      "x/constants.pkl": HACKED_PICKLE, "x/version": b"3\n"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_never_run_code(name, inside, cli):
    (inside / "images").mkdir()
    (inside / "images" / "a.png").write_bytes(imagecodecs.png_encode(np.zeros((6, 6, 3), np.uint8)))
    (inside / name).write_bytes(WEIGHTS[name]())
    ending = cli(
        "extract", "--images", "images", "--labels", "none", "--backbone", "mobilenet_v3_small", "--weights", name,
        "--set", "images.layout=folders", "--set", "labels.unmatched=ignore", "--set", "images.channels=[0,1,2]",
        "--device", "cpu", "--precision", "fp32", "--workers", "0", "--output", "features.h5",
    )  # fmt: skip
    ending.is_refusal(f"{name}: ")
    assert {path.name for path in inside.iterdir()} == {"images", name}


NASTY = ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\x1b[31mred\x1b]0;title\x07", "[/bold][link=x]y[/link]"]
N_EACH = 6


@pytest.fixture(scope="module")
def nasty_features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features whose ids, classes and columns are called after attacks."""
    path = tmp_path_factory.mktemp("nasty") / "cells.h5"
    labels = NASTY * N_EACH
    recipe = {"backbone": {"name": NASTY[2]}, "passes": ["planes"], "views": 1, "precision": "fp32"}
    header = RunHeader(recipe, "sha256:samples", {}, len(labels), 1, 4, part_size=100)
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(len(labels), 1, 4)).astype(np.float32)
    digests = rng.integers(0, 256, (len(labels), 32), np.uint8)
    ids = [f"{label}{i}" for i, label in enumerate(labels)]
    settings = {"labels": {"id": "=1+1", "label": "@SUM(1)"}}
    with held_output(path):
        parts = PartStore(path, header)
        arrays = (
            embeddings,
            np.zeros(len(labels), np.uint8),
            digests,
            no_properties(len(labels)),
            no_intensities(len(labels)),
        )
        parts.write(Rows.from_arrays(0, arrays, {}))
        parts.consolidate(SampleTable(ids, labels, [""] * len(labels), {NASTY[0]: labels}), {"settings": settings})
    return path


def write_changes(path: Path) -> Path:
    """A table of changed labels, as the page exports it, of the first sample of `nasty_features`."""
    row = [f"{NASTY[0]}0", NASTY[2], NASTY[0], "prediction"]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["sample_id", "label", "label_before", "seen"], row])
    return path


def cells_of(path: Path) -> list[str]:
    return [cell for row in csv.reader(path.read_text(encoding="utf-8").splitlines()) for cell in row]


@pytest.mark.slow
def test_names_steer_no_terminal_and_no_spreadsheet(nasty_features, inside, cli):
    whole = cli("verify", nasty_features)
    compared = cli("compare", "--features", nasty_features, "--heads", "dummy", "--folds", "3", "--output", "r")
    fitted = cli("fit", "--features", nasty_features, "--head", "logreg", "--folds", "3", "--output", "head")
    predicted = cli("predict", "--model", "head", "--features", nasty_features, "--output", "p.csv", "--probabilities")
    described = cli("inspect", "head")
    changes = write_changes(Path(f"{NASTY[2].replace('/', '_')}.csv"))
    audited = cli("audit", "--features", nasty_features, "--labels", changes, "--folds", "2", "--output", "a")
    for ending in (whole, compared, fitted, predicted, described, audited):
        assert ending.code == 0, ending.err
        assert "\x1b" not in ending.out + ending.err
        assert "\x07" not in ending.out + ending.err
    assert load_features(nasty_features).samples.labels.tolist() == NASTY * N_EACH, "in the file they are what they are"
    cells = cells_of(Path("p.csv"))
    assert len(cells) > 2 * len(NASTY) * N_EACH
    assert [cell for cell in cells if cell.startswith(("=", "@", "+", "\t", "\r"))] == []
    assert set(NASTY[1:]) <= set(cells), "in the table, too, but for formulas"


@pytest.fixture(scope="module")
def saved_head(nasty_features: Path, cli: Callable[..., Any]) -> Path:
    folder = nasty_features.with_name("head")
    ending = cli("fit", "--features", nasty_features, "--head", "logreg", "--folds", "3", "--output", folder)
    assert ending.code == 0, ending.err
    return folder


def resealed(folder: Path, change: Callable[[dict], None]) -> None:
    """A bundle whose record was changed by someone who knows how to make its digest."""
    record = json.loads((folder / "bundle.json").read_text())
    change(record)
    record["digest"] = digest_json({key: value for key, value in record.items() if key != "digest"})
    (folder / "bundle.json").write_text(json.dumps(record))


def add_member(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if "/" not in name:
            (folder / name).write_bytes(content)
        resealed(folder, lambda record: record["files"].__setitem__(name, digest_bytes(content)))

    return change


def become_link(name: str, target: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return change


def become_pipe(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


BUNDLES: dict[str, Callable[[Path], None]] = {
    "a pickle for arrays": add_member("arrays.safetensors", HACKED_PICKLE),
    "a checkpoint for arrays": add_member("arrays.safetensors", torch_saved({"weight": Hacked()})),
    "an npz for arrays": add_member("arrays.safetensors", npz(Hacked())),
    "a pickle beside them": add_member("head.pkl", HACKED_PICKLE),
    "a joblib beside them": add_member("head.joblib", HACKED_PICKLE),
    "a pickle as text": add_member("model.txt", HACKED_PICKLE),
    "a member above": add_member("../../etc/passwd.txt", b""),
    "an absolute member": add_member("/etc/passwd", b""),
    "arrays that are a device": become_link("arrays.safetensors", "/dev/zero"),
    "arrays elsewhere": become_link("arrays.safetensors", "/etc/passwd"),
    "arrays that are a pipe": become_pipe("arrays.safetensors"),
    "a record that is a pipe": become_pipe("bundle.json"),
    "a record that is a device": become_link("bundle.json", "/dev/zero"),
    "a head by its path": lambda folder: resealed(folder, lambda record: record.update(head_name="os.system")),
    "a parameter that is none": lambda folder: resealed(
        folder, lambda record: record["params"].update(__class__="os.system")
    ),
    "an object for a number": lambda folder: resealed(folder, lambda record: record.update(n_views={"a": 1})),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and symbolic links")
@pytest.mark.parametrize("name", BUNDLES)
def test_a_saved_head_never_runs_code(name, nasty_features, saved_head, inside, cli):
    shutil.copytree(saved_head, inside / "head")
    BUNDLES[name](inside / "head")
    cli("predict", "--model", "head", "--features", nasty_features, "--output", "p.csv").is_refusal("head")
    assert not (inside / TRACE).exists()
    assert not (inside / "p.csv").exists()


PARTS: dict[str, bytes] = {"a pickle": HACKED_PICKLE, "an npz of objects": npz(Hacked()), "nothing": b""}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_part_or_record_of_a_run_that_is_something_else_is_made_again(name, inside):
    header = RunHeader({"passes": ["planes"]}, "sha256:samples", {}, 4, 1, 2, part_size=2)
    path = inside / "cells.h5"
    arrays = (
        np.ones((2, 1, 2), np.float32),
        np.zeros(2, np.uint8),
        np.ones((2, 32), np.uint8),
        no_properties(2),
        no_intensities(2),
    )
    ones = Rows.from_arrays(0, arrays, {})
    with held_output(path):
        parts = PartStore(path, header)
        parts.write(ones)
        (parts.folder / "rows-000000000.h5").write_bytes(PARTS[name])
        assert parts.read(range(2)) is None
        parts.write(ones)
        (parts.folder / "run.json").write_bytes(PARTS[name])
        again = PartStore(path, header)
        assert again.read(range(2)) is not None
    assert not (inside / TRACE).exists()
