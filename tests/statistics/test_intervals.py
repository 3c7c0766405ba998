from functools import partial
from time import process_time

import numpy as np
import pytest

from cellfeat.errors import SplitError
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.scores import balanced_accuracy, encode

CLASSES = ("HeLa", "A549", "U-2 OS")  # on purpose not sorted


def bootstrap_of(labelled, **options):
    y, _ = labelled
    return GroupBootstrap(y, np.arange(len(y)), CLASSES, **options)


def test_intervals_contain_the_estimate_and_repeat_with_the_seed(labelled):
    y, predicted = labelled
    low, high = bootstrap_of(labelled).interval(predicted)
    assert low < balanced_accuracy(y, predicted, CLASSES) < high
    assert bootstrap_of(labelled).interval(predicted) == (low, high)
    assert bootstrap_of(labelled, random_state=1).interval(predicted) != (low, high)


def test_intervals_do_not_depend_on_the_order_of_the_samples(labelled):
    """Up to the draws themselves: the width is that of the data."""
    y, predicted = labelled
    order = np.random.default_rng(0).permutation(len(y))
    other = GroupBootstrap(y[order], np.arange(len(y)), CLASSES).interval(predicted[order])
    assert bootstrap_of(labelled).interval(predicted) == pytest.approx(other, abs=0.01)


