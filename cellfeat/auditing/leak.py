"""The price of a leak: how much higher heads score if copies may be in both the training and the test part.

The same heads are compared on several kinds of folds, called arms: random folds; folds that keep exact copies and the
manifest's groups together; and folds that keep near copies together as well. Where samples are crops of fields, the
arms between are folds that keep overlapping crops together, and folds that keep whole fields together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from cellfeat.errors import HeadError
from cellfeat.evaluation.cross_validation.out_of_fold import OutOfFold, out_of_fold
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.folds.grouped_folds import classes_of_few_groups
from cellfeat.evaluation.scoring.score import pooled_balanced_accuracy
from cellfeat.evaluation.task.labelled_samples import labelled_samples
from cellfeat.evaluation.task.task import Task, prepare
from cellfeat.extraction.store import Features
from cellfeat.text import first_ten
from cellfeat.types import Strings

LEAK_HEADS = ("logreg", "knn")

NOTHING, COPIES, NEAR_COPIES = "nothing", "copies", "near copies too"
OVERLAPS, FIELDS, EVERYTHING = "overlapping crops", "whole fields", "groups and near copies too"
"""What the arms keep together."""

LEAK_SETS = 5
"""Sets of folds in the mean price. With one set, chance alone changes the price as much as a small leak does."""


@dataclass(frozen=True)
class Leak:
    """Scores of one head with copies split between training and test, and with copies kept together.

    Attributes
    ----------
    head
        Name of the head.
    scores
        Balanced accuracies, a row for each set of folds and a number for each arm: on random folds first, and with
        everything kept together last.
    arms
        What the folds of each arm keep together.
    left_out
        Classes with fewer groups than folds in some arm: the scores of all arms are without them.
    """

    head: str
    scores: tuple[tuple[float, ...], ...]
    arms: tuple[str, ...] = (NOTHING, COPIES, NEAR_COPIES)
    left_out: tuple[str, ...] = ()

    @property
    def means(self) -> tuple[float, ...]:
        """The score of each arm, averaged over the sets of folds."""
        return tuple(np.mean(self.scores, axis=0).tolist())

    @property
    def claimed(self) -> float:
        """By how much scores on random folds would have been too high."""
        return float(np.mean(self._claims))

    @property
    def deviation(self) -> float:
        """Standard deviation of that over the sets of folds; 0 for a single set."""
        return float(np.std(self._claims, ddof=1)) if len(self.scores) > 1 else 0.0

    @property
    def is_scatter(self) -> bool:
        """Whether the choice of folds alone explains the claim.

        The claim is a mean over sets of folds; it is compared with the 95 % interval of such a mean, by Student's t.
        """
        n_sets = len(self.scores)
        if n_sets == 1:  # a single set does not show how much the choice of folds changes
            return True
        quantile = stats.t.ppf(0.975, n_sets - 1)
        return bool(abs(self.claimed) <= quantile * self.deviation / np.sqrt(n_sets))

    @property
    def remark(self) -> str:
        """What to know about the claim; empty where copies explain it."""
        if all(len(set(arms)) == 1 for arms in self.scores):
            return "all folds give the same score, as where there are no copies"
        return "the choice of folds alone explains this difference" if self.is_scatter else ""

    @property
    def scope(self) -> str:
        """Which classes the scores are without; empty where they are of all."""
        if not self.left_out:
            return ""
        return f"without classes of fewer groups than folds: {first_ten(self.left_out)}"

    @property
    def _claims(self) -> list[float]:
        return [random - everything for random, *_, everything in self.scores]


@dataclass(frozen=True)
class Arm:
    """Predictions on one kind of folds, for one seed.

    Attributes
    ----------
    kept
        What the folds keep together.
    task
        Samples and folds.
    predicted
        Out-of-fold predictions, by head; heads that failed are absent.
    """

    kept: str
    task: Task
    predicted: Mapping[str, OutOfFold]

    def score(self, head: str) -> float:
        """Balanced accuracy of a head; NaN where it failed."""
        return pooled_balanced_accuracy(self.task, self.predicted[head]) if head in self.predicted else np.nan


Arms = tuple[Arm, ...]
"""The kinds of folds of one seed: random folds first, everything kept together last."""


def leak_arms(features: Features, grouped: Features, design: Design, cache: FoldCache | None) -> Arms:
    """Make each kind of folds with one seed, and predict it.

    Parameters
    ----------
    features
        The features with the manifest's groups.
    grouped
        The same features with near copies joined to these groups.
    design
        Folds and seed.
    cache
        Stores the predictions of each fold and reuses them.

    Raises
    ------
    SplitError
        If the samples cannot be split into folds.
    HeadError
        If every head failed.
    """
    return tuple(
        _arm(kept, prepare(data, replace(design, groups=groups)), cache)
        for kept, (data, groups) in _arms_of(features, grouped).items()
    )


def classes_to_leave_out(features: Features, grouped: Features, design: Design) -> tuple[str, ...]:
    """List the classes that cannot be in every fold of some arm, if two or more others can.

    The arms are compared on the same samples: a class that one arm cannot split is left out of all.

    Parameters
    ----------
    features, grouped, design
        As for `leak_arms`.

    Raises
    ------
    SplitError
        If no sample can be used.
    """
    few, classes = set(), set()
    for data, groups in _arms_of(features, grouped).values():
        samples = labelled_samples(data, replace(design, groups=groups))
        classes |= set(samples.classes)
        few |= set(classes_of_few_groups(samples.y, samples.groups, design.n_folds))
    return tuple(sorted(few)) if len(classes - few) > 1 else ()


def _arms_of(features: Features, grouped: Features) -> dict[str, tuple[Features, str]]:
    """The features of each arm, with the groups of its design."""
    # Not ``auto``, so that the record of an earlier audit does not add to the groups found now.
    kinds = {kept: (data, "copies") for kept, data in _kept_together(features, grouped).items()}
    return {NOTHING: (features, "none"), **kinds}


def _kept_together(features: Features, grouped: Features) -> dict[str, Features]:
    """The features of each arm but the first, with the groups that its folds keep together."""
    regions = features.samples.regions
    if regions is None:
        return {COPIES: features, NEAR_COPIES: grouped}
    alone = np.full(len(features), "")
    # Crops that share pixels are joined by their boxes, without a group.
    return {
        OVERLAPS: _with_groups(features, alone),
        FIELDS: _with_groups(features, regions.field),
        EVERYTHING: grouped,
    }


def _with_groups(features: Features, groups: Strings) -> Features:
    return replace(features, samples=replace(features.samples, groups=groups))


def _arm(kept: str, task: Task, cache: FoldCache | None) -> Arm:
    predicted, reasons = {}, []
    for head in LEAK_HEADS:
        try:
            predicted[head] = out_of_fold(task, head, cache=cache)
        except HeadError as error:
            reasons.append(str(error))
    if not predicted:
        raise HeadError("no head could be evaluated: " + "; ".join(reasons))
    return Arm(kept, task, predicted)


def leaks(runs: Sequence[Arms]) -> Iterator[Leak]:
    """Give the price of the leak by head, over several sets of folds.

    Sets of folds on which a head failed are left out, and heads without any set.
    """
    for head in LEAK_HEADS:
        scores = [tuple(arm.score(head) for arm in arms) for arms in runs]
        # A head that failed in one arm scores NaN there, and the sum is NaN.
        whole = tuple(row for row in scores if not np.isnan(sum(row)))
        if whole:
            yield Leak(head, whole, tuple(arm.kept for arm in runs[0]), runs[0][0].task.design.leave_out)
