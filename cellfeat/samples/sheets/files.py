"""The files of thumbnails in a folder: ``thumbnails.json``, and one file a block.

The name of a block's file does not end as images do, so that no folder of images takes it for one. A file says in its
first line, a sealed record, which pixels it shows: thumbnails of other images count as missing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cellfeat.config_values import Limits
from cellfeat.errors import RecordError
from cellfeat.provenance import digest_bytes, digest_json, publish
from cellfeat.records import parse_record, seal
from cellfeat.samples.sheets.shards import ACROSS, PER_BLOCK, QUALITY
from cellfeat.samples.sheets.tiles import SIDE
from cellfeat.samples.sheets.windows import PERCENTILES

RECORD = "thumbnails.json"
FORMAT = 1


@dataclass(frozen=True)
class Channel:
    """A channel of the thumbnails.

    Attributes
    ----------
    name
        Its name, or its number in the files.
    start, end
        Values of the images that became 0 and 255.
    """

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class SheetsRecord:
    """The content of ``thumbnails.json``.

    Attributes
    ----------
    samples
        Digest of the samples.
    n_samples
        Their number.
    channels
        Names and windows.
    failed
        Rows of the samples that the extraction could not read: their thumbnails are black.
    n_measured
        Number of samples on which the windows were measured.
    format, side, per_block, across, quality, percentiles
        How the thumbnails are made.
    """

    samples: str
    n_samples: int
    channels: list[Channel]
    failed: list[int]
    n_measured: int
    format: int = FORMAT
    side: int = SIDE
    per_block: int = PER_BLOCK
    across: int = ACROSS
    quality: int = QUALITY
    percentiles: list[float] = field(default_factory=lambda: list(PERCENTILES))

    @property
    def windows(self) -> list[Limits]:
        """The window of each channel."""
        return [(channel.start, channel.end) for channel in self.channels]

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return -(-self.n_samples // self.per_block)

    def rows(self, block: int) -> range:
        """The rows of a block's samples."""
        return range(block * self.per_block, min((block + 1) * self.per_block, self.n_samples))

    def key(self, digests: Sequence[str]) -> str:
        """What a block shows: the digests of its samples' pixels, in their windows."""
        return digest_json([list(digests), self.windows])

    @property
    def is_current(self) -> bool:
        """Whether thumbnails are made in this way now."""
        expected = SheetsRecord(self.samples, self.n_samples, self.channels, self.failed, self.n_measured)
        return self == expected


@dataclass(frozen=True)
class Block:
    """Thumbnails of a block's samples.

    Attributes
    ----------
    shard
        The sheets in bytes.
    unread
        Why the image of a sample could not be read again, by row.
    """

    shard: bytes
    unread: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Header:
    block: int
    key: str
    shard: str
    unread: dict[str, str]


def named_channels(names: Sequence[str | int], windows: Sequence[Limits]) -> list[Channel]:
    """Give channels their windows.

    Parameters
    ----------
    names
        Names of the channels, or their numbers in the files.
    windows
        The window of each.
    """
    return [Channel(_whole(str(name)), *window) for name, window in zip(names, windows, strict=True)]


def write_record(folder: Path, record: SheetsRecord) -> None:
    """Write ``thumbnails.json``.

    Parameters
    ----------
    folder, record
        Where, and what.
    """
    with publish(folder / RECORD) as temporary:
        temporary.write_bytes(_line(asdict(record)))


def read_record(folder: Path) -> SheetsRecord | None:
    """Read ``thumbnails.json``; None where it is absent, damaged or of another version."""
    try:
        record = parse_record((folder / RECORD).read_bytes(), SheetsRecord)
    except (OSError, RecordError):
        return None
    return record if record.is_current else None


def block_path(folder: Path, number: int) -> Path:
    """Name the file of a block.

    Parameters
    ----------
    folder, number
        The folder, and the number of the block.
    """
    return folder / f"thumbnails-{number}.sheets"


def write_block(folder: Path, number: int, key: str, block: Block) -> None:
    """Write a block.

    Parameters
    ----------
    folder, number
        The folder, and the number of the block.
    key
        What it shows: see `SheetsRecord.key`.
    block
        Its thumbnails.
    """
    unread = {str(row): _whole(reason) for row, reason in block.unread.items()}
    header = _Header(number, key, digest_bytes(block.shard), unread)
    with publish(block_path(folder, number)) as temporary:
        temporary.write_bytes(_line(asdict(header)) + block.shard)


def read_block(folder: Path, number: int, key: str) -> Block | None:
    """Read a block; None where it is absent, damaged, or shows other pixels.

    Parameters
    ----------
    folder, number, key
        As for `write_block`.
    """
    try:
        line, _, shard = block_path(folder, number).read_bytes().partition(b"\n")
        header = parse_record(line, _Header)
        unread = {int(row): why for row, why in header.unread.items()}
    except (OSError, RecordError, ValueError):
        return None
    if (header.block, header.key, header.shard) != (number, key, digest_bytes(shard)):
        return None
    return Block(shard, unread)


def _whole(text: str) -> str:
    """The text without half characters, which names of files may hold, and JSON in UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(seal(content)).encode() + b"\n"
