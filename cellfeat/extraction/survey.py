"""Whether rows extracted earlier still show their images: told by the pixels, not by names or times of files."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellfeat.config import IntensitySettings
from cellfeat.errors import FingerprintError
from cellfeat.extraction.job import Extraction, Job
from cellfeat.extraction.pipeline import BATCHES_AHEAD, Decoder, in_order
from cellfeat.extraction.store import (
    NEW,
    SampleTable,
    Summary,
    read_pixel_digests,
    read_table,
    remove_parts,
    replace_table,
)
from cellfeat.extraction.timing import Timeline
from cellfeat.provenance import utc_now
from cellfeat.samples.images import SampleReader
from cellfeat.samples.intensity import IntensityPolicy
from cellfeat.samples.manifest import Manifest
from cellfeat.samples.workers import Workers, WorkersReader
from cellfeat.text import first_ten

READERS = 8


def changed_rows(decoder: Decoder, rows: Sequence[int], digests: Sequence[str]) -> list[int]:
    """Read samples again and list the rows whose pixels are others than `digests` say, ``""`` being unreadable.

    Decoding is a hundredth of the work of embedding, so it is always done: names and times of files can lie.
    """
    now = _digests_now(decoder, rows)
    return [row for row, digest, before in zip(rows, now, digests, strict=True) if digest != before]


def _digests_now(decoder: Decoder, rows: Sequence[int]) -> list[str]:
    workers = min(READERS, os.cpu_count() or 1)
    samples = in_order(decoder, rows, workers=workers, ahead=BATCHES_AHEAD * READERS, timeline=Timeline())
    return [sample.digest for sample in samples]


@dataclass(frozen=True)
class Survey:
    """How the samples at hand stand to the rows of a finished file.

    Attributes
    ----------
    source
        ``(n_samples,)`` int64: the row of the finished file that was made from the same pixels, or that could not be
        read and still cannot; `NEW` where there is none.
    n_new, n_changed
        Samples without such a row: with an id that the file does not hold, and with one that it does.
    n_gone
        Rows of the file that stand for no sample any more.
    seconds
        What reading all samples took.
    """

    source: np.ndarray
    n_new: int
    n_changed: int
    n_gone: int
    seconds: float

    @property
    def rows_to_extract(self) -> np.ndarray:
        """Rows of the manifest whose pixels the file does not hold."""
        return np.flatnonzero(self.source == NEW)

    @property
    def is_unchanged(self) -> bool:
        """Whether the file holds exactly these samples, in this order."""
        return not self.n_gone and np.array_equal(self.source, np.arange(len(self.source)))

    def __str__(self) -> str:
        n_carried = len(self.source) - self.n_new - self.n_changed
        return (
            f"{self.n_new:,} new, {self.n_changed:,} changed, {self.n_gone:,} gone, {n_carried:,} carried over "
            f"(all read in {self.seconds:.1f} s)"
        )


def survey_samples(job: Job, finished: Summary) -> Survey:
    """Read every sample of the job again, and look for its pixels in a finished file.

    Pixels alone decide: an id that is new, or an order that is another, costs nothing where its pixels are known.
    """
    began = time.perf_counter()
    decoder = decoder_as_before(finished, job.manifest, job.workers, max_pixels=job.settings.images.max_pixels)
    now = _digests_now(decoder, range(len(job.manifest)))
    ids, old_ids = job.manifest.table["sample_id"].tolist(), read_table(finished.path).sample_id
    before = read_pixel_digests(finished.path).tolist()
    row_of_id = {sample_id: row for row, sample_id in enumerate(old_ids)}
    row_of_pixels = {digest: row for row, digest in enumerate(before) if digest}

    def source(sample_id: str, digest: str) -> int:
        own = row_of_id.get(sample_id, NEW)
        return own if own != NEW and before[own] == digest else row_of_pixels.get(digest, NEW)

    sources = np.array([source(*sample) for sample in zip(ids, now, strict=True)], np.int64)
    is_known = np.array([sample_id in row_of_id for sample_id in ids])
    kept = {*sources.tolist(), *(row_of_id.get(sample_id, NEW) for sample_id in ids)}
    return Survey(
        source=sources,
        n_new=int(np.count_nonzero((sources == NEW) & ~is_known)),
        n_changed=int(np.count_nonzero((sources == NEW) & is_known)),
        n_gone=len(set(range(len(old_ids))) - kept),
        seconds=time.perf_counter() - began,
    )


def decoder_as_before(finished: Summary, manifest: Manifest, workers: Workers, *, max_pixels: int) -> Decoder:
    """A decoder that reads samples as the finished file's were read."""
    reader = WorkersReader(SampleReader.for_manifest(manifest, max_pixels=max_pixels), workers)
    intensity = IntensitySettings.model_validate(finished.recipe["intensity"])
    return Decoder(reader, IntensityPolicy.from_settings(intensity, n_channels=len(manifest.channels)))


def accept_finished(job: Job, finished: Summary) -> Extraction:
    """Take a finished file for the outcome of the job; other labels, groups or columns are written into it.

    Raises
    ------
    FingerprintError
        If an image is another than the one that the file was made from.
    """
    decoder = decoder_as_before(finished, job.manifest, job.workers, max_pixels=job.settings.images.max_pixels)
    _refuse_other_images(job, finished, decoder)
    return take_finished(job, finished)


def take_finished(job: Job, finished: Summary) -> Extraction:
    """Take a finished file, whose images are known to be the same, for the outcome of the job; see `accept_finished`.

    What an update that was stopped has left beside it is of no more use, and removed.
    """
    remove_parts(finished.path)
    job.observer.say(
        f"{finished.path} is finished already: {finished.n_samples} samples, {finished.n_failed} failed, same settings "
        f"and pixels; nothing to extract"
    )
    _bring_table_up_to_date(job, finished)
    return Extraction(finished.path, finished.n_samples, finished.n_failed, 0, 0.0)


def sample_table(job: Job) -> SampleTable:
    """The columns of the job's manifest that a feature file keeps."""
    table = job.manifest.table
    return SampleTable(
        sample_id=table["sample_id"].tolist(),
        label=table["label"].tolist(),
        group=table["group"].tolist(),
        columns={name: table[name].tolist() for name in job.manifest.columns},
    )


def _refuse_other_images(job: Job, finished: Summary, decoder: Decoder) -> None:
    changed = changed_rows(decoder, range(finished.n_samples), read_pixel_digests(finished.path).tolist())
    if changed:
        ids = np.asarray(job.manifest.table["sample_id"])[changed]
        raise FingerprintError(
            f"{finished.path}: {len(changed)} of its {finished.n_samples} samples have other pixels in "
            f"{job.settings.images.root} than when they were extracted: {first_ten(ids)}. It is left as it is: extract "
            f"these alone with --update, choose another --output, or delete it to extract anew"
        )


def _bring_table_up_to_date(job: Job, finished: Summary) -> None:
    table = sample_table(job)
    if table == read_table(finished.path):
        return
    # What the file says of its settings must fit the labels that it now holds.
    provenance = {**finished.provenance, "settings": job.settings.record(), "relabelled": utc_now()}
    replace_table(finished.path, table, provenance)
    job.observer.say("its labels, groups and columns were replaced by those of the labels table; the embeddings stay")
