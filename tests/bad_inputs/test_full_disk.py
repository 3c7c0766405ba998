"""A disk that fills up during ``extract``: one message that says how much is missing, and nothing done is lost."""

import shutil
import threading
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.extraction.store import Features, load_features

N_SAMPLES = 24
NEEDS = r"features\.h5: .*disk is full.* 0\.\d MB .* 0\.\d MB .*make room"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for i in range(N_SAMPLES):
        (folder / f"{i:02d}.png").write_bytes(imagecodecs.png_encode(rng.integers(0, 255, (12, 12), np.uint8)))
    return folder


@pytest.fixture
def extract(cli, images, network):
    def run(output: Path):
        return cli(
            "extract", "--images", images, "--labels", "none", "--set", "images.layout=folders", "--set",
            "images.channels=[0]", "--set", "preprocessing.channels_as=separate", "--set", "labels.unmatched=ignore",
            "--set", "extraction.part_size=4", "--set", "extraction.batch_size=4", "--output", output, *network,
        )  # fmt: skip

    return run


def fill(disk: Path, *, leave: int) -> Path:
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    return filler


def fill_after_the_first_part(disk: Path) -> None:
    deadline = time.monotonic() + 60
    while not list(disk.glob("*.parts/rows-*.h5")) and time.monotonic() < deadline:
        time.sleep(0.001)
    fill(disk, leave=40_000)


def content(features: Features) -> tuple[object, ...]:
    arrays = (features.embeddings, features.samples.status, features.samples.digests, features.samples.ids)
    return (features.fingerprint, *(array.tobytes() for array in arrays))


@pytest.mark.slow
def test_disk_that_fills_up_ends_the_run_and_the_next_continues(small_disk, tmp_path, extract):
    output = small_disk / "features.h5"
    filling = threading.Thread(target=fill_after_the_first_part, args=(small_disk,))
    filling.start()
    ending = extract(output)
    filling.join()
    ending.is_refusal(NEEDS)
    extract(output).is_refusal(NEEDS)
    finished = {path.name for path in small_disk.glob("*.parts/rows-*.h5")}
    assert finished
    assert not output.exists()
    assert not list(small_disk.rglob("*.tmp"))

    (small_disk / "filler").unlink()
    ending = extract(output)
    assert ending.code == 0, ending.err
    assert "unfinished run" in ending.err
    assert {path.name for path in small_disk.iterdir()} == {"features.h5"}
    assert extract(tmp_path / "undisturbed.h5").code == 0
    assert content(load_features(output)) == content(load_features(tmp_path / "undisturbed.h5"))


def test_disk_without_room_is_refused_before_the_work(small_disk, extract):
    fill(small_disk, leave=100_000)
    ending = extract(small_disk / "features.h5")
    ending.is_refusal(NEEDS)
    assert not list(small_disk.glob("*.parts/rows-*.h5"))
