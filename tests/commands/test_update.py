"""``extract --update`` on the command line: what is extracted again, what is carried over, and what is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import torch
from torchvision import models

from cellfeat.commands import exit_code
from cellfeat.extraction.store import Features, load_features, parts_folder
from cellfeat.samples.synthetic import CHANNELS, write_synthetic_cells

ROOT = Path(__file__).parent.parent.parent
N_SAMPLES = 20


class Lab:
    """A folder of images and labels that change, and the command line in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.folder = folder
        self._capsys = capsys
        self.labels = pd.read_csv(folder / "labels.csv", dtype=str)

    def arguments(self, *more: str, output: str = "cells.h5") -> list[str]:
        self.labels.to_csv(self.folder / "labels.csv", index=False)
        return [
            "extract", "--images", str(self.folder / "images"), "--labels", str(self.folder / "labels.csv"),
            "--backbone", "mobilenet_v3_small", "--weights", str(self.folder / "weights.pth"), "--device", "cpu",
            "--precision", "fp32", "--batch-size", "4", "--workers", "0", "--output", str(self.folder / output),
            "--set", "preprocessing.input_size=32", "--set", "preprocessing.crop=none",
            "--set", "extraction.part_size=4", "--set", "comparison.folds=2", "--set", "labels.unmatched=ignore",
            *more,
        ]  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command; return its exit code, and its stderr as one line."""
        assert self._capsys is not None
        code = exit_code(list(arguments))
        return code, " ".join(self._capsys.readouterr().err.split())

    def extract(self, *more: str) -> tuple[Features, str]:
        code, told = self.run(*self.arguments(*more))
        assert code == 0, told
        return load_features(self.folder / "cells.h5"), told

    def fresh(self, *more: str) -> Features:
        """Extract the same samples into another file."""
        code, told = self.run(*self.arguments(*more, output="fresh.h5"))
        assert code == 0, told
        return load_features(self.folder / "fresh.h5")

    def path(self, sample: int, channel: str = "red") -> Path:
        return self.folder / "images" / f"{sample:05d}_{channel}.png"

    def draw(self, sample: int) -> None:
        """Give a sample other pixels."""
        for channel in CHANNELS:
            image = np.random.default_rng(sample).integers(0, 256, (32, 32), dtype=np.uint8)
            self.path(sample, channel).write_bytes(imagecodecs.png_encode(image))

    def add(self, *samples: int) -> None:
        for sample in samples:
            self.draw(sample)
        rows = pd.DataFrame(
            {"file_id": [str(sample) for sample in samples], "cell_line": "HeLa"}, columns=self.labels.columns
        )
        self.labels = pd.concat([self.labels, rows], ignore_index=True)

    def remove(self, *samples: int) -> None:
        for sample in samples:
            for channel in CHANNELS:
                self.path(sample, channel).unlink()
        self.labels = self.labels[~self.labels["file_id"].astype(int).isin(samples)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, labels, weights and a finished ``cells.h5``."""
    folder = tmp_path_factory.mktemp("finished")
    write_synthetic_cells(folder, n_samples=N_SAMPLES, seed=1, size=32)
    lines = [f"{i},{('HeLa', 'A549')[i % 2]}" for i in range(1, N_SAMPLES + 1)]
    (folder / "labels.csv").write_text("\n".join(["file_id,cell_line", *lines]) + "\n")
    torch.manual_seed(0)
    torch.save(models.get_model("mobilenet_v3_small").state_dict(), folder / "weights.pth")
    assert exit_code(Lab(folder).arguments()) == 0
    return folder


