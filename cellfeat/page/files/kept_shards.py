"""Shards whose scripts are kept on disk: pages in folders link to them, and do not copy gigabytes of pictures."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cellfeat.page.content import ShardMaker
from cellfeat.provenance import publish

Scripted = Callable[[str, bytes], bytes]
"""Makes the script of a shard from its name and its bytes."""


@dataclass(frozen=True)
class KeptShard:
    """A shard that many pages show.

    Attributes
    ----------
    make
        Makes its bytes.
    script
        Where its script is kept; the name changes with what the shard shows.
    """

    make: ShardMaker
    script: Path

    def __call__(self) -> bytes:
        """Make the bytes of the shard."""
        return self.make()

    def put(self, path: Path, name: str, scripted: Scripted) -> None:
        """Put the script into a page: as a second name of the kept file where the disk can do so, or as a copy.

        Parameters
        ----------
        path
            The file of the page.
        name
            Name of the shard.
        scripted
            Makes the script.
        """
        if self.script.is_file() and path.is_file() and path.samefile(self.script):
            return
        try:
            self._keep(name, scripted)
        except OSError:  # the folder of the pictures cannot be written
            with publish(path) as temporary:
                temporary.write_bytes(scripted(name, self.make()))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            os.link(self.script, path)
        except OSError:  # another disk, or one without links
            with suppress(FileNotFoundError):
                path.unlink()
            shutil.copyfile(self.script, path)

    def _keep(self, name: str, scripted: Scripted) -> None:
        if not self.script.is_file():
            with publish(self.script) as temporary:
                temporary.write_bytes(scripted(name, self.make()))