def test_higher_level_gives_a_wider_interval(labelled):
    _, predicted = labelled
    bootstrap = bootstrap_of(labelled)
    narrow, wide = (bootstrap.interval(predicted, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_grouped_copies_do_not_narrow_the_interval(labelled):
    y, predicted = labelled
    groups = np.tile(np.arange(len(y)), 10)
    y10, predicted10 = np.tile(y, 10), np.tile(predicted, 10)
    width = np.diff(bootstrap_of(labelled).interval(predicted)).item()
    grouped = np.diff(GroupBootstrap(y10, groups, CLASSES).interval(predicted10)).item()
    ungrouped = np.diff(GroupBootstrap(y10, np.arange(len(y10)), CLASSES).interval(predicted10)).item()
    assert grouped == pytest.approx(width, rel=0.1)
    assert ungrouped == pytest.approx(width / np.sqrt(10), rel=0.15)


def test_head_does_not_differ_from_itself(labelled):
    _, predicted = labelled
    difference = bootstrap_of(labelled).difference(predicted, predicted)
    assert (difference.estimate, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_differences_are_paired_and_antisymmetric(labelled):
    y, predicted = labelled
    other = np.where(np.arange(len(y)) % 20 == 0, "HeLa", predicted)
    bootstrap = bootstrap_of(labelled)
    forward, back = bootstrap.difference(predicted, other), bootstrap.difference(other, predicted)
    assert forward.estimate == pytest.approx(-back.estimate)
    assert (forward.low, forward.high) == pytest.approx((-back.high, -back.low))
    assert forward.p_value == pytest.approx(back.p_value)
    assert forward.high - forward.low < np.diff(bootstrap.interval(predicted)).item()


def test_p_value_agrees_with_the_interval(labelled):
    y, predicted = labelled
    rng = np.random.default_rng(3)
    bootstrap = bootstrap_of(labelled)
    decided = set()
    for rate in np.linspace(0, 0.2, 15):
        difference = bootstrap.difference(predicted, np.where(rng.random(len(y)) < rate, "HeLa", predicted))
        if abs(difference.p_value - 0.05) > 0.005:
            decided.add(difference.p_value < 0.05)
            assert (difference.p_value < 0.05) == (not difference.low <= 0 <= difference.high)
    assert decided == {True, False}


def test_class_without_errors_has_an_interval():
    y = np.repeat(CLASSES, [100, 10, 10])
    intervals = GroupBootstrap(y, np.arange(120), CLASSES).recall_intervals(y)
    assert (intervals[:, 1] == 1).all()
    assert 0.9 < intervals[0, 0] < 1
    assert 0.5 < intervals[1, 0] < 0.85


def test_every_draw_contains_every_class():
    """Twelve plates, two of them with the rare class: a third of unrestricted draws would lack it."""
    y = np.tile(np.repeat(CLASSES[:2], 5), 12)
    groups = np.repeat(np.arange(12), 10)
    y, groups = np.append(y, [CLASSES[2]] * 6), np.append(groups, [0, 0, 0, 1, 1, 1])
    predicted = np.where(np.arange(len(y)) % 3 == 0, "HeLa", y)
    interval = GroupBootstrap(y, groups, CLASSES).interval(predicted)
    assert np.isfinite(interval).all()
    assert interval.low < interval.high


def test_class_in_one_group_has_no_interval():
    y = np.repeat(CLASSES, 4)
    with pytest.raises(SplitError, match=r"'U-2 OS' \(1\)"):
        GroupBootstrap(y, np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8]), CLASSES)


def test_head_without_errors_has_an_interval():
    y = np.repeat(CLASSES, [100, 10, 10])
    low, high = GroupBootstrap(y, np.arange(120), CLASSES).interval(y)
    assert high == 1
    assert 0.8 < low < 0.97
    many = np.repeat(CLASSES, [1000, 100, 100])
    assert low < GroupBootstrap(many, np.arange(1200), CLASSES).interval(many).low < 1


def errors_of_two_plates(wrong_in_first, wrong_in_second):
    """Two plates of 30 samples: the first samples of a class are predicted as the next class, as many as asked for."""
    y = np.tile(np.repeat(CLASSES, 10), 2)
    n_wrong = np.repeat([*wrong_in_first, *wrong_in_second], 10)
    predicted = np.where(np.tile(np.arange(10), 6) < n_wrong, np.roll(CLASSES, 1)[encode(y, CLASSES)], y)
    return y, np.repeat([0, 1], 30), predicted


def test_equal_scores_of_two_plates_leave_the_interval_its_width():
    """Plates with equal scores say no more than plates that differ by one cell."""
    y, plates, predicted = errors_of_two_plates((1, 2, 3), (3, 2, 1))
    low, high = GroupBootstrap(y, plates, CLASSES).interval(predicted)
    assert low < 0.6 < 0.8 < 0.9 < high
    assert np.diff(GroupBootstrap(y, plates, CLASSES).interval(predicted, widened=1.4)).item() > high - low
    _, _, nearly = errors_of_two_plates((1, 2, 3), (3, 2, 2))
    beside = GroupBootstrap(y, plates, CLASSES).interval(nearly)
    assert high - low > np.diff(beside).item() / 2


def test_head_without_a_right_prediction_has_an_interval():
    y = np.repeat(CLASSES, 10)
    low, high = GroupBootstrap(y, np.arange(30), CLASSES).interval(np.roll(CLASSES, 1)[encode(y, CLASSES)])
    assert low == 0
    assert 0.05 < high < 0.4


def test_constant_prediction_scores_by_chance_without_doubt():
    y = np.repeat(CLASSES, [100, 10, 10])
    assert GroupBootstrap(y, np.arange(120), CLASSES).interval(np.full(120, "HeLa")) == pytest.approx((1 / 3, 1 / 3))


@pytest.mark.parametrize("n_draws", [100, 2000])
def test_large_difference_is_significant_with_few_groups_and_draws(n_draws):
    """Six plates, each a little better: no draw is rarer than one in all draws, but the difference is far from zero."""
    rng = np.random.default_rng(0)
    y = np.array(CLASSES)[rng.integers(3, size=6000)]
    groups = np.repeat(np.arange(6), 1000)
    good, bad = (np.where(rng.random(6000) < rate, y, np.roll(CLASSES, 1)[encode(y, CLASSES)]) for rate in (0.9, 0.6))
    difference = GroupBootstrap(y, groups, CLASSES, n_draws=n_draws).difference(good, bad)
    assert 3 * difference.p_value < 0.05
    assert 0 < difference.low < difference.estimate < difference.high


def test_constant_difference_has_the_p_value_of_a_sign_test():
    y = np.tile(CLASSES, 4)
    wrong = np.roll(CLASSES, 1)[encode(y, CLASSES)]
    difference = GroupBootstrap(y, np.repeat(np.arange(4), 3), CLASSES).difference(y, wrong)
    assert (difference.estimate, difference.high) == (1, 1)
    assert difference.p_value == pytest.approx(2 * 0.5**4)
    assert difference.low < 0, "p is not below 0.05"


def test_constant_difference_in_thousands_of_groups_is_certain():
    """The p value of their sign test is too small for a number: 2 ** -1200."""
    y = np.tile(["a", "b"], 600)
    difference = GroupBootstrap(y, np.arange(1200), ["a", "b"], n_draws=100).difference(y, np.full(1200, "a"))
    assert (difference.low, difference.estimate, difference.high, difference.p_value) == (0.5, 0.5, 0.5, 0)


def test_constant_difference_ignores_rounding():
    """One of three samples of each group is wrong, and float32 cannot represent a third."""
    y, groups = np.repeat(["a", "b"], 9), np.repeat(np.arange(6), 3)
    wrong = np.where(np.arange(18) % 3 == 0, np.where(y == "a", "b", "a"), y)
    difference = GroupBootstrap(y, groups, ["a", "b"]).difference(y, wrong)
    assert difference.p_value == pytest.approx(2 * 0.5**6)
    assert 0 < difference.low < difference.estimate


def test_only_pure_group_of_a_class_still_varies():
    """Each class has one plate of its own and shares four plates with the others."""
    rng = np.random.default_rng(0)
    y = np.repeat(CLASSES, 400)
    own = np.repeat([100, 101, 102], 400)
    groups = np.where(np.arange(1200) % 2 == 0, own, rng.integers(4, size=1200))
    predicted = np.where(own == groups, y, np.where(rng.random(1200) < 0.5, y, np.roll(CLASSES, 1)[encode(y, CLASSES)]))
    by_plate = GroupBootstrap(y, groups, CLASSES).interval(predicted)
    assert by_plate.high - by_plate.low > 0.2
    assert by_plate.low < 0.75 < by_plate.high


NINE = tuple(f"class {i}" for i in range(9))
SIZES = np.array([300, 200, 150, 120, 100, 80, 60, 40, 25])
RECALLS = np.linspace(0.95, 0.7, 9)


def single_class_groups(rng, *, group_size, shared):
    """Two heads of equal true recalls; with probability `shared` a sample is predicted like its whole group."""
    truth = np.repeat(np.arange(9), SIZES)
    groups = np.concatenate([1000 * i + np.arange(size) // group_size for i, size in enumerate(SIZES)])
    _, group = np.unique(groups, return_inverse=True)
    luck = np.where(rng.random(len(truth)) < shared, rng.random(group.max() + 1)[group], rng.random(len(truth)))
    other = np.where(rng.random(len(truth)) < 0.5, luck, rng.random(len(truth)))
    return truth, groups, *(np.where(value < RECALLS[truth], truth, (truth + 1) % 9) for value in (luck, other))


def plates_of_all_classes(rng, *, n_plates):
    """Two heads of equal true recalls, which each plate changes for all classes together and for each class."""
    groups = np.repeat(np.arange(n_plates), 360)
    truth = rng.choice(9, len(groups), p=SIZES / SIZES.sum())
    heads = []
    for _ in range(2):
        # 0.13 lower, so that no plate moves a recall beyond 1.
        recall = RECALLS - 0.13 + rng.uniform(-0.08, 0.08, (n_plates, 9)) + rng.uniform(-0.05, 0.05, (n_plates, 1))
        heads.append(np.where(rng.random(len(truth)) < recall[groups, truth], truth, (truth + 1) % 9))
    return truth, groups, *heads


def own_plates_and_shared_ones(rng, *, n_own=1, n_shared):
    """Half of each class is on its own plates, the rest on plates with all classes; each plate changes the recalls."""
    truth = np.repeat(np.arange(9), 2 * SIZES)
    is_own = np.arange(len(truth)) % 2 == 0
    own = 100 + 10 * truth + rng.integers(n_own, size=len(truth))
    _, groups = np.unique(np.where(is_own, own, rng.integers(n_shared, size=len(truth))), return_inverse=True)
    n_plates = groups.max() + 1
    heads = []
    for _ in range(2):
        moved = rng.uniform(-0.08, 0.08, (n_plates, 9)) + rng.uniform(-0.05, 0.05, (n_plates, 1))
        recall = (RECALLS - 0.13 + moved)[groups, truth]
        heads.append(np.where(rng.random(len(truth)) < recall, truth, (truth + 1) % 9))
    return truth, groups, *heads


SINGLES = (partial(single_class_groups, group_size=1, shared=0.0), RECALLS)
GROUPS_OF_FIVE = (partial(single_class_groups, group_size=5, shared=0.7), RECALLS)
EQUAL_GROUPS = (partial(single_class_groups, group_size=5, shared=1.0), RECALLS)
TWELVE_PLATES = (partial(plates_of_all_classes, n_plates=12), RECALLS - 0.13)
SIX_PLATES = (partial(plates_of_all_classes, n_plates=6), RECALLS - 0.13)
THREE_PLATES = (partial(plates_of_all_classes, n_plates=3), RECALLS - 0.13)
OWN_PLATES = (partial(own_plates_and_shared_ones, n_shared=4), RECALLS - 0.13)
OWN_PLATES_TWO_SHARED = (partial(own_plates_and_shared_ones, n_shared=2), RECALLS - 0.13)
OWN_PLATES_ONE_SHARED = (partial(own_plates_and_shared_ones, n_own=3, n_shared=1), RECALLS - 0.13)


def coverage(n_data_sets, simulate, true_recalls):
    """Share of simulated data sets whose intervals of score, difference and recalls contain the truth."""
    rng = np.random.default_rng(0)
    names = np.array(NINE)
    held = np.zeros(3)
    for number in range(n_data_sets):
        truth, groups, first, second = simulate(rng)
        bootstrap = GroupBootstrap(names[truth], groups, NINE, n_draws=600, random_state=number)
        low, high = bootstrap.interval(names[first])
        difference = bootstrap.difference(names[first], names[second])
        recall_low, recall_high = bootstrap.recall_intervals(names[first]).T
        held += (
            low <= true_recalls.mean() <= high,
            difference.low <= 0 <= difference.high,
            np.mean((recall_low <= true_recalls) & (recall_high >= true_recalls)),
        )
    return held / n_data_sets


@pytest.mark.slow
@pytest.mark.parametrize("case", [SINGLES, GROUPS_OF_FIVE, TWELVE_PLATES, OWN_PLATES])
def test_intervals_cover_the_truth(case):
    """Of 100 data sets, 88 is three standard errors below 95; intervals that ignore the groups of five reached 73."""
    assert (coverage(100, *case) >= 0.88).all()


@pytest.mark.slow
@pytest.mark.parametrize("case", [SINGLES, GROUPS_OF_FIVE, EQUAL_GROUPS, TWELVE_PLATES, SIX_PLATES])
def test_intervals_have_their_nominal_coverage(case):
    held = coverage(500, *case)
    assert (held[:2] >= 0.93).all()
    assert (held[:2] <= 0.97).all()
    assert held[2] >= 0.93  # Wilson's intervals of the rare classes are on the safe side


@pytest.mark.slow
@pytest.mark.parametrize("case", [THREE_PLATES, OWN_PLATES, OWN_PLATES_TWO_SHARED, OWN_PLATES_ONE_SHARED])
def test_intervals_of_few_groups_are_conservative(case):
    """Two or three groups give few degrees of freedom, so Student's t is wide, perhaps wider than necessary."""
    held = coverage(500, *case)
    assert (held >= 0.93).all()


@pytest.mark.slow
def test_whole_data_set_takes_seconds():
    """28,896 samples, each its own group, 2000 draws: below 2 s on one core of 2024, with room for a slower."""
    rng = np.random.default_rng(0)
    truth = rng.choice(9, 28_896, p=SIZES / SIZES.sum())
    y = np.array(NINE)[truth]
    predicted = np.array(NINE)[np.where(rng.random(len(y)) < 0.8, truth, (truth + 1) % 9)]
    start = process_time()
    GroupBootstrap(y, np.arange(len(y)), NINE).interval(predicted)
    assert process_time() - start < 12
