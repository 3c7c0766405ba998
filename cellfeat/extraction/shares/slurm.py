"""A Slurm job array that makes an extraction: its script as text.

The script is one file with three uses. Run by bash it submits three jobs, each of which is the same file: the plan, the
array of shares when the plan has ended well, and the consolidation when the array has ended in any way.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellfeat.errors import ConfigError

MARK = "# Written by: cellfeat extract --engine slurm"
"""The line by which a script is known to be from here."""
_TAKEN = ("array", "dependency", "ntasks", "parsable", "wrap")
_TAKEN_SHORT = {"-a": "array", "-d": "dependency", "-n": "ntasks"}
_ROLE = """\
case "${1-}" in
plan) exec "${extract[@]}" --plan ;;
consolidate) exec "${extract[@]}" --consolidate ;;
esac
"""


@dataclass(frozen=True)
class SlurmArray:
    """What a job array runs.

    Attributes
    ----------
    program
        The command and its options, without those that choose a share.
    folder
        The folder in which it runs.
    name
        Name of the extraction, for the names of jobs.
    n_tasks
        Number of tasks of the array, each of which makes one share.
    at_once
        Number of tasks that may run at once; None: as many as the cluster lets.
    n_gpus
        GPUs of a task; 0: none is asked for.
    options
        Further options of sbatch, one an entry: ``--partition=gpu``.
    """

    program: Sequence[str]
    folder: Path
    name: str
    n_tasks: int
    at_once: int | None = None
    n_gpus: int = 0
    options: Sequence[str] = ()

    @property
    def job_name(self) -> str:
        """Name of the array job: letters that every tool of Slurm takes."""
        return "cellfeat-" + (re.sub(r"[^A-Za-z0-9._]+", "-", self.name).strip("-.") or "features")

    @property
    def script_name(self) -> str:
        """Name of the file that the script is written to."""
        return f"{self.job_name}.slurm.sh"


def array_script(array: SlurmArray) -> str:
    """Write the script of an array as text: the same array gives the same text.

    Parameters
    ----------
    array
        What it runs.
    """
    return "\n".join(["#!/bin/bash", *map(_directive, _options(array)), _body(array)])


def _options(array: SlurmArray) -> Iterator[str]:
    yield f"--job-name={array.job_name}"
    yield f"--array=0-{array.n_tasks - 1}" + (f"%{array.at_once}" if array.at_once else "")
    yield from ("--ntasks=1", "--requeue", "--open-mode=append")
    # Sent to the program, as `exec` puts it in the place of the shell.
    yield "--signal=B:TERM@120"
    if array.n_gpus:
        yield f"--gres=gpu:{array.n_gpus}"
    # Last, because of two equal options Slurm takes the later.
    yield from array.options


def _directive(option: str) -> str:
    """An option as a comment that sbatch reads; it takes double quotes, and backslashes inside them."""
    name, equals, value = option.partition("=")
    if not equals:
        name, equals, value = option.partition(" ")
    if re.fullmatch(r"[\w.,:;%@+/*\[\]()&|=<>!~^-]*", value, re.ASCII):
        return f"#SBATCH {name}{equals}{value}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'#SBATCH {name}{equals}"{escaped}"'


def _body(array: SlurmArray) -> str:
    # Joining parts needs no GPU, and would wait for one.
    no_gpu = " --gres=none" if array.n_gpus else ""
    last = array.n_tasks - 1
    program = "\n".join(f"    {shlex.quote(word)}" for word in array.program)
    return f"""\
#
{MARK}
# bash FILE submits the plan, the array and the consolidation.
# sbatch --array={last} FILE makes share {last} of {array.n_tasks} again; --array=0,{last} makes two shares.
# sbatch --array=0 FILE consolidate joins the parts again.
# Parts that are there already are not made again, so each may be run at any time.
set -eu
self=$(realpath -- "$0")
cd -- {shlex.quote(str(array.folder))}
export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
extract=(
{program}
)

{_ROLE}if [ -n "${{SLURM_ARRAY_TASK_ID-}}" ]; then
    exec "${{extract[@]}}" --share "$SLURM_ARRAY_TASK_ID/{array.n_tasks}"
fi

# Not a task of an array: submit all jobs, or none.
command -v sbatch >/dev/null || {{ echo "sbatch was not found: run this where jobs are submitted" >&2; exit 1; }}
[ -f "$self" ] || {{ echo "save this script to a file, and run: bash FILE" >&2; exit 1; }}
trap '[ -z "${{plan-}}${{shares-}}" ] || scancel ${{plan-}} ${{shares-}}' ERR
plan=$(sbatch --parsable --array=0 --job-name={array.job_name}-plan "$self" plan)
plan=${{plan%%;*}}
shares=$(sbatch --parsable --dependency="afterok:$plan" --kill-on-invalid-dep=yes "$self")
shares=${{shares%%;*}}
last=$(sbatch --parsable --array=0{no_gpu} --dependency="afterany:$shares" \\
    --job-name={array.job_name}-consolidate "$self" consolidate)
echo "submitted: plan $plan, shares $shares (0-{last}), consolidation ${{last%%;*}}"
"""


def parse_options(text: str) -> tuple[str, ...]:
    """Split options of sbatch, written in one text, into one entry each.

    Parameters
    ----------
    text
        Such as ``--partition=gpu --time 04:00:00 -A lab``.

    Raises
    ------
    ConfigError
        If it is not a list of options, or holds one that the script sets itself.

    Examples
    --------
    >>> parse_options("--partition=gpu --time 04:00:00 -A lab")
    ('--partition=gpu', '--time 04:00:00', '-A lab')
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--slurm {text!r}: cannot be split into options: {error}") from None
    options: list[str] = []
    for word in words:
        if "\n" in word or (not word.startswith("-") and (not options or " " in options[-1] or "=" in options[-1])):
            raise ConfigError(
                f"--slurm {text!r}: {word!r} is not an option of sbatch; expected such as "
                "'--partition=gpu --time=04:00:00'"
            )
        if word.startswith("-"):
            _check_free(word)
            options.append(word)
        else:
            options[-1] += f" {word}"
    return tuple(options)


def _check_free(word: str) -> None:
    # sbatch takes long options that are cut short, such as --arr.
    name = word.partition("=")[0]
    long = [taken for taken in _TAKEN if name.startswith("--") and len(name) > 2 and taken.startswith(name[2:])]
    taken = long[0] if long else _TAKEN_SHORT.get(name[:2])
    if taken:
        raise ConfigError(
            f"--slurm {word!r}: cellfeat sets --{taken} itself: --engine-workers N is the number of tasks, and "
            "--at-once M how many run at the same time"
        )


def fitting_tasks(wanted: int, n_parts: int, largest: int) -> tuple[int, str | None]:
    """Choose the number of tasks, and say why it is not the one that was asked for.

    Parameters
    ----------
    wanted
        Number of tasks that were asked for.
    n_parts
        Number of parts of the extraction: a task without a part would do nothing.
    largest
        The cluster's MaxArraySize.

    Returns
    -------
    tuple
        The number, and the reason; None where it is `wanted`.
    """
    if wanted <= min(n_parts, largest):
        return wanted, None
    if n_parts <= largest:
        return n_parts, f"{wanted:,} tasks were asked for and there are {n_parts:,} parts: {n_parts:,} tasks"
    return largest, (
        f"{wanted:,} tasks were asked for, and Slurm takes {largest:,} in one array here (MaxArraySize): {largest:,} "
        "tasks, each of which makes several parts"
    )
