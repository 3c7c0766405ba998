"""What this machine says about its Slurm cluster, and the submission of a script to it."""

import re
import shutil
import subprocess
from pathlib import Path

from cellfeat.errors import SchedulerError, WriteError
from cellfeat.extraction.shares.slurm import MARK
from cellfeat.provenance import publish

DEFAULT_MAX_ARRAY = 1001
"""Slurm's MaxArraySize where the cluster does not set it."""
_SECONDS = 60.0


def largest_array() -> int:
    """Ask the cluster for the largest array it takes; Slurm's default where there is no cluster to ask."""
    if shutil.which("scontrol") is None:
        return DEFAULT_MAX_ARRAY
    try:
        asked = subprocess.run(
            ["scontrol", "show", "config"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return DEFAULT_MAX_ARRAY
    found = re.search(r"^MaxArraySize\s*=\s*([1-9][0-9]*)\s*$", asked.stdout, re.M)
    return int(found[1]) if found else DEFAULT_MAX_ARRAY


def can_submit() -> bool:
    """Whether this machine has sbatch."""
    return shutil.which("sbatch") is not None


def submit_script(script: str, file: Path) -> str:
    """Write a script to a file, and run it: it submits its jobs, all or none.

    Parameters
    ----------
    script
        The script; see `cellfeat.extraction.shares.slurm.array_script`.
    file
        Where it is written. An earlier script is replaced, another file is not.

    Returns
    -------
    str
        The line that names the jobs.

    Raises
    ------
    SchedulerError
        If sbatch refuses; the message holds what it says.
    WriteError
        If `file` is not such a script, or cannot be written.
    """
    _check_replaceable(file)
    with publish(file) as new:
        new.write_text(script, encoding="utf-8")
    try:
        ended = subprocess.run(
            ["bash", str(file.absolute())], capture_output=True, text=True, check=False, timeout=_SECONDS * 5
        )
    except subprocess.TimeoutExpired:
        raise SchedulerError(
            f"{file}: sbatch did not answer within {_SECONDS * 5:g} s; squeue --me lists what was submitted"
        ) from None
    if ended.returncode:
        said = " / ".join(line.strip() for line in ended.stderr.splitlines() if line.strip())
        raise SchedulerError(
            f"{file}: the jobs were not submitted: {said or f'exit code {ended.returncode}'}. Options of this cluster "
            "are given by --slurm '--partition=NAME --time=HH:MM:SS'"
        )
    return ended.stdout.strip()


def _check_replaceable(file: Path) -> None:
    if file.exists() and (not file.is_file() or MARK not in file.read_text(errors="replace").splitlines()):
        raise WriteError(
            f"{file}: is not a script that cellfeat wrote, and is not replaced; rename it, and submit again"
        )
