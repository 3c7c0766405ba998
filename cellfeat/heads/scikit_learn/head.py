"""`ScikitLearnHead`: a head around any classifier with scikit-learn's interface."""

import warnings
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning

from cellfeat.errors import HeadError
from cellfeat.heads.base import HeadClassifier
from cellfeat.heads.preprocessing.transforms import FeatureTransform, TransformName, check_transform
from cellfeat.heads.rows import check_sums
from cellfeat.heads.scikit_learn.described import described, is_known_by_parameters, with_seed
from cellfeat.heads.state import HeadState
from cellfeat.text import first_line
from cellfeat.types import Floats

ESTIMATOR_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What estimators raise on data that they cannot take. Their code is not ours, so a TypeError is told as well."""

MOST_ROWS = {"GaussianProcessClassifier": 4_000, "LabelPropagation": 15_000, "LabelSpreading": 15_000}
"""Training samples up to which a classifier is fitted whose memory grows with their square.

A Gaussian process also takes time with their cube, for each class: at 10,000 samples of 9 classes it runs for hours.
"""

NO_TRANSFORM = "none"


class ScikitLearnHead(HeadClassifier):
    """A classifier with scikit-learn's interface as a head.

    It is fitted on class numbers, on columns that are transformed as for the other heads. Probabilities are those of
    its `predict_proba`; without that method, the softmax of its `decision_function`, or the sigmoid for two classes.

    Parameters
    ----------
    estimator
        The unfitted classifier; it is copied before it is fitted.
    feature_transform
        Transform of the columns before the classifier, see `FeatureTransform`; ``"none"`` leaves them as they are.
    feature_components
        Number of principal components that ``pca`` and ``whiten`` keep; None for all.
    random_state
        Seed of the estimator and of the estimators in it, where they have none of their own.
    most_rows
        Training samples beyond which it is not fitted; None for no limit.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        feature_transform: str = "standardise",
        feature_components: int | None = None,
        random_state: int | None = None,
        most_rows: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.feature_transform = feature_transform
        self.feature_components = feature_components
        self.random_state = random_state
        self.most_rows = most_rows

    def recorded_params(self) -> dict[str, Any]:
        """Every parameter of the estimator and of the transform, as plain JSON values; those saved in a saved head."""
        saved: dict[str, Any] | None = getattr(self, "saved_params_", None)
        return saved or {
            **described(with_seed(self.estimator, self.random_state)),
            "feature_transform": self.feature_transform,
            "feature_components": self.feature_components,
        }

    @property
    def can_be_cached(self) -> bool:
        """Whether the recorded parameters and the versions say all about the estimator."""
        return is_known_by_parameters(self.estimator)

    def _check_parameters(self) -> None:
        if self.feature_transform != NO_TRANSFORM:
            check_transform(self.feature_transform, self.feature_components)
        elif self.feature_components is not None:
            raise HeadError("feature_components: expected a feature_transform of pca or whiten, got none")

    def _fit(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        self._fit_rows(X, codes, overwrites=False)

    def _fit_overwriting(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        self._fit_rows(X, codes, overwrites=True)

    def _fit_rows(self, X: NDArray[np.float32], codes: NDArray[np.int64], *, overwrites: bool) -> None:
        self._check_rows(len(X))
        self.transform_ = self._fitted_transform(X)
        estimator = with_seed(self.estimator, self.random_state)
        self._number_class_weights(estimator)
        _fit_estimator(estimator, self._transformed(X, overwrites=overwrites), codes)
        _check_fitted(estimator, self._n_classes)
        self.estimator_ = estimator

    def _check_rows(self, n_rows: int) -> None:
        if self.most_rows is not None and n_rows > self.most_rows:
            raise HeadError(
                f"{type(self.estimator).__name__} takes memory with the square of the training samples, and {n_rows} "
                f"are more than the {self.most_rows} up to which it is fitted here; choose another head, or pass "
                "the estimator object to cellfeat.compare in Python, which sets no limit"
            )

    def _fitted_transform(self, X: NDArray[np.float32]) -> FeatureTransform | None:
        if self.feature_transform == NO_TRANSFORM:
            return None
        return FeatureTransform.fitted(cast(TransformName, self.feature_transform), X, self.feature_components)

    def _transformed(self, X: NDArray[np.float32], *, overwrites: bool = False) -> NDArray[np.float32]:
        return X if self.transform_ is None else self.transform_.in_float32(X, overwrites=overwrites)

    def _number_class_weights(self, estimator: Any) -> None:
        """Weights by class name become weights by class number, which is what the estimator sees."""
        weights = getattr(estimator, "class_weight", None)
        if not isinstance(weights, dict):
            return
        numbers = {str(label): number for number, label in enumerate(self.classes_.tolist())}
        unknown = sorted({str(label) for label in weights} - numbers.keys())
        if unknown:
            raise HeadError(f"class_weight: no class is called {unknown[0]!r}; expected {', '.join(numbers)}")
        estimator.set_params(class_weight={numbers[str(label)]: weight for label, weight in weights.items()})

    def _probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        try:
            with np.errstate(all="ignore"):  # what comes of it is checked below
                # In float64, so that rounding does not depend on how many rows are predicted together.
                found = _estimated(
                    self.estimator_, X.astype(np.float64) if self.transform_ is None else self.transform_(X)
                )
        except ESTIMATOR_FAULTS as error:
            raise HeadError(f"{_name(self.estimator_)}: cannot predict: {_reason(error)}") from error
        if found.shape != (len(X), self._n_classes):
            raise HeadError(
                f"{_name(self.estimator_)}: expected a value for each of {self._n_classes} classes, got the shape "
                f"{found.shape}"
            )
        return _as_probabilities(_name(self.estimator_), found)

    def _get_fitted(self) -> HeadState:
        from cellfeat.heads.scikit_learn.saved import estimator_to_bytes

        arrays = {} if self.transform_ is None else self.transform_.arrays()
        return replace(HeadState(arrays), estimator=estimator_to_bytes(self.estimator_))

    def _set_fitted(self, state: HeadState) -> None:
        from cellfeat.heads.scikit_learn.saved import estimator_from_bytes

        self.transform_ = (
            None
            if self.feature_transform == NO_TRANSFORM
            else FeatureTransform.restored(cast(TransformName, self.feature_transform), state, self.n_features_in_)
        )
        estimator = estimator_from_bytes(state.estimator or b"")
        _check_fitted(estimator, self._n_classes)
        n_columns = self.n_features_in_ if self.transform_ is None else self.transform_.n_outputs
        if getattr(estimator, "n_features_in_", n_columns) != n_columns:
            raise HeadError(f"the saved estimator takes {estimator.n_features_in_} columns; expected {n_columns}")
        self.estimator_ = estimator


def _name(estimator: Any) -> str:
    return type(estimator).__name__


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}" if isinstance(error, Exception) else str(error)


def _fit_estimator(estimator: Any, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(X, codes)
        except ESTIMATOR_FAULTS as error:
            raise HeadError(f"{_name(estimator)}: cannot be fitted: {_reason(error)}") from error
    # Changes that scikit-learn announces are no news to the user of a head; that a fit did not converge is.
    for one in caught:
        if issubclass(one.category, ConvergenceWarning):
            text = f"{_name(estimator)}: {str(one.message).strip().splitlines()[0]}"
            warnings.warn(text, ConvergenceWarning, stacklevel=5)
            break


def _check_fitted(estimator: Any, n_classes: int) -> None:
    classes = getattr(estimator, "classes_", None)
    if classes is None or np.asarray(classes).tolist() != list(range(n_classes)):
        raise HeadError(f"{_name(estimator)}: expected the {n_classes} classes that it was fitted on, got {classes}")
    if not (hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")):
        raise HeadError(
            f"{_name(estimator)}: has neither predict_proba nor decision_function with these settings, so there are "
            "no probabilities to score; choose another classifier or other settings (voting: soft), or wrap it in "
            "CalibratedClassifierCV in Python"
        )


def _estimated(estimator: Any, X: Floats) -> NDArray[np.float64]:
    """Probabilities, or what can be turned into some, of shape (n_rows, n_classes)."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)
    values = np.asarray(estimator.decision_function(X), dtype=np.float64)
    if values.ndim == 1:
        return np.column_stack([expit(-values), expit(values)])
    return softmax(values, axis=1)


def _as_probabilities(name: str, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1 exactly; scikit-learn's do to within the precision in which they were computed."""
    sums = found.clip(0).sum(axis=1, keepdims=True)
    if not (np.isfinite(sums) & (sums > 0)).all():
        n_bad = np.count_nonzero(~(np.isfinite(sums) & (sums > 0)))
        raise HeadError(
            f"{name}: {n_bad} of {len(sums)} samples get no probability for any class; a method that looks at near "
            "samples only finds none: other settings (a smaller gamma, a larger radius) look further"
        )
    check_sums(found, name)
    return found.clip(0) / sums
