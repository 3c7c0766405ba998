"""One extraction that has something to do: from the device to the published file."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple, Self

import torch

from cellfeat.errors import BackboneError, FingerprintError, ImageError
from cellfeat.extraction.device import DEFAULT_BATCH, describe_device, whole_float32
from cellfeat.extraction.embedder import Embedder
from cellfeat.extraction.implementations import Plan, Target, build_module
from cellfeat.extraction.job import Extraction, Job
from cellfeat.extraction.pipeline import Decoded, finished_parts
from cellfeat.extraction.precision import Probe, choose_plan
from cellfeat.extraction.resolve import Resolved, make_recipe, resolve
from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    Summary,
    has_parts,
    hex_digests,
    parts_folder,
    unfinished_run,
)
from cellfeat.extraction.survey import accept_finished, changed_rows, sample_table
from cellfeat.extraction.timing import Timeline
from cellfeat.provenance import differences, utc_now, versions


@dataclass(frozen=True)
class Start:
    """What a run is, and the module that was built to choose it; None where the choice is an earlier run's."""

    header: RunHeader
    module: torch.nn.Module | None


class Made(NamedTuple):
    """What came of the missing parts.

    Attributes
    ----------
    n_extracted
        Samples in them.
    failures
        Those that could not be read.
    batch_size
        The smallest batch that memory forced.
    """

    n_extracted: int
    failures: list[Decoded]
    batch_size: int


def run_job(job: Job, finished: Summary | None) -> Extraction:
    """Extract what is missing, and publish the feature file.

    Parameters
    ----------
    job
        What to extract.
    finished
        The feature file that stands at the output already, made on another request.
    """
    with whole_float32():
        return _run(job, finished)


def _run(job: Job, finished: Summary | None) -> Extraction:
    started, parts = utc_now(), resolve(job, new_timeline(job))
    job.workers.start(_n_workers(job, parts.device))
    if finished is not None:
        return _same_features(job, parts, finished)
    refuse_unexpected(job, parts)
    start = _start(job, parts)
    store = PartStore(job.output, start.header)
    made = extract_missing(job, parts, start, store)
    _refuse_all_failed(start.header, made.failures)
    return publish_features(job, parts, store, made, provenance(job, parts, start.header, made, started))


def new_timeline(job: Job) -> Timeline:
    """Make the record of where the job's time goes."""
    return Timeline(keeps_events=job.settings.extraction.trace is not None)


def extract_missing(job: Job, parts: Resolved, start: Start, store: PartStore) -> Made:
    """Make the parts that the store lacks."""
    missing = _missing_parts(parts, store)
    begun = _begun_parts(parts, store, missing)
    n_missing, n_samples = _n_to_make(missing, begun), start.header.n_samples
    if n_missing < n_samples:
        job.observer.say(f"going on with an unfinished run: {n_samples - n_missing} samples are done")
    return _extract_parts(job, parts, start, store, missing, begun)


def publish_features(
    job: Job, parts: Resolved, store: PartStore, made: Made, provenance: Mapping[str, Any]
) -> Extraction:
    """Consolidate the parts into the feature file, and say how it went."""
    n_failed = store.consolidate(sample_table(job), provenance)
    parts.decoder.timeline.end()
    extraction = Extraction(job.output, len(job.manifest), n_failed, made.n_extracted, parts.decoder.timeline.wall)
    _say_closing(job, parts, store.header, extraction)
    return extraction


def _same_features(job: Job, parts: Resolved, finished: Summary) -> Extraction:
    """Accept a finished file that the settings, though worded otherwise, would make again; refuse any other."""
    wanted = job.settings.extraction.precision
    recipe = make_recipe(job, parts, finished.recipe["precision"] if wanted == "auto" else wanted)
    old = {"recipe": finished.recipe, "samples": finished.samples, "n_samples": finished.n_samples}
    new = {"recipe": recipe, "samples": job.manifest.digest(), "n_samples": len(job.manifest)}
    if old != new:
        raise FingerprintError(
            f"{job.output}: holds features made with other settings or samples ({'; '.join(differences(old, new))}). "
            f"{_way_out(recipe == finished.recipe)}"
        )
    return accept_finished(job, finished)


