"""Stage 1 from settings to the published feature file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellfeat.backbones.side_by_side import Weights, moved_weights
from cellfeat.config import ImagesSettings, LabelsSettings, Settings
from cellfeat.config_sources import settings_of_record
from cellfeat.errors import FingerprintError
from cellfeat.extraction.accept_finished import accept_finished, use_finished
from cellfeat.extraction.first_samples import check_readable
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.store import Summary, held_output, is_imported, read_summary, stored_type, verify_features
from cellfeat.extraction.survey import survey_samples
from cellfeat.samples.fields.field import plain_column
from cellfeat.samples.fields.other_images import fields_beside, group_of_other_fields
from cellfeat.samples.intensity.policy import recorded_intensity
from cellfeat.samples.labels.table import group_columns, read_labels
from cellfeat.samples.layouts.pattern_fields import further_fields
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.tables.file import read_table_file
from cellfeat.storage.opening import is_there
from cellfeat.storage.url import Location


def extract(
    settings: Settings,
    *,
    observer: Observer | None = None,
    manifest: Manifest | None = None,
    expected_recipe: Mapping[str, Any] | None = None,
    update: bool = False,
) -> Extraction:
    """Embed every sample once, and write the feature file. An unfinished run is continued.

    Parameters
    ----------
    settings
        What to extract, and where to write it; see `load_settings`.
    observer
        Receives messages and progress.
    manifest
        The samples; by default those that the settings describe.
    expected_recipe
        The recipe of earlier features that the new ones are compared with; any other recipe is refused before anything
        is computed.
    update
        Whether to update a finished file if samples or pixels have changed: rows whose pixels are unchanged are carried
        over, and only the others are extracted. Every image is read for this.

    Raises
    ------
    ManifestError, ImageError, MissingFileError
        If the samples are not as described, all labels are one class, or a sample cannot be read and
        ``extraction.on_error`` is ``stop``.
    ConfigError
        If these are no settings, or they name a split and no table that holds it.
    BackboneError, WeightsError, DeviceError
        If the network, its weights or the device does not support the settings.
    FingerprintError
        If the output holds other features, or the recipe is not the expected one; the message lists the differences.
    BusyError
        If another process is writing the output.
    DiskFullError
        If the disk has no room for the rest of the run; the message says how much is needed.
    WorkerError
        If the processes that read images cannot be started.
    """
    with prepared_request(settings, observer, manifest, expected_recipe) as request:
        output = request.output
        with held_output(output, request.observer.say):
            # Only now, under the lock: another run may have published it a moment ago.
            finished = read_summary(output) if is_there(output) else None
            check_extracted(finished)
            return _update(request, finished) if finished is not None and update else _extract(request, finished)


def check_extracted(finished: Summary | None) -> None:
    """Refuse a file of imported numbers: no image can be added to it."""
    if finished is not None and is_imported(finished.recipe):
        raise FingerprintError(
            f"{finished.path}: holds numbers that were imported from a table, and no image can be extracted into it: "
            "choose another --output. The file is unchanged"
        )


def _extract(request: ExtractionRequest, finished: Summary | None) -> Extraction:
    if finished is not None and finished.provenance["request"] == request.record:
        return accept_finished(request, finished)
    if finished is None:
        check_readable(request)
    # Imported here because it needs torch, which takes seconds; a finished file is accepted without.
    from cellfeat.extraction.run import run_extraction

    return run_extraction(request, finished)


def _update(request: ExtractionRequest, finished: Summary) -> Extraction:
    say = request.observer.say
    say(f"reading all {len(request.manifest):,} samples to find what differs from {finished.path}")
    verify_features(finished.path)  # rows that are carried over get new checksums, so they must be intact
    survey = survey_samples(request, finished)
    say(str(survey))
    if survey.is_unchanged and finished.provenance["request"] == request.record:
        return use_finished(request, finished)
    # A saved head keeps its features of one folder, whose images may all be new.
    if survey.shares_nothing and request.expected_recipe is None:
        raise FingerprintError(
            f"{finished.path}: holds {finished.n_samples} samples, and none of these "
            f"{len(request.manifest)} has the id or the pixels of one: another data set needs another --output. The "
            f"file is unchanged"
        )
    from cellfeat.extraction.update import update_features

    return update_features(request, finished, survey)


def settings_like(
    earlier: Mapping[str, Any],
    recipe: Mapping[str, Any],
    *,
    images: Location,
    output: Path,
    labels: Location | None = None,
    weights: Weights | None = None,
) -> Settings:
    """Make the settings that extract other images as earlier ones were extracted.

    Parameters
    ----------
    earlier, recipe
        Settings and recipe of the earlier features. The precision and the intensity range that were chosen are kept.
    images
        Folder of the images.
    output
        The feature file to write.
    labels
        Table of the samples: exactly these are extracted, and each needs its images. Columns of labels and groups are
        optional. None: all samples in `images`.
    weights
        Where the weights are now, of several networks by their names; None: where they were.

    Raises
    ------
    MissingFileError, ManifestError
        If `labels` is not a table of samples.
    """
    record = json.loads(json.dumps(earlier))
    intensity = recorded_intensity(recipe["intensity"]).model_dump(mode="json")
    fields = fields_beside(record["images"], images, are_moved=False)
    record["images"] |= {"root": str(images), "intensity": intensity, "fields": fields}
    record["labels"] |= _labels_of(labels, earlier, fields) if labels else _no_labels(earlier, fields)
    # This machine may lack the device of the earlier extraction.
    record["extraction"] |= {
        "output": str(output),
        "precision": recipe["precision"],
        "storage": stored_type(recipe),
        "device": "auto",
    }
    record["backbone"]["weights"] = moved_weights(record["backbone"]["weights"], weights)
    return settings_of_record(record)


def _no_labels(earlier: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of labels where there is no table."""
    none = {"file": None, "unmatched": "ignore", "split": None}
    return none | (
        {"group": group_of_other_fields(earlier, fields, ())} if earlier["images"]["layout"] == "fields" else {}
    )


def _labels_of(file: Location, earlier: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a labels table that may lack the columns of labels, groups and the split."""
    optional, before = ("label", "group", "split"), earlier["labels"]
    settings = {"file": str(file), "unmatched": "listed"}
    if earlier["images"]["layout"] == "fields":
        # A table of cells or of fields needs no column of ids, and its columns go by their plain names.
        own = list(map(str, read_table_file(file).cells.columns))
        plain = set(map(plain_column, own))
        known = {key: before.get(key) for key in ("label", "split") if plain_column(before.get(key) or "") in plain}
        return (
            settings | {"label": None, "split": None} | known | {"group": group_of_other_fields(earlier, fields, own)}
        )
    unnamed = LabelsSettings.model_validate({**before, **dict.fromkeys(optional)})
    columns = set(read_labels(unnamed, file).cells.columns)
    kept = {key: before.get(key) if before.get(key) in columns else None for key in ("label", "split")}
    named = group_columns(LabelsSettings.model_validate(before))
    in_names = further_fields(ImagesSettings.model_validate(earlier["images"]))
    kept["group"] = before.get("group") if columns.union(in_names).issuperset(named) else None
    return settings | kept
