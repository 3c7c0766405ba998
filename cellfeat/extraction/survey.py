"""Compare extracted rows with their images: by the pixels, because names and times of files can be wrong."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.extraction.read_ahead import Decoder, read_ahead
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.extraction.store import NEW, Summary, read_pixel_digests, read_table
from cellfeat.extraction.timing import Timeline
from cellfeat.processors import usable_processors
from cellfeat.samples.intensity.policy import IntensityPolicy, recorded_intensity
from cellfeat.samples.reading.images import ReadsSamples
from cellfeat.types import Integers

READING_THREADS = 8
SAMPLES_AHEAD = 3 * READING_THREADS


def changed_rows(decoder: Decoder, rows: Sequence[int], digests: Sequence[str]) -> list[int]:
    """Read samples again, and list the rows whose pixels have changed.

    Reading takes a hundredth of the time of embedding, so it is always done.

    Parameters
    ----------
    decoder
        Reads the samples.
    rows
        Rows to read.
    digests
        Digest of the earlier pixels of each row; ``""`` for a sample that could not be read.
    """
    now = _read_digests(decoder, rows)
    return [row for row, digest, before in zip(rows, now, digests, strict=True) if digest != before]


def _read_digests(decoder: Decoder, rows: Sequence[int]) -> list[str]:
    n_threads = decoder.reader.n_threads(min(READING_THREADS, usable_processors()))
    samples = read_ahead(
        decoder,
        rows,
        n_threads=n_threads,
        ahead=max(SAMPLES_AHEAD, n_threads),
        timeline=Timeline(),
        block_of=decoder.reader.block,
    )
    return [sample.digest for sample in samples]


@dataclass(frozen=True)
class Survey:
    """How the samples of a request differ from the rows of a finished file.

    Attributes
    ----------
    source
        Shape ``(n_samples,)`` int64: the row of the finished file that has the same pixels, or that could not be read
        then and cannot be read now; `NEW` if there is none.
    n_new, n_changed
        Number of samples without such a row: with an id that the file lacks, and with one that it has.
    n_gone
        Number of rows of the file that no sample uses any more.
    seconds
        Time of reading all samples.
    """

    source: Integers
    n_new: int
    n_changed: int
    n_gone: int
    seconds: float

    @property
    def rows_to_extract(self) -> Integers:
        """Rows of the manifest whose pixels the file lacks, shape ``(n_new + n_changed,)``."""
        return np.flatnonzero(self.source == NEW)

    @property
    def is_unchanged(self) -> bool:
        """Whether the file holds exactly these samples, in this order."""
        return not self.n_gone and np.array_equal(self.source, np.arange(len(self.source)))

    @property
    def shares_nothing(self) -> bool:
        """Whether no sample has the pixels or the id of a row of the file: it holds another data set."""
        return self.n_new == len(self.source)

    def __str__(self) -> str:
        n_carried = len(self.source) - self.n_new - self.n_changed
        return (
            f"{self.n_new:,} new, {self.n_changed:,} changed, {self.n_gone:,} gone, {n_carried:,} carried over "
            f"(all read in {self.seconds:.1f} s)"
        )


def survey_samples(request: ExtractionRequest, finished: Summary) -> Survey:
    """Read every sample of a request, and look for its pixels in a finished file.

    Only the pixels count: a sample with a new id or in another row is still found.

    Parameters
    ----------
    request
        The samples.
    finished
        The file.
    """
    began = time.perf_counter()
    now = _read_digests(decoder_of(finished, request.reader()), range(len(request.manifest)))
    ids = request.manifest.table["sample_id"].tolist()
    rows = _EarlierRows(finished)
    source = np.array([rows.find(*sample) for sample in zip(ids, now, strict=True)], np.int64)
    is_new = source == NEW
    is_known_id = np.array([sample_id in rows.row_of_id for sample_id in ids])
    return Survey(
        source=source,
        n_new=int(np.count_nonzero(is_new & ~is_known_id)),
        n_changed=int(np.count_nonzero(is_new & is_known_id)),
        n_gone=rows.n_unused(source, ids),
        seconds=time.perf_counter() - began,
    )


class _EarlierRows:
    """The rows of a finished file, by id and by pixels."""

    def __init__(self, finished: Summary) -> None:
        self.row_of_id = {sample_id: row for row, sample_id in enumerate(read_table(finished.path).sample_id)}
        self._digests = read_pixel_digests(finished.path).tolist()
        self._row_of_pixels = {digest: row for row, digest in enumerate(self._digests) if digest}

    def find(self, sample_id: str, digest: str) -> int:
        """Find the row of a sample's pixels, preferably its own; `NEW` if there is none."""
        own = self.row_of_id.get(sample_id, NEW)
        is_own = own != NEW and self._digests[own] == digest
        return own if is_own else self._row_of_pixels.get(digest, NEW)

    def n_unused(self, source: np.ndarray, ids: Sequence[str]) -> int:
        """Count the rows that neither a sample's pixels nor its id refer to."""
        used = {*source.tolist(), *(self.row_of_id.get(sample_id, NEW) for sample_id in ids)}
        return len(set(range(len(self._digests))) - used)


def decoder_of(finished: Summary, reader: ReadsSamples) -> Decoder:
    """Make a decoder that scales samples as those of a finished file were scaled.

    Parameters
    ----------
    finished
        The file.
    reader
        Reads the samples.
    """
    intensity = recorded_intensity(finished.recipe["intensity"])
    return Decoder(reader, IntensityPolicy.from_settings(intensity, n_channels=len(finished.recipe["channels"])))
