import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import cellfeat
from cellfeat.errors import ConfigError, HeadError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curves.fractions import _thinned, check_fractions, point_before
from cellfeat.evaluation.learning_curves.learning_curves import learning_curve, learning_curves_on
from cellfeat.evaluation.results.tables_and_figures import curve_table
from cellfeat.evaluation.task.task import prepare


@pytest.fixture(scope="module")
def task(make_features):
    """Sixty groups of four, of three classes."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.tile(["a", "b", "c"], 20), 4)
    centres = {name: rng.normal(0, 0.35, 40) for name in "abc"}
    embeddings = np.stack([centres[name] for name in label])[:, np.newaxis] + rng.normal(size=(240, 1, 40))
    group = np.repeat([f"g{i}" for i in range(60)], 4)
    return prepare(make_features(label, embeddings, group=group), Design(folds=4, draws=200))


def test_parts_are_nested_and_take_whole_groups_of_every_class(task):
    small, large = (list(_thinned(task, fraction)) for fraction in (0.2, 0.6))
    for fold, part, wider in zip(task.folds, small, large, strict=True):
        assert (part.test == fold.test).all()
        assert set(part.train) < set(wider.train) < set(fold.train)
        assert len(part.train) == pytest.approx(0.2 * len(fold.train), abs=4)
        groups, counts = np.unique(task.groups[part.train], return_counts=True)
        assert (counts == 4).all()
        assert set(task.y[part.train]) == set("abc")
        assert not set(groups) & set(task.groups[part.test])


def test_whole_part_is_the_training_part(task):
    whole = list(_thinned(task, 1.0))
    assert all((part.train == fold.train).all() for part, fold in zip(whole, task.folds, strict=True))


def test_rising_curve_is_told_from_a_flat_one(task):
    rising = learning_curve(task, "logreg", {}, [1, 0.1])
    assert rising.fractions == (0.1, 1)
    assert rising.n_train[1] == 180
    assert rising.gain.low > 0
    assert "still rising" in rising.verdict()
    flat = learning_curve(task, "dummy", {}, [0.5, 1])
    assert flat.gain.estimate == 0
    assert f"from {flat.n_train[0]} to 180 samples" in flat.verdict()
    assert "no evidence" in flat.verdict()


@pytest.mark.parametrize(
    ("n_train", "place"),
    [((20, 45, 90, 180), 2), ((90, 160, 180), 0), ((93, 180), 0), ((20, 90, 150, 180), 1), ((160, 180), 0)],
)
def test_gain_is_that_of_the_last_doubling(n_train, place):
    assert point_before(n_train) == place


def test_short_step_says_nothing_of_more_samples(task):
    curve = learning_curve(task, "dummy", {}, [0.8, 1])
    assert "too short a step" in curve.verdict()
    doubled = learning_curve(task, "dummy", {}, [0.1, 0.5, 0.8, 1])
    assert f"from {doubled.n_train[1]} to 180 samples: no evidence" in doubled.verdict()


def test_table_has_a_row_for_each_head_and_fraction(task):
    curves = learning_curves_on(task, ["knn", "dummy"], {}, [0.5, 1]).curves
    table = curve_table(curves)
    assert table.columns.tolist() == ["head", "fraction", "n_train", "balanced_accuracy", "ci_low", "ci_high"]
    assert table["head"].tolist() == ["knn", "knn", "dummy", "dummy"]
    scores = [result.balanced_accuracy for curve in curves for result in curve.results]
    assert table["balanced_accuracy"].tolist() == scores


@pytest.mark.parametrize("fractions", [[], [1], [0.5, 0.5], [0, 1], [0.5, 1.5], [float("nan"), 1]])
def test_wrong_fractions_are_refused(fractions):
    with pytest.raises(ConfigError, match="fractions"):
        check_fractions(fractions)


def test_failed_head_names_its_fraction_and_the_others_have_curves(task, failing_head):
    failing_head(ValueError)
    said = []
    found = learning_curves_on(task, ["failing", "dummy"], {}, [0.5, 1], say=said.append)
    assert [curve.head for curve in found.curves] == ["dummy"]
    (failure,) = found.failures
    assert failure.head == "failing"
    assert all(noun in failure.reason for noun in ("at 0.5", "fold 1 of 4", "ValueError", "singular matrix"))
    assert failure.reason in said
    assert found.is_complete


def test_error_where_every_head_failed(task, failing_head):
    failing_head(ValueError)
    with pytest.raises(HeadError, match=r"at 0\.5 .*failing.*singular matrix"):
        learning_curves_on(task, ["failing"], {}, [0.5, 1])


def test_ctrl_c_keeps_finished_curves(task, failing_head):
    failing_head(KeyboardInterrupt)
    found = learning_curves_on(task, ["dummy", "failing", "knn"], {}, [0.5, 1])
    assert not found.is_complete
    assert [curve.head for curve in found.curves] == ["dummy"]
    assert [failure.head for failure in found.failures] == ["failing", "knn"]


def test_curves_of_features_and_objects(make_clusters):
    features = make_clusters()
    found = cellfeat.learning_curves(features, ["knn", GaussianNB()], [0.5, 1], design=Design(folds=3, draws=50))
    assert [curve.head for curve in found.curves] == ["knn", "GaussianNB"]
    assert found.table()["fraction"].tolist() == [0.5, 1, 0.5, 1]
    with pytest.raises(ConfigError, match="fractions"):
        cellfeat.learning_curves("no_such_file.h5", ["knn"], [1])
