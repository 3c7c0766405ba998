"""From settings to the request of an extraction: samples, checks that need no network, reading processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cellfeat.config import Settings
from cellfeat.errors import ConfigError
from cellfeat.extraction.observer import Observer, SilentObserver
from cellfeat.extraction.request import ExtractionRequest, request_record
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.class_checks import check_classes, rare_class_remarks
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.manifest.value_remarks import value_remarks
from cellfeat.samples.reading.worker_pool import reading_processes


@contextmanager
def prepared_request(
    settings: Settings,
    observer: Observer | None = None,
    manifest: Manifest | None = None,
    expected_recipe: Mapping[str, Any] | None = None,
) -> Iterator[ExtractionRequest]:
    """Find the samples of an extraction and check them; its reading processes end with the block.

    Parameters
    ----------
    settings, observer, manifest, expected_recipe
        As for `cellfeat.extraction.extract.extract`.

    Raises
    ------
    ManifestError, MissingFileError
        If the samples are not as described, or all labels are one class.
    ConfigError
        If these are no settings, or they name a split and no table that holds it.
    """
    if not isinstance(settings, Settings):
        raise ConfigError(
            f"settings: expected Settings, got {type(settings).__name__}; cellfeat.load_settings makes them of files "
            "and values"
        )
    observer = observer or SilentObserver()
    if manifest is None:
        manifest = build_manifest(settings.images, settings.labels)
        for line in manifest.remarks:
            observer.say(line)
    _check_split(settings, manifest)
    settings = _with_folders(settings, manifest)
    if expected_recipe is None and (manifest.table["label"] != "").any():
        # Checked here, not in the comparison after hours of extraction.
        check_classes(manifest)
        for line in (*value_remarks(manifest), *rare_class_remarks(manifest, settings.comparison.n_folds)):
            observer.say(line)
    with reading_processes(settings.extraction) as workers:
        record = request_record(settings, manifest)
        yield ExtractionRequest(settings, manifest, record, workers, observer, expected_recipe)


def _with_folders(settings: Settings, manifest: Manifest) -> Settings:
    """Record that class folders were taken: new images for a saved head may lie in one folder."""
    if manifest.layout != "folders":
        return settings
    return settings.model_copy(update={"images": settings.images.model_copy(update={"layout": "folders"})})


def _check_split(settings: Settings, manifest: Manifest) -> None:
    """Check that a split that is asked for exists, lest test samples are used for training."""
    column = settings.labels.split
    if column and column not in manifest.columns:
        raise ConfigError(
            f"labels.split: the samples have no column {column!r} without a labels table; name the table with "
            "--labels FILE, or take the split from folders: --set images.layout=split_folders"
        )
