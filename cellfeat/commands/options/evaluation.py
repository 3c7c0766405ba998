"""Options of an evaluation, from ``--features`` to ``--fresh``, and the settings that they give."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.shared import Command, with_options
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say

if TYPE_CHECKING:
    from cellfeat.storage.url import Location

_OF_EXTRACTION = ("images.", "backbone.", "preprocessing.")


def tune_option(command: Command) -> Command:
    """Add ``--tune``."""
    return click.option(
        "--tune",
        type=click.IntRange(min=0),
        metavar="N",
        help="Try N settings of each head inside the training part of each fold, including the given ones.",
    )(command)


def fold_options(command: Command) -> Command:
    """Add the options of an evaluation, from ``--features`` to ``--fresh``."""
    return with_options(
        command,
        click.option(
            "--features",
            type=PATH_OR_URL,
            multiple=True,
            callback=_single_features,
            help="Feature file that extract or import wrote, or its address.",
        ),
        click.option(
            "--labels",
            type=PATH_OR_URL,
            help="CSV of labels that replace those in the feature file, or of changes that the page exports.",
        ),
        click.option(
            "--folds",
            metavar="N|leave-one-out|column:NAME",
            help="Number of folds; one fold for each group (--groups plate); or one for each value of a column.",
        ),
        click.option(
            "--groups",
            metavar="auto|copies|none|CSV|COLUMN[+near-copies]",
            help="Which samples stay together in one fold; default auto.",
        ),
        click.option(
            "--standardise",
            metavar="COLUMN",
            help="Standardise every column of the embeddings within each plate: --standardise plate.",
        ),
        click.option(
            "--standardise-from",
            type=click.Choice(["all", "training"]),
            help="Samples that give a plate's medians: all, without labels (transductive; default), or training.",
        ),
        click.option("--seed", type=click.IntRange(min=0), help="Seed of folds and heads."),
        tune_option,
        click.option("--fresh", is_flag=True, help="Ignore results of an earlier run and compute everything again."),
    )


def _single_features(
    _context: click.Context, _parameter: click.Parameter, values: "tuple[Location, ...]"
) -> "Location | None":
    """Refuse two feature files: click would take the last without a word."""
    if len(values) > 1:
        raise click.BadParameter(
            f"got {len(values)} feature files, expected one; two are compared by: cellfeat compare --features "
            f"{values[0]} --against {values[1]}"
        )
    return values[0] if values else None


def tell_without_effect(assignments: Sequence[str], *, takes_labels: bool) -> None:
    """Name settings of the extraction that an evaluation of a feature file does not use.

    Parameters
    ----------
    assignments
        ``KEY=VALUE`` of each ``--set``.
    takes_labels
        Whether a table of labels is read.
    """
    sections = _OF_EXTRACTION if takes_labels else (*_OF_EXTRACTION, "labels.")
    unused = [text for text in assignments if text.strip().startswith(sections)]
    if unused:
        say(
            f"note: without effect here: {', '.join(unused)}: embeddings and labels are those in the feature file; "
            "extract again with these settings, or take other labels with --labels FILE"
        )


def fold_flags(
    features: "Location | None",
    folds: str | None,
    groups: str | None,
    standardise: str | None,
    standardise_from: str | None,
    seed: int | None,
    tune: int | None,
) -> dict[str, Any]:
    """Give the flags of `fold_options` by dotted key.

    Parameters
    ----------
    features, folds, groups, standardise, standardise_from, seed, tune
        The flags; None where one was not given.
    """
    return {
        "extraction.output": features,
        "comparison.folds": folds,
        "comparison.groups": groups,
        "comparison.standardise": standardise,
        "comparison.standardise_from": standardise_from,
        "comparison.seed": seed,
        "comparison.tune": tune,
    }
