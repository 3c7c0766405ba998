"""The share of this process, from the environment variables of its scheduler.

An array of jobs (Slurm, Kubernetes, AWS Batch) numbers its tasks; torchrun and srun number the processes inside one
task. Where both are set, each process of each task gets a share of its own.
"""

import re
from collections.abc import Callable, Mapping

from cellfeat.errors import ConfigError
from cellfeat.extraction.shares.share import Share

AUTO = "auto"
SLURM_ID, SLURM_COUNT, SLURM_LAST = "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MAX"
KUBERNETES_INDEX = "JOB_COMPLETION_INDEX"
AWS_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
AWS_SIZE = "AWS_BATCH_JOB_ARRAY_SIZE"
SRUN_TASKS = "SLURM_STEP_NUM_TASKS"
"""Set inside a step of srun alone: SLURM_NTASKS and SLURM_PROCID are set in every batch job."""

_AUTO = re.compile(rf"\s*{AUTO}\s*(?:/\s*(?P<count>[^/]*?)\s*)?", re.IGNORECASE)
_LARGEST = 10**9


def choose_share(text: str, environ: Mapping[str, str]) -> Share:
    """Read the value of ``--share``.

    Parameters
    ----------
    text
        ``I/N``; ``auto`` for the share that the environment gives; or ``auto/N``, where the environment says which
        share it is and not how many there are.
    environ
        The environment variables.

    Raises
    ------
    ConfigError
        If it is none of these, or the environment does not say which share it is.

    Examples
    --------
    >>> choose_share("auto/8", {"JOB_COMPLETION_INDEX": "3"})
    Share(index=3, count=8)
    """
    found = _AUTO.fullmatch(text)
    if found is None:
        return Share.parse(text)
    share = share_from_environment(environ, None if found["count"] is None else _given_count(text, found["count"]))
    if share is None:
        raise ConfigError(
            f"--share {text}: no scheduler says which share this process makes: none of {SLURM_ID}, "
            f"{KUBERNETES_INDEX}, {AWS_INDEX} and RANK is set; give the share itself, such as --share 0/8"
        )
    return share


