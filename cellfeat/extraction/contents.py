"""Whether rows extracted earlier still show their images: told by the pixels, not by names or times of files."""

import os
from collections.abc import Sequence

import numpy as np

from cellfeat.config import IntensitySettings
from cellfeat.errors import FingerprintError, first_ten
from cellfeat.extraction.job import Extraction, Job
from cellfeat.extraction.pipeline import BATCHES_AHEAD, Decoder, in_order
from cellfeat.extraction.stages import Timeline
from cellfeat.extraction.store import (
    SampleTable,
    Summary,
    read_pixel_digests,
    read_table,
    remove_parts,
    replace_table,
)
from cellfeat.provenance import utc_now
from cellfeat.samples.images import IntensityPolicy, SampleReader
from cellfeat.samples.manifest import Manifest
from cellfeat.samples.workers import Workers, WorkersReader

READERS = 8


def changed_rows(decoder: Decoder, rows: Sequence[int], digests: Sequence[str]) -> list[int]:
    """Read samples again and list the rows whose pixels are others than `digests` say, ``""`` being unreadable.

    Decoding is a hundredth of the work of embedding, so it is always done: names and times of files can lie.
    """
    workers = min(READERS, os.cpu_count() or 1)
    samples = in_order(decoder, rows, workers=workers, ahead=BATCHES_AHEAD * READERS, timeline=Timeline())
    return [sample.row for sample, digest in zip(samples, digests, strict=True) if sample.digest != digest]


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
            f"{job.settings.images.root} than when they were extracted: {first_ten(ids)}. It is left as it is: choose "
            f"another --output, or delete it to extract anew"
        )


def _bring_table_up_to_date(job: Job, finished: Summary) -> None:
    table = sample_table(job)
    if table == read_table(finished.path):
        return
    # What the file says of its settings must fit the labels that it now holds.
    provenance = {**finished.provenance, "settings": job.settings.record(), "relabelled": utc_now()}
    replace_table(finished.path, table, provenance)
    job.observer.say("its labels, groups and columns were replaced by those of the labels table; the embeddings stay")
