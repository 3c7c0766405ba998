"""Fit a head to keep: evaluate it out of fold, then fit it on all samples."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from cellfeat.errors import HeadError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.compare import check_heads, weight_remarks
from cellfeat.evaluation.cross_validation import FoldObserver, fold_observer, out_of_fold_of
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.head_run import HeadRun, HeadSettings, resolved_settings
from cellfeat.evaluation.hooks import SILENT, Hooks
from cellfeat.evaluation.inputs import check_forms, resolved
from cellfeat.evaluation.results import HeadResult
from cellfeat.evaluation.saved_heads.unlike_fitted import summarise
from cellfeat.evaluation.scoring.score import score
from cellfeat.evaluation.task import prepare
from cellfeat.evaluation.tuning.tuner import Tuner
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.bundle import Bundle
from cellfeat.heads.scikit_learn.given import Headlike, chosen_heads
from cellfeat.heads.training_digests import TrainingDigests
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
) -> tuple[Bundle, HeadResult]:
    """Evaluate one head out of fold, then fit it on all labelled samples; of a single split, on its training part.

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
    check_forms(features, design)
    settings, entries = settings or {}, chosen_heads(head)
    if len(entries) != 1:
        names = ", ".join(one.name for one in entries) or "none"
        raise HeadError(f"head: expected one head, got {names}; cellfeat.compare takes several")
    entry = entries[0]
    check_heads([entry], {entry.name: settings})
    features, design = resolved(features, design)
    task = prepare(features, design, labels=labels, say=hooks.say)
    for line in weight_remarks([entry]):
        hooks.say(line)
    run = HeadRun(task, entry, cache)
    tuner = Tuner(run, settings, hooks.say, on_all=True)
    if design.tune:
        hooks.say(tuner.cost())
    on_fold = fold_observer(entry.name, 0, len(task.folds) + 1, hooks)
    result = score(task, out_of_fold_of(run, tuner, on_fold))
    on_fold(0, 0)
    if tuner.has_choice:
        result, settings = _tuned_on_all(result, tuner, run, on_fold)
    return _fit_all(run, features, result, settings), result


def _tuned_on_all(
    result: HeadResult, tuner: Tuner, run: HeadRun, on_fold: FoldObserver
) -> tuple[HeadResult, HeadSettings]:
    """Find the settings for all samples, and record them in the result."""
    choice = tuner.choose(run.task.rows_to_fit, partial(on_fold, 0))
    settings = {**tuner.given, **choice.settings}
    assert result.scores.tuning is not None
    tuning = replace(result.scores.tuning, final=choice.settings)
    scores = replace(result.scores, tuning=tuning)
    return replace(result, scores=scores, settings=resolved_settings(run.task, run.entry, settings)), settings


def _fit_all(run: HeadRun, features: Features, result: HeadResult, settings: HeadSettings) -> Bundle:
    task, kept = run.task, run.task.rows_to_fit
    classifier, scaling, _ = run.fitted(settings, kept)
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
        n_views=task.embeddings.shape[1],
        embedding_dim=task.embeddings.shape[2],
    )
