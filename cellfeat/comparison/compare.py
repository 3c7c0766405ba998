"""Heads on the same folds: out-of-fold predictions, their scores, and what can be said about the differences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.comparison.cache import FoldCache, FoldOutcome
from cellfeat.comparison.conformal import REPORTED_COVERAGE, held_out_metrics, held_out_sets
from cellfeat.comparison.head_run import HEAD_FAILURES, HeadRun, HeadSettings, new_head, resolved_settings
from cellfeat.comparison.scores import (
    Difference,
    GroupBootstrap,
    balanced_accuracy,
    calibration_error,
    confusion_matrix,
    encode,
    holm,
    log_loss,
    macro_f1,
    per_class_recall,
    reliability,
    selective_accuracy,
)
from cellfeat.comparison.task import Counts, Design, Task, prepare
from cellfeat.comparison.tuning import Choice, Tuner, tuning_record
from cellfeat.errors import ConfigError, HeadError
from cellfeat.extraction.store import Features
from cellfeat.heads.bundle import Bundle
from cellfeat.heads.conformal import ClassScores
from cellfeat.heads.registry import HEADS, head_inputs, make_head
from cellfeat.heads.temperature import fit_temperature, tempered
from cellfeat.provenance import utc_now, versions

Strings = NDArray[np.str_]
Floats = NDArray[np.floating]

FoldObserver = Callable[[int, float], None]
"""Told the number of the fold at hand, and the share of it that is done."""

LEVEL = 0.95
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95)
PROBABILITY_PREFIX = "probability_"


class Progress(Protocol):
    """Told each time a head begins with a fold, and of each fit that tunes it there."""

    def __call__(self, head: str, fold: int, n_done: float, n_total: int) -> None:
        """Take note that `head` is at `fold`, and that `n_done` of `n_total` folds over all heads are finished.

        Folds are counted from 1; fold 0 is all samples.
        """
        ...


@dataclass(frozen=True)
class HeadResult:
    """One head's out-of-fold predictions and their scores.

    Parameters
    ----------
    head
        Name of the head.
    predictions
        One row a sample: ``sample_id``, ``fold`` (from 1), ``head``, ``label``, ``predicted``, and a column
        ``probability_<class>`` for each class.
    metrics
        Plain JSON values. Recalls, their intervals and the rows of the confusion matrix stand in the order of
        ``classes``; ``seconds`` are summed over the folds. ``settings`` are those given, ``tuning`` what was chosen in
        each fold; None for a head that was not tuned.
    n_cached
        Folds whose outcome an earlier run had left in the cache; their seconds are those of that run.
    class_scores
        Out-of-fold probabilities of the true classes, all tempered alike by the temperature of the metrics.
    """

    head: str
    predictions: pd.DataFrame
    metrics: dict[str, Any]
    n_cached: int = 0
    class_scores: ClassScores | None = None

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over all classes, over the predictions of all folds together."""
        return float(self.metrics["balanced_accuracy"])


@dataclass(frozen=True)
class HeadFailure:
    """A head that could not be evaluated, and why."""

    head: str
    reason: str


Outcome = HeadResult | HeadFailure


@dataclass(frozen=True)
class HeadDifference:
    """By how much the head `better` exceeds the head `worse`, and whether that is evidence.

    Parameters
    ----------
    difference
        Of the balanced accuracies, paired over samples; not below 0.
    adjusted_p
        p value adjusted by Holm's method over all pairs of the comparison.
    """

    better: str
    worse: str
    difference: Difference
    adjusted_p: float

    @property
    def is_evidence(self) -> bool:
        """Whether the difference stands when all pairs are taken into account, at the 5 % level."""
        return self.adjusted_p < 1 - LEVEL

    def verdict(self) -> str:
        """Say it in words."""
        gap = self.difference
        numbers = f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]"
        if self.is_evidence:
            return f"{self.better} is better than {self.worse} by {numbers}"
        alone = f" (p = {self.adjusted_p:.2f} over all pairs)" if gap.p_value < 1 - LEVEL else ""
        return f"no evidence that {self.better} and {self.worse} differ: {numbers}{alone}"


