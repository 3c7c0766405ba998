"""Folds that are given: one for each group, one for each value of a column, or a single split."""

from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import ConfigError, SplitError, UnknownNameError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.folds.given_folds import rare_class_remarks
from cellfeat.evaluation.learning_curves.learning_curves import learning_curve
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.task.task import prepare
from tests.feature_fixtures import build_features

LEAVE_PLATES = Design("leave-one-out", groups="plate", draws=100)


def plates(n=120, n_plates=4, *, classes=("a", "b", "c"), seed=0, **columns):
    """Samples of some plates, P1, P2, …, with all classes on each."""
    rng = np.random.default_rng(seed)
    number = np.arange(n) % len(classes)
    embeddings = 2.0 * np.eye(6)[number] + rng.normal(size=(n, 6))
    plate = np.char.mod("P%d", np.arange(n) // len(classes) % n_plates + 1)
    return build_features(np.array(classes)[number], embeddings[:, None], columns={"plate": plate, **columns})


def parts(n=120, cycle=("train", "train", "val", "test")):
    return np.array(cycle)[np.arange(n) // 3 % len(cycle)]


def task_of(features, design, **options):
    said = []
    return prepare(features, design, say=said.append, **options), "\n".join(said)


def test_one_fold_for_each_plate():
    task, said = task_of(plates(n_plates=11), LEAVE_PLATES)
    assert [fold.name for fold in task.folds] == [f"P{number}" for number in range(1, 12)]  # P2 before P10
    for fold in task.folds:
        assert set(task.groups[fold.test]).isdisjoint(task.groups[fold.train])
        assert len(fold.test) + len(fold.train) == 120
    assert "11, one for each value of plate" in said
    assert "rough" not in said


def test_few_plates_are_warned_of():
    assert "4 groups only" in task_of(plates(), LEAVE_PLATES)[1]


def test_each_plate_has_its_score():
    result = compare(plates(), ["logreg"], design=LEAVE_PLATES).best
    given = result.scores.overall.given
    assert [fold.name for fold in given] == ["P1", "P2", "P3", "P4"]
    assert [fold.n_samples for fold in given] == [30] * 4
    for fold in given:
        assert fold.interval.low <= fold.balanced_accuracy <= fold.interval.high
        rows = result.predictions[result.predictions["fold_name"] == fold.name]
        hits = (rows["label"] == rows["predicted"]).groupby(rows["label"]).mean()
        assert hits.mean() == pytest.approx(fold.balanced_accuracy)
    record = result.record()
    assert record["folds"] == "leave-one-out"
    assert [fold["name"] for fold in record["given_folds"]] == ["P1", "P2", "P3", "P4"]


def test_plate_without_a_class_is_scored_over_the_others():
    features = plates()
    label = np.where((features.samples.columns["plate"] == "P2") & (features.samples.labels == "c"), "a", "")
    label = np.where(label != "", label, features.samples.labels)
    features = replace(features, samples=replace(features.samples, labels=label))
    said = []
    comparison = compare(features, ["logreg"], design=LEAVE_PLATES, hooks=Hooks(say=said.append))
    second = comparison.best.scores.overall.given[1]
    assert second.classes == ("a", "b")
    assert any("P2: no sample of c" in line for line in said)
    assert len(comparison.best.scores.per_class.recall) == 3


def test_class_on_a_single_plate_is_refused():
    features = plates()
    label = np.where(features.samples.columns["plate"] == "P1", "only", features.samples.labels)
    features = replace(features, samples=replace(features.samples, labels=label))
    with pytest.raises(SplitError, match=r"'only'.*one group of plate.*leave_out"):
        prepare(features, LEAVE_PLATES)


def test_plates_that_share_copies_are_left_out_together():
    features = plates()
    digests = features.samples.digests.copy()
    digests[3] = digests[0]  # of P2 and P1
    features = replace(features, samples=replace(features.samples, digests=digests))
    task, said = task_of(features, LEAVE_PLATES)
    assert [fold.name for fold in task.folds] == ["P1 + P2", "P3", "P4"]
    assert "left out together: P1 + P2" in said


def test_samples_without_a_plate_are_left_out_and_counted():
    features = plates()
    features.samples.columns["plate"][:6] = ""
    task, said = task_of(features, LEAVE_PLATES)
    assert (len(task.y), task.counts.n_in_no_fold) == (114, 6)
    assert "6 samples have no value in plate" in said


def test_groups_of_the_manifest_are_left_out_by_default():
    features = plates()
    features = replace(features, samples=replace(features.samples, groups=features.samples.columns["plate"]))
    assert len(prepare(features, Design("leave-one-out", draws=100)).folds) == 4


def test_finer_groups_of_the_manifest_are_the_units_of_a_plate():
    features = plates()
    field = np.char.add(features.samples.columns["plate"], np.char.mod("-%d", np.arange(120) // 12))
    features = replace(features, samples=replace(features.samples, groups=field))
    task = prepare(features, LEAVE_PLATES)
    assert len(np.unique(task.units)) == len(np.unique(field))


@pytest.mark.parametrize("groups", ["auto", "none", "copies", "near-copies"])
def test_leave_one_out_without_groups_is_refused(groups):
    with pytest.raises(SplitError, match="needs groups to leave out"):
        prepare(plates(), Design("leave-one-out", groups=groups))


def test_thousands_of_groups_are_refused_with_the_number_of_fits():
    features = plates(n=3000, well=np.char.mod("w%d", np.arange(3000)))
    features.samples.columns["well"][1::2] = features.samples.columns["well"][::2]
    with pytest.raises(SplitError, match=r"1500 values.*fitted 1500 times.*--groups plate"):
        prepare(features, Design("leave-one-out", groups="well"))


def test_column_gives_the_folds():
    fold = np.array(["b", "a", "c"])[np.arange(120) // 6 % 3]
    comparison = compare(plates(mine=fold), ["logreg"], design=Design("column:mine", draws=100))
    assert [one.name for one in comparison.best.scores.overall.given] == ["a", "b", "c"]
    assert comparison.best.scores.overall.apart is None


def test_groups_that_a_column_cuts_are_counted_with_their_price():
    fold = np.array(["1", "2"])[np.arange(120) // 3 % 2]
    said = []
    features = plates(n_plates=20, mine=fold)
    group = features.samples.columns["plate"].astype("U20")
    group[90:] = np.char.mod("rest%d", np.arange(30))
    group[:60] = np.char.mod("alone%d", np.arange(60))
    group[60:90] = np.char.mod("cut%d", np.arange(30) // 6)
    features = replace(features, samples=replace(features.samples, groups=group))
    best = compare(features, ["knn"], design=Design("column:mine", draws=100), hooks=Hooks(say=said.append)).best
    apart = best.scores.overall.apart
    assert apart.n_shared == 30
    assert 0 <= apart.balanced_accuracy <= 1
    assert any("cut 5 of" in line and "30 tested samples" in line for line in said)
    assert best.record()["without_shared_groups"]["n_shared"] == 30


def test_class_that_a_fold_does_not_learn_counts_as_errors():
    features = plates()
    fold = np.where(features.samples.labels == "c", "1", np.array(["1", "2"])[np.arange(120) // 3 % 2])
    features.samples.columns["mine"] = fold
    best = compare(features, ["logreg"], design=Design("column:mine", draws=100)).best
    assert best.scores.overall.given[0].unknown == ("c",)
    assert best.scores.per_class.recall[2] == 0


def test_train_and_test_are_a_single_split():
    task, said = task_of(plates(set=parts()), Design("column:set", draws=100))
    assert (len(task.folds), len(task.folds[0].train), len(task.folds[0].test)) == (1, 60, 30)
    assert "fitted on 60 samples (train) and tested on 30 (test)" in said
    comparison = compare(plates(set=parts()), ["logreg", "dummy"], design=Design("column:set", draws=100))
    assert len(comparison.best.predictions) == comparison.counts.n_samples == 30
    assert comparison.counts.n_only_fitted == 60
    assert comparison.best.scores.sets is None
    assert comparison.differences[0].better == "logreg"


def test_validation_part_is_fitted_on_where_asked():
    task, said = task_of(plates(set=parts()), Design("column:set", parts=("train", "val"), draws=100))
    assert len(task.folds[0].train) == 90
    assert "(train and val)" in said


def test_without_a_test_part_the_validation_part_is_tested():
    column = parts(cycle=("Training", "Training", "dev"))
    task, said = task_of(plates(set=column), Design("column:set", draws=100))
    assert len(task.folds[0].test) == 39
    assert "tested on 39 (val)" in said


def test_head_of_a_single_split_is_fitted_on_its_training_part_and_scored_on_the_rest():
    features = plates(set=parts())
    bundle, result = fit(features, "logreg", design=Design("column:set", draws=100))
    assert bundle.provenance["fitted"]["n_samples"] == 60
    found = score_held_out(bundle, features, split="set", parts=["test"], draws=100)
    assert found.n_seen == 0
    assert found.balanced_accuracy == pytest.approx(result.balanced_accuracy)


def test_test_part_without_a_class_is_refused():
    features = plates(set=parts())
    column = np.where(features.samples.labels == "b", "train", features.samples.columns["set"])
    features.samples.columns["set"] = column
    with pytest.raises(SplitError, match=r"part test.*no sample of b"):
        prepare(features, Design("column:set"))


@pytest.mark.slow
def test_tuning_and_learning_curves_know_given_folds():
    tuned = compare(plates(), ["knn"], design=replace(LEAVE_PLATES, tune=2)).best
    assert len(tuned.scores.tuning.per_fold) == 4
    for design in (LEAVE_PLATES, Design("column:set", draws=100)):
        curve = learning_curve(prepare(plates(set=parts()), design), "logreg", {}, [0.5, 1])
        assert curve.n_train[0] < curve.n_train[1]


@pytest.mark.parametrize(
    ("folds", "error", "message"),
    [
        ("column:plat", UnknownNameError, "did you mean 'plate'"),
        ("column:label", SplitError, "'label'"),
        ("column:same", SplitError, "one: 'x'"),
        ("column:empty", SplitError, "label|value"),
        ("leave-two-out", ConfigError, "leave-one-out, or column:NAME.*'leave-two-out'"),
        ("column:", ConfigError, "column:NAME"),
        ("1", ConfigError, "2 or more"),
    ],
)
def test_other_folds_are_refused(folds, error, message):
    features = plates(same=np.full(120, "x"), empty=np.full(120, ""))
    with pytest.raises(error, match=message):
        prepare(features, Design(folds))


def test_spelling_of_leave_one_out_does_not_matter():
    assert prepare(plates(), replace(LEAVE_PLATES, folds="Leave_One_Out")).design.folds == "leave-one-out"
    assert len(prepare(plates(), Design("4")).folds) == 4


def test_classes_of_few_groups_are_named():
    y = np.array(["many"] * 20 + ["few"] * 3)
    (line,) = rare_class_remarks(y, np.arange(23))
    assert "few (3)" in line
    assert "many" not in line
    assert not list(rare_class_remarks(y, np.arange(23) % 5))


def test_part_of_another_name_beside_train_is_refused():
    with pytest.raises(SplitError, match=r"'train'.*'holdout'.*train, val and test"):
        task_of(plates(set=parts(cycle=("train", "train", "holdout"))), Design("column:set"))
