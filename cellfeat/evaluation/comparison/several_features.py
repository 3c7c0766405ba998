"""Compare features of the same samples: two networks, two recipes, or embeddings beside measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.evaluation.comparison.compare import compare_on, pair_differences
from cellfeat.evaluation.cross_validation.head_checks import check_heads, plain_settings
from cellfeat.evaluation.cross_validation.hooks import SILENT, Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadSettings
from cellfeat.evaluation.groups.sample_groups import all_sample_groups
from cellfeat.evaluation.parallel.choice import Jobs, check_jobs
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.task.arguments import resolved
from cellfeat.evaluation.task.task import Task, prepare
from cellfeat.extraction.store import Features, Given, as_features
from cellfeat.heads.scikit_learn.given import Headlike, chosen_heads
from cellfeat.text import counted, first_ten
from cellfeat.types import Strings


def compare_features(
    features: Mapping[str, Features | Path | str],
    heads: Sequence[Headlike] | Mapping[str, Any],
    *,
    design: Design | None = None,
    settings: Mapping[str, HeadSettings] | None = None,
    labels: Given | None = None,
    cache: FoldCache | None = None,
    hooks: Hooks = SILENT,
    jobs: Jobs = None,
) -> Comparison:
    """Evaluate heads on several features of the same samples, and compare them pair by pair.

    Samples are matched by their ids; those that some of the features lack, or could not read, are left out. Labels,
    groups, further columns, copies and near copies are those of the first features, so that all are evaluated on the
    same folds.

    Parameters
    ----------
    features
        Two or more, by name; features or the paths of their files.
    heads, design, settings, cache, hooks, jobs
        As for `cellfeat.compare`.
    labels
        In place of those of the first features, as for `cellfeat.compare`.

    Returns
    -------
    Comparison
        Its heads are called ``"logreg on NAME"``. Differences are paired over samples, and their intervals hold for all
        pairs at once. Counts and provenance are those of the first features.

    Raises
    ------
    ConfigError
        If there are fewer than two features, or they are something else.
    ManifestError
        If they have no sample in common, or labels that contradict each other.
    UnknownNameError, HeadError, SplitError, WorkerError
        As `cellfeat.compare`.
    KeyboardInterrupt
        If Ctrl-C comes before all are finished.

    Examples
    --------
    >>> compare_features({"dino": "dino.h5", "cellprofiler": "cp.h5"}, ["logreg"]).verdicts()  # doctest: +SKIP
    ['logreg on dino is better than logreg on cellprofiler by 0.031 [0.012, 0.050]']
    """
    if not isinstance(features, Mapping) or len(features) < 2:
        raise ConfigError('features: expected two or more by name, such as {"dino": "dino.h5", "mine": "mine.h5"}')
    check_jobs(jobs)
    entries, settings = chosen_heads(heads), plain_settings(settings)
    check_heads(entries, settings)
    loaded = {name: as_features(one) for name, one in features.items()}
    first, design = resolved(next(iter(loaded.values())), design)
    loaded[next(iter(loaded))] = first
    if labels is None:
        _check_labels(loaded)
    aligned, design = _aligned(loaded, design, hooks.say)
    # Remarks on the samples are said once: all have the same.
    says = [hooks.say, *[ignore_line] * len(aligned)]
    tasks = {
        name: prepare(one, design, labels=labels, say=say)
        for (name, one), say in zip(aligned.items(), says, strict=False)
    }
    compared = {}
    for name, task in tasks.items():
        hooks.say(f"heads on {name}")
        compared[name] = compare_on(task, entries, settings, cache=cache, hooks=hooks, jobs=jobs)
        if not compared[name].is_complete:
            raise KeyboardInterrupt
    return _joined(tasks, compared, {name: one.path.name for name, one in loaded.items()})


def _aligned(features: Mapping[str, Features], design: Design, say: Say) -> tuple[dict[str, Features], Design]:
    """Give each features the samples of the first, in one order, and the design that keeps their groups."""
    first = next(iter(features.values()))
    common = _common_ids(features, say)
    if len(common) < len(first):
        # An audit belongs to all samples of its file: its groups are read before some are left out.
        first = first.with_groups(all_sample_groups(first, design.groups).astype(str)) if _is_word(design) else first
        design = replace(design, groups="auto") if _is_word(design) else design
        first = first.take(np.flatnonzero(np.isin(first.samples.ids, common)))
    return {name: _with_samples(first, one) for name, one in features.items()}, design


def _is_word(design: Design) -> bool:
    """Whether groups are more than one column: near copies and copies are found in the whole file."""
    return design.groups in ("auto", "copies", "near-copies") or "+" in design.groups


def _common_ids(features: Mapping[str, Features], say: Say) -> Strings:
    readable = {name: one.samples.ids[one.samples.is_ok] for name, one in features.items()}
    first, *others = readable.values()
    common = first[np.logical_and.reduce([np.isin(first, ids) for ids in others])]
    if not len(common):
        shown = "; ".join(f"{name}: {first_ten(ids)}" for name, ids in readable.items())
        raise ManifestError(f"features: have no sample id in common, got {shown}; give the samples the same ids")
    for name, one in features.items():
        if n_out := len(one) - len(common):
            say(f"{name}: {counted(n_out, 'sample')} left out, which not all features have")
    return common


def _check_labels(features: Mapping[str, Features]) -> None:
    """Refuse labels that contradict each other: one of the two is wrong, and a score would not say which."""
    (name, first), *others = ((name, _label_of(one)) for name, one in features.items())
    for other, labels in others:
        unlike = [one for one, label in labels.items() if first.get(one, label) != label]
        if unlike:
            one = unlike[0]
            raise ManifestError(
                f"features: {counted(len(unlike), 'sample')} have another label in {other} than in {name}, such as "
                f"{one}: {labels[one]!r} and {first[one]!r}; check that the ids mean the same samples, and correct the "
                "labels"
            )


def _label_of(features: Features) -> dict[str, str]:
    """Labels by id, where there are some."""
    pairs = zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True)
    return {one: label for one, label in pairs if label}


def _with_samples(first: Features, other: Features) -> Features:
    """Give the samples of the first features the embeddings of others; its path finds what an audit found."""
    place_of = {one: place for place, one in enumerate(other.samples.ids.tolist())}
    rows = np.array([place_of[one] for one in first.samples.ids.tolist()], dtype=np.intp)
    is_same = np.array_equal(rows, np.arange(len(other)))
    return replace(
        first,
        embeddings=other.embeddings if is_same else other.embeddings[rows],
        recipe=other.recipe,
        fingerprint=other.fingerprint,
    )


def _joined(tasks: Mapping[str, Task], compared: Mapping[str, Comparison], files: Mapping[str, str]) -> Comparison:
    """Make one comparison of all heads on all features."""
    results = [_renamed(one, name, files[name]) for name, found in compared.items() for one in found.results]
    results.sort(key=lambda result: -result.balanced_accuracy)
    name, task = next(iter(tasks.items()))
    failures = [replace(one, head=f"{one.head} on {of}") for of, found in compared.items() for one in found.failures]
    return replace(
        compared[name],
        results=tuple(results),
        failures=tuple(failures),
        differences=pair_differences(task, results),
    )


def _renamed(result: HeadResult, features: str, file: str) -> HeadResult:
    name = f"{result.head} on {features}"
    provenance = replace(result.provenance, features=file)
    return replace(result, head=name, predictions=result.predictions.assign(head=name), provenance=provenance)
