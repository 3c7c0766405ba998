"""Read an object into a file of this machine, piece by piece, and go on after a failure where it ended."""

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from cellfeat.storage.base import FileState
from cellfeat.storage.failures import CutShortError, Failure
from cellfeat.storage.retries import library_errors

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_MIB = 1024 * 1024
PIECE = 64 * _MIB
_CHUNK = 4 * _MIB
"""Bytes of one request, and of what is held in memory at a time."""


@dataclass
class Download:
    """An object that is being read into a file.

    Attributes
    ----------
    store, key
        The object.
    state
        Its size and version before reading.
    file
        The file, open for writing and empty.
    has_ranges
        Whether the server can send a part of a file.
    """

    store: "ObjectStore"
    key: str
    state: FileState
    file: IO[bytes]
    has_ranges: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.file.tell() >= self.state.size

    def read_piece(self) -> int:
        """Read the next piece, or what of it is not there yet, and return the bytes that are there now."""
        begin = self.file.tell()
        end = min((begin // PIECE + 1) * PIECE, self.state.size) if self.has_ranges else self.state.size
        try:
            self._read(begin, end)
        except library_errors() as error:
            if Failure.of(error).kind != "no ranges" or not self.has_ranges:
                raise
            self.has_ranges = False
            self.file.seek(0)
            self.file.truncate()
            raise CutShortError from None
        return self.file.tell()

    def _read(self, begin: int, end: int) -> None:
        import obstore

        if not self.has_ranges:  # from the start
            self.file.seek(begin := 0)
            self.file.truncate()
        options: dict[str, Any] = {} if (begin, end) == (0, self.state.size) else {"range": (begin, end)}
        # A weak ETag, of some web servers, never fits this condition.
        if self.state.version.startswith('"'):
            options["if_match"] = self.state.version
        found = obstore.get(self.store, self.key, options=options)  # type: ignore[arg-type]
        for chunk in found.stream(min_chunk_size=_CHUNK):
            self.file.write(chunk)
        if self.file.tell() < end:
            raise CutShortError
