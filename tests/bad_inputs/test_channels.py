"""Samples of several files, one of which is damaged or not a file: one extraction that names each bad sample."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import pytest

from cellfeat.extraction.store import Features, Status, load_features

GOOD_ID = "good"


def png(*shape: int, dtype: str = "uint8") -> bytes:
    rng = np.random.default_rng(1)
    return imagecodecs.png_encode(rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True))


class Damage(NamedTuple):
    """A change of the red file of a sample, and the expected reason in the message."""

    apply: Callable[[Path], object]
    reason: str


def replaced(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_link(target: str) -> Callable[[Path], object]:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


def become_vast(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(2**40)  # a sparse file: it takes no space on disk


DAMAGED = {
    "narrower": Damage(replaced(png(6, 5)), r"is 5 x 6 uint8, but narrower_blue\.png of the same sample is 6 x 6"),
    "deeper": Damage(replaced(png(6, 6, dtype="uint16")), "uint16, but .* of the same sample is 6 x 6 uint8"),
    "colour": Damage(replaced(png(6, 6, 3)), "holds 3 channels; expected one"),
    "cut": Damage(replaced(png(6, 6)[:40]), "truncated or damaged PNG"),
    "pipe": Damage(become_pipe, "is a pipe; expected a file"),
    "endless-device": Damage(become_link("/dev/zero"), "is a device; expected a file"),
    "vast": Damage(become_vast, r"has 1099511627776 bytes, more than images\.max_pixels"),
    "dangling": Damage(become_link("nowhere.png"), "does not exist"),
    "link-to-itself": Damage(become_link("link-to-itself_red.png"), "symbolic link"),
}
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and symbolic links")


@pytest.fixture(scope="module")
def quarantined(tmp_path_factory, cli, network) -> Features:
    folder = tmp_path_factory.mktemp("channels")
    (folder / "images").mkdir()
    for sample_id in (*DAMAGED, GOOD_ID):
        for channel in ("blue", "red", "yellow"):
            (folder / "images" / f"{sample_id}_{channel}.png").write_bytes(png(6, 6))
    for sample_id, (damage, _) in DAMAGED.items():
        damage(folder / "images" / f"{sample_id}_red.png")
    ending = cli(
        "extract", "--images", folder / "images", "--labels", "none", "--set",
        "images.pattern={sample_id}_{channel}.png", "--on-error", "quarantine",
        "--output", folder / "features.h5", *network,
    )  # fmt: skip
    assert ending.code == 0, ending.err
    return load_features(folder / "features.h5")


@pytest.mark.parametrize("sample_id", DAMAGED)
def test_sample_with_a_damaged_channel_is_quarantined(sample_id, quarantined):
    row = quarantined.samples.ids.tolist().index(sample_id)
    assert quarantined.samples.status[row] == Status.FAILED
    assert np.isnan(quarantined.embeddings[row]).all()
    assert re.search(f"{sample_id}_red.png: .*{DAMAGED[sample_id].reason}", quarantined.samples.failures[row])


def test_valid_sample_is_extracted(quarantined):
    row = quarantined.samples.ids.tolist().index(GOOD_ID)
    assert quarantined.samples.status[row] == Status.OK
    assert np.isfinite(quarantined.embeddings[row]).all()
    assert len(quarantined) == len(DAMAGED) + 1


@pytest.mark.parametrize("sample_id", ["cut", "pipe"])
def test_run_stops_by_default(sample_id, inside, cli, network):
    for channel in ("blue", "red", "yellow"):
        (inside / f"{sample_id}_{channel}.png").write_bytes(png(6, 6))
    DAMAGED[sample_id].apply(inside / f"{sample_id}_red.png")
    ending = cli(
        "extract", "--images", ".", "--labels", "none", "--set", "images.pattern={sample_id}_{channel}.png",
        "--output", "features.h5", *network,
    )  # fmt: skip
    ending.is_refusal(f"{sample_id}_red.png: .*{DAMAGED[sample_id].reason}")
    assert not (inside / "features.h5").exists()
