"""``cellfeat compare``."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.against import compare_files
from cellfeat.commands.completion import complete_heads
from cellfeat.commands.jobs_options import jobs_options, taken_jobs
from cellfeat.commands.learning_curve import draw_curves, parsed_fractions
from cellfeat.commands.next_steps import say_next
from cellfeat.commands.options import (
    PATH_OR_URL,
    config_options,
    evaluation_arguments,
    figures_flag,
    figures_option,
    fold_flags,
    fold_options,
    replace_option,
    resolve_settings,
)
from cellfeat.commands.page_writing import page_flag, page_option, refresh_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellfeat.config import Settings
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.evaluation.relabelling.effect import RelabellingEffect
    from cellfeat.evaluation.results import Comparison
    from cellfeat.extraction.store import Features
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
    differences are paired over samples (against.json).

    With --tune, the settings of each head are chosen inside the training part of each fold, so that its score stays
    honest. Learning curves use the settings as given.
    """
    chosen = {
        "comparison.heads": [name.strip() for name in heads.split(",")] if heads else None,
        "comparison.output": output,
    }
    from cellfeat.extraction.store import load_features

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
        _check_across(settings, features, across)
    comparison = compare_and_report(settings, features, labels=labels, fresh=fresh, replaces=replace, jobs=jobs)
    if not across:
        _hint_at_plates(settings, features)
    else:
        _leave_out(settings, features, comparison, across, labels, fresh=fresh, jobs=jobs)
    if repeats:
        _repeat(settings, labels, repeats, fresh=fresh, jobs=jobs)
    if parts:
        draw_curves(settings, labels, parts, fresh=fresh, jobs=jobs)
    click.echo(f"\n{results_line(settings)}")
    if settings.comparison.page:
        refresh_page(settings.results, features)
    # What decides the folds and the samples, so that the scores of `fit` are those of this table.
    same = {name: flags[name] for name in ("features", "folds", "groups", "standardise", "standardise_from", "seed")}
    again = {"config": config, "set": assignments, "labels": labels, **same}
    say_next(f"fit --head {shlex.quote(comparison.best.head)}", **again)


def _check_alone(**others: object) -> None:
    """Refuse options beside --against that compare something else."""
    if given := [f"--{name}" for name, value in others.items() if value]:
        raise click.UsageError(f"--against compares feature files; give {' and '.join(given)} without it")


def compare_and_report(
    settings: "Settings",
    features: "Features",
    *,
    labels: "Location | None" = None,
    fresh: bool = False,
    replaces: bool = False,
    jobs: "Jobs" = None,
) -> "Comparison":
    """Compare the heads of the settings, write the report, and print the table and the verdicts.

    Parameters
    ----------
    settings
        The resolved settings.
    features
        The samples.
    labels
        Table of labels that replace the extracted ones.
    fresh
        Whether predictions in the cache are ignored and replaced.
    replaces
        Whether results of other samples are replaced.
    jobs
        As for `cellfeat.compare`.
    """
    from cellfeat.commands.progress import ProgressObserver
    from cellfeat.evaluation.compare import compare
    from cellfeat.reporting.files import check_comparison_folder, comparison_files, write_report
    from cellfeat.saved_results.files import COMPARISON_FILE
    from cellfeat.saved_results.results_folder import ResultsFolder

    wanted, folder = settings.comparison, settings.results
    results = ResultsFolder.of(folder, features, replaces=replaces)
    # Before anything is computed.
    check_comparison_folder(folder)
    results.check(comparison_files())
    with ProgressObserver() as observer:
        arguments = evaluation_arguments(features, settings, labels, observer, fresh=fresh)
        comparison = compare(features, wanted.heads, settings=settings.heads, jobs=jobs, **arguments)
        if comparison.is_complete or not (folder / COMPARISON_FILE).exists():
            results.check(comparison_files())  # another run may have written there meanwhile
            results.record()
            write_report(comparison, folder, figures=wanted.figures, say=observer.say)
        else:
            observer.say(f"{folder}: still holds the earlier comparison; repeat the command to finish this one")
    _print(comparison)
    if not comparison.is_complete:
        # `compare` has caught Ctrl-C to return what is finished; the command still ends as interrupted.
        raise KeyboardInterrupt
    return comparison


def results_line(settings: "Settings") -> str:
    """Say where the results are."""
    return f"results: {settings.results} (comparison.json: every figure; and pictures)"


def _print(comparison: "Comparison") -> None:
    from cellfeat.commands.console import print_table, table_width
    from cellfeat.reporting.terminal.comparison import headline, render_table, verdict_lines
    from cellfeat.reporting.terminal.folds import given_lines, render_folds
    from cellfeat.reporting.terminal.head import chance_lines, choice_lines

    click.echo(f"{headline(comparison)}\n")
    print_table(render_table(comparison, table_width()))
    if len(comparison.best.scores.overall.given) > 1:
        click.echo()
        print_table(render_folds(comparison.results))
    given = given_lines(comparison.results)
    lines = [*given, *verdict_lines(comparison), *chance_lines(comparison.results), *choice_lines(comparison.results)]
    if lines:
        click.echo("\n".join(["", *lines]))
    if comparison.relabelling is not None:
        _print_relabelling(comparison.relabelling)


