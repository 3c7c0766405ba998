"""Fit a head to keep: evaluate it out of fold, then fit it on all samples."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.compare import check_heads
from cellfeat.evaluation.cross_validation import FoldObserver, fold_observer, out_of_fold_of
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.head_run import HeadRun, HeadSettings, new_head, resolved_settings
from cellfeat.evaluation.hooks import SILENT, Hooks
from cellfeat.evaluation.inputs import resolved
from cellfeat.evaluation.results import HeadResult
from cellfeat.evaluation.saved_heads.unlike_fitted import summarise
from cellfeat.evaluation.scoring.score import score
from cellfeat.evaluation.task import Task, prepare
from cellfeat.evaluation.tuning.tuner import Tuner
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.bundle import Bundle
from cellfeat.heads.registry import head_inputs
from cellfeat.heads.scaling import fitted_scaling, scaled
from cellfeat.heads.training_digests import TrainingDigests
from cellfeat.provenance import utc_now, versions


def fit(
    features: Features | Path | str,
    head: str,
    *,
    design: Design | None = None,
    settings: HeadSettings | None = None,
    labels: Given | None = None,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
) -> tuple[Bundle, HeadResult]:
    """Evaluate one head out of fold, then fit it on all labelled samples.

    Parameters
    ----------
    features
        Embeddings, labels and groups, or the path of a feature file.
    head
        Name from `HEADS`.
    design
        How the head is evaluated; None for the defaults.
    settings
        Its parameters; the others keep their defaults.
    labels, cache, hooks
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
    settings = settings or {}
    check_heads([head], {head: settings})
    features, design = resolved(features, design)
    task = prepare(features, design, labels=labels, say=hooks.say)
    run = HeadRun(task, head, cache)
    tuner = Tuner(run, settings, hooks.say, on_all=True)
    if design.tune:
        hooks.say(tuner.cost())
    on_fold = fold_observer(head, 0, design.folds + 1, hooks)
    result = score(task, out_of_fold_of(run, tuner, on_fold))
    on_fold(0, 0)
    if tuner.has_choice:
        result, settings = _tuned_on_all(result, tuner, task, on_fold)
    return _fit_all(task, features, result, settings), result


def _tuned_on_all(
    result: HeadResult, tuner: Tuner, task: Task, on_fold: FoldObserver
) -> tuple[HeadResult, HeadSettings]:
    """Find the settings for all samples, and record them in the result."""
    choice = tuner.choose(np.arange(len(task.y)), partial(on_fold, 0))
    settings = {**tuner.given, **choice.settings}
    assert result.scores.tuning is not None
    tuning = replace(result.scores.tuning, final=choice.settings)
    scores = replace(result.scores, tuning=tuning)
    return replace(result, scores=scores, settings=resolved_settings(task, result.head, settings)), settings


def _fit_all(task: Task, features: Features, result: HeadResult, settings: HeadSettings) -> Bundle:
    classifier = new_head(task, result.head, settings)
    scaling = fitted_scaling(task.scaling, task.embeddings)
    classifier.fit(head_inputs(result.head, scaled(scaling, task.embeddings)), task.y)
    fitted = {"on": features.path.name, "n_samples": len(task.y), "at": utc_now(), "versions": versions()}
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
        training_digests=TrainingDigests.of(features.samples.digests[task.rows]),
        fitted_on=summarise(features.samples.take(task.rows), features.recipe.get("channels", [])),
        scaling=scaling,
        n_views=task.embeddings.shape[1],
        embedding_dim=task.embeddings.shape[2],
    )
