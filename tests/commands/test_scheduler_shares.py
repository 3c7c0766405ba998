"""Shares of ``extract`` by the variables of schedulers that cannot be run here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.command_line import EXTRACT, refused, succeed
from tests.extraction.observers import contents

N_SHARES = 3
FIXED = ("--batch-size", "16", "--set", "extraction.part_size=32")

SCHEDULERS: dict[str, tuple[str, Callable[[int], dict[str, str]]]] = {
    "kubernetes": (f"auto/{N_SHARES}", lambda i: {"JOB_COMPLETION_INDEX": str(i)}),
    "aws-batch": (
        "auto",
        lambda i: {"AWS_BATCH_JOB_ARRAY_INDEX": str(i), "AWS_BATCH_JOB_ARRAY_SIZE": str(N_SHARES)},
    ),
    "torchrun": ("auto", lambda i: {"RANK": str(i), "WORLD_SIZE": str(N_SHARES), "LOCAL_RANK": str(i)}),
    "slurm": (
        "auto",
        lambda i: {
            "SLURM_ARRAY_TASK_ID": str(i + 1), "SLURM_ARRAY_TASK_COUNT": str(N_SHARES), "SLURM_ARRAY_TASK_MIN": "1",
            "SLURM_ARRAY_TASK_MAX": str(N_SHARES), "SLURM_ARRAY_TASK_STEP": "1",
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def planned(folder: Path) -> tuple[bytes, dict[str, object]]:
    """A plan for all outputs, and what one process makes of it."""
    succeed(folder, *EXTRACT, *FIXED, "--output", "features/one.h5", "--plan")
    plan = (folder / "features" / "one.h5.parts" / "run.json").read_bytes()
    succeed(folder, *EXTRACT, *FIXED, "--output", "features/one.h5")
    return plan, contents(folder / "features" / "one.h5")


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_shares_make_the_file_of_one_process(
    scheduler: str, folder: Path, planned: tuple[bytes, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    share, variables = SCHEDULERS[scheduler]
    output = f"features/{scheduler}.h5"
    plan, expected = planned
    (folder / f"{output}.parts").mkdir()
    (folder / f"{output}.parts" / "run.json").write_bytes(plan)
    for i in (2, 0, 1):
        for name, value in variables(i).items():
            monkeypatch.setenv(name, value)
        assert f"share {i}/{N_SHARES}" in succeed(folder, *EXTRACT, *FIXED, "--output", output, "--share", share).stdout
        if i != 1:
            missing = refused(folder, *EXTRACT, *FIXED, "--output", output, "--consolidate")
            assert "parts are missing" in missing
    succeed(folder, *EXTRACT, *FIXED, "--output", output, "--consolidate")
    assert contents(folder / output) == expected
