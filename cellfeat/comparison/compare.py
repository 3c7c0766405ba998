"""Heads on the same folds: out-of-fold predictions, their scores, and what can be said about the differences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.comparison.scores import (
    Difference,
    GroupBootstrap,
    balanced_accuracy,
    calibration_error,
    confusion_matrix,
    holm,
    log_loss,
    macro_f1,
    per_class_recall,
)
from cellfeat.comparison.splits import Fold, count_copies, grouped_folds, sample_groups
from cellfeat.errors import CellfeatError, ConfigError, HeadError, ManifestError, SplitError, first_ten
from cellfeat.extraction.store import Features, Status
from cellfeat.heads.bundle import Bundle
from cellfeat.heads.registry import HEADS, head_inputs, make_head
from cellfeat.heads.state import plain_params
from cellfeat.provenance import utc_now, versions

HeadSettings = Mapping[str, Any]
Strings = NDArray[np.str_]
Integers = NDArray[np.integer]
Floats = NDArray[np.floating]

LEVEL = 0.95
PROBABILITY_PREFIX = "probability_"

HEAD_FAILURES = (CellfeatError, ValueError, ArithmeticError, RuntimeError, MemoryError)
"""What a head may raise on data it cannot fit: scikit-learn's refusals, torch's errors, no convergence, no memory.