@dataclass(frozen=True)
class Comparison:
    """Heads in order of balanced accuracy, best first, and what can be said about each pair.

    Parameters
    ----------
    results
        Of the heads that could be evaluated.
    failures
        The others.
    differences
        Every pair of results, the better head first.
    is_complete
        Whether every head was given its turn; False after Ctrl-C.
    """

    classes: tuple[str, ...]
    counts: Counts
    design: Design
    results: tuple[HeadResult, ...]
    failures: tuple[HeadFailure, ...]
    differences: tuple[HeadDifference, ...]
    is_complete: bool = True

    @property
    def best(self) -> HeadResult:
        """The head with the highest balanced accuracy."""
        return self.results[0]

    def verdicts(self) -> list[str]:
        """Say for each pair whether there is evidence that one head is better."""
        return [pair.verdict() for pair in self.differences]

    def verdicts_on_best(self) -> list[str]:
        """Say for each other head whether there is evidence that the best is better."""
        return [pair.verdict() for pair in self.differences if self.best.head in (pair.better, pair.worse)]

    def predictions(self) -> pd.DataFrame:
        """Every out-of-fold prediction of every head."""
        return pd.concat([result.predictions for result in self.results], ignore_index=True)


def compare(
    features: Features,
    *,
    heads: Sequence[str],
    settings: Mapping[str, HeadSettings] | None = None,
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
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
) -> Comparison:
    """Evaluate heads on the same grouped, stratified folds and compare them pair by pair.

    Samples without a label or without an embedding are left out and counted.

    Parameters
    ----------
    features
        Embeddings, labels and groups.
    heads
        Names from `HEADS`.
    settings
        Parameters by head; those not given keep their defaults.
    folds, groups, random_state, draws, calibrate, tune
        See `Design`.
    labels
        Label by sample id, instead of the labels in the feature file; samples it lacks count as unlabelled.
    cache
        Where outcomes of folds are kept and found again; None computes all and keeps nothing.
    progress
        Told of each fold that begins.
    say
        Told what tuning will cost: the fits before any is made, and about how long they will take after a head's first.
    on_outcome
        Given each head's result, or failure, as soon as it is there.

    Returns
    -------
    comparison
        Of all heads; after Ctrl-C, of those that were finished by then, if any was: see `Comparison.is_complete`.

    Raises
    ------
    UnknownNameError
        If a head, or the column named by `groups`, does not exist.
    ConfigError
        If no heads are given, or one twice.
    HeadError
        If a head does not take its settings, or all heads fail.
    ManifestError
        If `labels` has an id that the features lack.
    SplitError
        If the samples cannot be split as asked.
    """
    settings = settings or {}
    check_heads(heads, settings)
    task = prepare(features, Design(folds, groups, random_state, draws, calibrate, tune), labels=labels)
    if tune:
        for head in heads:
            say(Tuner(HeadRun(task, head, None), settings.get(head, {})).cost())
    outcomes: list[Outcome] = []
    try:
        for outcome in iter_results(task, heads, settings, cache=cache, progress=progress, say=say):
            outcomes.append(outcome)
            on_outcome(outcome)
    except KeyboardInterrupt:
        if not any(isinstance(outcome, HeadResult) for outcome in outcomes):
            raise
        unfinished = [HeadFailure(head, f"{head} was interrupted before it was finished") for head in heads]
        return replace(conclude(task, [*outcomes, *unfinished[len(outcomes) :]]), is_complete=False)
    return conclude(task, outcomes)


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
    task = prepare(features, Design(folds, groups, random_state, draws, calibrate, tune), labels=labels)
    if tune:
        say(Tuner(HeadRun(task, head, None), settings).cost(on_all=True))
    on_fold = _fold_reporter(head, 0, folds, progress)
    result = evaluate(task, head, settings, cache=cache, on_fold=on_fold, say=say)
    if result.metrics["tuning"]:
        choice = Tuner(HeadRun(task, head, cache), settings).choose(np.arange(len(task.y)), partial(on_fold, 0))
        settings = {**settings, **choice.settings}
        result = _with_final_settings(task, result, settings, choice)
    return _fit_all(task, features, result, settings), result


