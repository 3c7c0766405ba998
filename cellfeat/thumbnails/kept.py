"""Thumbnails that were made, beside their feature file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cellfeat.errors import ReadError
from cellfeat.extraction.store import Features, view_folder
from cellfeat.samples.sheets.files import Block, Channel, SheetsRecord, block_path, read_block, read_record, write_block
from cellfeat.samples.sheets.shards import MOST_AT_ONCE
from cellfeat.types import Strings


@dataclass(frozen=True)
class Thumbnails:
    """The thumbnails of a feature file's samples: blocks of 64 samples, each a grey sheet a channel.

    Attributes
    ----------
    folder
        Where they lie.
    record
        How they were made.
    digests
        Digest of each sample's pixels, shape ``(n_samples,)``.
    """

    folder: Path
    record: SheetsRecord
    digests: Strings = field(compare=False)  # `record` has the digest of all

    @classmethod
    def begun(cls, features: Features, folder: Path) -> Self | None:
        """Find thumbnails of features of which blocks may be missing; None where there are none.

        Parameters
        ----------
        features, folder
            The features, and the folder of their thumbnails.
        """
        record = read_record(folder)
        if record is None or (record.samples, record.n_samples) != (features.samples.digest, len(features)):
            return None
        return cls(folder, record, features.samples.digests)

    def __len__(self) -> int:
        return self.record.n_samples

    @property
    def channels(self) -> list[Channel]:
        """Name and window of each channel: the values of the images that became 0 and 255."""
        return self.record.channels

    @property
    def side(self) -> int:
        """Pixels of a side of a thumbnail."""
        return self.record.side

    @property
    def per_block(self) -> int:
        """Samples of a block: the sample in row n is in block ``n // per_block``."""
        return self.record.per_block

    @property
    def across(self) -> int:
        """Thumbnails in a row of a sheet; they fill rows from the top left."""
        return self.record.across

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.record.n_blocks

    @property
    def is_complete(self) -> bool:
        """Whether every block has a file."""
        return all(block_path(self.folder, number).is_file() for number in range(self.n_blocks))

    def key(self, number: int) -> str:
        """What a block shows."""
        rows = self.record.rows(number)
        return self.record.key(self.digests[rows.start : rows.stop].tolist())

    def find(self, number: int) -> Block | None:
        """Read a block; None where it is not made, damaged, or shows other images."""
        return read_block(self.folder, number, self.key(number))

    def block(self, number: int) -> bytes:
        """Read a block: for each channel 4 bytes of length, little-endian, and a grey JPEG, the sheet of its samples.

        Raises
        ------
        ReadError
            If it is not made, or damaged.
        """
        found = self.find(number)
        if found is None:
            raise ReadError(
                f"{block_path(self.folder, number)}: is missing, damaged, or shows other images: cellfeat view makes "
                "it again, from the images"
            )
        return found.shard

    def keep(self, number: int, block: Block) -> None:
        """Write a block.

        Parameters
        ----------
        number, block
            Its number and thumbnails.
        """
        write_block(self.folder, number, self.key(number), block)

    def unread(self, number: int) -> dict[int, str]:
        """Why the image of a sample of a block could not be read again, by row; its thumbnail is black."""
        found = self.find(number)
        return {} if found is None else dict(found.unread)


def find_thumbnails(features: Features) -> Thumbnails | None:
    """Find the thumbnails of features.

    Returns
    -------
    Thumbnails or None
        None where they are not made, or not all of them. Of more than `MOST_AT_ONCE` samples, blocks are made when they
        are looked at: then it is enough that some are.
    """
    found = Thumbnails.begun(features, view_folder(features))
    return found if found is not None and (len(found) > MOST_AT_ONCE or found.is_complete) else None
