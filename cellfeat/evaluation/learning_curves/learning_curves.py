"""Learning curves: heads fitted on growing parts of the training samples, each scored on the same test parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import HeadError
from cellfeat.evaluation.cross_validation.each_head import each_head
from cellfeat.evaluation.cross_validation.head_checks import check_heads, plain_settings
from cellfeat.evaluation.cross_validation.hooks import SILENT, Hooks
from cellfeat.evaluation.cross_validation.out_of_fold import FoldResult, HeadFolds
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadSettings
from cellfeat.evaluation.learning_curves.curves import LearningCurve, LearningCurves
from cellfeat.evaluation.learning_curves.fractions import check_fractions, parts_of, point_before, points_of
from cellfeat.evaluation.parallel.choice import Jobs, check_jobs, parallel_schedule
from cellfeat.evaluation.parallel.schedule import completed
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.results.head_results import HeadFailure, HeadResult
from cellfeat.evaluation.scoring.score import score
from cellfeat.evaluation.task.arguments import check_forms, resolved
from cellfeat.evaluation.task.task import Task, prepare
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.registry import Head, head_of
from cellfeat.heads.scikit_learn.given import Headlike, chosen_heads
from cellfeat.statistics.interval_types import LEVEL


def learning_curves(
    features: Features | Path | str,
    heads: Sequence[Headlike] | Mapping[str, Any],
    fractions: Sequence[float] = (0.1, 0.25, 0.5, 1.0),
    *,
    design: Design | None = None,
    settings: Mapping[str, HeadSettings] | None = None,
    labels: Given | None = None,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    jobs: Jobs = None,
) -> LearningCurves:
    """Fit heads on growing parts of the training samples, to see whether more samples would help.

    The test parts stay whole, and whole groups are taken. Settings are used as given: nothing is tuned.

    Parameters
    ----------
    features, heads
        As for `cellfeat.compare`.
    fractions
        Parts of the training samples: two or more numbers above 0 and at most 1.
    design, settings, labels, cache
        As for `cellfeat.compare`.
    hooks
        `say` receives which head is evaluated, and remarks.
    jobs
        As for `cellfeat.compare`.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    UnknownNameError, HeadError, ManifestError, SplitError
        As `cellfeat.compare`.

    Examples
    --------
    >>> cellfeat.learning_curves(features, ["logreg"]).plot().savefig("curves.pdf")  # doctest: +SKIP
    """
    check_forms(features, design)
    check_fractions(fractions)
    check_jobs(jobs)
    entries, settings = chosen_heads(heads), plain_settings(settings)
    check_heads(entries, settings)
    features, design = resolved(features, design)
    task = prepare(features, replace(design, tune=0), labels=labels, say=hooks.say)
    return learning_curves_on(task, entries, settings, fractions, cache=cache, say=hooks.say, jobs=jobs)


def learning_curves_on(
    task: Task,
    heads: Sequence[str | Head],
    settings: Mapping[str, HeadSettings],
    fractions: Sequence[float],
    *,
    cache: FoldCache | None = None,
    say: Say = ignore_line,
    jobs: Jobs = None,
) -> LearningCurves:
    """Make the learning curves of heads on a prepared task; a head that fails does not stop the others.

    Parameters
    ----------
    task
        Samples and folds.
    heads
        Names from `HEADS`, or entries.
    settings
        Parameters by head.
    fractions, cache
        As for `learning_curve`.
    say
        Receives which head is evaluated, and which failed.
    jobs
        As for `cellfeat.compare`.

    Returns
    -------
    LearningCurves
        After Ctrl-C, the curves that were finished.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    HeadError
        If no head has a curve.
    """

    ascending = check_fractions(fractions)
    entries = {entry.name: entry for entry in map(head_of, heads)}
    parts = parts_of(task, ascending)
    points = {name: points_of(parts, entries[name], settings.get(name, {}), cache) for name in entries}
    flows = [point.flows() for of_head in points.values() for point in of_head]

    with parallel_schedule(flows, jobs, task.shared_bytes) as schedule:

        def curve_of(name: str) -> LearningCurve:
            say(f"learning curve of {name}")
            first = list(points).index(name) * len(ascending)
            return _curve(task, points[name], ascending, lambda number: schedule.results(first + number))

        def report(outcome: LearningCurve | HeadFailure) -> None:
            if isinstance(outcome, HeadFailure):
                say(outcome.reason)

        finished = each_head(list(entries), curve_of, report)
    return LearningCurves(task.provenance, finished.results, finished.failures, finished.is_complete)


def learning_curve(
    task: Task,
    head: str | Head,
    settings: HeadSettings,
    fractions: Sequence[float],
    *,
    cache: FoldCache | None = None,
) -> LearningCurve:
    """Evaluate a head on parts of each fold's training samples; the test parts stay whole.

    Whole groups are taken, class by class, and a larger part contains every smaller one.

    Parameters
    ----------
    task
        Samples and folds.
    head
        Name from `HEADS`, or an entry.
    settings
        Its parameters.
    fractions
        Two or more, above 0 and at most 1.
    cache
        Stores the predictions of each fold and reuses them. None computes all of them.

    Raises
    ------
    ConfigError
        If the fractions are not as described.
    HeadError
        If the head fails in a fold; the message names the fraction.
    """
    ascending = check_fractions(fractions)
    points = points_of(parts_of(task, ascending), head, settings, cache)
    return _curve(task, points, ascending, lambda number: [completed(flow) for flow in points[number].flows()])


def _curve(
    task: Task,
    points: Sequence[HeadFolds],
    ascending: tuple[float, ...],
    results_of: Callable[[int], Sequence[FoldResult]],
) -> LearningCurve:
    """Score a head at each fraction; `results_of` computes the folds of one of them."""
    results: list[HeadResult] = []
    for number, (fraction, point) in enumerate(zip(ascending, points, strict=True)):
        try:
            results.append(score(point.run.task, point.collected(results_of(number))))
        except HeadError as error:
            raise HeadError(f"at {fraction:g} of the training samples, {error}") from error
    predicted = [result.predictions["predicted"] for result in results]
    n_train = tuple(round(np.mean([len(fold.train) for fold in point.run.task.folds])) for point in points)
    return LearningCurve(
        head=points[0].run.head,
        fractions=ascending,
        n_train=n_train,
        results=tuple(results),
        gain=task.tested.bootstrap.difference(predicted[-1], predicted[point_before(n_train)], level=LEVEL),
    )
