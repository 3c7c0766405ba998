"""``cellfeat compare --against``: the same heads on several feature files of the same samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellfeat.commands.output.lines import show
from cellfeat.commands.output.page_writing import refresh_page

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.storage.url import Location


def compare_files(
    settings: "Settings",
    others: Sequence["Location"],
    *,
    labels: "Location | None" = None,
    fresh: bool = False,
    replaces: bool = False,
    jobs: "Jobs" = None,
) -> None:
    """Compare the heads of the settings on its feature file and on others, print and write the verdicts, write a page.

    Parameters
    ----------
    settings
        The resolved settings.
    others
        The other feature files.
    labels, fresh, replaces, jobs
        As for `cellfeat.commands.steps.comparison.compare_and_report`.
    """
    from cellfeat.commands.output.console import print_table, table_width
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.commands.steps.evaluation_arguments import evaluation_arguments
    from cellfeat.evaluation.comparison.several_features import compare_features
    from cellfeat.extraction.store import load_features
    from cellfeat.reporting.files import write_further
    from cellfeat.reporting.terminal.comparison import headline, render_table
    from cellfeat.saved_results.files import AGAINST_FILE
    from cellfeat.saved_results.results_folder import ResultsFolder

    locations = [settings.extraction.output, *others]
    features = dict(zip(_names(locations), map(load_features, locations), strict=True))
    first = next(iter(features.values()))
    results = ResultsFolder.of(settings.results, first, replaces=replaces)
    results.check([AGAINST_FILE])
    with ProgressObserver() as observer:
        arguments = evaluation_arguments(first, settings, labels, observer, fresh=fresh)
        if arguments["labels"] is not None:
            # Plain labels: what changes do to the scores, `compare` without --against says.
            arguments["labels"] = dict(arguments["labels"])
        found = compare_features(features, settings.comparison.heads, settings=settings.heads, jobs=jobs, **arguments)
    results.record()
    write_further(found, settings.results)
    show(f"{headline(found)}\n")
    print_table(render_table(found, table_width()))
    show("\n".join(["", *found.summary_lines()]))
    show(f"\nresults: {settings.results / AGAINST_FILE}")
    if settings.comparison.page:
        refresh_page(settings.results, first)


def _names(locations: Sequence["Location"]) -> list[str]:
    """Names of feature files: without folder and ending where these differ, else whole."""
    short = [Path(str(location)).stem for location in locations]
    return short if len(set(short)) == len(short) else list(map(str, locations))
