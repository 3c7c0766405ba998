"""Intervals and differences of balanced accuracy that respect the groups: a bootstrap, and Holm's correction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cellfeat.errors import SplitError
from cellfeat.statistics.intervals import Difference, Interval
from cellfeat.statistics.scores import balanced_accuracy, encode, per_class_recall
from cellfeat.text import first_ten
from cellfeat.types import Floats, Integers

DRAWS_PER_BLOCK = 64
"""Bootstrap draws made at once: a block of 28,896 groups then stays below 20 MB."""

MAX_REDRAWS = 200

FLOAT32_ROUNDING = 1e-6

TAIL = 0.025
NORMAL_QUANTILE = float(stats.norm.ppf(1 - TAIL))


class GroupBootstrap:
    """Confidence intervals from one set of draws of whole groups, shared by everything that is compared.

    Samples of a group (a donor, a plate, copies of one image) err together, so groups are drawn, not samples. The
    groups that hold a single class are drawn within that class, those that hold several among themselves, and with
    them the one group of a class that has no other of its own: alone it would never vary. Of a stratum's ``m`` groups,
    ``m - 1`` are drawn with replacement and weighted ``m / (m - 1)``: then the variance over the draws is unbiased,
    where drawing all ``m`` makes it too small in a rare class [1]_.

    An interval's end lies as far from the estimate as the draws' 2.5 % quantile on that side, or 1.96 standard
    deviations of the draws where that is farther, as it is where so few groups are drawn that their draws take few
    values; and farther by as much as Student's t is wider than the normal distribution [2]_. The degrees of freedom
    are those of Welch and Satterthwaite over the strata, each counted by how evenly its groups share the samples: one
    plate with half of the cells, beside ten small ones, is not eleven plates [3]_. The p value of a difference is the
    level at which its interval just reaches zero.

    A draw in which a class does not occur, possible only where classes share groups, says nothing about that class's
    recall and is drawn again: all intervals are conditional on every class being present, as it is in every fold.

    The spread is that of the samples, for heads as they were trained: it does not hold what another random seed or
    another training set would change.

    Parameters
    ----------
    y
        True labels, shape ``(n_samples,)``.
    groups
        Number of each sample's group, shape ``(n_samples,)``.
    classes
        All classes; each must occur in two or more groups.
    n_draws
        Bootstrap draws.
    random_state
        Seed of the draws.

    Raises
    ------
    SplitError
        If a class occurs in fewer than two groups: there is no spread between groups to see.
    ValueError
        If `y` holds a label that is not in `classes`.

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
        strata = _Strata.of(totals)
        self._group_of_sample = strata.place_of_group[group_of_sample]
        self._group_weights = strata.weights
        self._sizes = strata.sizes
        self._shares = self._per_group(np.ones(len(self._y)), self._group_of_sample) / totals.sum(axis=0)
        self._totals = self._weighted_per_group(np.ones(len(self._y)))
        self._counts = self._draw(n_draws, np.random.default_rng(random_state))
        self._drawn_totals = _matmul_blocks(self._counts, self._totals)

    def interval(self, predicted: ArrayLike, *, level: float = 0.95) -> Interval:
        """Interval of the balanced accuracy of `predicted`, shape ``(n_samples,)``.

        Where nothing is predicted wrongly no draw varies, and yet the next sample may be wrong: the low end is then
        as far from 1 as the recalls' own low ends are, taken together as errors of independent classes.
        """
        estimate = balanced_accuracy(self._y, predicted, self._classes)
        if estimate == 1:
            shortfall = 1 - self.recall_intervals(predicted, level=level)[:, 0]
            return Interval(1 - float(np.linalg.norm(shortfall)) / len(self._classes), 1.0)
        spread = _Spread.of(self._drawn_recalls(predicted).mean(axis=1), estimate)
        low, high = spread.ends(self._freedom_of_mean(self._influence(predicted)), level)
        return Interval(max(low, 0.0), min(high, 1.0))

    def recall_intervals(self, predicted: ArrayLike, *, level: float = 0.95) -> Floats:
        """Interval of each class's recall.

        Wilson's interval, with Student's t for the normal quantile and with the effective number of samples: the one
        at which independent samples would vary as the draws do [1]_. Percentiles would call a class without a single
        error certain.

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
        variance = self._drawn_recalls(predicted).var(axis=0, ddof=1)
        n_samples = np.bincount(self._truth).astype(float)
        effective = np.divide(
            recall * (1 - recall), variance, out=self._n_class_groups.astype(float), where=variance > 0
        )
        # A class cannot be surer than the groups that hold it, however many others share its stratum.
        freedom = np.minimum(
            self._degrees_of_freedom(self._influence(predicted), self._shares), self._n_class_groups - 1
        )
        quantile = stats.t.ppf((1 + level) / 2, freedom)
        return _wilson(recall, np.minimum(effective, n_samples), quantile)

    def difference(self, predicted_a: ArrayLike, predicted_b: ArrayLike, *, level: float = 0.95) -> Difference:
        """Balanced accuracy of `predicted_a` minus that of `predicted_b`, paired: both on the same draws."""
        estimate = balanced_accuracy(self._y, predicted_a, self._classes) - balanced_accuracy(
            self._y, predicted_b, self._classes
        )
        freedom = self._freedom_of_mean(self._influence(predicted_a) - self._influence(predicted_b))
        draws = (self._drawn_recalls(predicted_a) - self._drawn_recalls(predicted_b)).mean(axis=1)
        spread = _Spread.of(draws, estimate)
        if not spread.varies:
            # All groups differ by the same: how often that would happen by chance a sign test tells, and no spread.
            spread = _Spread.with_p_value(estimate, 2 * 0.5 ** len(self._group_weights), freedom)
        low, high = spread.ends(freedom, level)
        return Difference(estimate, max(low, -1.0), min(high, 1.0), spread.p_value(freedom))

    def _drawn_recalls(self, predicted: ArrayLike) -> Floats:
        """Recall of each class in each draw, shape ``(n_draws, n_classes)``."""
        return _matmul_blocks(self._counts, self._weighted_per_group(self._hits(predicted))) / self._drawn_totals

    def _influence(self, predicted: ArrayLike) -> Floats:
        """By how much each group pulls each class's recall from its mean, shape ``(n_groups, n_classes)``."""
        hits = self._per_group(self._hits(predicted), self._group_of_sample)
        n_samples = np.bincount(self._truth)
        return hits / n_samples - self._shares * hits.sum(axis=0) / n_samples

    def _freedom_of_mean(self, influence: Floats) -> float:
        """Degrees of freedom of a mean over classes, given each group's influence on each class."""
        (freedom,) = self._degrees_of_freedom(
            influence.mean(axis=1, keepdims=True), self._shares.mean(axis=1, keepdims=True)
        )
        return float(freedom)

    def _degrees_of_freedom(self, influence: Floats, shares: Floats) -> Floats:
        """Welch-Satterthwaite over strata: a score is as uncertain as its most variable, smallest strata are.

        Parameters
        ----------
        influence
            Shape ``(n_groups, n_scores)``.
        shares
            Weight of each group in each score, shape ``(n_groups, n_scores)``: a stratum of ``m`` groups of equal
            weights ``w`` has ``m - 1`` degrees of freedom, one of unequal weights
            ``(m - 1) mean(w**2)**2 / mean(w**4)``, 1 at least.

        Returns
        -------
        ndarray of shape (n_scores,)
            Infinite where nothing varies.
        """
        starts = np.cumsum(self._sizes) - self._sizes
        size = self._sizes[:, np.newaxis]
        sums, squares = np.add.reduceat(influence, starts), np.add.reduceat(influence**2, starts)
        second, fourth = np.add.reduceat(shares**2, starts), np.add.reduceat(shares**4, starts)
        evenness = np.divide(second**2 / size, fourth, out=np.ones_like(second), where=fourth > 0)
        freedom = np.maximum((size - 1) * evenness, 1)
        variance = np.maximum(squares - sums**2 / size, 0) * size / (size - 1)
        spread = (variance**2 / freedom).sum(axis=0)
        total = variance.sum(axis=0) ** 2
        return np.divide(total, spread, out=np.full(len(total), np.inf), where=spread > 0)

    def _hits(self, predicted: ArrayLike) -> Floats:
        return (encode(predicted, self._classes) == self._truth).astype(float)

    def _per_group(self, values: Floats, group_of_sample: Integers) -> Floats:
        """Sum a value per sample over groups and classes, shape ``(n_groups, n_classes)``."""
        shape = (int(group_of_sample.max()) + 1, len(self._classes))
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
                f"expected every class in two or more groups, got {names}: no interval can be had; "
                "add samples of other groups, leave the class out, or group by a finer column"
            )

    def _draw(self, n_draws: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        counts = _draw_counts(self._sizes, n_draws, rng)
        for _ in range(MAX_REDRAWS):
            lacking = np.flatnonzero((_matmul_blocks(counts, self._totals) == 0).any(axis=1))
            if not lacking.size:
                return counts
            counts[lacking] = _draw_counts(self._sizes, len(lacking), rng)
        raise SplitError(
            f"after {MAX_REDRAWS} tries, {lacking.size} of {n_draws} bootstrap draws lack a class: too few groups "
            f"hold each class ({first_ten(self._n_class_groups)}); group by a finer column"
        )


@dataclass(frozen=True)
class _Strata:
    """Groups set out stratum by stratum."""

    place_of_group: Integers
    sizes: Integers
    weights: Floats

    @classmethod
    def of(cls, totals: Floats) -> "_Strata":
        """Put a class's own groups into a stratum where they are several, and all other groups into one together.

        Each stratum has two groups or more, given that each class is in two groups or more.
        """
        n_groups, n_classes = totals.shape
        is_pure = np.count_nonzero(totals, axis=1) == 1
        own = totals.argmax(axis=1)
        n_pure = np.bincount(own[is_pure], minlength=n_classes)
        is_together = ~is_pure | (n_pure[own] == 1)
        # A single group would be in every draw, once, and never vary: it joins the class that it holds most of.
        stratum = np.where(is_together, n_classes, own) if np.count_nonzero(is_together) > 1 else own
        order = np.argsort(stratum, kind="stable")
        place = np.empty(n_groups, dtype=np.intp)
        place[order] = np.arange(n_groups)
        sizes = np.bincount(stratum)
        sizes = sizes[sizes > 0]
        return cls(place, sizes, np.repeat(sizes / (sizes - 1), sizes))


def _draw_counts(sizes: Integers, n_draws: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """How often each group is drawn in each draw, shape ``(n_draws, n_groups)``.

    One byte is enough: the count is close to Poisson with mean 1, and 256 has a probability below 1e-500.
    """
    counts = np.empty((n_draws, sizes.sum()), dtype=np.uint8)
    stops = np.cumsum(sizes)
    for row in range(0, n_draws, DRAWS_PER_BLOCK):
        block = counts[row : row + DRAWS_PER_BLOCK]
        for start, stop in zip(stops - sizes, stops, strict=True):
            block[:, start:stop] = _draw_stratum(int(stop - start), len(block), rng)
    return counts


def _draw_stratum(size: int, n_draws: int, rng: np.random.Generator) -> Integers:
    picks = rng.integers(size, size=(n_draws, size - 1), dtype=np.int32)
    picks += np.arange(n_draws, dtype=np.int32)[:, np.newaxis] * np.int32(size)
    return np.bincount(picks.ravel(), minlength=n_draws * size).reshape(n_draws, size)


def _matmul_blocks(counts: NDArray[np.uint8], per_group: NDArray[np.float32]) -> Floats:
    """``counts @ per_group`` in float32 without ever holding all counts as floats."""
    out = np.empty((len(counts), per_group.shape[1]))
    for row in range(0, len(counts), DRAWS_PER_BLOCK):
        block = slice(row, row + DRAWS_PER_BLOCK)
        out[block] = counts[block].astype(np.float32) @ per_group
    return out


@dataclass(frozen=True)
class _Spread:
    """An estimate, and how far draws scatter below and above it, in standard deviations of a normal distribution."""

    estimate: float
    below: float
    above: float

    @classmethod
    def of(cls, draws: Floats, estimate: float) -> "_Spread":
        low, high = np.quantile(draws, [TAIL, 1 - TAIL])
        deviation = float(draws.std(ddof=1))
        below, above = (max(float(reach) / NORMAL_QUANTILE, deviation) for reach in (estimate - low, high - estimate))
        return cls(estimate, below, above)

    @classmethod
    def with_p_value(cls, estimate: float, p_value: float, freedom: float) -> "_Spread":
        """Give an estimate the spread at which its difference from zero has that p value."""
        deviation = abs(estimate) / float(stats.t.isf(p_value / 2, freedom))
        return cls(estimate, deviation, deviation)

    @property
    def varies(self) -> bool:
        """Whether there is more of a spread than the draws' float32 rounds to."""
        return self.estimate == 0 or min(self.below, self.above) > FLOAT32_ROUNDING

    def ends(self, freedom: float, level: float) -> Interval:
        quantile = float(stats.t.ppf((1 + level) / 2, freedom))
        return Interval(self.estimate - quantile * self.below, self.estimate + quantile * self.above)

    def p_value(self, freedom: float) -> float:
        """Two-sided p of a true value of zero: one minus the level at which the interval just reaches it."""
        if self.estimate == 0:
            return 1.0
        scale = self.below if self.estimate > 0 else self.above
        if scale == 0:  # so many groups agree that the p value of a sign test is below the least number
            return 0.0
        return float(2 * stats.t.sf(abs(self.estimate) / scale, freedom))


def _wilson(share: Floats, n: Floats, quantile: Floats) -> Floats:
    square = quantile**2 / n
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return np.column_stack([centre - half, centre + half]).clip(0, 1)
