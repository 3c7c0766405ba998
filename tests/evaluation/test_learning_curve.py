import json

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ConfigError, HeadError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curve import _thinned, curve_table, learning_curve, learning_curves
from cellfeat.evaluation.task import prepare
from cellfeat.reporting.files import write_curves
from cellfeat.reporting.terminal.comparison import curve_lines


@pytest.fixture
def task(make_features):
    """Sixty groups of four, of three classes."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.tile(["a", "b", "c"], 20), 4)
    centres = {name: rng.normal(0, 0.35, 40) for name in "abc"}
    embeddings = np.stack([centres[name] for name in label])[:, np.newaxis] + rng.normal(size=(240, 1, 40))
    group = np.repeat([f"g{i}" for i in range(60)], 4)
    return prepare(make_features(label, embeddings, group=group), Design(folds=4, draws=200))


def test_parts_are_whole_groups_of_every_class_and_lie_within_each_other(task):
    small, large = (list(_thinned(task, fraction)) for fraction in (0.2, 0.6))
    for fold, part, wider in zip(task.folds, small, large, strict=True):
        assert (part.test == fold.test).all()
        assert set(part.train) < set(wider.train) < set(fold.train)
        assert len(part.train) == pytest.approx(0.2 * len(fold.train), abs=4)
        groups, counts = np.unique(task.groups[part.train], return_counts=True)
        assert (counts == 4).all()
        assert set(task.y[part.train]) == set("abc")
        assert not set(groups) & set(task.groups[part.test])


def test_the_whole_is_the_comparison_itself(task):
    whole = list(_thinned(task, 1.0))
    assert all((part.train == fold.train).all() for part, fold in zip(whole, task.folds, strict=True))


def test_a_head_that_learns_more_from_more_is_told_from_one_that_cannot(task):
    rising = learning_curve(task, "logreg", {}, [1, 0.1])
    assert rising.fractions == (0.1, 1)
    assert rising.n_train[1] == 180
    assert rising.verdict().endswith("still rising, more images are likely to help")
    flat = learning_curve(task, "dummy", {}, [0.5, 1])
    assert flat.verdict() == (
        f"dummy: +0.000 [+0.000, +0.000] from {flat.n_train[0]} to 180 samples: no evidence that more images would help"
    )


def test_the_curve_is_written_as_table_and_picture(task, tmp_path):
    found = learning_curves(task, ["knn"], {}, [0.5, 1])
    record, table, picture = write_curves(found, tmp_path)
    assert table.read_text().splitlines()[0] == "head,fraction,n_train,balanced_accuracy,ci_low,ci_high"
    assert curve_table(found.curves)["balanced_accuracy"].tolist() == [
        result.balanced_accuracy for result in found.curves[0].results
    ]
    assert picture.read_bytes().startswith(b"\x89PNG")
    (curve,) = json.loads(record.read_text(encoding="utf-8"))["curves"]
    assert (curve["head"], curve["verdict"]) == ("knn", found.curves[0].verdict())
    assert pd.DataFrame(curve["points"]).equals(curve_table(found.curves).drop(columns="head"))


@pytest.mark.parametrize("fractions", [[], [1], [0.5, 0.5], [0, 1], [0.5, 1.5], [float("nan"), 1]])
def test_fractions_that_make_no_curve_are_refused(task, fractions):
    with pytest.raises(ConfigError, match="two or more numbers above 0"):
        learning_curve(task, "knn", {}, fractions)


FAILED = "at 0.5 of the training samples, failing failed in fold 1 of 4: ValueError: singular matrix"


def test_a_head_that_fails_is_reported_and_the_others_are_drawn(task, failing_head, tmp_path):
    failing_head(ValueError)
    told = []
    found = learning_curves(task, ["failing", "dummy"], {}, [0.5, 1], say=told.append)
    assert [curve.head for curve in found.curves] == ["dummy"]
    assert [(failure.head, failure.reason) for failure in found.failures] == [("failing", FAILED)]
    assert told == ["learning curve of failing", FAILED, "learning curve of dummy"]
    assert curve_lines(found)[1:] == [FAILED]
    assert found.is_complete
    record, table, _ = write_curves(found, tmp_path)
    assert json.loads(record.read_text(encoding="utf-8"))["failures"] == [{"head": "failing", "reason": FAILED}]
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == ["head", "dummy", "dummy"]


def test_where_every_head_fails_there_is_no_curve_but_the_reasons(task, failing_head):
    failing_head(ValueError)
    with pytest.raises(HeadError, match=f"no learning curve could be drawn: {FAILED}"):
        learning_curves(task, ["failing"], {}, [0.5, 1])


def test_an_interrupt_keeps_the_curves_that_are_finished(task, failing_head):
    failing_head(KeyboardInterrupt)
    found = learning_curves(task, ["dummy", "failing", "knn"], {}, [0.5, 1])
    assert not found.is_complete
    assert [curve.head for curve in found.curves] == ["dummy"]
    assert [failure.head for failure in found.failures] == ["failing", "knn"]
    with pytest.raises(KeyboardInterrupt):
        learning_curves(task, ["failing", "dummy"], {}, [0.5, 1])