def iter_results(
    task: Task,
    heads: Sequence[str],
    settings: Mapping[str, HeadSettings],
    *,
    cache: FoldCache | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Iterator[Outcome]:
    """Evaluate one head after the other; a head that fails is reported and does not stop the others."""
    n_total = len(heads) * len(task.folds)
    for number, head in enumerate(heads):
        on_fold = _fold_reporter(head, number * len(task.folds), n_total, progress)
        try:
            yield evaluate(task, head, settings.get(head, {}), cache=cache, on_fold=on_fold, say=say)
        except HeadError as error:
            yield HeadFailure(head, str(error))


def evaluate(
    task: Task,
    head: str,
    settings: HeadSettings,
    *,
    cache: FoldCache | None = None,
    on_fold: FoldObserver = lambda _fold, _share: None,
    say: Callable[[str], None] = lambda _line: None,
) -> HeadResult:
    """Predict each fold by a head fitted on the others, and score all predictions together.

    Where the design says so, the head's settings are first looked for in the training part of each fold.

    Parameters
    ----------
    cache, say
        As for `compare`.
    on_fold
        Told the number, from 1, of the fold at hand, and the share of it that is done.

    Raises
    ------
    HeadError
        If the head fails in a fold; the message says in which, and why.
    """
    run = HeadRun(task, head, cache)
    tuner = Tuner(run, settings, say)
    choices, outcomes = [], []
    for number, fold in enumerate(task.folds, start=1):
        on_fold(number, 0)
        try:
            chosen = settings
            if tuner.has_choice:
                choices.append(tuner.choose(fold.train, partial(on_fold, number)))
                chosen = {**settings, **choices[-1].settings}
            outcomes.append(run.outcome(chosen, fold))
        except HEAD_FAILURES as error:
            raise HeadError(
                f"{head} failed in fold {number} of {len(task.folds)}: {type(error).__name__}: {error}"
            ) from error
    record = {
        "seconds": {
            "fit": sum(outcome.fit_seconds for outcome in outcomes),
            "predict": sum(outcome.predict_seconds for outcome in outcomes),
            "tune": sum(choice.seconds for choice in choices),
        },
        "settings": resolved_settings(task, head, settings),
        "tuning": tuning_record(choices) if choices else None,
    }
    return replace(_scored(task, head, _pooled(task, outcomes), record), n_cached=run.n_cached)


def _pooled(task: Task, outcomes: Sequence[FoldOutcome]) -> Floats:
    """The predictions of all folds, in the order of the samples."""
    raw = np.empty((len(task.y), len(task.classes)))
    for fold, outcome in zip(task.folds, outcomes, strict=True):
        raw[fold.test] = outcome.probabilities
    return raw


def _scored(task: Task, head: str, raw: Floats, record: dict[str, Any]) -> HeadResult:
    """Calibrate out-of-fold probabilities as they came from the head, and score them."""
    temperatures = fold_temperatures(task, raw)
    probabilities = tempered_folds(task, raw, temperatures)
    sets = held_out_sets(task, raw, temperatures, REPORTED_COVERAGE)
    metrics = _metrics(task, head, probabilities) | _probability_metrics(task, raw, probabilities) | record
    metrics["prediction_sets"] = held_out_metrics(task, sets)
    class_scores = ClassScores.of(tempered(raw, metrics["temperature"]), encode(task.y, task.classes), task.groups)
    return HeadResult(head, _prediction_table(task, head, probabilities), metrics, class_scores=class_scores)


def fold_temperatures(task: Task, probabilities: Floats) -> list[float]:
    """Fit a temperature for each fold to the out-of-fold probabilities of the other folds; 1 where none is wanted.

    So the labels that a temperature is fitted to are none of those that its fold is judged by.
    """
    if task.design.calibrate == "none":
        return [1.0] * len(task.folds)
    codes = encode(task.y, task.classes)
    others = [np.setdiff1d(np.arange(len(codes)), fold.test) for fold in task.folds]
    return [fit_temperature(probabilities[rows], codes[rows]) for rows in others]


def conclude(task: Task, outcomes: Sequence[Outcome]) -> Comparison:
    """Rank the heads that are finished and compare each pair.

    Raises
    ------
    HeadError
        If no head could be evaluated.
    """
    results = [outcome for outcome in outcomes if isinstance(outcome, HeadResult)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, HeadFailure)]
    if not results:
        raise HeadError("no head could be evaluated: " + "; ".join(failure.reason for failure in failures))
    results.sort(key=lambda result: -result.balanced_accuracy)
    return Comparison(
        classes=task.classes,
        counts=task.counts,
        design=task.design,
        results=tuple(results),
        failures=tuple(failures),
        differences=tuple(_all_differences(task.bootstrap, results)),
    )


def check_heads(heads: Sequence[str], settings: Mapping[str, HeadSettings]) -> None:
    """Find a misspelt head or setting before the first fold is fitted, not after minutes.

    Raises
    ------
    ConfigError, UnknownNameError, HeadError
        As for `compare`.
    """
    if not heads:
        raise ConfigError("heads: expected one or more names, got none")
    if len(set(heads)) < len(heads):
        raise ConfigError(f"heads: expected each name once, got {', '.join(heads)}")
    for head in {*heads, *settings}:
        HEADS[head]
    for head in heads:
        make_head(head, settings.get(head, {}), n_views=1, random_state=0)


