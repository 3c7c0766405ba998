"""Read samples whose files are objects of a store: fetched by this process, decoded by others."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from cellfeat.errors import ImageError
from cellfeat.samples.folders.objects import REQUESTS, RemoteFiles
from cellfeat.samples.folders.opening import WAY_OUT
from cellfeat.samples.formats.microscopes.formats import ENDINGS, ZARR
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr_name
from cellfeat.samples.formats.reading import LARGEST_HEADER, LARGEST_PIXEL
from cellfeat.samples.reading.images import Outcome, SampleImage, SampleReader


@dataclass(frozen=True)
class ObjectsReader:
    """A `SampleReader` of objects. Threads of this process wait for the store; threads cost less than processes.

    Attributes
    ----------
    reader
        How the files of the samples are read.
    files
        Fetches them.
    decode
        Reads a sample of the bytes of its files: `SampleReader.read_all`, or that in other processes.
    """

    reader: SampleReader
    files: RemoteFiles
    decode: Callable[[SampleReader], list[Outcome]]

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
            As for `SampleReader.read_sample`; also if the store does not give an object.
        ReadError
            If the store does not answer: that is no fault of the sample.
        """
        job = self.reader.only(row)
        for name in job.names:
            self._check_format(name)
        with self.files.opened(job.names, LARGEST_HEADER + LARGEST_PIXEL * job.max_pixels) as contents:
            (outcome,) = self.decode(replace(job, contents=contents))
        if isinstance(outcome, SampleImage):
            return outcome
        raise outcome

    def where(self, row: int) -> str:
        """The objects of a sample, for messages."""
        return self.reader.where(row)

    def block(self, row: int) -> int:
        """The row itself: each sample has objects of its own."""
        return row

    def n_threads(self, n_workers: int) -> int:
        """More than processes: most of them wait for the store."""
        return max(n_workers, REQUESTS)

    def _check_format(self, name: str) -> None:
        """Refuse formats of microscopes before gigabytes of them are fetched."""
        kind = ZARR if is_zarr_name(name) else ENDINGS.get(PurePosixPath(name).suffix.lower())
        if kind is not None:
            raise ImageError(f"{self.reader.root / name}: {kind.title} cannot be read from an address: {WAY_OUT}")
