"""Read the crops of fields: every field is decoded once, and all of its samples are cut out of it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.fields.crops import CropRules
from cellfeat.samples.fields.cutting import Box, cell_mask, make_crop
from cellfeat.samples.fields.label_image import read_label_image
from cellfeat.samples.reading.images import Outcome, SampleImage, SampleReader, no_note, sample_image
from cellfeat.storage.url import Location
from cellfeat.types import Integers

if TYPE_CHECKING:
    # Loads pandas, which the processes that read images (worker_pool.py) do without.
    from cellfeat.samples.manifest.manifest import Manifest

BLOCK_VALUES = 32 * 2**20
"""Pixel values of the crops that are kept at once of one field; a field of more is decoded once for each so many."""


@dataclass(frozen=True)
class FieldJob:
    """Some samples of one field.

    Attributes
    ----------
    source
        Reads the whole field, as its row 0.
    mask
        The label image of the field; "" where it is not needed.
    boxes, mask_values
        The box and the value in the label image of each sample.
    rules
        How crops are made.
    """

    source: SampleReader
    mask: str
    boxes: tuple[Box, ...]
    mask_values: tuple[int, ...]
    rules: CropRules

    @property
    def paths(self) -> list[Location]:
        """The files of the job, in the order in which they are opened."""
        return [*self.source.paths, *([Path(self.mask)] if self.mask else [])]

    def request(self) -> dict[str, Any]:
        """The job as JSON values, from which `from_request` makes it again."""
        crops = {"mask": self.mask, "boxes": self.boxes, "mask_values": self.mask_values}
        return {"source": self.source.request(), **crops, "rules": vars(self.rules)}

    @property
    def contents(self) -> tuple[bytes, ...]:
        """None: the files are read from the disk."""
        return ()

    @classmethod
    def from_request(cls, request: dict[str, Any], contents: tuple[bytes, ...] = ()) -> "FieldJob":  # noqa: ARG003
        """Make a job of what `request` gave.

        Parameters
        ----------
        request
            The values.
        contents
            Always empty: the files are read from the disk.
        """
        return cls(
            SampleReader.from_request(request["source"]),
            request["mask"],
            tuple((top, left, height, width) for top, left, height, width in request["boxes"]),
            tuple(request["mask_values"]),
            CropRules(**request["rules"]),
        )

    def read_all(self, *, on_file: Callable[[Location], None] = no_note) -> list[Outcome]:
        """Read all samples of the job: each as it was read, or the error that says why not.

        Parameters
        ----------
        on_file
            Called with each file before it is opened.
        """
        try:
            pixels, files = self.source.read_files(0, on_file=on_file)
            labels = self._labels(pixels, on_file)
        except (ImageError, MissingFileError) as error:
            return [error] * len(self.boxes)
        crops = [self._cut(pixels, labels, *one) for one in zip(self.boxes, self.mask_values, strict=True)]
        return [crop if isinstance(crop, ImageError) else sample_image(crop, files) for crop in crops]

    def _labels(self, pixels: np.ndarray, on_file: Callable[[Location], None]) -> np.ndarray | None:
        if not self.mask:
            return None
        path = Path(self.mask)
        on_file(path)
        labels = read_label_image(path, self.source.max_pixels)
        if labels.shape != pixels.shape[1:]:
            raise ImageError(
                f"{path}: is {_size(labels)}, but its field {self.source.where(0)} is {_size(pixels)}; expected "
                "a label image of the size of its field"
            )
        return labels

    def _cut(self, pixels: np.ndarray, labels: np.ndarray | None, box: Box, value: int) -> np.ndarray | ImageError:
        try:
            mask = None if labels is None else cell_mask(labels, box, value, self.rules.dilate)
            return make_crop(pixels, box, self.rules, mask)
        except ImageError as error:
            return ImageError(f"{self.source.where(0)}: {error}")


def _size(pixels: np.ndarray) -> str:
    height, width = pixels.shape[-2:]
    return f"{width} x {height} pixels"


def read_here(job: FieldJob) -> list[Outcome]:
    """Read the samples of a job in this process."""
    return job.read_all()


class FieldsReader:
    """Reads samples that are crops of fields, by their row; threads can share one.

    A field is decoded when the first of its samples is asked for. Its crops are kept until samples of other fields are
    read. Rows of one field follow each other in a manifest, so each field is decoded once.

    Parameters
    ----------
    manifest
        The samples.
    max_pixels
        The most pixels that one file may hold, channels counted.
    read
        Reads the samples of a job: `read_here`, or in other processes.
    """

    def __init__(self, manifest: "Manifest", *, max_pixels: int, read: Callable[[FieldJob], list[Outcome]]) -> None:
        if manifest.regions is None or manifest.crops is None:
            raise ValueError("expected a manifest of crops")
        self._files = SampleReader.for_manifest(manifest, max_pixels=max_pixels)
        self._ids = manifest.table["sample_id"].tolist()
        self._regions, self._crops = manifest.regions, manifest.crops
        self._read = read
        self._starts = _block_starts(self._regions.field, len(manifest.channels) * self._crops.rules.size**2)
        self._cache = _BlockCache()

    def __len__(self) -> int:
        return len(self._files)

    def block(self, row: int) -> int:
        """The number of the samples that are read at once with that in `row`."""
        return int(np.searchsorted(self._starts, row, side="right")) - 1

    def n_threads(self, n_workers: int) -> int:
        """One for each process."""
        return n_workers

    def where(self, row: int) -> str:
        """The files of a sample and its place in them, for messages."""
        return f"{self._files.where(row)}, cell {self._ids[row]}"

    def read(self, row: int) -> np.ndarray:
        """Read the pixels of one sample, shape ``(C, H, W)``; see `read_sample`."""
        return self.read_sample(row).pixels

    def read_sample(self, row: int) -> SampleImage:
        """Read one sample.

        Parameters
        ----------
        row
            Row of the manifest.

        Raises
        ------
        MissingFileError, ImageError
            If the field or its label image cannot be read.
        """
        block = self.block(row)
        start = int(self._starts[block])
        outcome = self._cache.get(block, lambda: self._read(self._job(block)))[row - start]
        if isinstance(outcome, SampleImage):
            return outcome
        # A new exception for each sample: threads that raise one and the same would lengthen its traceback.
        raise type(outcome)(str(outcome))

    def _job(self, block: int) -> FieldJob:
        start = int(self._starts[block])
        stop = int(self._starts[block + 1]) if block + 1 < len(self._starts) else len(self)
        rules, name = self._crops.rules, str(self._crops.masks[start])
        mask = str(self._crops.masks_root / name) if rules.mask == "zero_outside" else ""
        boxes = tuple((top, left, height, width) for top, left, height, width in self._regions.box[start:stop].tolist())
        return FieldJob(
            self._files.only(start), mask, boxes, tuple(self._regions.mask_value[start:stop].tolist()), rules
        )


def _block_starts(fields: Sequence[str] | np.ndarray, values_per_sample: int) -> Integers:
    """First rows of the blocks: a block is of one field, and its crops fit into `BLOCK_VALUES`."""
    most = max(1, BLOCK_VALUES // values_per_sample)
    return np.array(list(_starts(list(fields), most)), np.int64)


def _starts(fields: Sequence[str], most: int) -> Iterator[int]:
    begun = 0
    for row, field in enumerate(fields):
        if row == 0 or field != fields[row - 1] or row - begun == most:
            begun = row
            yield row


class _Entry:
    """The samples of one block; a thread that reads them holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.outcomes: list[Outcome] | None = None


class _BlockCache:
    """Keeps the blocks that were read last, one for each thread that reads and one more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._threads: set[int] = set()

    def get(self, block: int, read: Callable[[], list[Outcome]]) -> list[Outcome]:
        """Give the samples of a block; one thread reads them, and others that want them wait.

        Parameters
        ----------
        block
            Number of the block.
        read
            Reads it.
        """
        with self._lock:
            self._threads.add(threading.get_ident())
            entry = self._entries.setdefault(block, _Entry())
            self._entries.move_to_end(block)
            while len(self._entries) > len(self._threads) + 1:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.outcomes is None:
                entry.outcomes = read()
            return entry.outcomes