def _fold_reporter(head: str, n_before: int, n_total: int, progress: Progress | None) -> FoldObserver:
    def report(fold: int, share: float) -> None:
        if progress is not None:
            progress(head, fold, n_before + fold - 1 + share if fold else n_total, n_total)

    return report


def _with_final_settings(task: Task, result: HeadResult, settings: HeadSettings, choice: Choice) -> HeadResult:
    tuning = result.metrics["tuning"] | {"final": choice.settings}
    resolved = resolved_settings(task, result.head, settings)
    return replace(result, metrics=result.metrics | {"settings": resolved, "tuning": tuning})


def tempered_folds(task: Task, probabilities: Floats, temperatures: Sequence[float]) -> Floats:
    """Temper the out-of-fold probabilities of each fold by the temperature of the fold."""
    out = np.empty(probabilities.shape)
    for fold, temperature in zip(task.folds, temperatures, strict=True):
        out[fold.test] = tempered(probabilities[fold.test], temperature)
    return out


def _prediction_table(task: Task, head: str, probabilities: Floats) -> pd.DataFrame:
    fold_of_sample = np.empty(len(task.y), dtype=np.int64)
    for number, fold in enumerate(task.folds, start=1):
        fold_of_sample[fold.test] = number
    columns = {
        "sample_id": task.sample_id,
        "fold": fold_of_sample,
        "head": np.full(len(task.y), head),
        "label": task.y,
        "predicted": _most_probable(task, probabilities),
    }
    by_class = {f"{PROBABILITY_PREFIX}{name}": probabilities[:, i] for i, name in enumerate(task.classes)}
    return pd.DataFrame(columns | by_class)


def _most_probable(task: Task, probabilities: Floats) -> Strings:
    return np.array(task.classes)[probabilities.argmax(axis=1)]


def _metrics(task: Task, head: str, probabilities: Floats) -> dict[str, Any]:
    y, classes, predicted = task.y, task.classes, _most_probable(task, probabilities)
    interval = task.bootstrap.interval(predicted, level=LEVEL)
    return {
        "head": head,
        "balanced_accuracy": balanced_accuracy(y, predicted, classes),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "ci_level": LEVEL,
        "per_fold": [balanced_accuracy(y[fold.test], predicted[fold.test], classes) for fold in task.folds],
        "classes": list(classes),
        "per_class_recall": per_class_recall(y, predicted, classes).tolist(),
        "per_class_recall_ci": task.bootstrap.recall_intervals(predicted, level=LEVEL).tolist(),
        "macro_f1": macro_f1(y, predicted, classes),
        "confusion_matrix": confusion_matrix(y, predicted, classes).tolist(),
        **asdict(task.counts),
        **asdict(task.design),
    }


def _probability_metrics(task: Task, raw: Floats, probabilities: Floats) -> dict[str, Any]:
    y, classes = task.y, task.classes
    is_tempered = task.design.calibrate == "temperature"
    return {
        "temperature": fit_temperature(raw, encode(y, classes)) if is_tempered else 1.0,
        "log_loss": log_loss(y, probabilities, classes),
        "log_loss_uncalibrated": log_loss(y, raw, classes),
        "calibration_error": calibration_error(y, probabilities, classes),
        "calibration_error_uncalibrated": calibration_error(y, raw, classes),
        "abstaining": _abstaining(y, probabilities, classes),
        "reliability": reliability(y, probabilities, classes).tolist(),
        "reliability_uncalibrated": reliability(y, raw, classes).tolist(),
    }


def _abstaining(y: Strings, probabilities: Floats, classes: Sequence[str]) -> list[dict[str, float]]:
    """What ``predict --min-probability`` is to be expected to keep; thresholds that nothing reaches are left out."""
    found = zip(THRESHOLDS, selective_accuracy(y, probabilities, classes, THRESHOLDS), strict=True)
    return [
        {"min_probability": threshold, "kept": kept, "accuracy": accuracy}
        for threshold, (kept, accuracy) in found
        if kept
    ]


def _all_differences(bootstrap: GroupBootstrap, results: Sequence[HeadResult]) -> list[HeadDifference]:
    pairs = list(combinations(results, 2))
    differences = [
        bootstrap.difference(better.predictions["predicted"], worse.predictions["predicted"], level=LEVEL)
        for better, worse in pairs
    ]
    adjusted = holm([difference.p_value for difference in differences])
    return [
        HeadDifference(better.head, worse.head, difference, p)
        for (better, worse), difference, p in zip(pairs, differences, adjusted, strict=True)
    ]


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
        n_views=task.embeddings.shape[1],
        embedding_dim=task.embeddings.shape[2],
    )
