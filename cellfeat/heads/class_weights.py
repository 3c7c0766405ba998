"""How much each class counts while a head is fitted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from cellfeat.errors import HeadError

ClassWeight = dict[Any, float] | str | None


def check_class_weight(value: object) -> None:
    """Raise `HeadError` unless `value` is ``"balanced"``, ``None`` or a dict of weights by class."""
    if value not in ("balanced", None) and not isinstance(value, dict):
        raise HeadError(f"class_weight: expected 'balanced', None or a weight for each class, got {value!r}")


def class_weights(class_weight: ClassWeight, classes: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute a weight for each class so that the mean weight of a sample is 1.

    ``"balanced"`` is ``n_samples / (n_classes * n_samples_of_the_class)``, as in scikit-learn.

    Parameters
    ----------
    class_weight
        ``"balanced"``, ``None`` for equal weights, or a weight for each class.
    classes
        Class labels of shape (n_classes,).
    codes
        Class number of each sample, of shape (n_samples,).

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    HeadError
        If a weight is not above 0.
    """
    weights = compute_class_weight(class_weight, classes=classes, y=classes[codes])
    if not (weights > 0).all():
        raise HeadError(
            f"class_weight: expected weights above 0, got {class_weight!r}; to ignore a class, leave out its samples"
        )
    return weights / weights[codes].mean()