def _given_count(text: str, count: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", count) or int(count) < 1:
        raise ConfigError(f"--share {text}: expected auto/N, where N is the number of shares, such as auto/8")
    return int(count)


def share_from_environment(environ: Mapping[str, str], count: int | None = None) -> Share | None:
    """Give the share that a scheduler assigned to this process; None where no scheduler is found.

    Parameters
    ----------
    environ
        The environment variables.
    count
        Number of tasks in the array, where the user gives it. A Slurm task is then the share of its own number, also
        in an array of some tasks alone (``--array=3,7``). None: the scheduler says it.

    Raises
    ------
    ConfigError
        If a variable is not a number, variables disagree, the number of shares is unknown, or two schedulers say
        different things.
    """
    names = [name for name in _ARRAYS if environ.get(name, "").strip()]
    if len(names) > 1:
        raise ConfigError(
            f"two schedulers are in the environment: {' and '.join(f'{name}={environ[name]}' for name in names)}; say "
            "which share this process makes: --share I/N"
        )
    array = _ARRAYS[names[0]](environ, count) if names else None
    inner = _torchrun(environ, has_array=array is not None) or _srun(environ)
    if array is None or inner is None:
        return array or _agreeing(inner, count)
    return Share(array.index * inner.count + inner.index, array.count * inner.count)


def _agreeing(share: Share | None, count: int | None) -> Share | None:
    if share is not None and count not in (None, share.count):
        raise ConfigError(
            f"--share auto/{count}: the environment has {share.count} processes (WORLD_SIZE or {SRUN_TASKS}); use "
            "--share auto"
        )
    return share


def _slurm_array(environ: Mapping[str, str], count: int | None) -> Share | None:
    task = _number(environ, SLURM_ID)
    if task is None:
        return None
    if count is not None:
        return _share_of_id(task, max(task, _number(environ, SLURM_LAST) or 0), count)
    tasks = _slurm_tasks(environ, task)
    if task not in tasks:
        raise ConfigError(
            f"{SLURM_ID}={task}: the tasks of this array are not numbered evenly, or not as its other variables say "
            f"({SLURM_COUNT}={environ.get(SLURM_COUNT)}, {SLURM_LAST}={environ.get(SLURM_LAST)}). To make some shares "
            "of an earlier array of N tasks again: --share auto/N. Otherwise submit an even array: --array=0-7"
        )
    return Share(tasks.index(task), len(tasks))


def _slurm_tasks(environ: Mapping[str, str], task: int) -> range:
    """The numbers of all tasks of an array; none where they are not numbered evenly."""
    n_tasks, last = _number(environ, SLURM_COUNT), _number(environ, SLURM_LAST)
    first, step = _number(environ, "SLURM_ARRAY_TASK_MIN") or 0, _number(environ, "SLURM_ARRAY_TASK_STEP")
    if step == 0:
        raise ConfigError(f"SLURM_ARRAY_TASK_STEP={step}: expected a number of 1 or more")
    if n_tasks is None and last is None:
        raise ConfigError(f"{SLURM_ID}={task}, and {SLURM_COUNT} is not set: give the number of shares, --share auto/N")
    by_last = None if last is None else range(first, last + 1, step or 1)
    by_count = None if n_tasks is None else range(first, first + n_tasks * (step or 1), step or 1)
    if by_last is not None and by_count is not None:
        # Of --array=3,7 the count is 2, and there are 5 numbers from the first to the last.
        return by_count if by_last == by_count else range(0)
    return by_last or by_count or range(0)


def _share_of_id(task: int, last: int, count: int) -> Share:
    # Every task refuses, not only the last: otherwise share 0 would be missing and nothing would say so for hours.
    if last >= count:
        raise ConfigError(
            f"{SLURM_ID}: this array has a task {last}, and --share auto/{count} takes tasks 0 to {count - 1}: submit "
            f"with --array=0-{count - 1}"
        )
    return Share(task, count)


def _kubernetes(environ: Mapping[str, str], count: int | None) -> Share | None:
    index = _number(environ, KUBERNETES_INDEX)
    if index is None:
        return None
    if count is None:
        raise ConfigError(
            f"{KUBERNETES_INDEX}={index}: Kubernetes does not say how many indexes there are; give the number of "
            "completions of the job: --share auto/N"
        )
    return _indexed(KUBERNETES_INDEX, index, count)


def _aws_batch(environ: Mapping[str, str], count: int | None) -> Share | None:
    index, size = _number(environ, AWS_INDEX), _number(environ, AWS_SIZE)
    if index is None:
        return None
    if count is None and size is None:
        raise ConfigError(f"{AWS_INDEX}={index}, and {AWS_SIZE} is not set: give the size of the array, --share auto/N")
    if count is not None and size not in (None, count):
        raise ConfigError(f"--share auto/{count}: {AWS_SIZE}={size}, the counts differ; use --share auto")
    return _indexed(AWS_INDEX, index, count if size is None else size)


_ARRAYS: dict[str, Callable[[Mapping[str, str], int | None], Share | None]] = {
    SLURM_ID: _slurm_array,
    KUBERNETES_INDEX: _kubernetes,
    AWS_INDEX: _aws_batch,
}


def _torchrun(environ: Mapping[str, str], *, has_array: bool) -> Share | None:
    rank, size = _number(environ, "RANK"), _number(environ, "WORLD_SIZE")
    if rank is None and size is None:
        return None
    if rank is None or size is None:
        there, missing = ("WORLD_SIZE", "RANK") if rank is None else ("RANK", "WORLD_SIZE")
        raise ConfigError(f"{there}={environ[there]}, and {missing} is not set; torchrun sets both. Give --share I/N")
    # The tasks of an array may also be the nodes of one torchrun, whose ranks would then be counted twice.
    if has_array and _number(environ, "LOCAL_WORLD_SIZE") != size:
        raise ConfigError(
            f"WORLD_SIZE={size} and LOCAL_WORLD_SIZE={environ.get('LOCAL_WORLD_SIZE', 'not set')}: torchrun inside a "
            "task of an array is understood on one node; say which share this process makes: --share I/N"
        )
    return _indexed("RANK", rank, size)


def _srun(environ: Mapping[str, str]) -> Share | None:
    n_tasks, task = _number(environ, SRUN_TASKS), _number(environ, "SLURM_PROCID")
    return None if task is None or n_tasks in (None, 1) else _indexed("SLURM_PROCID", task, n_tasks or 0)


def _indexed(name: str, index: int, count: int | None) -> Share:
    if not count or index >= count:
        raise ConfigError(
            f"{name}={index}: expected a number from 0 to {(count or 1) - 1}, as there are {count} shares"
        )
    return Share(index, count)


def local_rank(environ: Mapping[str, str]) -> int | None:
    """Give the number of this process among those of torchrun or srun on its machine; None where there is no such.

    Raises
    ------
    ConfigError
        If a variable is not a number.
    """
    rank = _number(environ, "LOCAL_RANK")
    if rank is None and (_number(environ, SRUN_TASKS) or 1) > 1:
        return _number(environ, "SLURM_LOCALID")
    return rank


def _number(environ: Mapping[str, str], name: str) -> int | None:
    """Read a variable that holds a number; None where it is not set, or empty."""
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ConfigError(f"{name}={text!r}: expected a whole number from 0 to {_LARGEST - 1:,}")
    return int(text)
