"""HDF5's heaps of texts, held to be sound before HDF5 walks them.

It goes through a heap by the lengths that stand in it, and a loss of power leaves zeros there: with a length of 0 it
never comes back. Where the embeddings lie there are no heaps, so looking takes no longer however many rows there are.
"""

import struct
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

import h5py

_HEAP = b"GCOL\1\0\0\0"
_OBJECT = struct.Struct("<H6xQ")
"""The head of an object in a heap: its number and length."""


def has_endless_heap(path: Path) -> bool:
    """Whether HDF5 would never come back from the texts of a file.

    Raises
    ------
    OSError, RuntimeError, ValueError, KeyError, TypeError
        If HDF5 cannot open it or find its embeddings.
    """
    with h5py.File(path, "r") as file:
        spans = sorted(_spans_of_embeddings(file))
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return any(not _ends(content, start) for start in _heaps(content, spans))


def _spans_of_embeddings(file: h5py.File) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    dataset = file.get("embeddings")
    if not isinstance(dataset, h5py.Dataset):
        return spans
    if dataset.chunks is not None:
        dataset.id.chunk_iter(lambda chunk: spans.append((chunk.byte_offset, chunk.byte_offset + chunk.size)))
    elif (start := dataset.id.get_offset()) is not None:
        spans.append((start, start + dataset.id.get_storage_size()))
    return spans


def _heaps(content: mmap, spans: list[tuple[int, int]]) -> Iterator[int]:
    """Where heaps begin, outside of the spans."""
    position = 0
    for start, stop in [*spans, (len(content), len(content))]:
        found = content.find(_HEAP, position, start)
        while found >= 0:
            yield found
            found = content.find(_HEAP, found + 1, start)
        position = max(position, stop)


def _ends(content: mmap, start: int) -> bool:
    size = int.from_bytes(content[start + 8 : start + 16], "little")
    position, end = start + _OBJECT.size, min(start + size, len(content))
    while position + _OBJECT.size <= end:
        number, length = _OBJECT.unpack_from(content, position)
        step = _OBJECT.size + (length + 7) // 8 * 8 if number else length  # number 0: what is free, with its head
        if not 0 < step <= end - position:
            return False
        position += step
    return True
