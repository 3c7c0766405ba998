"""Multinomial logistic regression with an L2 penalty: the linear probe."""

import warnings
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from cellfeat.errors import HeadError
from cellfeat.heads.base import HeadClassifier, check_integer, check_positive
from cellfeat.heads.chosen import Chosen
from cellfeat.heads.class_weights import ClassWeight, check_class_weight, class_weights
from cellfeat.heads.linear_models.lbfgs import Precision
from cellfeat.heads.linear_models.penalty_choice import Choice, choose_penalty
from cellfeat.heads.linear_models.preconditioner import Directions
from cellfeat.heads.linear_models.softmax_regression import (
    COMPARED,
    FITTED,
    RANKED,
    Problem,
    Solution,
    softmax_of_classes,
    solve,
)
from cellfeat.heads.preprocessing.transforms import FeatureTransform, TransformName, check_transform
from cellfeat.heads.state import HeadState

WEIGHT_COLUMNS = 128
"""Classes times settings that are fitted at once."""


class LogisticRegressionHead(HeadClassifier):
    """Multinomial logistic regression with an L2 penalty, after the columns are transformed.

    The optimum is the same as in scikit-learn; the solver needs fewer passes over the data.

    Parameters
    ----------
    C
        Inverse strength of the L2 penalty, as in scikit-learn; class weights are relative to their mean over the
        samples. ``"auto"`` chooses 0.003, 0.01 or 0.03 on held-out training samples: see
        `cellfeat.heads.linear_models.penalty_choice`. No value is best for all embeddings: it is 0.003 for the input of
        the network's classifier, and 0.03 or more for pooled stages, where 0.003 costs 0.01 to 0.02.
    class_weight
        ``"balanced"`` gives each class the same total weight; or ``None``, or a weight for each class.
    feature_transform
        Transform of the columns before the head: see `FeatureTransform`.
    feature_components
        Number of principal components that ``pca`` and ``whiten`` keep; None for all.
    max_iter
        Maximum steps of L-BFGS; about 20 to 60 are needed.

    Attributes
    ----------
    C_
        The value of `C` that was used, after `fit`.
    chosen_
        The same where `C` is ``"auto"``, with the values that were compared.
    """

    fitted_together: ClassVar = frozenset({"C"})
    search_space: ClassVar = {"C": [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3]}

    def __init__(
        self,
        C: float | Literal["auto"] = "auto",
        *,
        class_weight: ClassWeight = "balanced",
        feature_transform: TransformName = "standardise",
        feature_components: int | None = None,
        max_iter: int = 1000,
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.feature_transform = feature_transform
        self.feature_components = feature_components
        self.max_iter = max_iter

    def _check_parameters(self) -> None:
        if isinstance(self.C, str) and self.C != "auto":
            raise HeadError(f"C: expected 'auto' or a number above 0, got {self.C!r}")
        if self.C != "auto":
            check_positive("C", self.C)
        check_class_weight(self.class_weight)
        check_transform(self.feature_transform, self.feature_components)
        check_integer("max_iter", self.max_iter, low=1)

    def _fit(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        self._fit_rows(X, codes, overwrites=False)

    def _fit_overwriting(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        self._fit_rows(X, codes, overwrites=True)

    def _fit_rows(self, X: NDArray[np.float32], codes: NDArray[np.int64], *, overwrites: bool) -> None:
        self.transform_ = FeatureTransform.fitted(self.feature_transform, X, self.feature_components)
        self._solve_all([self], self.transform_.in_float32(X, overwrites=overwrites), codes)

    def _fit_together(
        self, heads: Sequence[Self], X: NDArray[np.float32], codes: NDArray[np.int64], *, screening: bool
    ) -> None:
        transform = FeatureTransform.fitted(self.feature_transform, X, self.feature_components)
        columns = transform.in_float32(X, overwrites=True)
        for head in heads:
            head.transform_ = transform
        # Each problem keeps some 20 vectors of its size.
        at_once = max(1, WEIGHT_COLUMNS // self._n_classes)
        for start in range(0, len(heads), at_once):
            self._solve_all(heads[start : start + at_once], columns, codes, RANKED if screening else COMPARED)

    def _solve_all(
        self,
        heads: Sequence[Self],
        columns: NDArray[np.float32],
        codes: NDArray[np.int64],
        precision: Precision = FITTED,
    ) -> None:
        weights = class_weights(self.class_weight, self.classes_, codes)[codes]
        problem = Problem(columns, codes, weights.astype(np.float32), self._n_classes)
        # The matrices are tall and thin: with several threads the BLAS spends more time waiting than working.
        with threadpool_limits(limits=1, user_api="blas"):
            directions = Directions.of(problem.rows, problem.sample_weights, problem.n_classes)
            automatic = choose_penalty(problem, directions) if any(head.C == "auto" for head in heads) else None
            choices = [automatic if automatic and head.C == "auto" else Choice(float(head.C)) for head in heads]
            # The automatic value is often one of the others: it is then solved once.
            starts = dict.fromkeys(one.C for one in choices) | ({automatic.C: automatic.weights} if automatic else {})
            penalties = [problem.penalty(C) for C in starts]
            solutions = solve(
                problem,
                directions,
                penalties,
                max_iter=self.max_iter,
                precision=precision,
                starts=list(starts.values()),
            )
        found = dict(zip(starts, solutions, strict=True))
        for head, choice in zip(heads, choices, strict=True):
            head._take(found[choice.C], choice)

    def _take(self, solution: Solution, choice: Choice) -> None:
        if not solution.converged:
            warnings.warn(
                f"logreg was still improving after max_iter = {self.max_iter} steps; raise max_iter, or lower C",
                ConvergenceWarning,
                stacklevel=6,
            )
        self.coef_, self.intercept_ = solution.weights[:, :-1].copy(), solution.weights[:, -1].copy()
        self.C_, self.n_iter_ = choice.C, solution.n_iter
        self.chosen_ = {"C": Chosen(choice.C, choice.compared)} if isinstance(self.C, str) else {}

    def _probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return softmax(self.transform_(X) @ self.coef_.T + self.intercept_, axis=1)

    def _probabilities_together(self, heads: Sequence[Self], X: NDArray[np.float32]) -> NDArray[np.float64]:
        # float32 is enough to compare settings; what is kept is predicted by one head, in float64.
        columns = self.transform_.in_float32(X)
        coef = np.concatenate([head.coef_ for head in heads]).astype(np.float32)
        logits = (coef @ columns.T).reshape(len(heads), -1, len(X))
        logits += np.stack([head.intercept_ for head in heads])[..., None].astype(np.float32)
        return softmax_of_classes(logits).transpose(0, 2, 1).astype(np.float64)

    def _get_fitted(self) -> HeadState:
        return HeadState({**self.transform_.arrays(), "coef": self.coef_, "intercept": self.intercept_})

    def _set_fitted(self, state: HeadState) -> None:
        self.transform_ = FeatureTransform.restored(self.feature_transform, state, self.n_features_in_)
        self.coef_ = state.array("coef", self._n_classes, self.transform_.n_outputs)
        self.intercept_ = state.array("intercept", self._n_classes)
