"""Prediction sets: for each sample, the classes that cannot be ruled out at a chosen coverage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import BundleError
from cellfeat.evaluation.folds.fold import rows_outside
from cellfeat.evaluation.scores.set_scores import CoverageOfGroups, SetScores, SetSizes
from cellfeat.evaluation.task.labelled_samples import LabelledSamples
from cellfeat.evaluation.task.task import Task
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.statistics.conformal import ClassScores, check_coverage, group_weights
from cellfeat.statistics.group_coverage import group_coverage
from cellfeat.statistics.scores import encode
from cellfeat.statistics.temperature import tempered
from cellfeat.types import Bools, Floats, Integers

REPORTED_COVERAGE = 0.9
"""The coverage that `fit` and `compare` report on."""

SEPARATOR = "|"


@dataclass(frozen=True)
class PredictionSets:
    """For each sample, the classes that cannot be ruled out.

    Attributes
    ----------
    coverage
        How often the set should hold the true class, for each class.
    holds
        Whether each class is in each sample's set, shape ``(n_samples, n_classes)``.
    classes
        The columns of `holds`.
    unlimited
        Classes that are always included because too few groups have them.
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

    def summary(self, rows: Bools | slice = slice(None)) -> SetSizes:
        """Summarise the sizes of the sets of some samples, chosen by a mask of shape ``(n_samples,)``."""
        sizes = self.sizes[rows]
        return SetSizes(
            mean_size=float(sizes.mean()),
            one=float((sizes == 1).mean()),
            several=float((sizes > 1).mean()),
            none=float((sizes == 0).mean()),
        )


def sets_of(bundle: Bundle, probabilities: Floats, coverage: float) -> PredictionSets:
    """Take for each sample the classes whose probability reaches their threshold.

    Parameters
    ----------
    bundle
        The saved head, which holds the thresholds' scores.
    coverage
        How often the set should hold the true class, for each class.
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
            f"the saved head {bundle.head_name!r} lacks the out-of-fold scores that prediction sets need: an earlier "
            "version saved it; fit it again"
        )
    too_few = scores.has_too_few_groups(coverage)
    unlimited = tuple(name for name, is_short in zip(bundle.classes, too_few, strict=True) if is_short)
    return PredictionSets(coverage, probabilities >= scores.thresholds(coverage), tuple(bundle.classes), unlimited)


def out_of_fold_sets(task: Task, raw: Floats, temperatures: Sequence[float], coverage: float) -> PredictionSets:
    """Make the sets of each fold with thresholds from the other folds.

    Neither the thresholds nor the temperature of a fold are fitted to labels of that fold.

    Parameters
    ----------
    task
        Samples and folds.
    raw
        Out-of-fold probabilities as the head gives them, shape ``(n_samples, n_classes)``.
    temperatures
        One a fold, fitted on the other folds.
    coverage
        How often the set should hold the true class, for each class.
    """
    codes = encode(task.y, task.classes)
    holds = np.empty(raw.shape, dtype=bool)
    too_few = np.zeros(len(task.classes), dtype=bool)
    for fold, temperature in zip(task.folds, temperatures, strict=True):
        probabilities = tempered(raw, temperature)
        others = rows_outside(fold.test, len(codes))
        scores = ClassScores.of(probabilities[others], codes[others], task.groups[others])
        holds[fold.test] = probabilities[fold.test] >= scores.thresholds(coverage)
        too_few |= scores.has_too_few_groups(coverage)
    unlimited = tuple(name for name, is_short in zip(task.classes, too_few, strict=True) if is_short)
    return PredictionSets(coverage, holds, task.classes, unlimited)


def out_of_fold_set_scores(task: Task, raw: Floats, temperatures: Sequence[float], coverage: float) -> SetScores | None:
    """Score out-of-fold prediction sets: class by class, over all folds and in each; None for a single fold.

    Each group of a class counts once, as in the guarantee of the sets. Over all folds together the share is near
    the coverage whatever the samples are, because each fold's samples set the thresholds of the others: where one fold
    falls short, its low probabilities lower the thresholds of the rest. What is informative is how far single folds lie
    apart.

    Parameters
    ----------
    task, raw, temperatures, coverage
        As for `out_of_fold_sets`.
    """
    if len(task.folds) == 1:
        return None
    sets = out_of_fold_sets(task, raw, temperatures, coverage)
    per_fold = tuple(_covered(task, sets, fold.test) for fold in task.folds)
    if any(len(fold) < len(task.classes) for fold in per_fold):
        per_fold = ()  # a fold that was given may lack a class
    return replace(set_scores(task, sets), per_class_coverage_per_fold=per_fold)


def set_scores(samples: LabelledSamples, sets: PredictionSets) -> SetScores:
    """Score prediction sets over all samples.

    Parameters
    ----------
    samples
        The samples and their labels.
    sets
        Their sets.
    """
    return SetScores(
        coverage=sets.coverage,
        sizes=sets.summary(),
        per_class_coverage=_covered(samples, sets, np.arange(len(samples.y))),
        unlimited=sets.unlimited,
        of_groups=_of_groups(samples, sets),
    )


def _of_groups(samples: LabelledSamples, sets: PredictionSets) -> CoverageOfGroups | None:
    codes = encode(samples.y, samples.classes)
    found = group_coverage(sets.holds[np.arange(len(codes)), codes], samples.groups, sets.coverage)
    return None if found is None else CoverageOfGroups(found, str(samples.sample_id[found.lowest_row]))


def _covered(samples: LabelledSamples, sets: PredictionSets, rows: Integers) -> tuple[float, ...]:
    """Share of each class's groups whose sets hold the class, over some rows."""
    codes = encode(samples.y, samples.classes)
    weight = group_weights(codes, samples.groups)[rows]
    is_covered = sets.holds[rows, codes[rows]]
    hits, totals = np.bincount(codes[rows], weights=weight * is_covered), np.bincount(codes[rows], weights=weight)
    # Every fold holds every class; held-out samples may lack some.
    return tuple((hits[totals > 0] / totals[totals > 0]).tolist())
