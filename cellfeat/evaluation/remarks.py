"""Remarks: lines for the user that an evaluation gives while it runs."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Receives a line."""


def ignore_line(_line: str) -> None:
    """Drop a line."""
