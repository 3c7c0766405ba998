"""``cellfeat score``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.as_fitted import check_source, features_as_fitted, mark_of, sample_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cellfeat.extraction.store import Features
    from cellfeat.heads.bundle import Bundle


@click.command("score")
@sample_options(labels_help="CSV of the labels; for --features it replaces those of the file.")
@click.option(
    "--groups",
    default="auto",
    show_default=True,
    metavar="auto|copies|none|COLUMN|CSV",
    help="Which samples err together, for the interval.",
)
@click.option(
    "--fitted-on",
    type=click.Path(path_type=Path),
    metavar="FEATURES",
    help="Feature file that the head was fitted on: near copies of its samples are left out, too.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder of what is found; MODEL_held_out by default.")
def command(
    model: Path,
    features: Path | None,
    images: Path | None,
    groups: str,
    fitted_on: Path | None,
    output: Path | None,
    **flags: Any,
) -> None:
    """Score a saved head on labelled samples that were held out, from a feature file or straight from images.

    Samples with the very pixels of some that the head was fitted on are left out; with --fitted-on so are near copies:
    crops of one field that overlap, and pictures that are another one turned or mirrored. The score stands beside the
    one out of fold, and is told whether the two differ.

    Writes metrics.json, the predictions and pictures; the features of images are kept with them.
    """
    from cellfeat.commands.console import print_table
    from cellfeat.comparison.held_out import score_held_out
    from cellfeat.comparison.report import write_held_out
    from cellfeat.comparison.terminal import held_out_details, held_out_lines, render_classes
    from cellfeat.extraction.store import load_features
    from cellfeat.heads.bundle import load_bundle

    check_source(features, images)
    folder = output or model.resolve().with_name(f"{model.resolve().name}_held_out")
    bundle = load_bundle(model)
    if features:
        samples, labels = load_features(features), _labels_like(bundle, flags["labels"])
    else:
        samples, labels = _extracted(bundle, images or Path(), folder, **flags), None
    is_near_copy = _near_copies(bundle, fitted_on, samples, images) if fitted_on else None
    found = score_held_out(bundle, samples, groups=groups, labels=labels, is_near_copy=is_near_copy, say=_say)
    write_held_out(found, folder)
    click.echo("\n".join(held_out_lines(found)) + "\n")
    print_table(render_classes(found.result))
    click.echo("\n".join(["", *held_out_details(found)]))
    click.echo(f"\nscores: {folder} (metrics.json: every figure; and pictures)")
    if images:
        click.echo(f"features: {samples.path} (score other heads on them with --features)")


def _near_copies(bundle: "Bundle", fitted_on: Path, samples: "Features", images: Path | None) -> "NDArray[np.bool_]":
    from cellfeat.comparison.held_out import near_copies_of_fitted
    from cellfeat.extraction.store import load_features

    fitted = load_features(fitted_on)
    return near_copies_of_fitted(
        bundle,
        fitted,
        samples,
        fitted_images=_recorded_images(fitted),
        images=images or _recorded_images(samples),
        say=_say,
    )


def _recorded_images(features: "Features") -> Path:
    return Path(features.provenance["settings"]["images"]["root"])


def _say(line: str) -> None:
    from cellfeat.commands import printable

    click.echo(printable(line), err=True)


def _extracted(bundle: "Bundle", images: Path, folder: Path, **flags: Any) -> "Features":
    from cellfeat.comparison.held_out import check_classes_known

    kept = folder / f"{mark_of(images, flags['labels'])}.features.h5"
    where = flags["labels"] or images
    # Told now, and not after the extraction.
    return features_as_fitted(
        bundle,
        images,
        kept,
        check=lambda manifest: check_classes_known(bundle, where, manifest.table["label"].to_numpy(str)),
        **flags,
    )


def _labels_like(bundle: "Bundle", file: Path | None) -> dict[str, str] | None:
    """Read labels by the names that the columns had when the head was fitted."""
    from cellfeat.config import Settings
    from cellfeat.samples.manifest import label_by_id

    if file is None:
        return None
    settings = Settings.model_validate(bundle.provenance["settings"])
    return label_by_id(settings.images, settings.labels, file)
