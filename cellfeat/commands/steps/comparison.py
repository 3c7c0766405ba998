"""A comparison of heads: computed, written and printed."""

from typing import TYPE_CHECKING

from cellfeat.commands.output.lines import show
from cellfeat.commands.steps.evaluation_arguments import evaluation_arguments

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.evaluation.relabelling.effect import RelabellingEffect
    from cellfeat.evaluation.results.comparison import Comparison
    from cellfeat.extraction.store import Features
    from cellfeat.storage.url import Location


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
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.evaluation.comparison.compare import compare
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
    from cellfeat.commands.output.console import print_table, table_width
    from cellfeat.reporting.terminal.comparison import headline, render_table, verdict_lines
    from cellfeat.reporting.terminal.folds import given_lines, render_folds
    from cellfeat.reporting.terminal.head import choice_lines

    show(f"{headline(comparison)}\n")
    print_table(render_table(comparison, table_width()))
    if len(comparison.best.scores.overall.given) > 1:
        show()
        print_table(render_folds(comparison.results))
    given = given_lines(comparison.results)
    lines = [*given, *verdict_lines(comparison), *choice_lines(comparison.results)]
    if lines:
        show("\n".join(["", *lines]))
    if comparison.relabelling is not None:
        _print_relabelling(comparison.relabelling)


def _print_relabelling(effect: "RelabellingEffect") -> None:
    from cellfeat.commands.output.console import print_table
    from cellfeat.reporting.terminal.relabelling import relabelling_lines, render_relabelling

    show("\nbalanced accuracy by the old and the new labels, on the same folds:\n")
    print_table(render_relabelling(effect))
    show("\n".join(["", *relabelling_lines(effect)]))
