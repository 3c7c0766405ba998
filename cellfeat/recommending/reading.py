"""Samples read once, and kept without filling the memory."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import IO

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.extraction.read_ahead import Decoded, Decoder, read_ahead
from cellfeat.recommending.clock import Clock
from cellfeat.types import Integers

MOST_IN_MEMORY = 1 << 30
"""Bytes of decoded pixels in memory; the others lie in a temporary file."""

READING_SHARE = 0.25
"""Largest share of the budget for reading images: with slow images, fewer samples are compared."""


class Shelf:
    """Keeps decoded samples: in memory, and in a temporary file what does not fit."""

    def __init__(self, most_bytes: int = MOST_IN_MEMORY) -> None:
        self._left = most_bytes
        self._file: IO[bytes] | None = None

    def put(self, sample: Decoded) -> Decoded:
        """Give the sample with pixels that stay readable without filling the memory."""
        pixels = sample.pixels
        if pixels is None or pixels.nbytes <= self._left:
            self._left -= 0 if pixels is None else pixels.nbytes
            return sample
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the samples
        offset = self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(pixels).tobytes())
        self._file.flush()
        return replace(sample, pixels=np.memmap(self._file, pixels.dtype, "r", offset, pixels.shape))


def read_part(
    decoder: Decoder, rows: Integers, clock: Clock, *, n_threads: int, say: Say = ignore_line
) -> tuple[list[Decoded], float]:
    """Read samples once.

    Parameters
    ----------
    decoder
        Reads them.
    rows
        Their rows, in the order of importance, shape ``(n,)``.
    clock
        Ends the reading when its share of the budget is spent.
    n_threads
        Number of samples that are read at once.
    say
        Receives how many could not be read, or were left out.

    Returns
    -------
    samples
        Those that could be read, in the order of their rows.
    seconds
        Seconds for each sample.

    Raises
    ------
    ImageError
        If none can be read.
    """
    # Samples of one field are read together, so the beginning of `rows` is no use where each is a field of its own:
    # blocks are read in the order of their first sample.
    began, shelf = clock.spent, Shelf()
    ordered = _by_block(rows, decoder)
    source = read_ahead(
        decoder,
        ordered,
        n_threads=n_threads,
        ahead=4 * n_threads,
        timeline=decoder.timeline,
        block_of=decoder.reader.block,
    )
    # Closed at once, so that threads read no further images where the time is over, or the user interrupts.
    with closing(source):
        read = [shelf.put(sample) for sample in _until(source, clock)]
    failed = [sample for sample in read if sample.pixels is None]
    good = sorted((sample for sample in read if sample.pixels is not None), key=lambda sample: sample.row)
    if failed:
        say(f"{len(failed)} of {len(read)} samples could not be read and are left out, the first: {failed[0].reason}")
    if not good:
        raise ImageError(f"none of {len(read)} samples could be read; the first: {failed[0].reason if failed else '-'}")
    if len(read) < len(rows):
        say(f"reading takes long: {len(good)} of {len(rows)} samples were read in {READING_SHARE:.0%} of the budget")
    return good, (clock.spent - began) / len(read)


def _until(samples: Iterator[Decoded], clock: Clock) -> Iterator[Decoded]:
    """Samples, until their share of the budget is spent; at least one."""
    yield from islice(samples, 1)
    while clock.has_room(0, READING_SHARE):
        sample = next(samples, None)
        if sample is None:
            return
        yield sample


def _by_block(rows: Integers, decoder: Decoder) -> list[int]:
    blocks: dict[int, list[int]] = {}
    for row in rows.tolist():
        blocks.setdefault(decoder.reader.block(row), []).append(row)
    return [row for block in blocks.values() for row in block]
