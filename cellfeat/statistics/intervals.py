"""Confidence intervals and paired differences of balanced accuracy by a bootstrap over whole groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cellfeat.errors import SplitError
from cellfeat.statistics.group_draws import Strata, draw_counts, matmul_blocks
from cellfeat.statistics.interval_types import LEVEL, Difference, Interval
from cellfeat.statistics.scores import encode, per_class_recall
from cellfeat.statistics.simultaneous import Adjusted, simultaneous
from cellfeat.statistics.spread import ROUNDING, Spread
from cellfeat.text import first_ten
from cellfeat.types import Floats, Integers

MAX_REDRAWS = 200
"""Attempts to replace draws that lack a class."""


@dataclass(frozen=True)
class _Drawn:
    """The balanced accuracy of a head, in each draw, and the influence of each group on each recall."""

    estimate: float
    draws: Floats
    influence: Floats


class GroupBootstrap:
    """Confidence intervals from one set of bootstrap draws of whole groups, shared by all heads that are compared.

    The samples of a group (a donor, a plate, copies of one image) are statistically dependent, so groups are drawn, not
    samples. Groups are stratified: those with samples of a single class are drawn within that class, and those with
    several classes among themselves. If only one group has samples of a class alone, it joins the mixed stratum,
    because alone it would never vary. Of the ``m`` groups of a stratum, ``m - 1`` are drawn with replacement and
    weighted by ``m / (m - 1)``, which makes the variance over the draws unbiased; drawing all ``m`` underestimates it
    for a rare class [1]_.

    The distance of an interval's end from the estimate is that of the draws' 2.5 % quantile on that side, or 1.96
    standard deviations of the draws if that is larger, which happens where few groups give few distinct draws. The
    distance is then multiplied by the ratio of the quantiles of Student's t and the normal distribution [2]_. The
    degrees of freedom are those of Welch and Satterthwaite over the strata, with the effective number of groups in
    each: one plate with half of the cells, beside ten small ones, does not count as eleven plates [3]_. The p value of
    a difference is one minus the level at which its interval just reaches zero.

    A draw that lacks a class, which is possible only where groups contain several classes, has no recall for that class
    and is drawn again. All intervals are therefore conditional on every class being present, as it is in every fold.

    The intervals cover the variation between samples, for the heads as they were trained. With `widened` they cover
    what other training samples would change as well, see `cellfeat.statistics.claims`.

    Parameters
    ----------
    y
        True labels, shape ``(n_samples,)``.
    groups
        Number of each sample's group, shape ``(n_samples,)``.
    classes
        Names of all classes; each must occur in two or more groups.
    n_draws
        Number of bootstrap draws.
    random_state
        Seed of the draws.

    Raises
    ------
    SplitError
        If a class occurs in fewer than two groups: the variation between groups cannot be estimated.
    ValueError
        If `y` contains a label that is not in `classes`.

    References
    ----------
    .. [1] J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data", Journal of the American
       Statistical Association 83 (1988) 231-241.
    .. [2] T. C. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69 (2015)
       371-386: why percentiles have to be expanded for few observations.
    .. [3] A. V. Carter, K. T. Schnepel and D. G. Steigerwald, "Asymptotic behavior of a t-test robust to cluster
       heterogeneity", The Review of Economics and Statistics 99 (2017) 698-709: the effective number of clusters.
    """

    def __init__(
        self, y: ArrayLike, groups: Integers, classes: Sequence[str], *, n_draws: int = 2000, random_state: int = 0
    ) -> None:
        self._y = np.asarray(y, dtype=str)
        self._classes = tuple(classes)
        self._truth = encode(self._y, classes)
        _, group_of_sample = np.unique(np.asarray(groups), return_inverse=True)
        totals = self._per_group(np.ones(len(self._y)), group_of_sample)
        self._n_class_groups = np.count_nonzero(totals, axis=0)
        self._check_spread()
        strata = Strata.of(totals)
        # From here on groups are numbered stratum by stratum, so that each stratum is a slice.
        self._group_of_sample = strata.place_of_group[group_of_sample]
        self._group_weights = strata.weights
        self._sizes = strata.sizes
        # The part of each class's samples that lies in each group; unlike the totals below, it is not weighted.
        self._shares = self._per_group(np.ones(len(self._y)), self._group_of_sample) / totals.sum(axis=0)
        self._totals = self._weighted_per_group(np.ones(len(self._y)))
        # Last, because the draws are checked against the totals for missing classes.
        self._counts = self._draw(n_draws, np.random.default_rng(random_state))
        self._drawn_totals = matmul_blocks(self._counts, self._totals)

    def interval(self, predicted: ArrayLike, *, level: float = 0.95, widened: float = 1.0) -> Interval:
        """Confidence interval of the balanced accuracy.

        Where no draw varies, as without errors, or where two plates score exactly the same, a new sample may still be
        predicted otherwise. The ends then combine those of the recalls' intervals, as errors of independent classes.
        Only a head that predicts one class for all samples has an interval without width: its score is always that of
        chance.

        Parameters
        ----------
        predicted
            Predicted labels, shape ``(n_samples,)``.
        level
            Confidence level.
        widened
            Factor of the standard error; see `cellfeat.statistics.claims.widening`.
        """
        spread = self._spread_of(self._hits(predicted))
        if max(spread.below, spread.above) > ROUNDING or len(np.unique(np.asarray(predicted, dtype=str))) == 1:
            low, high = spread.widened(widened).ends(level)
        else:
            recall = per_class_recall(self._y, predicted, self._classes)
            # Independent errors add as squares, and the mean over classes divides their sum by the number of classes.
            reach = np.linalg.norm(self.recall_intervals(predicted, level=level) - recall[:, np.newaxis], axis=0)
            below, above = (widened * reach / len(self._classes)).tolist()
            low, high = spread.estimate - below, spread.estimate + above
        return Interval(max(low, 0.0), min(high, 1.0))

    def mean_interval(self, values: Floats, *, level: float = 0.95, widened: float = 1.0) -> Interval:
        """Confidence interval of the mean over classes of each class's mean value.

        Parameters
        ----------
        values
            A number for each sample, such as the weighted sum of several heads' hits, shape ``(n_samples,)``.
        level, widened
            As for `interval`.
        """
        return self._spread_of(values).widened(widened).ends(level)

    def recall_intervals(self, predicted: ArrayLike, *, level: float = 0.95) -> Floats:
        """Confidence interval of the recall of each class.

        This is Wilson's interval with the quantile of Student's t and the effective number of samples, which is the
        number of independent samples whose recall would vary as much as the draws do [1]_. Percentiles of the draws
        would have no width for a class without errors.

        Parameters
        ----------
        predicted
            Predicted labels, shape ``(n_samples,)``.
        level
            Confidence level.

        Returns
        -------
        ndarray of shape (n_classes, 2)
            Low and high ends, in the order of the classes.

        References
        ----------
        .. [1] E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number of
           positive counts estimated from survey data", Survey Methodology 24 (1998) 193-201.
        """
        recall = per_class_recall(self._y, predicted, self._classes)
        hits = self._hits(predicted)
        variance = self._drawn_means(hits).var(axis=0, ddof=1)
        n_samples = np.bincount(self._truth).astype(float)
        # Where the draws do not vary, as for a class without errors, each group counts as one independent sample.
        effective = np.divide(
            recall * (1 - recall), variance, out=self._n_class_groups.astype(float), where=variance > 0
        )
        # The groups that contain the class limit the degrees of freedom, however many others share its stratum.
        freedom = np.minimum(self._degrees_of_freedom(self._influence(hits), self._shares), self._n_class_groups - 1)
        quantile = stats.t.ppf((1 + level) / 2, freedom)
        # The draws may vary less than independent samples would; the interval is not made narrower for that.
        return _wilson(recall, np.minimum(effective, n_samples), quantile)

    def difference(self, predicted_a: ArrayLike, predicted_b: ArrayLike, *, level: float = 0.95) -> Difference:
        """Paired difference: balanced accuracy of `predicted_a` minus that of `predicted_b`, on the same draws.

        Parameters
        ----------
        predicted_a, predicted_b
            Labels predicted by two heads for the same samples, both of shape ``(n_samples,)``.
        level
            Confidence level.
        """
        first, second = (self._drawn(self._hits(predicted)) for predicted in (predicted_a, predicted_b))
        return self._spread(first, second).difference(level)

    def differences(
        self, predicted: Sequence[ArrayLike], *, level: float = LEVEL, widened: float = 1.0
    ) -> tuple[Adjusted, ...]:
        """Paired differences of every two heads on the same draws, with intervals that hold for all pairs at once.

        Parameters
        ----------
        predicted
            Labels predicted by each head for the same samples, of shape ``(n_samples,)`` each.
        level
            Confidence level of all intervals together; see `cellfeat.statistics.simultaneous.Family`.
        widened
            As for `interval`. One factor for all pairs does not change how these depend on each other.

        Returns
        -------
        tuple
            In the order of `itertools.combinations`: the first head less the second, and so on.
        """
        heads = [self._drawn(self._hits(one)) for one in predicted]
        spreads = [self._spread(first, second).widened(widened) for first, second in combinations(heads, 2)]
        covariance = np.cov([head.draws for head in heads]) if spreads else np.empty((0, 0))
        return simultaneous(spreads, covariance, level=level)

    def _drawn(self, values: Floats) -> _Drawn:
        draws = self._drawn_means(values).mean(axis=1)
        return _Drawn(self._mean(values), draws, self._influence(values))

    def _mean(self, values: Floats) -> float:
        """Mean over classes of each class's mean value."""
        sums = np.bincount(self._truth, weights=values, minlength=len(self._classes))
        return float((sums / np.bincount(self._truth)).mean())

    def _spread_of(self, values: Floats) -> Spread:
        """Spread of the mean over classes of each class's mean value."""
        drawn = self._drawn(values)
        return Spread.of_draws(drawn.draws, drawn.estimate, self._freedom_of_mean(drawn.influence))

    def _spread(self, first: _Drawn, second: _Drawn) -> Spread:
        """Spread of the difference of two heads."""
        estimate = first.estimate - second.estimate
        freedom = self._freedom_of_mean(first.influence - second.influence)
        spread = Spread.of_draws(first.draws - second.draws, estimate, freedom)
        if spread.varies:
            return spread
        # All groups differ by the same amount, so the draws have no spread: use the p value of a sign test.
        return Spread.with_p_value(estimate, 2 * 0.5 ** len(self._group_weights), freedom)

    def _drawn_means(self, values: Floats) -> Floats:
        """Mean value of each class in each draw, shape ``(n_draws, n_classes)``: its recall, if the values are hits."""
        return matmul_blocks(self._counts, self._weighted_per_group(values)) / self._drawn_totals

    def _influence(self, values: Floats) -> Floats:
        """Contribution of each group to the recall's deviation from its mean, shape ``(n_groups, n_classes)``."""
        # A recall is a ratio of two sums over groups. Its linear part is a group's hits less those expected from its
        # share.
        hits = self._per_group(values, self._group_of_sample)
        n_samples = np.bincount(self._truth)
        return hits / n_samples - self._shares * hits.sum(axis=0) / n_samples

    def _freedom_of_mean(self, influence: Floats) -> float:
        """Degrees of freedom of a mean over classes, given the influence of each group on each class."""
        (freedom,) = self._degrees_of_freedom(
            influence.mean(axis=1, keepdims=True), self._shares.mean(axis=1, keepdims=True)
        )
        return float(freedom)

    def _degrees_of_freedom(self, influence: Floats, shares: Floats) -> Floats:
        """Welch-Satterthwaite degrees of freedom over strata: variable and small strata dominate.

        Parameters
        ----------
        influence
            Shape ``(n_groups, n_scores)``.
        shares
            Weight of each group in each score, shape ``(n_groups, n_scores)``. A stratum of ``m`` groups with equal
            weights ``w`` has ``m - 1`` degrees of freedom. With unequal weights it has
            ``(m - 1) mean(w**2)**2 / mean(w**4)``, but at least 1.

        Returns
        -------
        ndarray of shape (n_scores,)
            Infinite where nothing varies.
        """
        # `reduceat` sums from one start to the next: the groups of a stratum are adjacent.
        starts = np.cumsum(self._sizes) - self._sizes
        size = self._sizes[:, np.newaxis]
        sums, squares = np.add.reduceat(influence, starts), np.add.reduceat(influence**2, starts)
        second, fourth = np.add.reduceat(shares**2, starts), np.add.reduceat(shares**4, starts)
        # 1 if all groups of a stratum have the same weight, near 1 / size if one group has nearly all of it.
        evenness = np.divide(second**2 / size, fourth, out=np.ones_like(second), where=fourth > 0)
        freedom = np.maximum((size - 1) * evenness, 1)
        # Variance of the sum over a stratum. The difference may round to slightly below 0.
        variance = np.maximum(squares - sums**2 / size, 0) * size / (size - 1)
        spread = (variance**2 / freedom).sum(axis=0)
        total = variance.sum(axis=0) ** 2
        return np.divide(total, spread, out=np.full(len(total), np.inf), where=spread > 0)

    def _hits(self, predicted: ArrayLike) -> Floats:
        return (np.asarray(predicted, dtype=str) == self._y).astype(float)

    def _per_group(self, values: Floats, group_of_sample: Integers) -> Floats:
        """Sum the values of samples by group and class, shape ``(n_groups, n_classes)``."""
        shape = (int(group_of_sample.max()) + 1, len(self._classes))
        # One number for each pair of group and class, so that a single bincount fills the whole table.
        cells = group_of_sample * shape[1] + self._truth
        sums = np.bincount(cells, weights=values, minlength=shape[0] * shape[1])
        return sums.reshape(shape).astype(float)

    def _weighted_per_group(self, values: Floats) -> NDArray[np.float32]:
        sums = self._per_group(values, self._group_of_sample)
        return (sums * self._group_weights[:, np.newaxis]).astype(np.float32)

    def _check_spread(self) -> None:
        few = np.flatnonzero(self._n_class_groups < 2)
        if few.size:
            names = first_ten(f"{self._classes[i]!r} ({self._n_class_groups[i]})" for i in few)
            raise SplitError(
                f"expected every class in two or more groups, got {names}: no confidence interval can be computed; "
                "add samples of other groups, leave the class out, or group by a finer column"
            )

    def _draw(self, n_draws: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        counts = draw_counts(self._sizes, n_draws, rng)
        for _ in range(MAX_REDRAWS):
            lacking = np.flatnonzero((matmul_blocks(counts, self._totals) == 0).any(axis=1))
            if not lacking.size:
                return counts
            counts[lacking] = draw_counts(self._sizes, len(lacking), rng)
        raise SplitError(
            f"after {MAX_REDRAWS} attempts, {lacking.size} of {n_draws} bootstrap draws lack a class: too few groups "
            f"contain each class ({first_ten(self._n_class_groups)}); group by a finer column"
        )


def _wilson(share: Floats, n: Floats, quantile: Floats) -> Floats:
    square = quantile**2 / n
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return np.column_stack([centre - half, centre + half]).clip(0, 1)
