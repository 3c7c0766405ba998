"""One head on one fold: fit it and predict, or take the predictions from the cache."""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.evaluation.cache import FoldCache, FoldOutcome, HeadKeys
from cellfeat.evaluation.folds import Fold
from cellfeat.evaluation.parallel.pieces import Failure, Flow, Piece
from cellfeat.evaluation.parallel.schedule import completed
from cellfeat.evaluation.task import Task
from cellfeat.heads.registry import Head, head_inputs, head_of, make_head
from cellfeat.heads.scaling import fitted_scaling, scaled
from cellfeat.heads.state import recorded_params
from cellfeat.text import first_ten
from cellfeat.types import Floats, Integers

HeadSettings = Mapping[str, Any]


class HeadRun:
    """One head on one task. Each fold's predictions come from the cache, or are computed and kept there.

    Parameters
    ----------
    task
        The samples.
    head
        Name in `HEADS`, or an entry.
    cache
        Where predictions are kept; None computes all of them.

    Attributes
    ----------
    entry
        The entry of the head.
    head
        Name of the head.
    n_cached
        Folds that were found in the cache.
    """

    def __init__(self, task: Task, head: str | Head, cache: FoldCache | None) -> None:
        self.task, self.entry, self.cache = task, head_of(head), cache
        self.head = self.entry.name
        self.n_cached = 0

    def outcome(self, settings: HeadSettings, fold: Fold) -> FoldOutcome:
        """Predict a fold of the task, unless an earlier run has left its predictions in the cache.

        Parameters
        ----------
        settings
            Parameters of the head.
        fold
            The fold.

        Raises
        ------
        HeadError
            If the head fails.
        """
        outcome = completed(self.predicting(settings, fold))
        if isinstance(outcome, Failure):
            raise HeadError(outcome.reason)
        return outcome

    def predicting(self, settings: HeadSettings, fold: Fold) -> Flow[FoldOutcome | Failure]:
        """Predict a fold as `outcome` does, as a flow.

        Parameters
        ----------
        settings
            Parameters of the head.
        fold
            The fold.
        """
        keys = self.keys(settings)
        if self.cache is None or not keys.can_be_cached:
            return (yield [Piece(self, settings, fold)])[0]
        key = keys.key(fold)
        found = self.cache.load(key, (len(fold.test), len(self.task.classes)))
        if found is not None:
            self.n_cached += 1
            return found
        return (yield [Piece(self, settings, fold, on_done=partial(self.cache.save, key))])[0]

    def portable(self) -> "HeadRun":
        """Give what another process needs: no cache, and the mean over views, which is computed only once."""
        other = copy.copy(self)
        other.cache = None
        if self._takes_mean and self.task.scaling == "none":
            vars(other)["_means"] = self._means
        return other

    def compute(self, settings: HeadSettings, fold: Fold) -> FoldOutcome:
        """Fit on the training part of a fold and predict its test part.

        Parameters
        ----------
        settings
            Parameters of the head.
        fold
            Any split of the task's samples.

        Raises
        ------
        HeadError
            If the head knows other classes than the task, or gives probabilities that are not numbers.
        """
        classifier = new_head(self.task, self.entry, settings)
        train, test = self._inputs_of(fold)
        start = perf_counter()
        classifier.fit(train, self.task.y[fold.train])
        fitted = perf_counter()
        probabilities = classifier.predict_proba(test)
        predicted = perf_counter()
        _check_probabilities(classifier, probabilities, np.unique(self.task.y[fold.train]).tolist())
        return FoldOutcome(self._over_all_classes(probabilities, fold), fitted - start, predicted - fitted)

    def _over_all_classes(self, probabilities: NDArray[np.float64], fold: Fold) -> NDArray[np.float64]:
        """Give classes that the training part lacks, which only given folds allow, the probability 0."""
        is_fitted = np.isin(self.task.classes, self.task.y[fold.train])
        if is_fitted.all():
            return probabilities
        out = np.zeros((len(probabilities), len(self.task.classes)))
        out[:, is_fitted] = probabilities
        return out

    def keys(self, settings: HeadSettings) -> HeadKeys:
        """Keys under which the cache holds predictions with these settings."""
        return HeadKeys(self.task, self.head, new_head(self.task, self.entry, settings))

    def _inputs_of(self, fold: Fold) -> tuple[Floats, Floats]:
        """What the head gets of the training part and of the test part, scaled by the training part."""
        if self.task.scaling == "none":
            return self._inputs(fold.train), self._inputs(fold.test)
        train, test = self.task.embeddings[fold.train], self.task.embeddings[fold.test]
        scaling = fitted_scaling(self.task.scaling, train)
        return head_inputs(self.entry, scaled(scaling, train)), head_inputs(self.entry, scaled(scaling, test))

    def _inputs(self, rows: Integers) -> Floats:
        """Copy what the head gets of some samples."""
        return self._means[rows] if self._takes_mean else head_inputs(self.entry, self.task.embeddings[rows])

    @property
    def _takes_mean(self) -> bool:
        """Whether the head gets a mean over several views."""
        return self.entry.views == "mean" and self.task.embeddings.shape[1] > 1

    @cached_property
    def _means(self) -> Floats:
        # The mean over views takes seconds, and a run that finds every fold in the cache never needs it.
        return head_inputs(self.entry, self.task.embeddings)


def new_head(task: Task, head: str | Head, settings: HeadSettings) -> Any:
    """Build an unfitted head for the views and the seed of a task.

    Parameters
    ----------
    task
        The samples.
    head
        Name in `HEADS`, or an entry.
    settings
        Its parameters.
    """
    return make_head(head, settings, n_views=task.embeddings.shape[1], random_state=task.design.random_state)


def resolved_settings(task: Task, head: str | Head, settings: HeadSettings) -> dict[str, Any]:
    """Give every parameter of a head, including defaults, so that a record stays true when a default changes.

    Parameters
    ----------
    task, head, settings
        As for `new_head`.
    """
    return recorded_params(new_head(task, head, settings))


def _check_probabilities(classifier: Any, probabilities: Floats, classes: Sequence[str]) -> None:
    if list(map(str, classifier.classes_)) != list(classes):
        raise HeadError(f"expected classes_ to be {first_ten(classes)}, got {first_ten(classifier.classes_)}")
    strange = ~np.isfinite(probabilities).all(axis=1)
    if strange.any():
        raise HeadError(
            f"{np.count_nonzero(strange)} of {len(probabilities)} samples have probabilities that are not numbers; "
            "lower the learning rate, or look for huge values in the embeddings"
        )
