"""The learning curve of ``cellfeat compare``: ``--fractions``."""

import dataclasses
from typing import TYPE_CHECKING

from cellfeat.commands.output.lines import show
from cellfeat.commands.steps.evaluation_arguments import evaluation_arguments

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.storage.url import Location


def parsed_fractions(text: str) -> tuple[float, ...]:
    """Read the value of ``--fractions``.

    Raises
    ------
    ConfigError
        If it is no list of fractions.
    """
    from cellfeat.errors import ConfigError
    from cellfeat.evaluation.learning_curves.fractions import check_fractions

    try:
        fractions = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"fractions: expected numbers, got {text!r}; for example: 0.1,0.25,0.5,1") from None
    return check_fractions(fractions)


def draw_curves(
    settings: "Settings", labels: "Location | None", fractions: tuple[float, ...], *, fresh: bool, jobs: "Jobs"
) -> None:
    """Draw how the scores of heads grow with the samples they are fitted on, and print it.

    Parameters
    ----------
    settings
        Of the comparison.
    labels
        A table of labels; None for those of the feature file.
    fractions
        Parts of the training samples.
    fresh
        Compute again what is in the cache.
    jobs
        Processes.
    """
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.evaluation.learning_curves.learning_curves import learning_curves_on
    from cellfeat.evaluation.task.task import prepare
    from cellfeat.extraction.store import load_features
    from cellfeat.reporting.files import write_curves
    from cellfeat.reporting.terminal.comparison import curve_lines

    wanted = settings.comparison
    with ProgressObserver() as observer:
        features = load_features(settings.extraction.output)
        arguments = evaluation_arguments(features, settings, labels, observer, fresh=fresh)
        design = dataclasses.replace(arguments["design"], tune=0)
        task = prepare(features, design, labels=arguments["labels"])
        curves = learning_curves_on(
            task, wanted.heads, settings.heads, fractions, cache=arguments["cache"], say=observer.say, jobs=jobs
        )
    write_curves(curves, settings.results, figures=wanted.figures)
    show("\n".join(["", "would more images help?", *curve_lines(curves)]))
    if not curves.is_complete:
        raise KeyboardInterrupt
