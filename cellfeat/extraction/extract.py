"""Manifest x backbone -> feature file: stage 1, from settings to the published file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellfeat.config import LabelsSettings, Settings
from cellfeat.extraction.job import Extraction, Job, Observer, SilentObserver
from cellfeat.extraction.store import Summary, held_output, read_summary, verify_features
from cellfeat.extraction.survey import accept_finished, survey_samples, take_finished
from cellfeat.provenance import digest_file
from cellfeat.samples.labels import read_labels
from cellfeat.samples.manifest import Manifest, build_manifest, check_classes
from cellfeat.samples.workers import Workers


def extract(
    settings: Settings,
    *,
    observer: Observer | None = None,
    manifest: Manifest | None = None,
    expected_recipe: Mapping[str, Any] | None = None,
    update: bool = False,
) -> Extraction:
    """Embed every sample once, and write the feature file; an unfinished run is taken up where it stopped.

    Parameters
    ----------
    settings
        What to extract, and where to; see `load_settings`.
    observer
        Is told how it goes.
    manifest
        The samples; by default the ones that the settings describe.
    expected_recipe
        The recipe of earlier features that these are to stand beside; any other is refused before the extraction.
    update
        Whether a finished file of other samples or pixels is brought up to date: rows whose pixels are still those of
        a sample are carried over, and only the others are extracted. Every image is read for it.

    Raises
    ------
    ManifestError, ImageError, MissingFileError
        If the samples are not as described, a class has fewer of them than there are folds, or one cannot be read and
        ``extraction.on_error`` is ``stop``.
    BackboneError, WeightsError, DeviceError
        If the network, its weights or the device cannot do what is asked.
    FingerprintError
        If the output holds other features, or the recipe is not the expected one; the message lists the differences.
    BusyError
        If another process is writing the output.
    DiskFullError
        If the disk has no room for the rest of the run; the message says how much it needs.
    WorkerError
        If the processes that read images cannot be started.
    """
    observer = observer or SilentObserver()
    if manifest is None:
        manifest = build_manifest(settings.images, settings.labels)
        for line in manifest.remarks:
            observer.say(line)
    if expected_recipe is None and (manifest.table["label"] != "").any():
        # Told now, and not by the comparison after hours of extraction.
        check_classes(manifest, settings.comparison.folds)
    output = settings.extraction.output
    with held_output(output, observer.say), Workers(settings.extraction.image_timeout) as workers:
        workers.start(1)  # at once: it gets ready while torch and the backbone are loaded
        job = Job(settings, manifest, _request(settings, manifest), workers, observer, expected_recipe)
        finished = read_summary(output) if output.exists() else None
        if finished is not None and update:
            return _update(job, finished)
        if finished is not None and finished.provenance["request"] == job.request:
            return accept_finished(job, finished)
        # Imported here because it needs torch, which takes seconds: a finished file is recognised without.
        from cellfeat.extraction.run import run_job

        return run_job(job, finished)


def _update(job: Job, finished: Summary) -> Extraction:
    job.observer.say(f"reading all {len(job.manifest):,} samples to see what differs from {finished.path}")
    verify_features(finished.path)  # what is carried over gets new checksums, and must not be damaged
    survey = survey_samples(job, finished)
    job.observer.say(str(survey))
    if survey.is_unchanged and finished.provenance["request"] == job.request:
        return take_finished(job, finished)
    from cellfeat.extraction.update import update_features

    return update_features(job, finished, survey)


def settings_like(
    earlier: Mapping[str, Any],
    recipe: Mapping[str, Any],
    *,
    images: Path,
    output: Path,
    labels: Path | None = None,
    weights: str | None = None,
) -> Settings:
    """Settings that extract other images as earlier ones were.

    Parameters
    ----------
    earlier, recipe
        The settings and the recipe of the earlier features. What was chosen then (the precision, the intensity range
        of a data set) is kept.
    images
        Folder of the images.
    output
        The feature file to be.
    labels
        Table of the samples: these are extracted and no others, and each needs its images. It may have no column of
        labels or groups. None: whatever lies in `images`.
    weights
        Where the backbone's weights are now; None: where they were.

    Raises
    ------
    MissingFileError, ManifestError
        If `labels` is no table of samples.
    """
    record = json.loads(json.dumps(earlier))
    record["images"] |= {"root": str(images), "intensity": recipe["intensity"]}
    record["labels"] |= _without_labels(earlier["labels"], labels) if labels else {"file": None, "unmatched": "ignore"}
    record["extraction"] |= {"output": str(output), "precision": recipe["precision"], "device": "auto"}
    record["backbone"]["weights"] = weights or record["backbone"]["weights"]
    return Settings.model_validate(record)


def _without_labels(earlier: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Labels settings for a table that may lack the columns of the answer."""
    unnamed = LabelsSettings.model_validate({**earlier, "label": None, "group": None})
    columns = read_labels(unnamed, file).columns
    kept = {key: earlier[key] if earlier[key] in columns else None for key in ("label", "group")}
    return {"file": str(file), "unmatched": "listed"} | kept


def _request(settings: Settings, manifest: Manifest) -> dict[str, Any]:
    """Everything that was asked for and that the embeddings depend on: equal requests need no second look."""
    record = settings.record()
    weights = Path(settings.backbone.weights)
    request = {
        "intensity": record["images"]["intensity"],
        "max_pixels": settings.images.max_pixels,
        "preprocessing": record["preprocessing"],
        "backbone": record["backbone"],
        "weights_file": digest_file(weights) if weights.is_file() else None,
        "views": settings.extraction.views,
        "precision": settings.extraction.precision,
        "samples": manifest.digest(),
    }
    if weights.is_file():
        request["backbone"]["weights"] = weights.name
    return request