Anything else, a TypeError above all, is a bug in the head and is not hidden.
"""


class Progress(Protocol):
    """Told each time a head has finished a fold."""

    def __call__(self, head: str, fold: int, n_done: int, n_total: int) -> None:
        """Take note that `head` has finished `fold`, from 1, and `n_done` of `n_total` over all heads are finished."""
        ...


@dataclass(frozen=True)
class Design:
    """How heads are evaluated.

    Parameters
    ----------
    folds
        Number of folds, at least 2.
    groups
        What must not straddle a fold: see `sample_groups`.
    random_state
        Seed of the folds, of the heads and of the bootstrap.
    draws
        Bootstrap draws behind each interval.
    """

    folds: int = 5
    groups: str = "auto"
    random_state: int = 0
    draws: int = 2000


@dataclass(frozen=True)
class Counts:
    """How many samples there are, of which kinds.

    Parameters
    ----------
    n_samples
        Samples used: read, and labelled.
    n_groups
        Their groups.
    n_copies
        Samples used whose pixels an earlier one has already.
    n_unlabelled, n_failed
        Samples left out for want of a label, or of an embedding.
    """

    n_samples: int
    n_groups: int
    n_copies: int
    n_unlabelled: int
    n_failed: int


@dataclass(frozen=True)
class Task:
    """What every head is given: the same samples, the same folds and the same bootstrap draws.

    Parameters
    ----------
    sample_id, y, groups
        Of the samples used, shape ``(n_samples,)``.
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``.
    classes
        All classes, sorted.
    folds
        One split a fold.
    bootstrap
        Intervals over `y` and `groups`.
    """

    sample_id: Strings
    y: Strings
    groups: Integers
    embeddings: Floats
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    bootstrap: GroupBootstrap
    counts: Counts
    design: Design


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
        ``classes``; ``seconds`` are summed over the folds.
    """

    head: str
    predictions: pd.DataFrame
    metrics: dict[str, Any]

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over all classes, over the predictions of all folds together."""
        return float(self.metrics["balanced_accuracy"])


@dataclass(frozen=True)
class HeadFailure:
    """A head that could not be evaluated, and why."""

    head: str
    reason: str


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
    labels: Mapping[str, str] | None = None,
    progress: Progress | None = None,
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
    folds, groups, random_state, draws
        See `Design`.
    labels
        Label by sample id, instead of the labels in the feature file; samples it lacks count as unlabelled.
    progress
        Told after each fold.

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
    task = prepare(features, Design(folds, groups, random_state, draws), labels=labels)
    outcomes: list[HeadResult | HeadFailure] = []
    try:
        for outcome in iter_results(task, heads, settings, progress=progress):
            outcomes.append(outcome)
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
    labels: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Bundle, HeadResult]:
    """Evaluate one head out of fold, then fit it on all labelled samples.

    Parameters
    ----------
    head
        Name from `HEADS`.
    settings
        Its parameters; those not given keep their defaults.
    features, folds, groups, random_state, draws, labels, progress
        As for `compare`.

    Returns
    -------
    bundle
        The fitted head, with its out-of-fold scores and all that prediction needs.
    result
        The evaluation: it tells how heads fitted on other folds do, each on ``(folds - 1) / folds`` of the samples.

    Raises
    ------
    UnknownNameError, HeadError, ManifestError, SplitError
        As for `compare`; also HeadError if the head fails in any fold.
    """
    settings = settings or {}
    check_heads([head], {head: settings})
    task = prepare(features, Design(folds, groups, random_state, draws), labels=labels)
    result = evaluate(task, head, settings, on_fold=_fold_reporter(head, 0, folds, progress))
    return _fit_all(task, features, result, settings), result


def prepare(features: Features, design: Design, *, labels: Mapping[str, str] | None = None) -> Task:
    """Choose the samples, split them and draw the bootstrap, once for all heads.

    Raises
    ------
    ManifestError
        If `labels` has an id that the features lack.
    SplitError, UnknownNameError
        If the samples cannot be grouped or split as asked.
    """
    label = features.label if labels is None else _relabelled(features, labels)
    is_ok, is_labelled = features.status == Status.OK, label != ""
    rows = np.flatnonzero(is_ok & is_labelled)
    if not rows.size:
        raise SplitError(
            f"{features.path}: no sample has both a label and an embedding ({np.count_nonzero(is_labelled)} of "
            f"{len(label)} are labelled, {np.count_nonzero(is_ok)} were read); give labels"
        )
    y, groups = label[rows], sample_groups(features, design.groups)[rows]
    classes = tuple(np.unique(label[is_labelled]).tolist())
    empty = sorted(set(classes) - set(y.tolist()))
    if empty:
        raise SplitError(
            f"{features.path}: no sample of {first_ten(empty)} could be read, and a score over the other classes would "
            f"not be one over all; mend the images, or leave these classes out of the labels"
        )
    folds = grouped_folds(y, groups, design.folds, random_state=design.random_state)
    return Task(
        sample_id=features.sample_id[rows],
        y=y,
        groups=groups,
        embeddings=features.embeddings[rows],
        classes=classes,
        folds=tuple(folds),
        bootstrap=GroupBootstrap(y, groups, classes, n_draws=design.draws, random_state=design.random_state),
        counts=Counts(
            n_samples=len(rows),
            n_groups=len(np.unique(groups)),
            n_copies=count_copies(features.pixel_digest[rows]),
            n_unlabelled=int(np.count_nonzero(is_ok & ~is_labelled)),
            n_failed=int(np.count_nonzero(~is_ok)),
        ),
        design=design,
    )


def iter_results(
    task: Task, heads: Sequence[str], settings: Mapping[str, HeadSettings], *, progress: Progress | None = None
) -> Iterator[HeadResult | HeadFailure]:
    """Evaluate one head after the other; a head that fails is reported and does not stop the others."""
    n_total = len(heads) * len(task.folds)
    for number, head in enumerate(heads):
        on_fold = _fold_reporter(head, number * len(task.folds), n_total, progress)
        try:
            yield evaluate(task, head, settings.get(head, {}), on_fold=on_fold)
        except HeadError as error:
            yield HeadFailure(head, str(error))


def evaluate(
    task: Task, head: str, settings: HeadSettings, *, on_fold: Callable[[int], None] = lambda _fold: None
) -> HeadResult:
    """Predict each fold by a head fitted on the others, and score all predictions together.

    Parameters
    ----------
    on_fold
        Told the number, from 1, of each fold that is finished.

    Raises
    ------
    HeadError
        If the head fails in a fold; the message says in which, and why.
    """
    X = head_inputs(head, task.embeddings)
    probabilities = np.empty((len(X), len(task.classes)))
    fit_seconds = predict_seconds = 0.0
    for number, fold in enumerate(task.folds, start=1):
        classifier = _new_head(task, head, settings)
        try:
            outcome = _predict_fold(classifier, X, task, fold)
        except HEAD_FAILURES as error:
            raise HeadError(
                f"{head} failed in fold {number} of {len(task.folds)}: {type(error).__name__}: {error}"
            ) from error
        probabilities[fold.test] = outcome.probabilities
        fit_seconds += outcome.fit_seconds
        predict_seconds += outcome.predict_seconds
        on_fold(number)
    record = {
        "seconds": {"fit": fit_seconds, "predict": predict_seconds},
        "settings": _resolved_settings(task, head, settings),
    }
    return HeadResult(head, _prediction_table(task, head, probabilities), _metrics(task, head, probabilities) | record)


def conclude(task: Task, outcomes: Sequence[HeadResult | HeadFailure]) -> Comparison:
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


def _relabelled(features: Features, labels: Mapping[str, str]) -> Strings:
    strange = sorted(labels.keys() - set(features.sample_id.tolist()))
    if strange:
        raise ManifestError(
            f"labels: expected ids of {features.path}, got {len(strange)} that it lacks: {first_ten(strange)}; "
            "leave them out, or extract features for them"
        )
    return np.array([labels.get(sample_id, "") for sample_id in features.sample_id.tolist()], dtype=str)


def _fold_reporter(head: str, n_before: int, n_total: int, progress: Progress | None) -> Callable[[int], None]:
    def report(fold: int) -> None:
        if progress is not None:
            progress(head, fold, n_before + fold, n_total)

    return report


class _FoldOutcome(NamedTuple):
    probabilities: Floats
    fit_seconds: float
    predict_seconds: float


def _predict_fold(classifier: Any, X: Floats, task: Task, fold: Fold) -> _FoldOutcome:
    start = perf_counter()
    classifier.fit(X[fold.train], task.y[fold.train])
    fitted = perf_counter()
    probabilities = classifier.predict_proba(X[fold.test])
    predicted = perf_counter()
    _check_probabilities(classifier, probabilities, task.classes)
    return _FoldOutcome(probabilities, fitted - start, predicted - fitted)


def _new_head(task: Task, head: str, settings: HeadSettings) -> Any:
    return make_head(head, settings, n_views=task.embeddings.shape[1], random_state=task.design.random_state)


def _check_probabilities(classifier: Any, probabilities: Floats, classes: Sequence[str]) -> None:
    if list(map(str, classifier.classes_)) != list(classes):
        raise HeadError(f"expected classes_ to be {first_ten(classes)}, got {first_ten(classifier.classes_)}")
    strange = ~np.isfinite(probabilities).all(axis=1)
    if strange.any():
        raise HeadError(
            f"{np.count_nonzero(strange)} of {len(probabilities)} samples have probabilities that are not numbers; "
            "lower the learning rate, or look for huge values in the embeddings"
        )


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
        "log_loss": log_loss(y, probabilities, classes),
        "calibration_error": calibration_error(y, probabilities, classes),
        "confusion_matrix": confusion_matrix(y, predicted, classes).tolist(),
        **asdict(task.counts),
        **asdict(task.design),
    }


def _resolved_settings(task: Task, head: str, settings: HeadSettings) -> dict[str, Any]:
    """Every parameter of the head, defaults included: a default may change, a record may not."""
    return plain_params(_new_head(task, head, settings).get_params(deep=False))


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
    classifier = _new_head(task, result.head, settings)
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
        n_views=task.embeddings.shape[1],
        embedding_dim=task.embeddings.shape[2],
    )