def _way_out(is_same_recipe: bool) -> str:
    others = "choose another --output, or delete it to extract anew"
    return f"It is left as it is: {'extract only what differs with --update, ' if is_same_recipe else ''}{others}"


def _missing_parts(parts: Resolved, store: PartStore) -> list[range]:
    """The parts to make: absent, damaged, or of images that have changed since."""
    return [rows for rows in store.header.part_rows() if not _are_true(parts, store.read(rows))]


def _begun_parts(parts: Resolved, store: PartStore, missing: Sequence[range]) -> dict[int, Rows]:
    """What an earlier run had done of the missing parts when it was ended, by the row where the part starts."""
    begun = {part.start: store.read_begun(part) for part in missing}
    return {start: rows for start, rows in begun.items() if rows is not None and _are_true(parts, rows)}


def _n_to_make(missing: Sequence[range], begun: Mapping[int, Rows]) -> int:
    return sum(map(len, missing)) - sum(map(len, begun.values()))


def _are_true(parts: Resolved, rows: Rows | None) -> bool:
    """Whether there are rows, and their images are still the ones that they were made from."""
    if rows is None:
        return False
    decoder = replace(parts.decoder, timeline=Timeline())  # reading again is no part of this run's decoding
    here = range(rows.start, rows.start + len(rows))
    return not changed_rows(decoder, here, hex_digests(rows.pixel_digest, rows.status).tolist())


def _refuse_all_failed(header: RunHeader, failures: Sequence[Decoded]) -> None:
    if failures and len(failures) == header.n_samples:
        raise ImageError(
            f"not one of {header.n_samples} samples could be read, so nothing was written; the first: "
            f"{failures[0].reason}"
        )


def refuse_unexpected(job: Job, parts: Resolved) -> None:
    """Refuse a recipe other than the expected one before anything is computed."""
    if job.expected_recipe is None:
        return
    recipe = make_recipe(job, parts, _wanted_precision(job))
    if recipe != job.expected_recipe:
        raise FingerprintError(
            f"{job.settings.images.root}: would be extracted by another recipe than the one expected "
            f"({'; '.join(differences(job.expected_recipe, recipe))})"
        )


def _wanted_precision(job: Job) -> str:
    """The precision that is asked for; where features are to stand beside others, theirs is."""
    wanted: str = job.settings.extraction.precision
    return job.expected_recipe["precision"] if wanted == "auto" and job.expected_recipe is not None else wanted


def _start(job: Job, parts: Resolved) -> Start:
    """What this run is; what an unfinished one chose for itself is kept, so that its parts and ours fit together."""
    earlier = unfinished_run(job.output)
    if earlier is not None and _may_adopt(job, parts, earlier):
        adopted = header_of(job, parts, earlier.recipe["precision"], earlier.execution, earlier.notes)
        # Other settings go on to be refused, where there are parts of the earlier ones to lose.
        if adopted == earlier or has_parts(job.output):
            return Start(adopted, None)
    probe = _probe(job, parts)
    choice = choose_plan(probe, _wanted_precision(job))
    job.observer.say(f"precision: {choice}")
    execution = {
        "device": device_name(parts.device),
        "implementation": choice.plan.implementation,
        "batch_size": choice.embedder.batch_size,
    }
    notes = {"considered": choice.record(), "skipped": list(choice.skipped)}
    header = header_of(job, parts, choice.plan.precision, execution, notes)
    # A module that was packed for a batch which did not fit is made again for the one that does.
    return Start(header, choice.embedder.module if choice.embedder.batch_size == probe.batch_size else None)


