"""``cellfeat compare``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.completion import complete_heads
from cellfeat.commands.options.evaluation import fold_flags, fold_options, tell_without_effect
from cellfeat.commands.options.jobs import jobs_options, taken_jobs
from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.shared import (
    config_options,
    figures_flag,
    figures_option,
    page_flag,
    page_option,
    replace_option,
)
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import show
from cellfeat.commands.output.next_steps import say_next
from cellfeat.commands.output.page_writing import refresh_page
from cellfeat.commands.steps.across import check_across, hint_at_plates, leave_each_out
from cellfeat.commands.steps.against import compare_files
from cellfeat.commands.steps.comparison import compare_and_report, results_line
from cellfeat.commands.steps.learning_curve import draw_curves, parsed_fractions
from cellfeat.commands.steps.repeats import repeat_comparison

if TYPE_CHECKING:
    from cellfeat.storage.url import Location


@click.command("compare")
@config_options
@click.option("--heads", metavar="NAME,NAME,…", shell_complete=complete_heads, help="See: cellfeat list heads.")
@fold_options
@jobs_options
@click.option("--fractions", metavar="F,F,…", help="Learning curve over parts of the training samples: 0.1,0.25,0.5,1.")
@click.option("--repeats", type=click.IntRange(min=2), help="Repeat on that many sets of folds, and test over all.")
@click.option(
    "--across",
    metavar="COLUMN",
    help="Also leave out each value of a column in turn, and name the worst: --across plate.",
)
@click.option(
    "--against",
    type=PATH_OR_URL,
    multiple=True,
    metavar="FEATURES",
    help="Another feature file of the same samples: is a head better on --features, or on this one? May be repeated.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the results; default: results/FEATURES.")
@figures_option
@page_option
@replace_option
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    heads: str | None,
    output: Path | None,
    labels: "Location | None",
    fresh: bool,
    fractions: str | None,
    repeats: int | None,
    across: str | None,
    against: "tuple[Location, ...]",
    figures: str | None,
    no_page: bool,
    replace: bool,
    **flags: Any,
) -> None:
    """Evaluate heads on the same grouped folds, and say which is better, with intervals.

    Predictions are kept in the results folder: with one more head, the same command computes only that head. Files of
    an earlier comparison in this folder that are not written again are removed. Results of other samples are not
    replaced, unless --replace says so.

    With --labels and a table of changes that the page exports, the heads are also evaluated on the old labels, and the
    scores without changes made after seeing a prediction are given, too.

    With --against, the same heads are evaluated on two or more feature files, on the samples that all have, and the
    differences are paired over samples (against.json, and on the page).

    With --tune, the settings of each head are chosen inside the training part of each fold, so that its score stays
    honest. Learning curves use the settings as given.
    """
    chosen = {
        "comparison.heads": [name.strip() for name in heads.split(",")] if heads else None,
        "comparison.output": output,
    }
    from cellfeat.extraction.store import load_features

    tell_without_effect(assignments, takes_labels=labels is not None)
    jobs = taken_jobs(flags)
    settings = resolve_settings(
        config, assignments, fold_flags(**flags) | figures_flag(figures) | page_flag(no_page) | chosen
    )
    if repeats and not isinstance(settings.comparison.folds, int):
        raise click.UsageError(f"--repeats draws other folds, and --folds {settings.comparison.folds} gives them")
    if against:
        _check_alone(across=across, repeats=repeats, fractions=fractions)
        compare_files(settings, against, labels=labels, fresh=fresh, replaces=replace, jobs=jobs)
        return
    # Now, before hours of work.
    parts = parsed_fractions(fractions) if fractions else None
    features = load_features(settings.extraction.output)
    if across and labels is None:
        check_across(settings, features, across)
    comparison = compare_and_report(settings, features, labels=labels, fresh=fresh, replaces=replace, jobs=jobs)
    if not across:
        hint_at_plates(settings, features)
    else:
        leave_each_out(settings, features, comparison, across, labels, fresh=fresh, jobs=jobs)
    if repeats:
        repeat_comparison(settings, labels, repeats, fresh=fresh, jobs=jobs)
    if parts:
        draw_curves(settings, labels, parts, fresh=fresh, jobs=jobs)
    show(f"\n{results_line(settings)}")
    if settings.comparison.page:
        refresh_page(settings.results, features)
    # What decides folds, samples and settings, so that the scores of `fit` are those of this table.
    deciding = ("features", "folds", "groups", "standardise", "standardise_from", "seed", "tune")
    same = {name: flags[name] for name in deciding}
    again = {"config": config, "set": assignments, "labels": labels, **same}
    say_next(f"fit --head {shlex.quote(comparison.best.head)}", **again)


def _check_alone(**others: object) -> None:
    """Refuse options beside --against that compare something else."""
    if given := [f"--{name}" for name, value in others.items() if value]:
        raise click.UsageError(f"--against compares feature files; give {' and '.join(given)} without it")
