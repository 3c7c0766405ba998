"""The head that is kept: evaluated out of fold, then fitted on all samples."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.compare import check_heads
from cellfeat.evaluation.cross_validation import Progress, evaluate_run, fold_observer
from cellfeat.evaluation.head_run import HeadRun, HeadSettings, new_head, resolved_settings
from cellfeat.evaluation.results import HeadResult
from cellfeat.evaluation.task import Design, Task, prepare
from cellfeat.evaluation.tuning import Choice, Tuner
from cellfeat.extraction.store import Features
from cellfeat.heads.bundle import Bundle
from cellfeat.heads.registry import head_inputs
from cellfeat.heads.training_digests import TrainingDigests
from cellfeat.provenance import utc_now, versions


def fit(
    features: Features,
    head: str,
    *,
    settings: HeadSettings | None = None,
    folds: int = 5,
    groups: str = "auto",
    random_state: int = 0,
    draws: int = 2000,
    calibrate: Literal["temperature", "none"] = "temperature",
    tune: int = 0,
    labels: Mapping[str, str] | None = None,
    cache: FoldCache | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[Bundle, HeadResult]:
    """Evaluate one head out of fold, then fit it on all labelled samples.

    Parameters
    ----------
    head
        Name from `HEADS`.
    settings
        Its parameters; those not given keep their defaults.
    features, folds, groups, random_state, draws, calibrate, tune, labels, cache, progress, say
        As for `compare`.

    Returns
    -------
    bundle
        The fitted head, with its out-of-fold scores and all that prediction needs; its temperature is fitted on the
        out-of-fold probabilities of all folds.
    result
        The evaluation: it tells how heads fitted on other folds do, each on ``(folds - 1) / folds`` of the samples and,
        where they are tuned, each with the settings found there. Those of the bundle are found on all samples.

    Raises
    ------
    UnknownNameError, HeadError, ManifestError, SplitError
        As for `compare`; also HeadError if the head fails in any fold.
    """
    settings = settings or {}
    check_heads([head], {head: settings})
    design = Design(folds, groups, random_state, draws, calibrate, tune)
    task = prepare(features, design, labels=labels, say=say)
    run = HeadRun(task, head, cache)
    tuner = Tuner(run, settings, say, on_all=True)
    if tune:
        say(tuner.cost())
    on_fold = fold_observer(head, 0, folds + 1, progress)
    result = evaluate_run(run, tuner, on_fold)
    on_fold(0, 0)
    if tuner.has_choice:
        choice = tuner.choose(np.arange(len(task.y)), partial(on_fold, 0))
        settings = {**settings, **choice.settings}
        result = _with_final_settings(task, result, settings, choice)
    return _fit_all(task, features, result, settings), result


def _with_final_settings(task: Task, result: HeadResult, settings: HeadSettings, choice: Choice) -> HeadResult:
    tuning = result.metrics["tuning"] | {"final": choice.settings}
    resolved = resolved_settings(task, result.head, settings)
    return replace(result, metrics=result.metrics | {"settings": resolved, "tuning": tuning})


def _fit_all(task: Task, features: Features, result: HeadResult, settings: HeadSettings) -> Bundle:
    classifier = new_head(task, result.head, settings)
    classifier.fit(head_inputs(result.head, task.embeddings), task.y)
    fitted = {"on": features.path.name, "n_samples": len(task.y), "at": utc_now(), "versions": versions()}
    return Bundle(
        head=classifier,
        head_name=result.head,
        classes=list(task.classes),
        fingerprint=features.fingerprint,
        recipe=dict(features.recipe),
        settings=dict(settings),
        scores=result.metrics,
        provenance=dict(features.provenance) | {"fitted": fitted},
        temperature=result.metrics["temperature"],
        class_scores=result.class_scores,
        training_digests=TrainingDigests.of(features.samples.digests[task.rows]),
        n_views=task.embeddings.shape[1],
        embedding_dim=task.embeddings.shape[2],
    )
