"""A finished file brought up to date: only samples whose pixels it does not hold are extracted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cellfeat.errors import FeatureFileError, FingerprintError, ImageError
from cellfeat.extraction.device import whole_float32
from cellfeat.extraction.job import Extraction, Job
from cellfeat.extraction.resolve import Resolved, make_recipe, resolve
from cellfeat.extraction.run import (
    Start,
    device_name,
    extract_missing,
    header_of,
    new_timeline,
    provenance,
    publish_features,
    refuse_unexpected,
)
from cellfeat.extraction.store import NEW, Carried, PartStore, RunHeader, Summary
from cellfeat.extraction.survey import Survey
from cellfeat.provenance import differences, utc_now
from cellfeat.samples.images import SampleReader
from cellfeat.samples.manifest import Manifest
from cellfeat.samples.workers import WorkersReader

EXECUTION = ("device", "implementation", "batch_size")


def update_features(job: Job, finished: Summary, survey: Survey) -> Extraction:
    """Extract the samples that a finished file does not hold, and publish a file of all in its place.

    Rows that are carried over keep their bytes, and new ones are computed as those were (device, implementation and
    batch size), so that the file is what a fresh extraction would have made. Killed on the way, the finished file
    stands as it was, and the next update goes on with the parts that are done.

    Parameters
    ----------
    job
        What the file is to hold.
    finished
        What it is now.
    survey
        How the two differ.

    Raises
    ------
    FingerprintError
        If the job asks for another recipe, or another way to compute it.
    ImageError
        As `extract`; also if not one of the samples can be read.
    """
    with whole_float32():
        return _update(job, finished, survey)


def _update(job: Job, finished: Summary, survey: Survey) -> Extraction:
    started, whole = utc_now(), resolve(job, new_timeline(job))
    refuse_unexpected(job, whole)
    _refuse_other_recipe(job, whole, finished)
    to_extract = replace(job, manifest=_selection(job.manifest, survey.rows_to_extract))
    reader = SampleReader.for_manifest(to_extract.manifest, max_pixels=job.settings.images.max_pixels)
    reading = WorkersReader(reader, job.workers)
    parts = replace(whole, decoder=replace(whole.decoder, reader=reading))
    record = _record(finished)
    header = _header_as_before(to_extract, parts, finished, record)
    store = PartStore(job.output, header, Carried(finished.path, survey.source, job.manifest.digest()))
    made = extract_missing(to_extract, parts, Start(header, None), store)
    if len(made.failures) == len(job.manifest):
        raise ImageError(f"not one of {len(job.manifest)} samples could be read; {job.output} is left as it is")
    origin = provenance(job, parts, header, made, started)
    return publish_features(job, parts, store, made, origin | _history(record, origin, survey.source))


def _selection(manifest: Manifest, rows: np.ndarray) -> Manifest:
    """Some of the samples; the index of their table tells their rows among all."""
    return replace(manifest, table=manifest.table.iloc[rows])


def _refuse_other_recipe(job: Job, parts: Resolved, finished: Summary) -> None:
    wanted = job.settings.extraction.precision
    recipe = make_recipe(job, parts, finished.recipe["precision"] if wanted == "auto" else wanted)
    if recipe == finished.recipe:
        return
    hint = "choose another --output, or delete it to extract all anew"
    if job.settings.images.intensity.over == "dataset":
        keep = f"{{range: {finished.recipe['intensity']['range']}, percentile: null, over: image}}"
        hint = (
            f"percentiles over the data set are other limits for other samples, and then every row is another. To keep "
            f"the limits that were measured: --set 'images.intensity={keep}'; or {hint}"
        )
    raise FingerprintError(
        f"{job.output}: holds features of another recipe, of which no row can be carried over "
        f"({'; '.join(differences(finished.recipe, recipe))}). It is left as it is: {hint}"
    )


@dataclass(frozen=True)
class _Record:
    """What a finished file says of how it was made.

    Attributes
    ----------
    execution, notes
        As in `RunHeader`.
    runs
        Every run that rows stem from, oldest first: when, where and with which versions.
    run_of
        ``(n_samples,)``: index into `runs`, by row.
    """

    execution: Mapping[str, Any]
    notes: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    run_of: np.ndarray


def _record(finished: Summary) -> _Record:
    origin = finished.provenance
    try:
        notes = dict(origin["execution"])
        execution = {name: notes.pop(name) for name in EXECUTION}
        runs = origin.get("runs") or [_run_record(origin)]
        ranges = origin.get("rows_from") or [[0, finished.n_samples, 0]]
        run_of = np.concatenate([np.full(stop - start, run) for start, stop, run in ranges])
        if len(run_of) != finished.n_samples:
            raise ValueError(f"it tells the run of {len(run_of)} rows")
    except (KeyError, TypeError, ValueError) as error:
        raise FeatureFileError(
            f"{finished.path}: its provenance does not say how it was made ({error}); extract all anew into another "
            f"--output"
        ) from None
    return _Record(execution, notes, runs, run_of)


def _run_record(origin: Mapping[str, Any]) -> dict[str, Any]:
    return {"finished": origin["times"]["finished"], "device": origin["device"], "versions": origin["versions"]}


def _header_as_before(job: Job, parts: Resolved, finished: Summary, record: _Record) -> RunHeader:
    """What a run is that computes the job's samples as the finished file's were."""
    batch_size = job.settings.extraction.batch_size
    wanted = {
        **record.execution,
        "device": device_name(parts.device),
        "batch_size": record.execution["batch_size"] if batch_size == "auto" else batch_size,
    }
    if len(job.manifest) and wanted != record.execution:
        raise FingerprintError(
            f"{job.output}: was computed in another way ({'; '.join(differences(record.execution, wanted))}), so that "
            f"new rows would differ from those that are carried over by more than their pixels. It is left as it is: "
            f"update it with the device and batch size that it was made with, or choose another --output"
        )
    return header_of(job, parts, finished.recipe["precision"], record.execution, record.notes)


def _history(record: _Record, now: Mapping[str, Any], source: np.ndarray) -> dict[str, Any]:
    """Which run each row stems from: the runs, and ``[first row, row behind the last, index of the run]``."""
    run_of = np.full(len(source), len(record.runs))
    run_of[source != NEW] = record.run_of[source[source != NEW]]
    return {"runs": [*record.runs, _run_record(now)], "rows_from": _ranges(run_of.tolist())}


def _ranges(values: Sequence[int]) -> list[list[int]]:
    """Equal neighbours, run by run.

    Examples
    --------
    >>> _ranges([0, 0, 2, 0])
    [[0, 2, 0], [2, 3, 2], [3, 4, 0]]
    """
    starts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]
    return [[start, stop, values[start]] for start, stop in zip(starts, [*starts[1:], len(values)], strict=True)]
