"""``cellfeat compare --across``: the same heads with each plate left out in turn."""

from typing import TYPE_CHECKING

from cellfeat.commands.output.lines import say, show
from cellfeat.commands.steps.evaluation_arguments import evaluation_arguments

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.evaluation.results.comparison import Comparison
    from cellfeat.extraction.store import Features
    from cellfeat.storage.url import Location


def check_across(settings: "Settings", features: "Features", column: str) -> None:
    """Check, before hours of work, that each value of a column can be left out.

    Parameters
    ----------
    settings
        The resolved settings.
    features
        The samples.
    column
        Name of the column, such as ``plate``.

    Raises
    ------
    SplitError, UnknownNameError, ConfigError
        If the samples cannot be chosen, grouped or split so.
    """
    from cellfeat.evaluation.comparison.across import across_design
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.task.task import prepare

    prepare(features, across_design(Design.from_settings(settings), column))


def hint_at_plates(settings: "Settings", features: "Features") -> None:
    """Say that there are plates, where their samples are in training and test folds alike.

    Parameters
    ----------
    settings
        Of the comparison.
    features
        Its samples.
    """
    from cellfeat.evaluation.comparison.across import plate_hint
    from cellfeat.evaluation.design import Design

    if hint := plate_hint(features.samples, Design.from_settings(settings)):
        say(hint)


def leave_each_out(
    settings: "Settings",
    features: "Features",
    comparison: "Comparison",
    column: str,
    labels: "Location | None",
    *,
    fresh: bool,
    jobs: "Jobs",
) -> None:
    """Evaluate the same heads with each value of a column left out in turn, and print both scores.

    Parameters
    ----------
    settings
        Of the comparison.
    features
        Its samples.
    comparison
        The comparison on the folds of the settings.
    column
        Name of the column, such as ``plate``.
    labels, fresh, jobs
        As for `cellfeat.commands.steps.comparison.compare_and_report`.
    """
    from cellfeat.commands.output.console import print_table
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.evaluation.comparison.across import across_design, across_plates
    from cellfeat.evaluation.comparison.compare import compare
    from cellfeat.evaluation.cross_validation.hooks import Hooks
    from cellfeat.reporting.files import write_further
    from cellfeat.reporting.terminal.folds import render_folds

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
    show(f"\neach {column} left out in turn:\n")
    print_table(render_folds(left_out.results))
    show("\n".join(["", *found.lines()]))
