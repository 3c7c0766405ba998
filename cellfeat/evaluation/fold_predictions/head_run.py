"""One head on one fold: fit it and predict, or take the predictions from the cache."""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.evaluation.fold_predictions.cache import FoldCache, HeadKeys
from cellfeat.evaluation.folds.fold import Fold, FoldOutcome
from cellfeat.evaluation.parallel.pieces import Failure, Flow, Piece
from cellfeat.evaluation.parallel.schedule import completed
from cellfeat.evaluation.task.task import Task
from cellfeat.heads.chosen import chosen_values
from cellfeat.heads.preprocessing.group_standards import GroupStandards
from cellfeat.heads.preprocessing.scaling import RobustScaling, fitted_scaling, scaled
from cellfeat.heads.registry import Head, head_inputs, head_of, make_head
from cellfeat.heads.rows import check_sums
from cellfeat.heads.state import recorded_params
from cellfeat.text import first_ten
from cellfeat.types import Float32s, Floats, Integers

HeadSettings = Mapping[str, Any]


class FittedHead(NamedTuple):
    """A head that was fitted on some samples of a task.

    Attributes
    ----------
    classifier
        The head.
    scaling
        How its inputs were scaled before; None where they were not.
    seconds
        What fitting took.
    standards
        Medians of the plates, by which its inputs were standardised before any scaling; None where the task does this.
    """

    classifier: Any
    scaling: RobustScaling | None
    seconds: float
    standards: GroupStandards | None = None


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
        if self._takes_mean and self.task.scaling == "none" and not self._standardises:
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
        classifier, scaling, fit_seconds, standards = self.fitted(settings, fold.train)
        # Only now: the training part is no longer in memory.
        test = self._inputs(fold.test, scaling, standards)
        start = perf_counter()
        probabilities = classifier.predict_proba(test)
        predict_seconds = perf_counter() - start
        _check_probabilities(classifier, probabilities, np.unique(self.task.y[fold.train]).tolist())
        over_all = self._over_all_classes(probabilities, fold)
        return FoldOutcome(over_all, fit_seconds, predict_seconds, chosen_values(classifier) or None)

    def compute_together(self, settings: Sequence[HeadSettings], fold: Fold, *, screening: bool = False) -> FoldOutcome:
        """Fit several settings on the training part of a fold and predict its test part.

        Parameters
        ----------
        settings
            Parameters of the head, which differ only in what the head fits together: see
            `cellfeat.heads.base.HeadClassifier.fitted_together`.
        fold
            Any split of the task's samples.
        screening
            Whether the settings are only ranked, to fit the best few again.

        Returns
        -------
        FoldOutcome
            Its probabilities have the shape ``(n_settings, n_test, n_classes)``.

        Raises
        ------
        HeadError
            As `compute`, for any of the settings.
        """
        first, standards = new_head(self.task, self.entry, settings[0]), self._fitted_standards(fold.train)
        scaling = self._fitted_scaling(fold.train, standards)
        inputs = self._inputs(fold.train, scaling, standards)
        start = perf_counter()
        changed = [{name: one[name] for name in first.fitted_together if name in one} for one in settings]
        heads = first.fit_together(inputs, self.task.y[fold.train], changed, screening=screening)
        fit_seconds = perf_counter() - start
        del inputs
        test = self._inputs(fold.test, scaling, standards)
        start = perf_counter()
        probabilities = first.predict_together(heads, test)
        predict_seconds = perf_counter() - start
        classes = np.unique(self.task.y[fold.train]).tolist()
        for one in probabilities:
            _check_probabilities(first, one, classes)
        all_classes = np.stack([self._over_all_classes(one, fold) for one in probabilities])
        return FoldOutcome(all_classes, fit_seconds, predict_seconds)

    def fitted(self, settings: HeadSettings, rows: Integers) -> FittedHead:
        """Fit on some samples.

        Parameters
        ----------
        settings
            Parameters of the head.
        rows
            Numbers of the samples, shape ``(n,)``.

        Raises
        ------
        HeadError
            If the head cannot be fitted on them.
        """
        classifier = new_head(self.task, self.entry, settings)
        standards = self._fitted_standards(rows)
        scaling = self._fitted_scaling(rows, standards)
        inputs = self._inputs(rows, scaling, standards)
        start = perf_counter()
        # The rows are a copy that nothing else needs: a head of cellfeat standardises them where they are.
        fit = getattr(classifier, "fit_overwriting", classifier.fit)
        fit(inputs, self.task.y[rows])
        return FittedHead(classifier, scaling, perf_counter() - start, standards)

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

    @property
    def _standardises(self) -> bool:
        """Whether samples are standardised within plates by the training part of each fold."""
        return self.task.plates is not None and not self.task.plates.is_transductive

    def _fitted_standards(self, rows: Integers) -> GroupStandards | None:
        plates = self.task.plates
        return plates.fitted(self.task.embeddings, rows) if plates is not None and self._standardises else None

    def _fitted_scaling(self, rows: Integers, standards: GroupStandards | None) -> RobustScaling | None:
        """Fit the scaling of the task on some samples; None where the numbers are used as they are."""
        name = self.task.scaling
        return None if name == "none" else fitted_scaling(name, self._embeddings(rows, standards))

    def _embeddings(self, rows: Integers, standards: GroupStandards | None) -> Float32s:
        """Copy the embeddings of some samples, standardised within plates."""
        embeddings, plates = self.task.embeddings[rows], self.task.plates
        return embeddings if standards is None or plates is None else standards(embeddings, plates.names[rows])

    def seen(self, rows: Integers, scaling: RobustScaling | None, standards: GroupStandards | None) -> Float32s:
        """Give some samples as a fitted head sees them, with all their views.

        Parameters
        ----------
        rows
            Numbers of the samples, shape ``(n,)``.
        scaling, standards
            Of the fitted head.
        """
        return scaled(scaling, self._embeddings(rows, standards if self._standardises else None))

    def _inputs(self, rows: Integers, scaling: RobustScaling | None, standards: GroupStandards | None = None) -> Floats:
        """Copy what the head gets of some samples."""
        if scaling is None and standards is None and self._takes_mean:
            return self._means[rows]
        return head_inputs(self.entry, scaled(scaling, self._embeddings(rows, standards)))

    @property
    def _takes_mean(self) -> bool:
        """Whether the head gets a mean over several views."""
        return self.entry.views == "mean" and self.task.embeddings.shape[1] > 1

    @cached_property
    def _means(self) -> Floats:
        # The mean over views takes seconds, and a run that finds every fold in the cache never needs it.
        return self.task.embeddings.mean_over_views()


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
    check_sums(probabilities, type(classifier).__name__)
