"""Check that the frames of an ND2 file are there: its library fills missing ones with zeros."""

import struct
from pathlib import Path

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoded_image import truncated

_MAGIC = 0x0ABECEDA
_HEADER = struct.Struct("<IIQ")
"""Magic number, length of the name and length of the data, at the beginning of each chunk."""
_PLACE = struct.Struct("<QQ")
_MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"


class FrameChunks:
    """The chunks of a file that hold frames.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._offsets = self._read_map()

    def check(self, number: int) -> None:
        """Raise `ImageError` unless the file holds a frame whole, by its number."""
        offset = self._offsets.get(f"ImageDataSeq|{number}!".encode())
        if offset is None or offset + _HEADER.size > self._size:
            raise ImageError(truncated("ND2 file", f"frame {number} is missing"))
        magic, n_name, n_data = _HEADER.unpack(self._read(offset, _HEADER.size))
        if magic != _MAGIC or offset + _HEADER.size + n_name + n_data > self._size:
            raise ImageError(truncated("ND2 file", f"the pixels of frame {number} are missing"))

    def _read_map(self) -> dict[bytes, int]:
        """The beginning of each chunk, by name, as the end of the file lists them."""
        tail = self._read(self._size - 40, 40)
        if not tail.startswith(_MAP_END):
            raise ImageError(truncated("ND2 file", "its end is missing"))
        (start,) = struct.unpack("<Q", tail[len(_MAP_END) :])
        listed = self._read(start, self._size - start)[_HEADER.size :]
        offsets, position = {}, listed.find(b"!") + 1
        while (end := listed.find(b"!", position) + 1) and end + _PLACE.size <= len(listed):
            name = listed[position:end]
            if name == _MAP_END:
                break
            offsets[name], _ = _PLACE.unpack(listed[end : end + _PLACE.size])
            position = end + _PLACE.size
        return offsets

    def _read(self, start: int, n_bytes: int) -> bytes:
        if not 0 <= start <= self._size:
            raise ImageError(truncated("ND2 file", "a chunk lies beyond its end"))
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(n_bytes)