@pytest.fixture
def lab(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lab:
    """A finished extraction of 20 samples, in a folder of its own."""
    shutil.copytree(finished, tmp_path / "lab")
    return Lab(tmp_path / "lab", capsys)


def assert_same(features: Features, fresh: Features) -> None:
    """Compare all bits: those of a row depend neither on its place nor on its batch."""
    np.testing.assert_array_equal(features.embeddings, fresh.embeddings)
    for name in ("ids", "labels", "groups", "status", "digests"):
        np.testing.assert_array_equal(getattr(features.samples, name), getattr(fresh.samples, name))
    assert features.samples.failures.keys() == fresh.samples.failures.keys()
    assert features.fingerprint == fresh.fingerprint


def extended(lab: Lab) -> None:
    lab.add(21, 22, 23, 24, 25)


def shortened(lab: Lab) -> None:
    lab.remove(1, 7, 20)


def sorted_otherwise(lab: Lab) -> None:
    lab.labels = lab.labels.sample(frac=1, random_state=0)


def changed(lab: Lab) -> None:
    lab.draw(3)
    lab.draw(17)


def all_at_once(lab: Lab) -> None:
    extended(lab)
    shortened(lab)
    changed(lab)
    sorted_otherwise(lab)


def all_changed(lab: Lab) -> None:
    for sample in range(1, N_SAMPLES + 1):
        lab.draw(sample)


CHANGES: dict[Callable[[Lab], None], tuple[str, int]] = {
    extended: ("5 new, 0 changed, 0 gone, 20 carried over", 5),
    shortened: ("0 new, 0 changed, 3 gone, 17 carried over", 0),
    sorted_otherwise: ("0 new, 0 changed, 0 gone, 20 carried over", 0),
    changed: ("0 new, 2 changed, 0 gone, 18 carried over", 2),
    all_at_once: ("5 new, 2 changed, 3 gone, 15 carried over", 7),
    all_changed: ("0 new, 20 changed, 0 gone, 0 carried over", 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_only_differences_are_extracted_and_the_file_equals_a_fresh_one(
    change: Callable[[Lab], None], lab: Lab
) -> None:
    before = load_features(lab.folder / "cells.h5")
    change(lab)
    code, told = lab.run(*lab.arguments())
    assert code == 1
    assert "--update" in told, "the refusal says what to do"
    features, told = lab.extract("--update")
    expected, n_extracted = CHANGES[change]
    assert expected in told
    assert features.provenance["times"]["n_extracted"] == n_extracted
    assert_same(features, lab.fresh())
    row_before = {sample_id: row for row, sample_id in enumerate(before.samples.ids)}
    for start, stop, run in features.provenance["rows_from"]:
        for row in range(start, stop):
            is_old = features.samples.digests[row] in before.samples.digests
            assert is_old == (run == 0), f"row {row} is said to come from run {run}"
            if is_old:
                old = before.embeddings[row_before[features.samples.ids[row]]]
                assert features.embeddings[row].tobytes() == old.tobytes()
    assert features.provenance["runs"][0]["finished"] == before.provenance["times"]["finished"]
    assert [path.name for path in lab.folder.glob("*cells.h5*")] == ["cells.h5"]
    assert lab.run("verify", str(lab.folder / "cells.h5"), "--images", "--sample", "8")[0] == 0
    assert "finished already" in lab.extract()[1]
    assert "finished already" in lab.extract("--update")[1]


def test_labels_alone_cost_no_extraction(lab: Lab) -> None:
    before = load_features(lab.folder / "cells.h5")
    lab.labels["cell_line"] = ["HeLa", "RT4"] * 10
    features, told = lab.extract("--update")
    assert "20 carried over" in told
    assert "labels, groups and columns were replaced" in told
    assert "device:" not in told, "no backbone is even loaded"
    assert features.samples.labels.tolist() == ["HeLa", "RT4"] * 10
    assert features.embeddings.tobytes() == before.embeddings.tobytes()


@pytest.mark.slow
def test_a_sample_with_a_new_id_is_recognised_by_its_pixels(lab: Lab) -> None:
    for channel in CHANNELS:
        lab.path(3, channel).rename(lab.path(30, channel))
    lab.labels.loc[lab.labels["file_id"] == "3", "file_id"] = "30"
    features, told = lab.extract("--update")
    assert "0 new, 0 changed, 0 gone, 20 carried over" in told
    assert_same(features, lab.fresh())


@pytest.mark.slow
def test_a_sample_that_could_not_be_read_is_tried_again(lab: Lab) -> None:
    good = lab.path(5).read_bytes()
    lab.path(5).write_bytes(b"no image")
    before = (lab.folder / "cells.h5").read_bytes()
    code, told = lab.run(*lab.arguments("--update"))
    assert code == 1
    assert "sample 5 (row 4)" in told
    assert (lab.folder / "cells.h5").read_bytes() == before, "the finished file stays as it was"
    features, told = lab.extract("--update", "--on-error", "quarantine")
    assert "0 new, 1 changed, 0 gone, 19 carried over" in told
    assert_same(features, lab.fresh("--on-error", "quarantine"))
    assert "red.png" in features.samples.failures[4]
    assert "finished already" in lab.extract("--update")[1], "what still cannot be read is no change"
    sorted_otherwise(lab)
    features, _ = lab.extract("--update")
    (row,) = features.samples.failures
    assert features.samples.ids[row] == "5"
    lab.path(5).write_bytes(good)
    (lab.folder / "fresh.h5").unlink()
    features, told = lab.extract("--update")
    assert "0 new, 1 changed, 0 gone, 19 carried over" in told
    assert_same(features, lab.fresh())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (("--views", "4"), "(views: 1 -> 4)"),
        (("--precision", "bf16"), "(precision: fp32 -> bf16)"),
        (("--batch-size", "8"), "(batch_size: 4 -> 8)"),
        (("--set", "images.intensity={range: [0, 200]}"), "(intensity.range: null -> [[0.0, 200.0]"),
    ],
)
def test_settings_that_change_embeddings_are_refused(other: tuple[str, ...], expected: str, lab: Lab) -> None:
    extended(lab)
    before = (lab.folder / "cells.h5").read_bytes()
    code, told = lab.run(*lab.arguments("--update", *other))
    assert code == 1
    assert expected in told
    assert (lab.folder / "cells.h5").read_bytes() == before
    assert not parts_folder(lab.folder / "cells.h5").exists()


@pytest.mark.slow
def test_intensity_limits_over_the_data_set_must_be_the_same(lab: Lab) -> None:
    (lab.folder / "cells.h5").unlink()
    measured = ("--set", "images.intensity={percentile: [1, 99], over: dataset}")
    features, _ = lab.extract(*measured)
    sorted_otherwise(lab)
    assert "20 carried over" in lab.extract("--update", *measured)[1], "the same samples have the same limits"
    extended(lab)
    code, told = lab.run(*lab.arguments("--update", *measured))
    assert code == 1
    assert "percentiles over the data set" in told
    kept = told.partition("--set '")[2].partition("'")[0]
    updated, told = lab.extract("--update", *measured, "--set", kept)
    assert "5 new, 0 changed, 0 gone, 20 carried over" in told
    assert updated.recipe == features.recipe


def test_rows_of_a_damaged_file_are_not_carried_over(lab: Lab) -> None:
    extended(lab)
    path = lab.folder / "cells.h5"
    data, row = path.read_bytes(), load_features(path).embeddings[7].tobytes()
    at = data.index(row)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    code, told = lab.run(*lab.arguments("--update"))
    assert code == 1
    assert "checksum" in told
    assert "cells.h5" in told


@pytest.mark.slow
def test_without_a_finished_file_it_extracts_all(lab: Lab) -> None:
    (lab.folder / "cells.h5").unlink()
    features, _ = lab.extract("--update")
    assert features.provenance["times"]["n_extracted"] == N_SAMPLES
    assert "runs" not in features.provenance


@pytest.mark.slow
def test_inspect_says_how_many_rows_were_carried_over(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    extended(lab)
    lab.extract("--update")
    exit_code(["inspect", str(lab.folder / "cells.h5")])
    assert "20 rows" in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_update_leaves_the_old_file_and_the_next_one_goes_on(lab: Lab) -> None:
    lab.add(*range(21, 61))
    path = lab.folder / "cells.h5"
    before = path.read_bytes()
    (lab.folder / "images" / "00060_red.png").write_bytes(b"")  # so that it cannot end before it is killed
    process = subprocess.Popen([sys.executable, str(ROOT / "cli.py"), *lab.arguments("--update")])
    deadline = time.monotonic() + 120
    while not list(parts_folder(path).glob("rows-*.h5")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert path.read_bytes() == before
    assert list(parts_folder(path).glob("rows-*.h5")), "killed after its first part"
    lab.draw(60)
    code, told = lab.run(*lab.arguments())
    assert code == 1
    assert "--update" in told
    features, told = lab.extract("--update")
    assert "40 new, 0 changed, 0 gone, 20 carried over" in told
    assert "unfinished run" in told
    assert 0 < features.provenance["times"]["n_extracted"] < 40
    assert_same(features, lab.fresh())
    assert not parts_folder(path).exists()
