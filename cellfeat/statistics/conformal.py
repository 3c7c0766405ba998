"""Thresholds for prediction sets: a class is in the set where its probability reaches the threshold of the class.

Each class has a threshold of its own, so that each class is covered, and not only their mean (Vovk, "Conditional
validity of inductive conformal predictors", Machine Learning 92 (2013) 349-376). The probability itself as the score
gives the smallest sets (Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels",
Journal of the American Statistical Association 114 (2019) 223-234).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import ConfigError, HeadError
from cellfeat.types import Floats, Integers

ROUNDING = 1e-9
"""Thresholds are lowered by this share: what ties with the threshold reaches it, however it was rounded."""


@dataclass(frozen=True)
class ClassScores:
    """What the true class of each sample was given by a head that had not seen the sample.

    Attributes
    ----------
    codes
        Number of each sample's class, ascending, shape ``(n_samples,)``.
    probability
        Given to that class, in [0, 1], ascending within a class, shape ``(n_samples,)``.
    weight
        1 over the number of samples of the same class in the same group, shape ``(n_samples,)``.
    n_classes
        Number of classes; one without samples has no score.
    """

    codes: Integers
    probability: Floats
    weight: Floats
    n_classes: int

    @classmethod
    def of(cls, probabilities: Floats, codes: Integers, groups: Integers) -> Self:
        """Collect the scores of samples.

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
        order = np.lexsort((given, codes))
        return cls(codes[order], given[order], group_weights(codes, groups)[order], probabilities.shape[1])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The scores as arrays that a file can hold: 20 bytes a sample."""
        return {"codes": self.codes.astype(np.int32), "probability": self.probability, "weight": self.weight}

    @property
    def n_groups(self) -> Integers:
        """Groups of each class, shape ``(n_classes,)``."""
        return np.bincount(self.codes, weights=self.weight, minlength=self.n_classes).round().astype(np.int64)

    def has_too_few_groups(self, coverage: float) -> NDArray[np.bool_]:
        """Whether the groups of each class can bear no threshold for this coverage, shape ``(n_classes,)``."""
        return self.n_groups < groups_needed(coverage)

    def thresholds(self, coverage: float) -> Floats:
        """Least probability at which each class is in the set, shape ``(n_classes,)``.

        Of a class with ``n`` groups, groups worth ``coverage * (n + 1)`` lie at or above the threshold: the one more is
        the group of the sample to be predicted, which is as likely as any other to lie lowest. Samples share the one
        vote of their group (Lee, Barber and Willett, "Distribution-free inference with hierarchical data",
        arXiv:2306.06342); where each sample is its own group this is the usual quantile. A class with too few groups
        has the threshold 0 and is in every set.

        Raises
        ------
        ConfigError
            If `coverage` does not lie between 0 and 1.
        """
        check_coverage(coverage)
        classes = [self.codes == code for code in range(self.n_classes)]
        return np.array([_threshold(self.probability[rows], self.weight[rows], coverage) for rows in classes])

    def check(self) -> None:
        """Raise `HeadError` unless these can be scores of samples: numbers of classes, probabilities, weights."""
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
                f"expected class numbers below {self.n_classes}, and probabilities and weights up to 1, in order; got "
                "others: fit and save the head again"
            )


def check_coverage(coverage: float) -> None:
    """Raise `ConfigError` unless `coverage` lies between 0 and 1."""
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage: expected a number between 0 and 1, such as 0.9, got {coverage}")


def groups_needed(coverage: float) -> int:
    """Fewest groups of a class that can bear a threshold: 9 for a coverage of 0.9, 19 for 0.95.

    Examples
    --------
    >>> groups_needed(0.9), groups_needed(0.95), groups_needed(0.5)
    (9, 19, 1)
    """
    return int(np.ceil(coverage / (1 - coverage) - ROUNDING))


def group_weights(codes: Integers, groups: Integers) -> Floats:
    """1 over the number of samples of the same class in the same group, shape ``(n_samples,)``."""
    _, group = np.unique(groups, return_inverse=True)
    cells = group * (int(codes.max()) + 1) + codes
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    return 1 / sizes[cell]


def _threshold(probability: Floats, weight: Floats, coverage: float) -> float:
    at_or_above = weight[::-1].cumsum()[::-1]
    is_enough = at_or_above >= coverage * (weight.sum() + 1) - ROUNDING
    return float(probability[np.flatnonzero(is_enough)[-1]] * (1 - ROUNDING)) if is_enough.any() else 0.0