def header_of(
    job: Job, parts: Resolved, precision: str, execution: Mapping[str, Any], notes: Mapping[str, Any]
) -> RunHeader:
    """Say what a run is that extracts the job's samples."""
    return RunHeader(
        recipe=make_recipe(job, parts, precision),
        samples=job.manifest.digest(),
        execution=dict(execution),
        notes=dict(notes),
        n_samples=len(job.manifest),
        n_views=parts.inputs.n_views,
        embedding_dim=parts.backbone.embedding_dim * len(parts.inputs.passes),
        part_size=job.settings.extraction.part_size,
    )


def _may_adopt(job: Job, parts: Resolved, earlier: RunHeader) -> bool:
    wanted = job.settings.extraction
    return (
        _wanted_precision(job) in ("auto", earlier.recipe["precision"])
        and wanted.batch_size in ("auto", earlier.execution["batch_size"])
        and earlier.execution["device"] == device_name(parts.device)
    )


def _probe(job: Job, parts: Resolved) -> Probe:
    wanted = job.settings.extraction.batch_size
    batch_size = DEFAULT_BATCH[parts.device.type] if wanted == "auto" else wanted
    decoder = replace(parts.decoder, timeline=Timeline())
    first = (decoder(row) for row in range(min(2 * batch_size, len(job.manifest))))
    readable = (sample for sample in first if sample.pixels is not None)
    return Probe(
        backbone=parts.backbone,
        inputs=parts.inputs,
        device=parts.device,
        batch_size=batch_size,
        samples=list(islice(readable, batch_size)),
        n_forwards=len(job.manifest) * parts.inputs.n_views * len(parts.inputs.passes),
        say=job.observer.say,
    )


