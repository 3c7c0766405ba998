"""Samples for a saved head: from a feature file, or extracted from images with the recipe it was fitted on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellfeat.commands.output.lines import say

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.saved_heads.apart_from_fitted import ApartFromFitted
    from cellfeat.extraction.store import Features
    from cellfeat.heads.saved.bundle import Bundle
    from cellfeat.samples.manifest.manifest import Manifest
    from cellfeat.storage.url import Location


_CLASS_FOLDER = "{label}/"
_MOST_COLUMNS = 3
"""Of the columns of a table that differ, the most different ones are named, and all are counted."""


def features_of_table(
    bundle: "Bundle", table: Path, *, id_column: str | None, labels: Path | None = None, label: str | None = None
) -> "Features":
    """Take the columns that the head was fitted on from a table.

    Parameters
    ----------
    bundle
        The saved head.
    table
        The table.
    id_column
        Its column of ids; None: as at fitting, or guessed.
    labels
        Second table, with labels.
    label
        Column of labels; None: as at fitting.
    """
    from dataclasses import replace

    from cellfeat.interop.tables.importing import ImportOptions, Like, import_table

    options = ImportOptions(labels=labels, id=id_column, label=label, advice=False)
    like = Like.of(bundle.recipe, bundle.provenance, f"the saved head {bundle.head_name!r}")
    imported = import_table(table, options, like=like)
    for remark in imported.remarks:
        say(remark)
    return replace(imported.features, path=table)


def features_as_fitted(
    bundle: "Bundle",
    images: "Location",
    output: Path,
    *,
    labels: "Location | None",
    weights: str | dict[str, str] | None,
    device: str,
    on_error: str,
    overrides: Mapping[str, Any],
    check: Callable[["Manifest"], None] = lambda _manifest: None,
) -> "Features":
    """Extract images with the recipe that the head was fitted on.

    Parameters
    ----------
    bundle
        The saved head.
    images
        Folder of the images.
    output
        The feature file to write; where it exists already, only new images are extracted.
    labels
        Table of the samples; None takes all images in the folder.
    weights, device, on_error
        As for ``cellfeat extract``.
    overrides
        Settings that differ for these images, by dotted key, such as ``images.layout``.
    check
        Receives the samples before any work begins, and may refuse them.
    """
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.config_sources import override_settings
    from cellfeat.errors import FingerprintError
    from cellfeat.extraction.extract import extract, settings_like
    from cellfeat.extraction.store import is_imported, load_features
    from cellfeat.heads.saved.bundle import settings_of

    if is_imported(bundle.recipe):
        raise FingerprintError(
            f"the head {bundle.head_name!r} was fitted on a table, whose numbers images do not give: use --table TABLE"
        )
    settings = settings_like(
        override_settings(settings_of(bundle), overrides).record(),
        bundle.recipe,
        images=images,
        output=output,
        labels=labels,
        weights=weights,
    )
    here = {"extraction.device": device, "extraction.on_error": on_error}
    # Once more, because `settings_like` decides some of them itself.
    settings = override_settings(settings, {**here, **overrides})
    settings, manifest = _found_samples(settings, overrides)
    with ConsoleObserver() as observer:
        for line in manifest.remarks:
            observer.say(line)
        check(manifest)
        # Images that were added or removed since the last call need neither a refusal nor a new start.
        extraction = extract(settings, observer=observer, manifest=manifest, expected_recipe=bundle.recipe, update=True)
    return load_features(extraction.path)


def _found_samples(settings: "Settings", overrides: Mapping[str, Any]) -> "tuple[Settings, Manifest]":
    """Find the samples; where training images lay in folders of their class, new ones may lie without."""
    from cellfeat.config_sources import override_settings
    from cellfeat.errors import ManifestError
    from cellfeat.samples.manifest.build import build_manifest

    try:
        return settings, build_manifest(settings.images, settings.labels)
    except ManifestError as error:
        pattern = settings.images.pattern or ""
        if _CLASS_FOLDER not in pattern or "images.pattern" in overrides:
            raise
        flat = override_settings(settings, {"images.pattern": pattern.replace(_CLASS_FOLDER, "")})
        try:
            manifest = build_manifest(flat.images, flat.labels)
        except ManifestError:
            raise error from None
    say(f"{settings.images.root}: no folders of classes, so images are named {flat.images.pattern}")
    return flat, manifest


def say_unlike_fitted(bundle: "Bundle", features: "Features") -> None:
    """Say on stderr, before anything is predicted, how samples differ from those that a head was fitted on.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples.
    """
    from cellfeat.evaluation.saved_heads.unlike_fitted import unlike_fitted

    found = unlike_fitted(bundle, features)
    if found is not None:
        lines = [
            f"warning: unlike the training samples: {one}"
            for one in found[: _MOST_COLUMNS if features.is_imported else None]
        ]
    elif features.is_imported:
        lines = []
    else:
        lines = ["this saved head does not know type, size and brightness of its training samples: not compared"]
    if found and features.is_imported:
        lines.append(
            f"warning: {len(found):,} of {features.embeddings.shape[-1]:,} columns are unlike those of the training "
            "samples: the predictions may be wrong; give both tables the same units and normalisation of plates"
        )
    for line in lines:
        say(line)


def say_apart(found: "ApartFromFitted | None") -> None:
    """Say on stderr in a line whether samples lie apart from those that a head was fitted on."""
    from cellfeat.evaluation.saved_heads.apart_from_fitted import UNKNOWN

    say(UNKNOWN if found is None else found.line())


def mark_of(images: "Location", labels: "Location | None") -> str:
    """Make a short mark of a folder and a table for the name of a file, so that other samples get another file.

    Parameters
    ----------
    images
        Folder of the images.
    labels
        Table of the samples; None where there is none.
    """
    from cellfeat.provenance import digest_json
    from cellfeat.storage.url import resolved

    places = [str(resolved(place)) for place in (images, labels) if place]
    return digest_json(places).removeprefix("sha256:")[:8]
