"""``cellfeat predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellfeat.comparison.predict import Predictions
    from cellfeat.extraction.store import Features
    from cellfeat.heads.bundle import Bundle


@click.command("predict")
@click.option("--model", required=True, type=click.Path(path_type=Path), help="Folder of a saved head.")
@click.option("--features", type=click.Path(path_type=Path), help="Feature file of the samples.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, named as in training.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV of the samples to predict; labels are not needed.")
@click.option("--weights", metavar="NAME|FILE", help="Where the backbone's weights are now, if they have moved.")
@click.option("--device", default="auto", metavar="auto|cpu|cuda|mps")
@click.option("--on-error", default="stop", type=click.Choice(["stop", "quarantine"]), help="As for extract.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("predictions.csv"), show_default=True)
@click.option("--probabilities", is_flag=True, help="Add a column for each class.")
@click.option(
    "--min-probability", type=click.FloatRange(0, 1), default=0.0, metavar="P", help="Abstain below this probability."
)
@click.option("--abstain-word", default="", metavar="WORD", help="What is written then; nothing by default.")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="C",
    help="Add a set of classes that holds the true one with probability C, for each class.",
)
def command(
    model: Path,
    features: Path | None,
    images: Path | None,
    output: Path,
    probabilities: bool,
    min_probability: float,
    abstain_word: str,
    coverage: float | None,
    **flags: Any,
) -> None:
    """Label samples with a saved head: from a feature file, or straight from images.

    Writes one line a sample, with the column names that the labels had in training. With --labels these are the rows
    of the CSV, in its order, and each needs its images; without, whatever lies in the folder. What is left out is named
    on stderr. The features of images are kept beside the predictions.
    """
    from cellfeat.comparison.predict import predict, save_predictions
    from cellfeat.extraction.store import load_features
    from cellfeat.heads.bundle import load_bundle

    if (features is None) == (images is None):
        raise click.UsageError("give one of --features FILE and --images DIR")
    if features and flags["labels"]:
        raise click.UsageError("--labels goes with --images: the samples of --features stand in its file")
    if output.is_dir():
        raise click.UsageError(f"--output {output} is a folder; expected the name of a CSV file")
    bundle = load_bundle(model)
    loaded = load_features(features) if features else _extracted(bundle, images or Path(), output, **flags)
    predictions = predict(bundle, loaded, min_probability=min_probability, abstain_word=abstain_word, coverage=coverage)
    save_predictions(predictions, bundle, output, with_probabilities=probabilities)
    for line in _remarks(predictions, min_probability):
        click.echo(line, err=True)
    click.echo(output)


def _remarks(predictions: "Predictions", min_probability: float) -> "Iterator[str]":
    from cellfeat.commands import printable
    from cellfeat.comparison.terminal import sets_phrase
    from cellfeat.errors import first_ten
    from cellfeat.heads.conformal import groups_needed

    if predictions.n_failed:
        failed = first_ten(predictions.sample_id[~predictions.is_read])
        yield printable(f"{predictions.n_failed} samples could not be read and have no prediction: {failed}")
    if min_probability:
        n_read = len(predictions.sample_id) - predictions.n_failed
        yield f"abstained on {predictions.n_abstained} of {n_read}: no class reached {min_probability}"
    sets = predictions.sets
    if sets is None:
        return
    if predictions.is_read.any():
        yield f"sets of coverage {sets.coverage:g}: {sets_phrase(sets.summary(predictions.is_read))}"
    if sets.unlimited:
        yield printable(f"in every set, for want of {groups_needed(sets.coverage)} groups: {first_ten(sets.unlimited)}")


def _extracted(
    bundle: "Bundle",
    images: Path,
    output: Path,
    *,
    labels: Path | None,
    weights: str | None,
    device: str,
    on_error: str,
) -> "Features":
    """Extract images by the recipe that the head was fitted on; the features are kept beside the predictions."""
    from cellfeat.commands.console import ConsoleObserver
    from cellfeat.extraction.extract import extract, settings_like
    from cellfeat.extraction.store import load_features

    settings = settings_like(
        bundle.provenance["settings"],
        bundle.recipe,
        images=images,
        output=output,
        labels=labels,
        weights=weights,
    )
    here = {
        "output": output.with_suffix(f".{_which(images, labels)}.features.h5"),
        "device": device,
        "on_error": on_error,
    }
    settings = settings.model_copy(update={"extraction": settings.extraction.model_copy(update=here)})
    with ConsoleObserver() as observer:
        # Images that have come or gone since an earlier prediction are no reason to begin anew, or to refuse.
        extraction = extract(settings, observer=observer, expected_recipe=bundle.recipe, update=True)
    return load_features(extraction.path)


def _which(images: Path, labels: Path | None) -> str:
    """A mark of a folder and a table: the next ones' predictions may well have the same --output."""
    from cellfeat.provenance import digest_file, digest_json

    folder = str(images.resolve())
    return digest_json([folder, digest_file(labels)] if labels else folder).removeprefix("sha256:")[:8]
