"""Fit a head to keep: evaluate it out of fold, then fit it on all samples."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cellfeat.errors import HeadError
from cellfeat.evaluation.cross_validation.head_checks import check_heads, plain_settings, weight_remarks
from cellfeat.evaluation.cross_validation.hooks import SILENT, Hooks
from cellfeat.evaluation.cross_validation.out_of_fold import HeadFolds
from cellfeat.evaluation.cross_validation.progress import FoldProgress
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import FittedHead, HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.parallel.choice import Jobs, check_jobs, parallel_schedule
from cellfeat.evaluation.parallel.pieces import Flow
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.saved_heads.unlike_fitted import summarise
from cellfeat.evaluation.scores.head_scores import ChosenSettings, FullSize
from cellfeat.evaluation.scoring.full_size import full_size, task_of_halves
from cellfeat.evaluation.scoring.score import score
from cellfeat.evaluation.task.arguments import check_forms, resolved
from cellfeat.evaluation.task.standardised_plates import StandardisedEmbeddings
from cellfeat.evaluation.task.task import prepare
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.chosen import chosen_settings
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.neighbourhood import Neighbourhood, kept_rows
from cellfeat.heads.saved.training_digests import TrainingDigests
from cellfeat.heads.scikit_learn.given import Headlike, chosen_heads
from cellfeat.provenance import utc_now, versions


def fit(
    features: Features | Path | str,
    head: Headlike,
    *,
    design: Design | None = None,
    settings: HeadSettings | None = None,
    labels: Given | None = None,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    jobs: Jobs = None,
) -> tuple[Bundle, HeadResult]:
    """Evaluate one head out of fold, then fit it on all labelled samples; of a single split, on its training part.

    Two more heads, on half of the samples each, show how the score grows with the samples: `score_held_out` compares
    with the score that the head on all samples should then have.

    Parameters
    ----------
    features
        Embeddings, labels and groups, or the path of a feature file.
    head
        Name from `HEADS`, or a classifier with scikit-learn's interface: see `cellfeat.compare`.
    design
        How the head is evaluated; None for the defaults.
    settings
        Its parameters; the others keep their defaults.
    labels, cache, hooks, jobs
        As for `cellfeat.compare`.

    Returns
    -------
    bundle
        The fitted head with its out-of-fold scores and everything that prediction needs. Its temperature is fitted to
        the out-of-fold probabilities of all folds.
    result
        The evaluation of heads that were fitted on ``(folds - 1) / folds`` of the samples each, with the settings found
        there where they are tuned. The settings of the bundle are found on all samples.

    Raises
    ------
    UnknownNameError, HeadError, ManifestError, SplitError
        As `cellfeat.compare`; also HeadError if the head fails in any fold.
    """
    check_forms(features, design)
    check_jobs(jobs)
    settings, entries = plain_settings(settings), chosen_heads(head)
    if len(entries) != 1:
        names = ", ".join(one.name for one in entries) or "none"
        raise HeadError(f"head: expected one head, got {names}; cellfeat.compare takes several")
    entry = entries[0]
    check_heads([entry], {entry.name: settings})
    features, design = resolved(features, design)
    task = prepare(features, design, labels=labels, say=hooks.say)
    for line in weight_remarks([entry]):
        hooks.say(line)
    folds = _folds_to_fit(HeadRun(task, entry, cache), settings, hooks)
    if design.tune:
        hooks.say(folds.tuner.cost())
    of_folds: list[Flow[Any]] = [*folds.flows()]
    of_all: list[Flow[Any]] = []
    if folds.tuner.has_choice:
        of_all.append(folds.tuner.choosing(task.rows_to_fit, partial(folds.on_fold, 0)))
    with parallel_schedule([of_folds, of_all], jobs, task.shared_bytes) as schedule:
        result = score(task, folds.collected(schedule.results(0)))
        folds.on_fold(0, 0)
        for choice in schedule.results(1):
            result, settings = _tuned_on_all(result, folds, choice)
    result = replace(result, full_size=_expected(folds, result, settings, jobs, hooks))
    fitted = folds.run.fitted(settings, task.rows_to_fit)
    result = replace(result, chosen=chosen_settings(fitted.classifier))
    return _bundle(folds.run, features, result, settings, fitted), result


def _expected(
    folds: HeadFolds, result: HeadResult, settings: HeadSettings, jobs: Jobs, hooks: Hooks
) -> FullSize | None:
    """Score to expect of the saved head; None where it needs no extrapolation or allows none."""
    task = task_of_halves(folds.run.task)
    if task is None:
        return None
    halves = HeadFolds(HeadRun(task, folds.run.entry, folds.run.cache), settings, hooks.say)
    try:
        with parallel_schedule([halves.flows()], jobs, task.shared_bytes) as schedule:
            predicted = halves.collected(schedule.results(0))
    except HeadError as error:
        hooks.say(f"score with all samples not extrapolated: on half of the samples, {error}")
        return None
    return full_size(folds.run.task, result, predicted.probabilities)


def _folds_to_fit(run: HeadRun, settings: HeadSettings, hooks: Hooks) -> HeadFolds:
    progress = FoldProgress(len(run.task.folds) + 1, hooks.progress)
    return HeadFolds(
        run,
        settings,
        hooks.say,
        on_fold=partial(progress.fold, run.head),
        on_end=partial(progress.fold_ended, run.head),
        tunes_all=True,
    )


def _tuned_on_all(result: HeadResult, folds: HeadFolds, choice: ChosenSettings) -> tuple[HeadResult, HeadSettings]:
    """Record the settings for all samples in the result."""
    settings, run = {**folds.given, **choice.settings}, folds.run
    assert result.scores.tuning is not None
    tuning = replace(result.scores.tuning, final=choice.settings)
    scores = replace(result.scores, tuning=tuning)
    return replace(result, scores=scores, settings=resolved_settings(run.task, run.entry, settings)), settings


def _bundle(
    run: HeadRun, features: Features, result: HeadResult, settings: HeadSettings, fitted_head: FittedHead
) -> Bundle:
    task, kept = run.task, run.task.rows_to_fit
    classifier, scaling, _, standards = fitted_head
    if isinstance(task.embeddings, StandardisedEmbeddings):
        standards = task.embeddings.standards.without_groups()
    neighbours = kept_rows(kept)
    fitted = {"on": features.path.name, "n_samples": len(kept), "at": utc_now(), "versions": versions()}
    return Bundle(
        head=classifier,
        head_name=result.head,
        classes=list(task.classes),
        fingerprint=features.fingerprint,
        recipe=dict(features.recipe),
        settings=dict(settings),
        scores=result.record(),
        provenance=dict(features.provenance) | {"fitted": fitted},
        temperature=result.scores.calibration.temperature,
        class_scores=result.class_scores,
        training_digests=TrainingDigests.of(features.samples.digests[task.rows[kept]]),
        fitted_on=summarise(features.samples.take(task.rows[kept]), features.recipe.get("channels", [])),
        scaling=scaling,
        neighbourhood=Neighbourhood.of(run.seen(neighbours, scaling, standards), task.groups[neighbours]),
        standards=standards,
        n_views=task.embeddings.shape[1],
        embedding_dim=task.embeddings.shape[2],
    )
