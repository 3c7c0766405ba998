"""File names in tables of other machines: found below the folder of images by the end of their path."""

import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cellfeat.samples.fields.field import without_ending


class Resolved(NamedTuple):
    """A file below the folder of images, by the name in a table.

    Attributes
    ----------
    name
        Path below the folder; None where there is none, or several fit.
    is_moved
        Whether the folders in the table are others.
    others
        Files that fit as well, where no single one does.
    """

    name: str | None
    is_moved: bool = False
    others: tuple[str, ...] = ()


class FileFinder:
    """Finds files by names that may have been written on another machine.

    Parameters
    ----------
    root
        The folder of images.
    names
        Paths of the files below it.
    """

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self._root = root.resolve().as_posix()
        self._names = set(names)
        self._by_base: dict[str, list[str]] = {}
        self._known: dict[tuple[str, str], Resolved] = {}
        for name in sorted(self._names):
            for base in {posixpath.basename(name), without_ending(posixpath.basename(name))}:
                self._by_base.setdefault(base.casefold(), []).append(name)

    def find(self, folder: str, file: str) -> Resolved:
        """Find a file.

        Parameters
        ----------
        folder
            The cell of the folder; "" where there is none.
        file
            The cell of the file name; it may hold folders, too.
        """
        # A table names a file once for each of its cells.
        if (folder, file) not in self._known:
            self._known[folder, file] = self._find(folder, file)
        return self._known[folder, file]

    def _find(self, folder: str, file: str) -> Resolved:
        parts = [part for part in f"{folder}/{file}".replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or not file:
            return Resolved(None)
        path = "/".join(parts)
        if path in self._names:
            return Resolved(path)
        below = f"/{path}".removeprefix(f"{self._root}/")
        if below in self._names:
            return Resolved(below)
        return self._by_tail(parts, is_moved=bool(folder) or len(parts) > 1)

    def _by_tail(self, parts: list[str], *, is_moved: bool) -> Resolved:
        """The file with the longest equal end of its path; case counts only where it decides."""
        candidates = self._by_base.get(parts[-1].casefold(), [])
        if not candidates:
            return Resolved(None)
        ends = [_n_equal(parts[:-1], name.split("/")[:-1]) for name in candidates]
        best = [name for name, n_equal in zip(candidates, ends, strict=True) if n_equal == max(ends)]
        exact = [name for name in best if posixpath.basename(name) == parts[-1]] or best
        if len(exact) > 1:
            return Resolved(None, others=tuple(exact))
        return Resolved(exact[0], is_moved=is_moved)


def _n_equal(first: list[str], second: list[str]) -> int:
    """How many parts at the end are equal."""
    pairs = zip(reversed(first), reversed(second), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a.casefold() != b.casefold()), min(len(first), len(second)))
