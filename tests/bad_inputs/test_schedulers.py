"""Shares that do not exist, environments that say nothing or two things, clusters that refuse: one message each."""

import os
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

PREFIXES = ("SLURM", "AWS_BATCH", "JOB_COMPLETION")
NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIXES) or name in NAMES]:
        monkeypatch.delenv(name)


@pytest.fixture
def refuse(cli, inside: Path, network: tuple[str, ...]) -> Callable[..., None]:
    """Run ``extract`` on four images, which must be refused, and leave nothing but the images behind."""
    for label in ("a", "b"):
        (inside / "images" / label).mkdir(parents=True)
        for i in range(2):
            png = imagecodecs.png_encode(np.full((8, 8), 40 * i + 20, np.uint8))
            (inside / "images" / label / f"{label}{i}.png").write_bytes(png)

    def run(message: str, *arguments: str) -> None:
        images = ("--images", "images", "--labels", "none", "--set", "images.layout=folders")
        options = ("--set", "images.channels=[0]", "--set", "preprocessing.channels_as=separate", *network)
        cli("extract", *images, *options, *arguments).is_refusal(message)
        assert [path.name for path in inside.iterdir()] == ["images"]

    return run


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ("8/8", "8/8"),
        ("-1/4", "-1/4"),
        ("a/b", "a/b"),
        ("3/0", "3/0"),
        ("3", "'3'"),
        ("1.5/4", "1.5/4"),
        ("auto", "no scheduler.*SLURM_ARRAY_TASK_ID.*JOB_COMPLETION_INDEX.*AWS_BATCH_JOB_ARRAY_INDEX.*RANK"),
        ("auto/8", "no scheduler"),
        ("auto/many", "auto/many.*auto/8"),
        ("auto/0", "auto/0"),
        ("automatic", "automatic"),
    ],
)
def test_shares(share: str, message: str, refuse) -> None:
    refuse(message, "--share", share)


@pytest.mark.parametrize(
    ("share", "environ", "message"),
    [
        ("auto", {"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETION_INDEX=3.*auto/N"),
        ("auto/3", {"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETION_INDEX=3.*0 to 2"),
        ("auto/8", {"JOB_COMPLETION_INDEX": "three"}, "JOB_COMPLETION_INDEX='three'"),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "1"}, "AWS_BATCH_JOB_ARRAY_SIZE"),
        ("auto/4", {"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}, "auto/4.*SIZE=8"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "-2", "SLURM_ARRAY_TASK_COUNT": "4"}, "SLURM_ARRAY_TASK_ID='-2'"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "4"}, "SLURM_ARRAY_TASK_ID=4"),
        ("auto", {"RANK": "0"}, "WORLD_SIZE"),
        ("auto", {"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "1", "AWS_BATCH_JOB_ARRAY_INDEX": "1"}, "two schedulers"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "1", "RANK": "1", "WORLD_SIZE": "4"}, "LOCAL_WORLD_SIZE"),
    ],
)
def test_environments(
    share: str, environ: dict[str, str], message: str, refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    refuse(message, "--share", share)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "slurm"], "--engine-workers"),
        (["--engine-workers", "4"], "--engine slurm"),
        (["--submit"], "--submit.*--engine slurm"),
        (["--at-once", "4"], "--at-once.*--engine slurm"),
        (["--slurm", "--partition=gpu"], "--slurm.*--engine slurm"),
        (["--engine", "slurm", "--engine-workers", "4", "--share", "0/4"], "--share and --engine slurm"),
        (["--engine", "slurm", "--engine-workers", "4", "--update"], "--update and --engine slurm"),
        (["--engine", "slurm", "--engine-workers", "4", "--slurm", "partition=gpu"], "partition=gpu"),
        (["--engine", "slurm", "--engine-workers", "4", "--slurm", "--array=0-9"], "--array.*--at-once"),
        (["--engine", "slurm", "--engine-workers", "4", "--slurm", "--comment='open"], "--slurm"),
        (["--engine", "slurm", "--engine-workers", "4", "--images", "nowhere"], "nowhere"),
    ],
)
def test_engines(arguments: list[str], message: str, refuse) -> None:
    refuse(message, *arguments)