def _print_relabelling(effect: "RelabellingEffect") -> None:
    from cellfeat.commands.console import print_table
    from cellfeat.reporting.terminal.relabelling import relabelling_lines, render_relabelling

    click.echo("\nbalanced accuracy by the old and the new labels, on the same folds:\n")
    print_table(render_relabelling(effect))
    click.echo("\n".join(["", *relabelling_lines(effect)]))


def _check_across(settings: "Settings", features: "Features", column: str) -> None:
    """Check, before hours of work, that plates can be left out."""
    from cellfeat.evaluation.across import across_design
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.task import prepare

    prepare(features, across_design(Design.from_settings(settings), column))


def _hint_at_plates(settings: "Settings", features: "Features") -> None:
    """Say that there are plates, where their samples are in training and test folds alike."""
    from cellfeat.evaluation.across import plate_hint
    from cellfeat.evaluation.design import Design
    from cellfeat.text import clean_lines

    if hint := plate_hint(features.samples, Design.from_settings(settings)):
        click.echo(clean_lines(hint), err=True)


def _leave_out(
    settings: "Settings",
    features: "Features",
    comparison: "Comparison",
    column: str,
    labels: "Location | None",
    *,
    fresh: bool,
    jobs: "Jobs",
) -> None:
    """Evaluate the same heads with each plate left out in turn, and print both scores."""
    from cellfeat.commands.console import print_table
    from cellfeat.commands.progress import ProgressObserver
    from cellfeat.evaluation.across import across_design, across_plates
    from cellfeat.evaluation.compare import compare
    from cellfeat.evaluation.hooks import Hooks
    from cellfeat.reporting.files import write_further
    from cellfeat.reporting.terminal.folds import render_folds
    from cellfeat.text import clean_lines

    with ProgressObserver() as observer:
        arguments = evaluation_arguments(features, settings, labels, observer, fresh=fresh)
        arguments["design"] = across_design(arguments["design"], column)
        arguments["hooks"] = Hooks(say=observer.say_once, progress=observer.fold_begins)
        if arguments["labels"] is not None:
            arguments["labels"] = dict(arguments["labels"])
        left_out = compare(features, settings.comparison.heads, settings=settings.heads, jobs=jobs, **arguments)
    if not left_out.is_complete:
        raise KeyboardInterrupt
    found = across_plates(comparison, left_out, column)
    write_further(found, settings.results)
    click.echo(clean_lines(f"\neach {column} left out in turn:\n"))
    print_table(render_folds(left_out.results))
    click.echo(clean_lines("\n".join(["", *found.lines()])))


def _repeat(settings: "Settings", labels: "Location | None", repeats: int, *, fresh: bool, jobs: "Jobs") -> None:
    """Compare on further sets of folds; the first set is the comparison just made and comes from the cache."""
    from cellfeat.evaluation.repeats import summarise
    from cellfeat.reporting.files import write_further
    from cellfeat.reporting.terminal.comparison import repeats_lines

    summary = summarise(list(_repeated(settings, labels, repeats, fresh=fresh, jobs=jobs)))
    write_further(summary, settings.results)
    click.echo("\n".join(["", *repeats_lines(summary)]))


def _repeated(
    settings: "Settings", labels: "Location | None", repeats: int, *, fresh: bool, jobs: "Jobs"
) -> "Iterator[Comparison]":
    from cellfeat.commands.progress import ProgressObserver
    from cellfeat.evaluation.compare import compare
    from cellfeat.evaluation.hooks import Hooks
    from cellfeat.extraction.store import load_features

    features, wanted = load_features(settings.extraction.output), settings.comparison
    with ProgressObserver() as observer:
        hooks = Hooks(say=observer.say_once, progress=observer.fold_begins)
        for number in range(repeats):
            # The comparison just made is the first repeat: its folds are fresh, and in the cache.
            arguments = evaluation_arguments(features, settings, labels, observer, fresh=fresh and number > 0)
            design: Design = arguments["design"]
            repeat = dataclasses.replace(design, random_state=design.random_state + number)
            observer.say(f"folds with seed {repeat.random_state}, {number + 1} of {repeats}")
            arguments |= {"design": repeat, "hooks": hooks}
            if arguments["labels"] is not None:
                # Plain labels: what changes do to the scores is measured once, in the comparison itself.
                arguments["labels"] = dict(arguments["labels"])
            comparison = compare(features, wanted.heads, settings=settings.heads, jobs=jobs, **arguments)
            if not comparison.is_complete:
                raise KeyboardInterrupt
            yield comparison
