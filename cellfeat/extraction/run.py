"""One extraction that has something to do: from the device to the published file."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import torch

from cellfeat.backbones.registry import LoadedBackbone, load_backbone
from cellfeat.errors import FingerprintError, ImageError
from cellfeat.extraction.contents import accept_finished, changed_rows, sample_table
from cellfeat.extraction.device import DEFAULT_BATCH, choose_device, describe_device
from cellfeat.extraction.embedder import Inputs, Plan
from cellfeat.extraction.job import Extraction, Job
from cellfeat.extraction.passes import make_passes
from cellfeat.extraction.pipeline import Decoded, Decoder, StageTimes, finished_parts
from cellfeat.extraction.precision import PROBE_SAMPLES, build_embedder, choose_plan
from cellfeat.extraction.store import (
    PartStore,
    Rows,
    RunHeader,
    Summary,
    hex_digests,
    unfinished_run,
)
from cellfeat.provenance import differences, utc_now, versions
from cellfeat.samples.images import IntensityPolicy, SampleReader, intensity_advice


@dataclass(frozen=True)
class _Parts:
    """What an extraction is made of, once its settings are resolved."""

    device: torch.device
    backbone: LoadedBackbone
    inputs: Inputs
    decoder: Decoder


def run_job(job: Job, finished: Summary | None) -> Extraction:
    """Extract what is missing, and publish the feature file.

    Parameters
    ----------
    job
        What to extract.
    finished
        The feature file that stands at the output already, made on another request.
    """
    began, started = time.perf_counter(), utc_now()
    parts = _resolve(job)
    if finished is not None:
        return _same_features(job, parts, finished)
    header = _header(job, parts)
    _refuse_unexpected(job, header)
    store = PartStore(job.output, header)
    missing = _missing_parts(parts, store)
    n_missing = sum(map(len, missing))
    if n_missing < header.n_samples:
        job.observer.say(f"going on with an unfinished run: {header.n_samples - n_missing} samples are done")
    _refuse_all_failed(header, _extract_parts(job, parts, store, missing))
    times = parts.decoder.times
    times.wall = time.perf_counter() - began
    provenance = _provenance(job, parts, header, started=started, n_extracted=n_missing)
    n_failed = store.consolidate(sample_table(job), provenance)
    extraction = Extraction(job.output, header.n_samples, n_failed, n_missing, time.perf_counter() - began)
    _say_closing(job, parts, header, extraction)
    return extraction


def _resolve(job: Job) -> _Parts:
    settings, manifest = job.settings, job.manifest
    device = choose_device(settings.extraction.device)
    job.observer.say(f"device: {describe_device(device)}")
    passes = make_passes(manifest.channels, settings.preprocessing.channels_as)
    reader = SampleReader.for_manifest(manifest, max_pixels=settings.images.max_pixels)
    policy = _intensity_policy(job, reader)
    backbone = load_backbone(
        settings.backbone.name,
        weights=settings.backbone.weights,
        pool=settings.backbone.pool,
        input_size=settings.preprocessing.input_size,
    )
    transform = backbone.transform.adapted(settings.preprocessing)
    inputs = Inputs(transform, tuple(passes), len(manifest.channels), settings.extraction.views)
    return _Parts(device, backbone, inputs, Decoder(reader, policy))


def _intensity_policy(job: Job, reader: SampleReader) -> IntensityPolicy:
    settings = job.settings.images
    policy = IntensityPolicy.from_settings(settings.intensity, n_channels=len(job.manifest.channels))
    policy = policy.resolved(reader, range(len(job.manifest)))
    first = (Decoder(reader, policy)(row) for row in range(len(job.manifest)))
    readable = (sample.pixels for sample in first if sample.pixels is not None)
    advice = intensity_advice(policy, readable, channels=job.manifest.channels)
    if advice:
        job.observer.say(f"warning: {advice}")
    return policy


def _recipe(job: Job, parts: _Parts, precision: str) -> dict[str, Any]:
    settings, backbone = job.settings, parts.backbone
    recipe = {
        "backbone": {
            "name": backbone.name,
            # The digest alone: the same weights under another file name make the same embeddings.
            "weights_digest": backbone.weights_digest,
            "pool": settings.backbone.pool,
        },
        "transform": parts.inputs.transform.record(),
        "channels": list(job.manifest.channels),
        "channels_as": settings.preprocessing.channels_as,
        "passes": [one.name for one in parts.inputs.passes],
        "intensity": parts.decoder.policy.record(),
        "views": settings.extraction.views,
        "precision": precision,
    }
    # As it will be read back: tuples become lists before anything is compared.
    return dict(json.loads(json.dumps(recipe)))


def _same_features(job: Job, parts: _Parts, finished: Summary) -> Extraction:
    """Accept a finished file that the settings, though worded otherwise, would make again; refuse any other."""
    wanted = job.settings.extraction.precision
    recipe = _recipe(job, parts, finished.recipe["precision"] if wanted == "auto" else wanted)
    old = {"recipe": finished.recipe, "samples": finished.samples, "n_samples": finished.n_samples}
    new = {"recipe": recipe, "samples": job.manifest.digest(), "n_samples": len(job.manifest)}
    if old != new:
        raise FingerprintError(
            f"{job.output}: holds features made with other settings or samples ({'; '.join(differences(old, new))}). "
            f"It is left as it is: choose another --output, or delete it to extract anew"
        )
    return accept_finished(job, finished)


def _missing_parts(parts: _Parts, store: PartStore) -> list[range]:
    """The parts to make: absent, damaged, or of images that have changed since."""
    missing = []
    for rows in store.header.part_rows():
        part = store.read(rows)
        if part is None or changed_rows(parts.decoder, rows, hex_digests(part.pixel_digest, part.status).tolist()):
            missing.append(rows)
    return missing


def _refuse_all_failed(header: RunHeader, failures: Sequence[Decoded]) -> None:
    if failures and len(failures) == header.n_samples:
        raise ImageError(
            f"not one of {header.n_samples} samples could be read, so nothing was written; the first: "
            f"{failures[0].reason}"
        )


def _refuse_unexpected(job: Job, header: RunHeader) -> None:
    if job.expected_recipe is not None and header.recipe != job.expected_recipe:
        raise FingerprintError(
            f"{job.settings.images.root}: would be extracted by another recipe than the one expected "
            f"({'; '.join(differences(job.expected_recipe, header.recipe))})"
        )


def _header(job: Job, parts: _Parts) -> RunHeader:
    """What this run is; what an unfinished one chose for itself is kept, so that its parts and ours fit together."""
    earlier = unfinished_run(job.output)
    if earlier is not None and _may_adopt(job, parts, earlier):
        plan, execution = _adopted(earlier)
    else:
        plan, execution = _chosen(job, parts)
    return RunHeader(
        recipe=_recipe(job, parts, plan.precision),
        samples=job.manifest.digest(),
        execution=execution,
        n_samples=len(job.manifest),
        n_views=parts.inputs.n_views,
        embedding_dim=parts.backbone.embedding_dim * len(parts.inputs.passes),
        part_size=job.settings.extraction.part_size,
    )


def _may_adopt(job: Job, parts: _Parts, earlier: RunHeader) -> bool:
    wanted = job.settings.extraction
    return (
        wanted.precision in ("auto", earlier.recipe["precision"])
        and wanted.batch_size in ("auto", earlier.execution["batch_size"])
        and earlier.execution["device"] == _device_name(parts.device)
    )


def _adopted(earlier: RunHeader) -> tuple[Plan, dict[str, Any]]:
    execution = dict(earlier.execution)
    return Plan(earlier.recipe["precision"], execution["implementation"]), execution


def _chosen(job: Job, parts: _Parts) -> tuple[Plan, dict[str, Any]]:
    settings, inputs = job.settings.extraction, parts.inputs
    choice = choose_plan(
        parts.backbone,
        inputs,
        device=parts.device,
        precision=settings.precision,
        probe=lambda: _probe_samples(job, parts),
        n_forwards=len(job.manifest) * inputs.n_views * len(inputs.passes),
    )
    job.observer.say(f"precision: {choice}")
    batch_size = DEFAULT_BATCH[parts.device.type] if settings.batch_size == "auto" else settings.batch_size
    execution = {
        "device": _device_name(parts.device),
        "implementation": choice.plan.implementation,
        "batch_size": batch_size,
        "considered": choice.record(),
    }
    return choice.plan, execution


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _probe_samples(job: Job, parts: _Parts) -> list[Decoded]:
    first = (parts.decoder(row) for row in range(min(2 * PROBE_SAMPLES, len(job.manifest))))
    return [sample for sample in first if sample.pixels is not None]


def _extract_parts(job: Job, parts: _Parts, store: PartStore, missing: Sequence[range]) -> list[Decoded]:
    """Make the missing parts; returns the samples that could not be read."""
    failures: list[Decoded] = []
    if not missing:
        return failures
    header = store.header
    plan = Plan(header.recipe["precision"], header.execution["implementation"])
    batch_size = header.execution["batch_size"]
    embedder = build_embedder(parts.backbone, parts.inputs, device=parts.device, plan=plan, batch_size=batch_size)
    times = parts.decoder.times
    forward = _timed(embedder, times)
    n_done = header.n_samples - sum(map(len, missing))
    job.observer.advance(n_done, header.n_samples)

    def on_batch(n: int) -> None:
        nonlocal n_done
        n_done += n
        job.observer.advance(n_done, header.n_samples)

    def on_failure(sample: Decoded) -> None:
        _stop_or_quarantine(job, sample)
        failures.append(sample)

    finished = finished_parts(
        missing,
        parts.decoder,
        forward,
        batch_size=batch_size,
        workers=_n_workers(job, parts.device),
        on_failure=on_failure,
        on_batch=on_batch,
    )
    _write_behind(store, finished, times)
    return failures


def _timed(embed: Callable[[Sequence[Decoded]], Any], times: StageTimes) -> Callable[[Sequence[Decoded]], Any]:
    def timed(samples: Sequence[Decoded]) -> Any:
        began = time.perf_counter()
        embedded = embed(samples)
        times.forward += time.perf_counter() - began
        return embedded

    return timed


def _write_behind(store: PartStore, finished: Iterator[Rows], times: StageTimes) -> None:
    """Write each part in a thread while the next is made; at most one waits, and a failed write ends the run."""

    def write(rows: Rows) -> None:
        began = time.perf_counter()
        store.write(rows)
        times.write += time.perf_counter() - began

    pending: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for rows in finished:
            if pending is not None:
                pending.result()
            pending = writer.submit(write, rows)
        if pending is not None:
            pending.result()


def _stop_or_quarantine(job: Job, sample: Decoded) -> None:
    sample_id = job.manifest.table["sample_id"].iloc[sample.row]
    where = f"sample {sample_id} (row {sample.row})"
    if job.settings.extraction.on_error == "stop":
        raise ImageError(
            f"{where}: {sample.reason}. Parts that are finished are kept: mend the file and start again, or go on "
            f"without it: --on-error quarantine"
        )
    job.observer.say(f"quarantined: {where}: {sample.reason}")


def _n_workers(job: Job, device: torch.device) -> int:
    wanted = job.settings.extraction.workers
    if wanted != "auto":
        return wanted
    # On the cpu the forward wants every core, and one thread decodes faster than any cpu embeds.
    return 1 if device.type == "cpu" else max(1, min(8, os.cpu_count() or 1))


def _provenance(job: Job, parts: _Parts, header: RunHeader, *, started: str, n_extracted: int) -> dict[str, Any]:
    return {
        "request": job.request,
        "settings": job.settings.record(),
        "weights": parts.backbone.weights_name,
        "execution": dict(header.execution),
        "device": describe_device(parts.device),
        "versions": versions(),
        "times": {
            "started": started,
            "finished": utc_now(),
            "n_extracted": n_extracted,
            "seconds": {stage: round(seconds, 3) for stage, seconds in asdict(parts.decoder.times).items()},
        },
    }


def _say_closing(job: Job, parts: _Parts, header: RunHeader, extraction: Extraction) -> None:
    times = parts.decoder.times
    rate = extraction.n_extracted / extraction.seconds
    plan = f"{header.recipe['precision']} ({header.execution['implementation']})"
    job.observer.say(
        f"{extraction.n_samples:,} samples, {extraction.n_failed} failed, {extraction.seconds:.1f} s, "
        f"{rate:.1f} samples/s, {describe_device(parts.device)}, {plan}"
    )
    shares = ", ".join(
        f"{stage} {times.share_of_wall(stage):.0%}" for stage in ("forward", "waiting", "decode", "write")
    )
    job.observer.say(f"share of the time: {shares} (decode and write run beside the forward)")
