"""``cellfeat compare --repeats``: the same heads on further sets of folds."""

import dataclasses
from typing import TYPE_CHECKING

from cellfeat.commands.output.lines import show
from cellfeat.commands.steps.evaluation_arguments import evaluation_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellfeat.config import Settings
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.evaluation.results.comparison import Comparison
    from cellfeat.storage.url import Location


def repeat_comparison(
    settings: "Settings", labels: "Location | None", repeats: int, *, fresh: bool, jobs: "Jobs"
) -> None:
    """Compare on further sets of folds; the first set is the comparison just made and comes from the cache.

    Parameters
    ----------
    settings
        Of the comparison.
    labels
        Table of labels that replace the extracted ones.
    repeats
        Number of sets of folds.
    fresh, jobs
        As for `cellfeat.commands.steps.comparison.compare_and_report`.
    """
    from cellfeat.evaluation.comparison.repeats import summarise
    from cellfeat.reporting.files import write_further
    from cellfeat.reporting.terminal.comparison import repeats_lines

    summary = summarise(list(_repeated(settings, labels, repeats, fresh=fresh, jobs=jobs)))
    write_further(summary, settings.results)
    show("\n".join(["", *repeats_lines(summary)]))


def _repeated(
    settings: "Settings", labels: "Location | None", repeats: int, *, fresh: bool, jobs: "Jobs"
) -> "Iterator[Comparison]":
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.evaluation.comparison.compare import compare
    from cellfeat.evaluation.cross_validation.hooks import Hooks
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