def device_name(device: torch.device) -> str:
    """Say what a run's embeddings are computed on."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _extract_parts(
    job: Job, parts: Resolved, start: Start, store: PartStore, missing: Sequence[range], begun: Mapping[int, Rows]
) -> Made:
    """Make the missing parts; of one that is broken off, what is done is kept."""
    failures: list[Decoded] = []
    if not missing:
        return Made(0, failures, start.header.execution["batch_size"])
    header = start.header
    n_missing = _n_to_make(missing, begun)
    n_done = header.n_samples - n_missing
    job.observer.advance(n_done, header.n_samples)

    written = _WriteBehind(store, parts.decoder.timeline)

    def on_batch(n: int) -> None:
        nonlocal n_done
        n_done += n
        written.wait()
        job.observer.advance(n_done, header.n_samples)

    def on_failure(sample: Decoded) -> None:
        _stop_or_quarantine(job, sample)
        failures.append(sample)

    def on_break(rows: Rows) -> None:
        written.wait()
        store.write_begun(rows)
        job.observer.say(f"{n_done} of {header.n_samples} samples are done, and kept")

    embedder = _embedder(job, parts, start)
    finished = finished_parts(
        missing,
        parts.decoder,
        embedder,
        batch_size=header.execution["batch_size"],
        workers=_n_workers(job, parts.device),
        on_failure=on_failure,
        on_batch=on_batch,
        on_break=on_break,
        begun=begun,
    )
    with written, closing(finished):
        for rows in finished:
            written.begin(rows)
        written.wait()
    return Made(n_missing, failures, embedder.batch_size)


def _embedder(job: Job, parts: Resolved, start: Start) -> Embedder:
    header = start.header
    plan = Plan(header.recipe["precision"], header.execution["implementation"])
    batch_size = header.execution["batch_size"]
    # Asked for None and not for truth: a compiled module has no length, and says so.
    module = _built_again(job, parts, plan, batch_size) if start.module is None else start.module
    return Embedder(
        module,
        parts.inputs,
        device=parts.device,
        precision=plan.precision,
        batch_size=batch_size,
        timeline=parts.decoder.timeline,
        say=job.observer.say,
    )


def _built_again(job: Job, parts: Resolved, plan: Plan, batch_size: int) -> torch.nn.Module:
    """The module of an unfinished run, which goes on with its own plan whatever would be chosen today."""
    side = parts.inputs.transform.input_size
    try:
        return build_module(parts.backbone, plan, Target(parts.device, torch.Size((batch_size, 3, side, side))))
    except BackboneError as error:
        raise BackboneError(
            f"{parts_folder(job.output)}: holds an unfinished run that computes as '{plan}', which cannot be had here "
            f"now ({error}). Finish it where it was begun, choose another --output, or delete that folder to begin anew"
        ) from error


class _WriteBehind:
    """Writes a part in a thread while the device begins with the next one.

    No batch of the next part counts before the part is written: a killed run loses one part of samples, and not two.
    """

    def __init__(self, store: PartStore, timeline: Timeline) -> None:
        self._store = store
        self._timeline = timeline
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown()

    def begin(self, rows: Rows) -> None:
        """Begin to write a part."""
        self._pending = self._writer.submit(self._write, rows)

    def wait(self) -> None:
        """Wait until the part is written; where that failed, it ends the run."""
        if self._pending is not None:
            self._pending.result()

    def _write(self, rows: Rows) -> None:
        with self._timeline.stage("write"):
            self._store.write(rows)


def _stop_or_quarantine(job: Job, sample: Decoded) -> None:
    sample_id = job.manifest.table["sample_id"].iloc[sample.row]
    # The table of an update is a selection of a larger one, whose index it keeps.
    where = f"sample {sample_id} (row {job.manifest.table.index[sample.row]})"
    if job.settings.extraction.on_error == "stop":
        raise ImageError(
            f"{where}: {sample.reason}. What is finished is kept: mend the file and start again, or go on "
            f"without it: --on-error quarantine"
        )
    job.observer.say(f"quarantined: {where}: {sample.reason}")


def _n_workers(job: Job, device: torch.device) -> int:
    wanted = job.settings.extraction.workers
    if wanted != "auto":
        return wanted
    # On the cpu the forward wants every core; two processes keep up with the lightest network, and rest beside others.
    return min(2 if device.type == "cpu" else 8, os.cpu_count() or 1)


def provenance(job: Job, parts: Resolved, header: RunHeader, made: Made, started: str) -> dict[str, Any]:
    """Say where a feature file that is finished now comes from."""
    parts.decoder.timeline.end()
    seconds = {stage: round(seconds, 3) for stage, seconds in parts.decoder.timeline.seconds().items()}
    times = {"started": started, "finished": utc_now(), "n_extracted": made.n_extracted}
    return {
        "request": job.request,
        "settings": job.settings.record(),
        "weights": parts.backbone.weights_name,
        "execution": {**header.execution, **header.notes},
        "device": describe_device(parts.device),
        "versions": versions(),
        "times": {**times, "smallest_batch": made.batch_size, "seconds": seconds},
    }


def _say_closing(job: Job, parts: Resolved, header: RunHeader, extraction: Extraction) -> None:
    timeline, say = parts.decoder.timeline, job.observer.say
    rate = extraction.n_extracted / extraction.seconds
    plan = Plan(header.recipe["precision"], header.execution["implementation"])
    say(
        f"{extraction.n_samples:,} samples, {extraction.n_failed} failed, {extraction.seconds:.1f} s, "
        f"{rate:.1f} samples/s, {describe_device(parts.device)}, {plan}"
    )
    say(timeline.closing_line())
    advice = timeline.advice(workers=_n_workers(job, parts.device))
    if advice:
        say(advice)
    if job.settings.extraction.profile:
        for line in timeline.table(extraction.n_extracted):
            say(line)
    if job.settings.extraction.trace is not None:
        timeline.write_trace(job.settings.extraction.trace)
        say(f"trace: {job.settings.extraction.trace} (open it at ui.perfetto.dev or chrome://tracing)")
