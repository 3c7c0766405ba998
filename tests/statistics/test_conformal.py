import numpy as np
import pytest

from cellfeat.errors import ConfigError
from cellfeat.statistics.conformal import ClassScores, groups_needed

N_TRIALS = 2000


def scores_of(given, groups=None):
    """Scores of one class from the probabilities of its samples."""
    given = np.asarray(given, dtype=float)
    groups = np.arange(len(given)) if groups is None else groups
    return ClassScores.of(given[:, np.newaxis], np.zeros(len(given), dtype=int), np.asarray(groups))


def mean_coverage(threshold_of, draw, coverage):
    """How often the first sample of a new group reaches the threshold that the other groups set."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(N_TRIALS):
        given, groups = draw(rng)
        is_new = groups == groups.max()
        hits.append(given[is_new][0] >= threshold_of(given[~is_new], groups[~is_new], coverage))
    return np.mean(hits)


def weighted(given, groups, coverage):
    return scores_of(given, groups).thresholds(coverage)[0]


def sample_by_sample(given, groups, coverage):
    """What takes the samples of a group for independent ones."""
    return scores_of(given).thresholds(coverage)[0]


def without_the_one_more(given, groups, coverage):
    return np.quantile(given, 1 - coverage, method="higher")


def binomial_error(share):
    return 3 * np.sqrt(share * (1 - share) / N_TRIALS)


@pytest.mark.parametrize("n_samples", [9, 25, 100])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_independent_samples_reach_the_coverage(n_samples, coverage):
    covered = mean_coverage(weighted, lambda rng: (rng.random(n_samples + 1), np.arange(n_samples + 1)), coverage)
    exact = np.ceil(coverage * (n_samples + 1) - 1e-9) / (n_samples + 1)
    assert covered == pytest.approx(exact, abs=binomial_error(exact))


def test_quantile_without_the_plus_one_covers_too_few():
    draw = lambda rng: (rng.random(13), np.arange(13))  # noqa: E731
    assert mean_coverage(without_the_one_more, draw, 0.9) < 0.9 - binomial_error(0.9)
    assert mean_coverage(weighted, draw, 0.9) >= 0.9 - binomial_error(0.9)


def alike(rng):
    """Thirteen groups of 40 samples that are all but equal within a group."""
    groups = np.repeat(np.arange(13), 40)
    return rng.random(13)[groups] + 1e-6 * rng.random(len(groups)), groups


def large_and_easy(rng):
    """Two kinds of groups at random: of 60 samples that are easy, and of 2 that are not."""
    is_large = rng.random(31) < 0.5
    groups = np.repeat(np.arange(31), np.where(is_large, 60, 2))
    return rng.random(len(groups)) + is_large[groups], groups


@pytest.mark.slow
@pytest.mark.parametrize("draw", [alike, large_and_easy])
def test_groups_of_dependent_samples_are_covered(draw):
    assert mean_coverage(weighted, draw, 0.9) >= 0.9 - binomial_error(0.9)
    assert mean_coverage(sample_by_sample, draw, 0.9) < 0.9 - 2 * binomial_error(0.9)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_class_with_too_few_groups_is_always_included(coverage):
    needed = groups_needed(coverage)
    enough, short = scores_of(np.full(needed, 0.7)), scores_of(np.full(max(needed - 1, 1), 0.7))
    assert enough.thresholds(coverage)[0] > 0
    assert not enough.has_too_few_groups(coverage).any()
    if needed > 1:
        assert short.thresholds(coverage)[0] == 0
        assert short.has_too_few_groups(coverage).all()


def test_samples_of_one_group_count_once():
    scores = scores_of(np.linspace(0.1, 0.9, 80), np.repeat(np.arange(8), 10))
    assert scores.n_groups.tolist() == [8]
    assert scores.has_too_few_groups(0.9).all()


def test_each_class_has_its_own_threshold():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [40, 30, 5])
    probabilities = rng.dirichlet(np.ones(3), len(codes))
    thresholds = ClassScores.of(probabilities, codes, np.arange(75)).thresholds(0.8)
    by_hand = [np.sort(probabilities[codes == k, k])[n - int(np.ceil(0.8 * (n + 1)))] for k, n in ((0, 40), (1, 30))]
    np.testing.assert_allclose(thresholds, [*by_hand, probabilities[codes == 2, 2].min()])


def test_probability_equal_to_the_threshold_reaches_it():
    third = 1 - 2 / 3  # not the float nearest to 1/3
    assert third != 1 / 3
    assert min(third, 1 / 3) >= scores_of(np.full(20, max(third, 1 / 3))).thresholds(0.9)[0]


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90, -0.1, float("nan")])
def test_coverage_out_of_range_is_refused(coverage):
    with pytest.raises(ConfigError, match="coverage: expected a number between 0 and 1"):
        scores_of([0.5]).thresholds(coverage)
