"""Evaluate heads on the old labels, in the folds of the new ones, and pair the scores of both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.relabelling.changes import Relabelling
from cellfeat.evaluation.relabelling.effect import HeadEffect, LabelScore, OldAndNew, RelabellingEffect
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.task.task import Task
from cellfeat.statistics.interval_types import LEVEL
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.other_labels import OtherLabels
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.types import Bools, Integers, Strings


def with_old_labels(task: Task, old_labels: Strings) -> Task:
    """Give the samples of a task their old labels, in the same folds; samples that had none are left out.

    Parameters
    ----------
    task
        The samples with their new labels.
    old_labels
        Old label of every sample of the features, ``""`` where there was none, shape ``(n_features,)``.
    """
    old = old_labels[task.rows]
    kept = np.flatnonzero((old != "") & ~np.isin(old, task.design.leave_out))
    place = np.full(len(old), -1)
    place[kept] = np.arange(len(kept))

    def placed(rows: Integers) -> Integers:
        return place[rows][place[rows] >= 0]

    groups = task.groups[kept]
    folds = [replace(fold, train=placed(fold.train), test=placed(fold.test)) for fold in task.folds]
    return replace(
        task,
        rows=task.rows[kept],
        sample_id=task.sample_id[kept],
        y=old[kept],
        groups=groups,
        classes=tuple(np.unique(old[kept]).tolist()),
        counts=replace(task.counts, n_samples=len(kept), n_groups=len(np.unique(groups))),
        embeddings=task.embeddings.take(kept),
        folds=tuple(fold for fold in folds if len(fold.test) and len(fold.train)),
        units=None if task.units is None else task.units[kept],
    )


@dataclass(frozen=True)
class OldScores:
    """The heads of a comparison on the old labels.

    Attributes
    ----------
    task
        The samples with their old labels; None where they cannot be evaluated.
    results
        The result of each head that could be evaluated, by its name.
    why_not
        Why a head could not be evaluated, by its name; of all heads under ``""``.
    is_complete
        Whether every head was evaluated; False after Ctrl-C.
    """

    task: Task | None
    results: Mapping[str, HeadResult]
    why_not: Mapping[str, str]
    is_complete: bool = True

    def reason(self, head: str) -> str:
        """Why there is no result of a head."""
        return self.why_not.get(head) or self.why_not.get("") or "could not be evaluated on the old labels"

    @classmethod
    def of(cls, task: Task, compare: Callable[[Task], Comparison]) -> "OldScores":
        """Evaluate the heads on the old labels; what cannot be evaluated does not cost the comparison.

        Parameters
        ----------
        task
            The samples with their old labels.
        compare
            Compares the heads on them.
        """
        try:
            found = compare(task)
        except (SplitError, HeadError) as error:
            return cls(None, {}, {"": f"the old labels cannot be evaluated: {error}"})
        failures = {failure.head: failure.reason for failure in found.failures}
        return cls(task, {result.head: result for result in found.results}, failures, found.is_complete)


def relabelling_effect(relabelling: Relabelling, task: Task, new: Comparison, old: OldScores) -> RelabellingEffect:
    """Compare the scores by the new labels with those by the old ones.

    Parameters
    ----------
    relabelling
        The changes.
    task
        The samples with their new labels.
    new
        The comparison on them.
    old
        The same heads on the old labels.
    """
    pairing = _Pairing.of(relabelling, task, old)
    n_now = sum(1 for one, label in relabelling.items() if not label and relabelling.before[one])
    return RelabellingEffect(
        judged=relabelling.judged,
        heads=tuple(_head_effect(result, old, pairing) for result in new.results),
        n_without_old=len(task.tested.rows) - len(pairing.places),
        n_without_new=n_now,
    )


@dataclass(frozen=True)
class _Pairing:
    """The samples that both labellings score.

    `places` are their numbers among the tested samples with new labels; the other arrays follow them.
    """

    places: Integers
    new: Strings
    old: Strings
    groups: Integers
    classes: tuple[str, ...]
    old_classes: tuple[str, ...]
    is_unseen: Bools
    n_draws: int
    random_state: int

    @classmethod
    def of(cls, relabelling: Relabelling, task: Task, old: OldScores) -> "_Pairing":
        new_tested = task.tested
        old_rows = np.empty(0, dtype=np.intp) if old.task is None else old.task.tested.rows
        places = np.flatnonzero(np.isin(new_tested.rows, old_rows))
        ids = new_tested.sample_id[places].tolist()
        changed = relabelling.changed_after_seeing
        return cls(
            places=places,
            new=new_tested.y[places],
            old=np.array([relabelling.before[one] for one in ids], dtype=str),
            groups=new_tested.groups[places],
            classes=task.classes,
            old_classes=() if old.task is None else old.task.classes,
            is_unseen=np.array([one not in changed for one in ids], dtype=bool),
            n_draws=task.design.draws,
            random_state=task.design.random_state,
        )

    def old_and_new(self, new_predicted: Strings, old_predicted: Strings, kept: Bools) -> OldAndNew:
        """Score some of the samples by both labellings."""
        new, old, groups = self.new[kept], self.old[kept], self.groups[kept]
        first = GroupBootstrap(new, groups, self.classes, n_draws=self.n_draws, random_state=self.random_state)
        alone = GroupBootstrap(old, groups, self.old_classes, n_draws=self.n_draws, random_state=self.random_state)
        return OldAndNew(
            n_samples=int(kept.sum()),
            old=_label_score(alone, old, old_predicted[kept], self.old_classes),
            new=_label_score(first, new, new_predicted[kept], self.classes),
            gain=OtherLabels(first, old, self.old_classes).gain(new_predicted[kept], old_predicted[kept]),
        )


def _label_score(bootstrap: GroupBootstrap, y: Strings, predicted: Strings, classes: Sequence[str]) -> LabelScore:
    return LabelScore(balanced_accuracy(y, predicted, classes), bootstrap.interval(predicted, level=LEVEL))


def _head_effect(result: HeadResult, old: OldScores, pairing: _Pairing) -> HeadEffect:
    if result.head not in old.results:
        return HeadEffect(result.head, None, None, old.reason(result.head))
    new_predicted = result.predictions["predicted"].to_numpy(dtype=str)[pairing.places]
    old_predicted = old.results[result.head].predictions["predicted"].to_numpy(dtype=str)
    everything = np.ones(len(pairing.places), dtype=bool)
    try:
        of_all = pairing.old_and_new(new_predicted, old_predicted, everything)
    except SplitError as error:
        return HeadEffect(result.head, None, None, str(error))
    try:
        return HeadEffect(result.head, of_all, pairing.old_and_new(new_predicted, old_predicted, pairing.is_unseen))
    except SplitError as error:
        return HeadEffect(result.head, of_all, None, str(error))
