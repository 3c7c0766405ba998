"""Processes that a test has started, as the system lists them."""

from contextlib import suppress
from pathlib import Path


def processes_of(session: int) -> list[int]:
    """Processes of a session that still run; [] if the system does not list them."""
    left = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                left.append(int(stat.parent.name))
    return left
