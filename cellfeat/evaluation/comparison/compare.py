"""Compare heads on the same samples, folds and bootstrap draws."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.evaluation.comparison.old_and_new_labels import OldScores, relabelling_effect, with_old_labels
from cellfeat.evaluation.cross_validation.each_head import each_head
from cellfeat.evaluation.cross_validation.head_checks import check_heads, plain_settings, weight_remarks
from cellfeat.evaluation.cross_validation.hooks import SILENT, Hooks
from cellfeat.evaluation.cross_validation.out_of_fold import HeadFolds
from cellfeat.evaluation.cross_validation.progress import FoldProgress
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadRun, HeadSettings
from cellfeat.evaluation.parallel.choice import Jobs, check_jobs, parallel_schedule
from cellfeat.evaluation.relabelling.changes import Relabelling
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scores.differences import HeadDifference, head_differences
from cellfeat.evaluation.scoring.score import score
from cellfeat.evaluation.task.arguments import check_forms, resolved
from cellfeat.evaluation.task.task import Task, prepare
from cellfeat.evaluation.tuning.tuner import Tuner
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.registry import Head, head_of
from cellfeat.heads.scikit_learn.given import Headlike, chosen_heads
from cellfeat.statistics.interval_types import LEVEL


def compare(
    features: Features | Path | str,
    heads: Sequence[Headlike] | Mapping[str, Any],
    *,
    design: Design | None = None,
    settings: Mapping[str, HeadSettings] | None = None,
    labels: Given | None = None,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    jobs: Jobs = None,
) -> Comparison:
    """Evaluate heads on the same grouped, stratified folds and compare them pair by pair.

    Samples without a label or without an embedding are excluded and counted.

    Parameters
    ----------
    features
        Embeddings, labels and groups, or the path of a feature file.
    heads
        Names from `HEADS`, such as ``"logreg"`` and ``"sklearn:SVC"``, and classifiers with scikit-learn's interface,
        such as ``SVC(C=10)``, which get the name of their class; a dict of classifiers by name stands for several, also
        in the list. A classifier is copied for each fold. Its columns are standardised first, except those of a
        pipeline.
    design
        How the heads are evaluated; None for the defaults.
    settings
        Parameters by head; those not given keep their defaults.
    labels
        In place of those of the features: by sample id, or one for each sample, see `Features.with_labels`. With what
        `read_relabelling` gives, the heads are evaluated on the old labels, too, and `Comparison.relabelling` says
        what the changes do to their scores.
    cache
        Stores the predictions of each fold and reuses them. None computes all of them.
    hooks
        Receive messages, progress and each finished head.
    jobs
        How many processes compute folds and settings side by side, or a `RayCluster` on which they are computed. None:
        this process alone for some seconds, and then as many processes as there are processors and memory for. The
        results are the same.

    Returns
    -------
    Comparison
        All heads, best first. After Ctrl-C only the finished heads, with `is_complete` False.

    Raises
    ------
    UnknownNameError
        If no head has one of these names. If the feature file lacks the column that the design's `groups` names.
    ConfigError
        If `heads` is empty or names a head twice, or `jobs` is neither a number nor a cluster.
    HeadError
        If a head has no such setting, an object is not a classifier, or all heads fail.
    ManifestError
        If `labels`, or groups given in the design, do not fit the samples.
    SplitError
        If the samples cannot be split as the design asks.
    KeyboardInterrupt
        If Ctrl-C comes before any head is finished.
    WorkerError
        If a process of `jobs` ends before its work is done, or no Ray cluster answers.
    MissingExtraError
        If `jobs` is a cluster and Ray is not installed.

    Examples
    --------
    >>> features = cellfeat.Features.from_arrays(table, labels="cell_line", groups="plate")  # doctest: +SKIP
    >>> comparison = cellfeat.compare(features, ["logreg", SVC(C=10), {"forest": forest}])  # doctest: +SKIP
    >>> print(comparison)  # doctest: +SKIP
    """
    # First: a table in the place of features is often followed by labels in the place of heads.
    check_forms(features, design)
    check_jobs(jobs)
    entries, settings = chosen_heads(heads), plain_settings(settings)
    check_heads(entries, settings)
    features, design = resolved(features, design)
    task = prepare(features, design, labels=labels, say=hooks.say)
    for line in weight_remarks(entries):
        hooks.say(line)
    comparison = compare_on(task, entries, settings, cache=cache, hooks=hooks, jobs=jobs)
    if not isinstance(labels, Relabelling) or not comparison.is_complete:
        return comparison
    hooks.say("the same heads and folds with the old labels")
    quiet = Hooks(say=hooks.say, progress=hooks.progress)
    old_labels = np.array([labels.before[one] for one in features.samples.ids.tolist()], dtype=str)
    old = OldScores.of(
        with_old_labels(task, old_labels),
        partial(compare_on, heads=entries, settings=settings, cache=cache, hooks=quiet, jobs=jobs),
    )
    effect = relabelling_effect(labels, task, comparison, old)
    return replace(comparison, relabelling=effect, is_complete=old.is_complete)


def compare_on(
    task: Task,
    heads: Sequence[str | Head],
    settings: Mapping[str, HeadSettings],
    *,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    jobs: Jobs = None,
) -> Comparison:
    """Compare heads on a prepared task; see `cellfeat.evaluation.task.task.prepare`.

    Parameters
    ----------
    task
        Samples and folds.
    heads
        Names from `HEADS`, or entries.
    settings, cache, hooks, jobs
        As for `compare`.

    Raises
    ------
    HeadError
        If all heads fail.
    KeyboardInterrupt
        If Ctrl-C comes before any head is finished.
    """
    entries = {entry.name: entry for entry in map(head_of, heads)}
    names = list(entries)
    if task.design.tune:
        for name in names:
            hooks.say(Tuner(HeadRun(task, entries[name], None), settings.get(name, {})).cost())
    progress = FoldProgress(len(names) * len(task.folds), hooks.progress)
    folds = {name: _folds_of(HeadRun(task, entries[name], cache), settings, progress, hooks) for name in names}
    with parallel_schedule([one.flows() for one in folds.values()], jobs, task.shared_bytes) as schedule:

        def result_of(name: str) -> HeadResult:
            try:
                return score(task, folds[name].collected(schedule.results(names.index(name))))
            finally:
                progress.head_ended(name, len(task.folds))

        finished = each_head(names, result_of, hooks.outcome)
    results = tuple(sorted(finished.results, key=lambda result: -result.balanced_accuracy))
    return Comparison(
        classes=task.classes,
        counts=task.tested.counts,
        design=task.design,
        provenance=task.provenance,
        results=results,
        failures=finished.failures,
        differences=pair_differences(task, results),
        is_complete=finished.is_complete,
    )


def _folds_of(run: HeadRun, settings: Mapping[str, HeadSettings], progress: FoldProgress, hooks: Hooks) -> HeadFolds:
    return HeadFolds(
        run,
        settings.get(run.head) or {},
        hooks.say,
        on_fold=partial(progress.fold, run.head),
        on_end=partial(progress.fold_ended, run.head),
    )


def pair_differences(task: Task, results: Sequence[HeadResult]) -> tuple[HeadDifference, ...]:
    """Compare every pair of results on the samples of a task.

    Parameters
    ----------
    task
        The samples, which all results were computed on.
    results
        The results.
    """
    predicted = [result.predictions["predicted"] for result in results]
    bootstrap = task.tested.bootstrap
    as_fitted = bootstrap.differences(predicted, level=LEVEL)
    found = bootstrap.differences(predicted, level=LEVEL, widened=task.widening)
    return head_differences([result.head for result in results], found, as_fitted)
