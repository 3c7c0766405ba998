"""The base class of all heads: labels, checks of the input, and the state that a bundle saves."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from cellfeat.errors import HeadError

# Not used here: packages with heads of their own import from this module what a head needs, since 0.1.
from cellfeat.heads.class_weights import ClassWeight as ClassWeight
from cellfeat.heads.class_weights import check_class_weight as check_class_weight
from cellfeat.heads.class_weights import class_weights as class_weights
from cellfeat.heads.rows import check_finite, row_blocks
from cellfeat.heads.state import HeadState, classes_from_text, classes_to_text


class HeadClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A scikit-learn classifier whose learned part can be saved and restored as arrays and text.

    A head implements four methods: `_fit` and `_probabilities` work on checked float32 rows and class numbers;
    `_get_fitted` and `_set_fitted` return and restore what `_fit` learned.

    Attributes
    ----------
    classes_
        The class labels, sorted, of shape (n_classes,).
    n_features_in_
        Number of columns of the `X` that it was fitted on.
    """

    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Values to try for each setting, from which ``--tune`` draws. A head without any is not tuned."""

    fitted_together: ClassVar[frozenset[str]] = frozenset()
    """Settings in which heads may differ that `fit_together` fits in less time than one after another."""

    classes_: NDArray[Any]
    n_features_in_: int

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the head.

        Parameters
        ----------
        X
            Array of shape (n_samples, n_features).
        y
            Labels of shape (n_samples,).

        Raises
        ------
        HeadError
            If `X` contains NaN or infinity, `y` contains a single class, or a parameter is out of range.
        """
        rows, codes = self._checked(X, y)
        self._fit(rows, codes)
        return self

    def fit_overwriting(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the head as `fit` does, on an `X` that is not needed afterwards: it may hold other numbers then.

        A large `X` is standardised where it is, instead of in a second array of its size.

        Parameters
        ----------
        X
            Array of shape (n_samples, n_features).
        y
            Labels of shape (n_samples,).

        Raises
        ------
        HeadError
            As `fit`.
        """
        rows, codes = self._checked(X, y)
        self._fit_overwriting(rows, codes)
        return self

    def fit_together(
        self, X: ArrayLike, y: ArrayLike, settings: Sequence[Mapping[str, Any]], *, screening: bool = False
    ) -> list[Self]:
        """Train heads like this one with other settings on the same rows, which may hold other numbers afterwards.

        Parameters
        ----------
        X
            Array of shape (n_samples, n_features).
        y
            Labels of shape (n_samples,).
        settings
            For each head what differs from this one: only settings in `fitted_together`.
        screening
            Whether the heads are only ranked, to fit the best few again: a solver may then stop early.

        Returns
        -------
        list
            The fitted heads, to compare their scores: a solver may stop earlier than for a head that is kept.

        Raises
        ------
        HeadError
            As `fit`, for any of the heads.
        """
        heads = [clone(self).set_params(**changed) for changed in settings]
        for head in heads:
            head._check_parameters()
        rows, codes = self._checked(X, y)
        for head in heads:
            head.classes_, head.n_features_in_ = self.classes_, self.n_features_in_
        self._fit_together(heads, rows, codes, screening=screening)
        return heads

    def predict_together(self, heads: Sequence[Self], X: ArrayLike) -> NDArray[np.float64]:
        """Predict with the heads that `fit_together` gave.

        Parameters
        ----------
        heads
            The fitted heads.
        X
            Array of shape (n_samples, n_features).

        Returns
        -------
        ndarray of shape (n_heads, n_samples, n_classes)
        """
        rows = heads[0]._checked_rows(X)
        return np.concatenate([heads[0]._probabilities_together(heads, rows[block]) for block in row_blocks(rows)], 1)

    def _checked(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Check rows, labels and parameters, and number the classes."""
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinity, which is refused below
            rows, labels = validate_data(self, X, y, dtype=np.float32, order="C", ensure_all_finite=False)
        with warnings.catch_warnings():
            # Few samples of many classes are no regression.
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            check_classification_targets(labels)
        check_finite(rows)
        self._check_parameters()
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise HeadError(f"expected labels of at least 2 classes, got one class only: {self.classes_.tolist()[0]!r}")
        return rows, codes

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict class probabilities of shape (n_samples, n_classes), columns in the order of `classes_`."""
        rows = self._checked_rows(X)
        return np.concatenate([self._probabilities(rows[block]) for block in row_blocks(rows)])

    def _checked_rows(self, X: ArrayLike) -> NDArray[np.float32]:
        """Check rows to be predicted."""
        check_is_fitted(self)
        with np.errstate(over="ignore"):
            rows = validate_data(self, X, dtype=np.float32, order="C", ensure_all_finite=False, reset=False)
        check_finite(rows)
        return rows

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the most probable class of each row, of shape (n_samples,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def get_state(self) -> HeadState:
        """Return the learned part. Together with `get_params` it describes the whole head."""
        check_is_fitted(self)
        fitted = self._get_fitted()
        return HeadState(
            {**fitted.arrays, "n_features": np.array([self.n_features_in_])},
            {**fitted.texts, "classes": classes_to_text(self.classes_)},
            fitted.estimator,
        )

    def set_state(self, state: HeadState) -> Self:
        """Restore the learned part of a head that was built with the same parameters.

        Raises
        ------
        HeadError
            If the state does not belong to such a head.
        """
        self._check_parameters()
        self.classes_ = _fitted_classes(state.text("classes"))
        self.n_features_in_ = int(state.array("n_features", 1)[0])
        check_integer("n_features", self.n_features_in_, low=1)
        self._set_fitted(state)
        return self

    @property
    def _n_classes(self) -> int:
        return len(self.classes_)

    def _fit_overwriting(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None:
        """Learn as `_fit` does; may write into `X`. A head that copies `X` overrides it."""
        self._fit(X, codes)

    def _fit_together(
        self, heads: Sequence[Self], X: NDArray[np.float32], codes: NDArray[np.int64], *, screening: bool
    ) -> None:
        """Learn as `_fit` does, for several heads; may write into `X`. For heads with `fitted_together`."""
        raise NotImplementedError

    def _probabilities_together(self, heads: Sequence[Self], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict with several heads: shape (n_heads, n_rows, n_classes)."""
        return np.stack([head._probabilities(X) for head in heads])

    def _check_parameters(self) -> None:
        """Raise `HeadError` for a constructor parameter out of range."""

    @abstractmethod
    def _fit(self, X: NDArray[np.float32], codes: NDArray[np.int64]) -> None: ...

    @abstractmethod
    def _probabilities(self, X: NDArray[np.float32]) -> NDArray[np.float64]: ...

    @abstractmethod
    def _get_fitted(self) -> HeadState: ...

    @abstractmethod
    def _set_fitted(self, state: HeadState) -> None: ...


def _fitted_classes(text: str) -> NDArray[Any]:
    """Read the classes of a state; there must be two or more, each once."""
    classes = classes_from_text(text)
    if len(classes) < 2 or len(set(classes.tolist())) < len(classes):
        raise HeadError(f"the head's classes: expected at least 2, each once, got {classes.tolist()}")
    return classes


def views_as_rows(X: NDArray[np.float32], n_views: int) -> NDArray[np.float32]:
    """Make each view a row.

    Parameters
    ----------
    X
        Array of shape (n_samples, n_views * embedding_dim).
    n_views
        Views per sample.

    Returns
    -------
    ndarray of shape (n_samples * n_views, embedding_dim)

    Raises
    ------
    HeadError
        If `n_views` does not divide the columns.
    """
    if X.shape[1] % n_views:
        raise HeadError(
            f"X has {X.shape[1]} columns, which is not a multiple of n_views = {n_views}; "
            "expected n_views * embedding_dim columns"
        )
    return X.reshape(len(X) * n_views, -1)


def check_integer(name: str, value: object, *, low: int, high: int | None = None) -> None:
    """Raise `HeadError` unless a parameter is an integer of at least `low`.

    Parameters
    ----------
    name, value
        The parameter.
    low, high
        Smallest and largest allowed value; None: any.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
        raise HeadError(f"{name}: expected an integer of at least {low}, got {value!r}")
    if high is not None and int(value) > high:
        raise HeadError(f"{name}: expected at most {high:,}, got {value:,}")


def check_number(name: str, value: object, *, low: float, below: float = np.inf) -> None:
    """Raise `HeadError` unless a parameter is a number with ``low <= value < below``.

    Parameters
    ----------
    name, value
        The parameter.
    low, below
        Limits.
    """
    if not _is_number(value) or not low <= value < below:
        raise HeadError(f"{name}: expected a number from {low} to below {below}, got {value!r}")


def check_positive(name: str, value: object, *, high: float = np.finfo(np.float64).max) -> None:
    """Raise `HeadError` unless a parameter is a number with ``0 < value <= high``.

    Parameters
    ----------
    name, value
        The parameter.
    high
        Largest allowed value.
    """
    if not _is_number(value) or not 0 < value <= high:
        raise HeadError(f"{name}: expected a number above 0 and at most {high:g}, got {value!r}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)
