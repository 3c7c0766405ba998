"""Observers of an extraction, and what tests compare of its feature files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py


class Lines:
    """Keeps what an extraction says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[int, int]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, n_done: int, n_samples: int) -> None:
        self.progress.append((n_done, n_samples))


class Disturbed(Lines):
    """Does something once as soon as a number of samples is done."""

    def __init__(self, after: int, disturb: Callable[[], None]) -> None:
        super().__init__()
        self.after: int | None = after
        self.disturb = disturb

    def advance(self, n_done: int, n_samples: int) -> None:
        super().advance(n_done, n_samples)
        if self.after is not None and n_done >= self.after:
            self.after = None
            self.disturb()


def contents(path: Path) -> dict[str, Any]:
    """Every dataset but the provenance, which holds times: numbers as bytes, so that NaN equals NaN, and text."""
    found: dict[str, Any] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name != "provenance":
            found[name] = item[:].tobytes() if item.dtype.kind in "fui" else item[:].tolist()

    with h5py.File(path) as file:
        file.visititems(take)
    return found
