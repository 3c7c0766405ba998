"""Prediction sets: for each sample so many classes that the true one is among them as often as was asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import BundleError
from cellfeat.evaluation.task import LabelledSamples, Task
from cellfeat.heads.bundle import Bundle
from cellfeat.statistics.conformal import ClassScores, check_coverage, group_weights
from cellfeat.statistics.scores import encode
from cellfeat.statistics.temperature import tempered
from cellfeat.types import Bools, Floats, Integers

REPORTED_COVERAGE = 0.9
"""The coverage that `fit` and `compare` report on."""

SEPARATOR = "|"


@dataclass(frozen=True)
class PredictionSets:
    """For each sample the classes that cannot be ruled out.

    Attributes
    ----------
    coverage
        How often the true class was asked to be in the set, for each class.
    holds
        Whether each class is in each sample's set, shape ``(n_samples, n_classes)``.
    classes
        The columns of `holds`.
    unlimited
        Classes with too few groups for this coverage: they are in every set.
    """

    coverage: float
    holds: Bools
    classes: tuple[str, ...]
    unlimited: tuple[str, ...]

    @cached_property
    def sizes(self) -> NDArray[np.integer]:
        """Classes in each set, shape ``(n_samples,)``."""
        return self.holds.sum(axis=1)

    def names(self) -> list[str]:
        r"""Each set as a text: names joined by ``|``; in a name, ``|`` becomes ``\|`` and a backslash two."""
        escaped = [name.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR) for name in self.classes]
        return [SEPARATOR.join(escaped[column] for column in np.flatnonzero(row)) for row in self.holds]

    def summary(self, rows: Bools | slice = slice(None)) -> dict[str, Any]:
        """Sizes of these samples' sets: the mean, and the shares of sets with one, several and no class."""
        sizes = self.sizes[rows]
        return {
            "mean_size": float(sizes.mean()),
            "one": float((sizes == 1).mean()),
            "several": float((sizes > 1).mean()),
            "none": float((sizes == 0).mean()),
        }


def sets_of(bundle: Bundle, probabilities: Floats, coverage: float) -> PredictionSets:
    """Take for each sample the classes whose probability reaches their threshold.

    Parameters
    ----------
    probabilities
        As the bundle predicts them, shape ``(n_samples, n_classes)``; a row of NaN has an empty set.

    Raises
    ------
    ConfigError
        If `coverage` does not lie between 0 and 1.
    BundleError
        If the head was saved before there were prediction sets.
    """
    check_coverage(coverage)
    scores = bundle.class_scores
    if scores is None:
        raise BundleError(
            f"the saved head {bundle.head_name!r} lacks the out-of-fold scores that prediction sets need: it was saved "
            "by an earlier version; fit it again"
        )
    too_few = scores.has_too_few_groups(coverage)
    unlimited = tuple(name for name, is_short in zip(bundle.classes, too_few, strict=True) if is_short)
    return PredictionSets(coverage, probabilities >= scores.thresholds(coverage), tuple(bundle.classes), unlimited)


def held_out_sets(task: Task, raw: Floats, temperatures: Sequence[float], coverage: float) -> PredictionSets:
    """Sets for each fold by thresholds from the other folds.

    Neither the thresholds nor the temperature of a fold are fitted to labels of that fold.

    Parameters
    ----------
    raw
        Out-of-fold probabilities as the head gives them, shape ``(n_samples, n_classes)``.
    temperatures
        One a fold, fitted on the other folds.
    """
    codes = encode(task.y, task.classes)
    holds = np.empty(raw.shape, dtype=bool)
    too_few = np.zeros(len(task.classes), dtype=bool)
    for fold, temperature in zip(task.folds, temperatures, strict=True):
        probabilities = tempered(raw, temperature)
        others = np.setdiff1d(np.arange(len(codes)), fold.test)
        scores = ClassScores.of(probabilities[others], codes[others], task.groups[others])
        holds[fold.test] = probabilities[fold.test] >= scores.thresholds(coverage)
        too_few |= scores.has_too_few_groups(coverage)
    unlimited = tuple(name for name, is_short in zip(task.classes, too_few, strict=True) if is_short)
    return PredictionSets(coverage, holds, task.classes, unlimited)


def held_out_metrics(task: Task, sets: PredictionSets) -> dict[str, Any]:
    """How often the true class was in the set, class by class, and how large the sets were, as plain JSON values.

    Each group of a class counts once, as the promise has it. Over all folds together the share is near the coverage
    whatever the samples are, because each fold's samples set the thresholds of the others: where one fold falls short,
    its low probabilities lower the thresholds of the rest. What tells is how far single folds lie apart.
    """
    return set_metrics(task, sets) | {
        "per_class_coverage_per_fold": [_covered(task, sets, fold.test) for fold in task.folds],
    }


def set_metrics(samples: LabelledSamples, sets: PredictionSets) -> dict[str, Any]:
    """How often the true class was in the set, over all these samples, and how large the sets were."""
    return {
        "coverage": sets.coverage,
        **sets.summary(),
        "per_class_coverage": _covered(samples, sets, np.arange(len(samples.y))),
        "unlimited": list(sets.unlimited),
    }


def _covered(samples: LabelledSamples, sets: PredictionSets, rows: Integers) -> list[float]:
    """Share of each class's groups that held their class, over some rows."""
    codes = encode(samples.y, samples.classes)
    weight = group_weights(codes, samples.groups)[rows]
    is_covered = sets.holds[rows, codes[rows]]
    hits = np.bincount(codes[rows], weights=weight * is_covered)
    return (hits / np.bincount(codes[rows], weights=weight)).tolist()
