"""Names of scPortrait's files, and of single cells in them; without h5py, which few reading processes need."""

import re
from pathlib import Path

_ENDING = ".h5sc"
_ADDRESS = re.compile(r"(.+\.h5sc)#(\d+)", re.IGNORECASE | re.DOTALL)


def is_h5sc_name(name: str) -> bool:
    """Whether a file is called as one of scPortrait."""
    return name.lower().endswith(_ENDING)


def address(file: str, row: int) -> str:
    """Make the name of one cell.

    Parameters
    ----------
    file
        The name of the file.
    row
        Row of the cell in it.
    """
    return f"{file}#{row}"


def cell_of(path: Path) -> tuple[Path, int] | None:
    """Give the file and the row of a cell that is named by both; None for the name of any other file."""
    found = _ADDRESS.fullmatch(str(path))
    return (Path(found[1]), int(found[2])) if found else None
