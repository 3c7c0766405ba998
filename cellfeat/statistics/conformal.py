"""Conformal thresholds for prediction sets: a class is in the set if its probability reaches the class's threshold.

Each class has its own threshold, so that every class reaches the coverage, not only the average over classes (Vovk,
"Conditional validity of inductive conformal predictors", Machine Learning 92 (2013) 349-376). The score is the
probability itself, which gives the smallest sets (Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers
with bounded error levels", Journal of the American Statistical Association 114 (2019) 223-234).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import ConfigError, HeadError
from cellfeat.types import Floats, Integers

ROUNDING = 1e-9
"""Thresholds are lowered by this share, so that a probability equal to the threshold reaches it despite rounding."""


@dataclass(frozen=True)
class ClassScores:
    """Out-of-fold probability of the true class of each sample.

    Attributes
    ----------
    codes
        Number of each sample's true class, in ascending order, shape ``(n_samples,)``.
    probability
        Probability of that class, in [0, 1], ascending within a class, shape ``(n_samples,)``.
    weight
        1 over the number of samples of the same class in the same group, shape ``(n_samples,)``.
    n_classes
        Number of classes, including classes without samples.
    """

    codes: Integers
    probability: Floats
    weight: Floats
    n_classes: int

    @classmethod
    def of(cls, probabilities: Floats, codes: Integers, groups: Integers) -> Self:
        """Collect the scores of samples, sorted by class and probability.

        Parameters
        ----------
        probabilities
            Shape ``(n_samples, n_classes)``.
        codes
            Column of each sample's true class, shape ``(n_samples,)``.
        groups
            Number of each sample's group, shape ``(n_samples,)``.
        """
        given = np.asarray(probabilities[np.arange(len(codes)), codes], dtype=np.float64)
        # The last key of `lexsort` is the primary one: by class, then by probability.
        order = np.lexsort((given, codes))
        return cls(codes[order], given[order], group_weights(codes, groups)[order], probabilities.shape[1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The scores as arrays to save, 20 bytes a sample; each has the shape ``(n_samples,)``."""
        return {"codes": self.codes.astype(np.int32), "probability": self.probability, "weight": self.weight}

    @property
    def n_groups(self) -> Integers:
        """Number of groups of each class, shape ``(n_classes,)``."""
        return np.bincount(self.codes, weights=self.weight, minlength=self.n_classes).round().astype(np.int64)

    def has_too_few_groups(self, coverage: float) -> NDArray[np.bool_]:
        """Whether a class has too few groups for a threshold at this coverage, shape ``(n_classes,)``."""
        return self.n_groups < groups_needed(coverage)

    def thresholds(self, coverage: float) -> Floats:
        """Lowest probability at which each class is in the set.

        For a class with ``n`` groups, samples with a total weight of ``coverage * (n + 1)`` lie at or above the
        threshold; the +1 accounts for the new sample. The samples of a group share one vote (Lee, Barber and Willett,
        "Distribution-free inference with hierarchical data", arXiv:2306.06342). Where each sample is its own group this
        is the usual conformal quantile. A class with too few groups has the threshold 0 and is in every set.

        Returns
        -------
        ndarray of shape (n_classes,)

        Raises
        ------
        ConfigError
            If `coverage` does not lie between 0 and 1.
        """
        check_coverage(coverage)
        classes = [self.codes == code for code in range(self.n_classes)]
        return np.array([_threshold(self.probability[rows], self.weight[rows], coverage) for rows in classes])

    def check(self) -> None:
        """Raise `HeadError` unless classes, probabilities and weights are in range and in order."""
        same_class = np.diff(self.codes) == 0
        is_sound = (
            self.codes.dtype.kind in "iu"
            and ((self.codes >= 0) & (self.codes < self.n_classes)).all()
            and (np.diff(self.codes) >= 0).all()
            and (np.diff(self.probability)[same_class] >= 0).all()
            and ((self.probability >= 0) & (self.probability <= 1 + ROUNDING)).all()
            and ((self.weight > 0) & (self.weight <= 1)).all()
        )
        if not is_sound:
            raise HeadError(
                f"expected class numbers below {self.n_classes}, and probabilities and weights up to 1, in ascending "
                "order; got other values: fit and save the head again"
            )


def check_coverage(coverage: float) -> None:
    """Raise `ConfigError` unless `coverage` lies between 0 and 1."""
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage: expected a number between 0 and 1, such as 0.9, got {coverage}")


def groups_needed(coverage: float) -> int:
    """Minimum number of groups of a class that allows a threshold: 9 for a coverage of 0.9, 19 for 0.95.

    Examples
    --------
    >>> groups_needed(0.9), groups_needed(0.95), groups_needed(0.5)
    (9, 19, 1)
    """
    # Solves ``n >= coverage * (n + 1)``. Without ROUNDING a coverage of 0.9 would need 10: 0.9 / (1 - 0.9) is above 9.
    return int(np.ceil(coverage / (1 - coverage) - ROUNDING))


def group_weights(codes: Integers, groups: Integers) -> Floats:
    """Weight each sample by 1 over the number of samples of the same class in the same group.

    Parameters
    ----------
    codes
        Number of each sample's class, shape ``(n_samples,)``.
    groups
        Number of each sample's group, shape ``(n_samples,)``.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights of a class sum to the number of its groups.
    """
    _, group = np.unique(groups, return_inverse=True)
    # One number for each pair of group and class.
    cells = group * (int(codes.max()) + 1) + codes
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    return 1 / sizes[cell]


def _threshold(probability: Floats, weight: Floats, coverage: float) -> float:
    # Probabilities ascend, so a cumulative sum from the end is the weight at or above each of them.
    at_or_above = weight[::-1].cumsum()[::-1]
    is_enough = at_or_above >= coverage * (weight.sum() + 1) - ROUNDING
    # The last one is the highest threshold, and so gives the smallest sets.
    return float(probability[np.flatnonzero(is_enough)[-1]] * (1 - ROUNDING)) if is_enough.any() else 0.0
