"""``cellfeat predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.saved_head import chosen_features, parsed_overrides, sample_options
from cellfeat.commands.options.shared import replace_option
from cellfeat.commands.output.lines import say, show
from cellfeat.commands.steps.inference_inputs import (
    features_as_fitted,
    features_of_table,
    mark_of,
    say_apart,
    say_unlike_fitted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellfeat.evaluation.saved_heads.predict import Predictions
    from cellfeat.extraction.store import Features
    from cellfeat.heads.saved.bundle import Bundle
    from cellfeat.storage.url import Location


@click.command("predict")
@sample_options(labels_help="CSV of the samples to predict; labels are not needed.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("predictions.csv"), show_default=True)
@click.option("--probabilities", is_flag=True, help="Add a column for each class.")
@click.option(
    "--min-probability", type=click.FloatRange(0, 1), default=0.0, metavar="P", help="Abstain below this probability."
)
@click.option("--abstain-word", default="", metavar="WORD", help="Written where the head abstains; nothing by default.")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="C",
    help="Add the set of classes that cannot be ruled out: it holds the true class with probability C, class by class.",
)
@click.option(
    "--standardise",
    metavar="COLUMN|one",
    help="For a head that standardises: column of plates, if not as at fitting; or one: all are of one plate.",
)
@click.option("--plain", is_flag=True, help="Leave out the columns probability and apart_p: ids and classes alone.")
@replace_option
def command(
    model: Path,
    features: "Location | None",
    images: "Location | None",
    table: Path | None,
    id_column: str | None,
    output: Path,
    probabilities: bool,
    min_probability: float,
    abstain_word: str,
    coverage: float | None,
    standardise: str | None,
    plain: bool,
    replace: bool,
    assignments: tuple[str, ...],
    **flags: Any,
) -> None:
    """Label samples with a saved head: from a feature file, a table of the same columns, or straight from images.

    Writes one line a sample, with the column names of the training labels. With --labels the samples are the rows of
    the CSV, in its order, and each needs its images (with --set labels.unmatched=ignore, rows without are left out);
    without, they are the images in the folder. Samples that are left out are named on stderr. Features extracted from
    images are kept beside the predictions. A file of other samples' predictions, or of anything else, is not replaced,
    unless --replace says so.

    The column probability is that of the predicted class: sort by it to see the most doubtful samples first. The column
    apart_p says whether a sample lies apart from the training samples: the share of these that lie as far from their
    neighbours in other groups. A line on stderr says whether the samples lie apart as a set.
    """
    from cellfeat.evaluation.saved_heads.predict import predict
    from cellfeat.extraction.store import load_features
    from cellfeat.heads.saved.bundle_files import load_bundle
    from cellfeat.reporting.csv_table import check_predictions_file, save_predictions

    features = chosen_features(features, images, table, id_column)
    if not images and flags["labels"]:
        raise click.UsageError("--labels is for --images: a feature file or table names its own samples")
    if not images and assignments:
        raise click.UsageError("--set is for --images: the features are there already")
    overrides = parsed_overrides(assignments)
    _check_output(output)
    bundle = load_bundle(model)
    if features:
        samples = load_features(features)
    elif table:
        samples = features_of_table(bundle, table, id_column=id_column)
    else:
        folder = images or Path()
        kept = output.with_suffix(f".{mark_of(folder, flags['labels'])}.features.h5")
        samples = features_as_fitted(bundle, folder, kept, overrides=overrides, **flags)
    if not replace:
        check_predictions_file(output, bundle, samples.samples.ids, _files_read(bundle, samples, flags["labels"]))
    say_unlike_fitted(bundle, samples)
    predictions = predict(
        bundle,
        samples,
        min_probability=min_probability,
        abstain_word=abstain_word,
        coverage=coverage,
        standardise=standardise,
        say=say,
    )
    save_predictions(predictions, bundle, output, with_probabilities=probabilities, is_plain=plain)
    say_apart(predictions.apart)
    for line in (*_seen_remarks(bundle, samples), *_remarks(predictions, min_probability)):
        say(line)
    show(str(output))


_NO_CSV = (".xlsx", ".xls", ".ods", ".parquet", ".json", ".feather")
"""Endings of other formats: a CSV of such a name cannot be opened by the program that its name says."""


def _check_output(output: Path) -> None:
    """Refuse what is no name of a file of predictions."""
    if output.is_dir():
        raise click.UsageError(f"--output {output} is a folder; expected the name of a CSV file")
    if output.name == "-" or (output.exists() and not output.is_file()):
        raise click.UsageError(
            f"--output {output}: predictions are written completely or not at all, which only a file can be; name one, "
            "such as predictions.csv"
        )
    if output.suffix.lower() in _NO_CSV:
        raise click.UsageError(
            f"--output {output}: predictions are written as CSV, which Excel opens as well; name it "
            f"{output.with_suffix('.csv').name}"
        )


def _files_read(bundle: "Bundle", samples: "Features", labels: "Location | None") -> "Iterator[Path]":
    """Files that predictions must not be written over: tables of labels have the same columns."""
    if isinstance(samples.path, Path):
        yield samples.path
    tables = (settings.get("labels", {}).get("file") for settings in _recorded_settings(bundle, samples))
    yield from (Path(str(table)) for table in (labels, *tables) if table)


def _recorded_settings(bundle: "Bundle", samples: "Features") -> "Iterator[Mapping[str, Any]]":
    yield bundle.provenance.get("settings", {})
    yield samples.provenance.get("settings", {})


def _seen_remarks(bundle: "Bundle", samples: "Features") -> "Iterator[str]":
    n_seen = int(bundle.has_seen(samples.samples.digests).sum())
    if n_seen:
        yield f"{n_seen} of {len(samples)} samples are exact duplicates of training samples"


def _remarks(predictions: "Predictions", min_probability: float) -> "Iterator[str]":
    from cellfeat.reporting.terminal.head import sizes_phrase
    from cellfeat.statistics.conformal import groups_needed
    from cellfeat.text import first_ten, shorten

    told = first_ten(f"{shorten(name)} {n:,}" for name, n in predictions.counts())
    yield f"predicted: {told}"
    if predictions.n_failed:
        failed = first_ten(predictions.sample_id[~predictions.is_read])
        yield f"{predictions.n_failed} samples could not be read and have no prediction: {failed}"
    if min_probability:
        n_read = len(predictions.sample_id) - predictions.n_failed
        yield f"abstained on {predictions.n_abstained} of {n_read}: no class reached {min_probability}"
    sets = predictions.sets
    if sets is None:
        return
    if predictions.is_read.any():
        yield f"sets of coverage {sets.coverage:g}: {sizes_phrase(sets.summary(predictions.is_read))}"
    if sets.unlimited:
        yield f"always included: fewer than {groups_needed(sets.coverage)} groups of {first_ten(sets.unlimited)}"
