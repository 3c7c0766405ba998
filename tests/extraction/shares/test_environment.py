"""The share of a process, from the variables of its scheduler. The Slurm variables are those that Slurm 22.05 sets."""

import pytest

from cellfeat.errors import ConfigError
from cellfeat.extraction.shares.environment import choose_share, local_rank, share_from_environment
from cellfeat.extraction.shares.share import Share


def slurm(task: int, n_tasks: int, first: int, last: int, step: int = 1) -> dict[str, str]:
    names = ("ID", "COUNT", "MIN", "MAX", "STEP")
    values = (task, n_tasks, first, last, step)
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in zip(names, values, strict=True)}


def torchrun(rank: int, size: int, local_size: int | None = None) -> dict[str, str]:
    local = size if local_size is None else local_size
    numbers = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank % local, "LOCAL_WORLD_SIZE": local}
    return {name: str(number) for name, number in numbers.items()}


def test_no_scheduler_gives_no_share() -> None:
    assert share_from_environment({"PATH": "/bin", "SLURM_ARRAY_TASK_ID": "", "SLURM_JOB_ID": "7"}) is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (slurm(0, 4, 0, 3), "0/4"),
        (slurm(3, 4, 0, 3), "3/4"),
        (slurm(1, 3, 1, 3), "0/3"),
        (slurm(3, 3, 1, 3), "2/3"),
        (slurm(8, 5, 0, 8, 2), "4/5"),
        (slurm(5, 3, 2, 8, 3), "1/3"),
        (slurm(7, 1, 7, 7), "0/1"),
        ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "4"}, "2/4"),
        ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "4"}, "1/4"),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "9", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}, "9/10"),
        (torchrun(5, 8, 4), "5/8"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "1/2"),
        ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"}, "1/2"),
    ],
)
def test_share_of_one_scheduler(environ: dict[str, str], expected: str) -> None:
    assert share_from_environment(environ) == Share.parse(expected)


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("auto/8", {"JOB_COMPLETION_INDEX": "0"}, "0/8"),
        ("AUTO / 8", {"JOB_COMPLETION_INDEX": "7"}, "7/8"),
        ("auto/10", {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, "3/10"),
        ("auto/8", slurm(7, 2, 3, 7), "7/8"),
        ("auto/8", slurm(3, 8, 0, 7), "3/8"),
        ("3/8", {"JOB_COMPLETION_INDEX": "0"}, "3/8"),
    ],
)
def test_share_of_an_option(text: str, environ: dict[str, str], expected: str) -> None:
    assert choose_share(text, environ) == Share.parse(expected)


@pytest.mark.parametrize("outer", [slurm, None])
def test_processes_inside_an_array_task_get_shares_of_their_own(outer: object) -> None:
    arrays = [slurm(task, 3, 1, 3) if outer else {"JOB_COMPLETION_INDEX": str(task - 1)} for task in (1, 2, 3)]
    shares = [share_from_environment(array | torchrun(rank, 4), 3 if not outer else None)
              for array in arrays for rank in range(4)]  # fmt: skip
    assert sorted(shares, key=str) == sorted((Share(i, 12) for i in range(12)), key=str)


def test_torchrun_wins_over_the_srun_that_started_it() -> None:
    launched = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}
    assert share_from_environment(launched | torchrun(5, 8, 4)) == Share(5, 8)


def test_batch_job_of_several_tasks_is_not_a_step() -> None:
    assert share_from_environment({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}) is None


@pytest.mark.parametrize(
    ("text", "environ", "nouns"),
    [
        ("auto", {}, ["no scheduler", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "--share 0/8"]),
        ("auto", {"JOB_COMPLETION_INDEX": "3"}, ["JOB_COMPLETION_INDEX=3", "auto/N", "completions"]),
        ("auto/2", {"JOB_COMPLETION_INDEX": "3"}, ["JOB_COMPLETION_INDEX=3", "0 to 1"]),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, ["AWS_BATCH_JOB_ARRAY_SIZE", "auto/N"]),
        ("auto/4", {"AWS_BATCH_JOB_ARRAY_INDEX": "3", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}, ["auto/4", "SIZE=8"]),
        ("auto", slurm(3, 2, 3, 7), ["SLURM_ARRAY_TASK_ID=3", "COUNT=2", "MAX=7", "auto/N", "--array=0-"]),
        ("auto", slurm(9, 4, 0, 3), ["SLURM_ARRAY_TASK_ID=9"]),
        ("auto", slurm(0, 4, 0, 3, 0), ["SLURM_ARRAY_TASK_STEP=0"]),
        ("auto", slurm(0, 0, 0, 3), ["SLURM_ARRAY_TASK_ID=0"]),
        ("auto", slurm(1, 2, 0, 3, 2), ["SLURM_ARRAY_TASK_ID=1"]),
        ("auto", {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MAX": "4"}, ["SLURM_ARRAY_TASK_ID=5"]),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, ["SLURM_ARRAY_TASK_COUNT", "auto/N"]),
        ("auto", {"SLURM_ARRAY_TASK_ID": "three"}, ["SLURM_ARRAY_TASK_ID='three'", "whole number"]),
        ("auto/8", slurm(1, 8, 1, 8), ["task 8", "--array=0-7"]),
        ("auto", {"RANK": "1"}, ["RANK=1", "WORLD_SIZE"]),
        ("auto", {"WORLD_SIZE": "4"}, ["WORLD_SIZE=4", "RANK"]),
        ("auto", {"RANK": "4", "WORLD_SIZE": "4"}, ["RANK=4", "0 to 3"]),
        ("auto", {"RANK": "-1", "WORLD_SIZE": "4"}, ["RANK='-1'"]),
        ("auto", {"RANK": "0", "WORLD_SIZE": "0"}, ["RANK=0"]),
        ("auto/8", torchrun(0, 4), ["auto/8", "4 processes"]),
        ("auto", {"JOB_COMPLETION_INDEX": "0"} | slurm(0, 8, 0, 7), ["JOB_COMPLETION_INDEX=0", "SLURM", "--share I/N"]),
        ("auto", slurm(0, 2, 0, 1) | torchrun(5, 8, 4), ["WORLD_SIZE=8", "LOCAL_WORLD_SIZE=4", "--share I/N"]),
        ("auto/x", {}, ["auto/x", "auto/8"]),
        ("auto/0", {}, ["auto/0", "auto/8"]),
        ("auto/", {}, ["auto/8"]),
        ("8/8", {}, ["8/8", "0 to 7"]),
        ("-1/4", {}, ["-1/4"]),
        ("a/b", {}, ["a/b"]),
        ("3/0", {}, ["3/0"]),
        ("3", {}, ["'3'"]),
        ("", {}, ["share"]),
    ],
)  # fmt: skip
def test_refused(text: str, environ: dict[str, str], nouns: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        choose_share(text, environ)
    assert [noun for noun in nouns if noun not in str(raised.value)] == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        (torchrun(5, 8, 4), 1),
        ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_LOCALID": "1"}, 1),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_LOCALID": "0"}, None),
        ({"SLURM_LOCALID": "0"}, None),
    ],
)
def test_local_rank(environ: dict[str, str], expected: int | None) -> None:
    assert local_rank(environ) == expected
