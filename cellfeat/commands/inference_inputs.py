"""Samples for a saved head: from a feature file, or extracted from images with the recipe it was fitted on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.needed import SavedHeadFolder
from cellfeat.commands.options import PATH_OR_URL, Command, found_features, weights_option, with_options

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.saved_heads.apart_from_fitted import ApartFromFitted
    from cellfeat.extraction.store import Features
    from cellfeat.heads.saved.bundle import Bundle
    from cellfeat.samples.manifest import Manifest
    from cellfeat.storage.url import Location


def sample_options(*, labels_help: str) -> Callable[[Command], Command]:
    """Add the options that name the saved head and the samples, from ``--model`` to ``--on-error``."""

    def add(command: Command) -> Command:
        return with_options(
            command,
            click.option("--model", required=True, type=SavedHeadFolder(), help="Folder of a saved head."),
            click.option(
                "--features",
                type=PATH_OR_URL,
                help="Feature file of the samples, or its address; default: that of cellfeat.yaml in this folder.",
            ),
            click.option(
                "--images",
                type=PATH_OR_URL,
                help="Folder or address of the images, named as in training; --set images.layout=… if not.",
            ),
            click.option(
                "--table",
                type=click.Path(path_type=Path),
                help="Table with the columns that the head was fitted on: see cellfeat import.",
            ),
            click.option("--id", "id_column", metavar="COLUMN", help="With --table: its column of ids."),
            click.option("--labels", type=PATH_OR_URL, callback=_table_or_none, metavar="CSV|none", help=labels_help),
            click.option(
                "--set",
                "assignments",
                multiple=True,
                metavar="KEY=VALUE",
                help="Override a setting of the training for these samples: --set images.layout=folders.",
            ),
            weights_option("Name or file of the backbone's weights, if they have moved."),
            click.option("--device", default="auto", metavar="auto|cpu|cuda|mps"),
            click.option(
                "--on-error", default="stop", type=click.Choice(["stop", "quarantine"]), help="As for extract."
            ),
        )

    return add


def _table_or_none(_context: click.Context, _option: click.Parameter, value: "Location | None") -> "Location | None":
    """``none`` means no table, as for `extract`."""
    return None if value == Path("none") else value


# Settings that options of their own give, and those that the features of a head cannot do without.
_OWN_OPTIONS = {"images.root": "--images", "labels.file": "--labels", "extraction.output": "--output"}
_SECTIONS = ("images", "labels", "extraction", "comparison")
_CLASS_FOLDER = "{label}/"
_MOST_COLUMNS = 3
"""Of the columns of a table that differ, the most different ones are named, and all are counted."""


def parsed_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """Give the values of ``--set`` by dotted key.

    Raises
    ------
    click.UsageError
        If an option gives this setting, or the head decides it.
    """
    from cellfeat.config_files import parse_assignment

    overrides = dict(map(parse_assignment, assignments))
    for key in overrides:
        if key in _OWN_OPTIONS:
            raise click.UsageError(f"--set {key}: say {_OWN_OPTIONS[key]}")
        if key.partition(".")[0] not in _SECTIONS:
            raise click.UsageError(
                f"--set {key}: expected a key of {', '.join(_SECTIONS)}; everything else is as when the head was fitted"
            )
    return overrides


def chosen_features(
    features: "Location | None", images: "Location | None", table: Path | None, id_column: str | None
) -> "Location | None":
    """Give the feature file that the samples come from: without any option, that of ``cellfeat.yaml`` in this folder.

    Parameters
    ----------
    features, images, table
        The options; None where one is not given.
    id_column
        The option ``--id``, which is for a table alone.

    Returns
    -------
    Path, Url or None
        None where the samples come from images or from a table.

    Raises
    ------
    click.UsageError
        If several options are given, or none and there are no settings.
    """
    if features is None and images is None and table is None:
        features = found_features()
    if sum(place is not None for place in (features, images, table)) != 1:
        raise click.UsageError("give one of --features FILE, --images DIR and --table TABLE")
    if id_column is not None and table is None:
        raise click.UsageError("--id is for --table; in a labels table: --set labels.id=COLUMN")
    return features


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

    from cellfeat.commands.import_table import say as say_imported
    from cellfeat.interop.tables.importing import ImportOptions, Like, import_table

    options = ImportOptions(labels=labels, id=id_column, label=label)
    like = Like.of(bundle.recipe, bundle.provenance, f"the saved head {bundle.head_name!r}")
    imported = import_table(table, options, like=like)
    say_imported(imported)
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
    from cellfeat.commands.console import ConsoleObserver
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
    from cellfeat.samples.manifest import build_manifest

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
    from cellfeat.text import clean_lines

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
        click.echo(clean_lines(line), err=True)


def say(line: str) -> None:
    """Write a remark to stderr."""
    from cellfeat.text import clean_lines

    click.echo(clean_lines(line), err=True)


def say_apart(found: "ApartFromFitted | None") -> None:
    """Say on stderr in a line whether samples lie apart from those that a head was fitted on."""
    from cellfeat.evaluation.saved_heads.apart_from_fitted import UNKNOWN
    from cellfeat.text import clean_lines

    click.echo(clean_lines(UNKNOWN if found is None else found.line()), err=True)


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
