"""Heads on the same folds: each one's result as it comes, and at the end what can be said about the differences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Literal

from cellfeat.errors import ConfigError, HeadError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.cross_validation import Progress, evaluate, fold_observer
from cellfeat.evaluation.head_run import HeadRun, HeadSettings
from cellfeat.evaluation.results import Comparison, HeadDifference, HeadFailure, HeadResult, Outcome
from cellfeat.evaluation.task import Design, Task, prepare
from cellfeat.evaluation.tuning import Tuner
from cellfeat.extraction.store import Features
from cellfeat.heads.registry import HEADS, make_head
from cellfeat.statistics.bootstrap import GroupBootstrap
from cellfeat.statistics.intervals import LEVEL
from cellfeat.statistics.significance import holm


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
        Told what is strange about the groups (see `sample_groups`), and what tuning will cost: the fits before any is
        made, and about how long they will take after a head's first.
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
    design = Design(folds, groups, random_state, draws, calibrate, tune)
    task = prepare(features, design, labels=labels, say=say)
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
        on_fold = fold_observer(head, number * len(task.folds), n_total, progress)
        try:
            yield evaluate(task, head, settings.get(head, {}), cache=cache, on_fold=on_fold, say=say)
        except HeadError as error:
            yield HeadFailure(head, str(error))


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
        provenance=task.provenance,
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
