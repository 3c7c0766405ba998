"""Read the table of a file of scPortrait in a process of its own: HDF5 may hang or crash on a damaged file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.decoded_image import truncated
from cellfeat.samples.formats.h5sc import Channels, read_cells, read_channels

SECONDS = 120.0
"""Longest time of reading a table: a million cells take seconds."""


def read_in_process(path: Path, seconds: float = SECONDS) -> tuple[dict[str, list[str]], Channels]:
    """Read the table of cells and the channels of a file.

    Parameters
    ----------
    path
        The file.
    seconds
        How long it may take.

    Returns
    -------
    tuple
        What `read_cells` and `read_channels` give.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ImageError
        As for `read_cells` and `read_channels`; also if HDF5 hangs or crashes on the file.
    """
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    try:
        ended = subprocess.run(command, capture_output=True, timeout=seconds, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise ImageError(truncated("h5sc file", f"its table was not read within {seconds:g} s")) from None
    if ended.returncode:
        last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise ImageError(
            truncated("h5sc file", f"the process that read its table ended with {ended.returncode}: {last}")
        )
    told = json.loads(ended.stdout)
    if "missing" in told:
        raise MissingFileError(f"{path}: the file does not exist")
    if "error" in told:
        raise ImageError(told["error"])
    return told["cells"], Channels(tuple(told["names"]), tuple(told["masks"]))


def serve() -> None:
    """Read the file that the command line names, and write what it holds as JSON."""
    path = Path(sys.argv[1])
    told: dict[str, Any]
    try:
        channels = read_channels(path)
        told = {"cells": read_cells(path), "names": channels.names, "masks": channels.masks}
    except FileNotFoundError:
        told = {"missing": True}
    except OSError as error:
        told = {"error": f"cannot be read: {error.strerror or error}"}
    except ImageError as error:
        told = {"error": str(error)}
    sys.stdout.write(json.dumps(told))
