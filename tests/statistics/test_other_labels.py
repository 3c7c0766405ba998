import numpy as np
import pytest

from cellfeat.errors import SplitError
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.statistics.other_labels import OtherLabels

CLASSES = ("a", "b", "c")


@pytest.fixture
def sample():
    """Labels, two predictions of them, and groups of two."""
    rng = np.random.default_rng(0)
    y = np.array(CLASSES)[rng.integers(3, size=300)]
    predicted = [
        np.where(rng.random(300) < skill, y, np.array(CLASSES)[rng.integers(3, size=300)]) for skill in (0.8, 0.6)
    ]
    return y, predicted, np.arange(300) // 2


def test_equal_labels_give_the_difference_of_the_two_predictions(sample):
    y, (first, second), groups = sample
    bootstrap = GroupBootstrap(y, groups, CLASSES)
    assert OtherLabels(bootstrap, y, CLASSES).gain(first, second) == pytest.approx(bootstrap.difference(first, second))


def test_names_of_the_other_classes_do_not_matter(sample):
    y, (first, second), groups = sample
    bootstrap = GroupBootstrap(y, groups, CLASSES)
    renamed = OtherLabels(bootstrap, np.char.upper(y), ("A", "B", "C")).gain(first, np.char.upper(second))
    assert renamed == pytest.approx(bootstrap.difference(first, second))


def test_interval_of_the_gain_holds_its_level():
    """Both labellings are as good: the interval misses 0 about as seldom as it says."""
    rng = np.random.default_rng(1)
    misses = 0
    for _ in range(150):
        true = np.array(CLASSES)[rng.integers(3, size=150)]
        old, new, predicted = (
            np.where(rng.random(150) < 0.8, true, np.array(CLASSES)[rng.integers(3, size=150)]) for _ in range(3)
        )
        found = OtherLabels(GroupBootstrap(new, np.arange(150), CLASSES, n_draws=300), old, CLASSES)
        gain = found.gain(predicted, predicted)
        misses += not gain.low <= 0 <= gain.high
    assert misses / 150 < 0.1


def test_numbers_of_classes_may_differ(sample):
    y, (first, second), groups = sample
    joined = np.where(y == "c", "b", y)
    other = OtherLabels(GroupBootstrap(y, groups, CLASSES), joined, ("a", "b"))
    gain = other.gain(first, np.where(second == "c", "b", second))
    assert gain.low < gain.estimate < gain.high


def test_other_class_in_one_group_is_refused(sample):
    y, _, groups = sample
    rare = y.astype("U4")
    rare[:2] = "rare"
    with pytest.raises(SplitError, match="rare"):
        OtherLabels(GroupBootstrap(y, groups, CLASSES), rare, (*CLASSES, "rare"))


def test_draws_that_lack_an_other_class_are_left_out(sample):
    y, (first, second), groups = sample
    rare = y.astype("U4")
    rare[[0, 100, 200]] = "rare"
    gain = OtherLabels(GroupBootstrap(y, groups, CLASSES), rare, (*CLASSES, "rare")).gain(first, second)
    assert np.isfinite([gain.low, gain.high]).all()
