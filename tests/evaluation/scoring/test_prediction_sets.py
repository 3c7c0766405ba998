import dataclasses

import numpy as np
import pytest
from scipy import stats

from cellfeat.errors import BundleError, ConfigError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.evaluation.scoring.prediction_sets import PredictionSets
from cellfeat.statistics.conformal import ClassScores
from tests.feature_fixtures import SMALL, with_samples

CLASSES = ("a", "b", "c")
LOOSE = {"logreg": {"C": 1.0}}
"""A penalty that hardly shrinks these few columns: the head of all samples is then as sure as those of the folds."""


def cells(make_features, *, n_groups, seed, per_group=1, group_spread=0.0):
    """Three overlapping clouds, the third the widest; samples of a group are shifted together."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(n_groups) % 3, per_group)
    group = np.repeat(np.arange(n_groups), per_group)
    shifts = group_spread * rng.normal(size=(n_groups, 4))
    centres = 1.2 * np.eye(3, 4)
    noise = rng.normal(size=(len(number), 4)) * np.array([0.7, 1.0, 1.8])[number, np.newaxis]
    embeddings = (centres[number] + shifts[group] + noise)[:, np.newaxis]
    return make_features(np.array(CLASSES)[number], embeddings, group=np.char.add("field ", group.astype(str)))


def covered_by_class(predictions, label):
    columns = np.searchsorted(CLASSES, label)
    hit = predictions.sets.holds[np.arange(len(label)), columns]
    return np.array([hit[columns == column].mean() for column in range(3)])


def tolerance(coverage):
    """Three deviations: of the draw of 400 scores a class, a beta distribution, and of that of 1,000 new samples."""
    drawn = stats.beta(401 * coverage, 401 * (1 - coverage)).std()
    return 3 * np.hypot(drawn, np.sqrt(coverage * (1 - coverage) / 1000))


@pytest.fixture(scope="module")
def bundles(make_features):
    """Heads fitted on 1,200 cells, by name."""
    samples = cells(make_features, n_groups=1200, seed=0)
    return {
        head: fit(samples, head, design=Design(folds=5, draws=100), settings=LOOSE.get(head))[0]
        for head in ("logreg", "knn")
    }


@pytest.fixture(scope="module")
def new(make_features):
    return cells(make_features, n_groups=3000, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(("head", "coverage"), [("logreg", 0.8), ("logreg", 0.9), ("knn", 0.9)])
def test_sets_of_new_samples_hold_each_class_as_often_as_asked(bundles, new, head, coverage):
    covered = covered_by_class(predict(bundles[head], new, coverage=coverage), new.samples.labels)
    assert (np.abs(covered - coverage) < tolerance(coverage)).all()


def test_one_threshold_for_all_classes_would_miss_the_hard_one(bundles, new):
    """What thresholds class by class are for, and that the test above can fail."""
    bundle = bundles["logreg"]
    scores = bundle.class_scores
    pooled = ClassScores.of(scores.probability[:, np.newaxis], np.zeros(1200, dtype=int), np.arange(1200))
    predictions = predict(bundle, new, coverage=0.9)
    holds = predictions.probabilities >= pooled.thresholds(0.9)[0]
    wrong = dataclasses.replace(predictions, sets=dataclasses.replace(predictions.sets, holds=holds))
    assert covered_by_class(wrong, new.samples.labels).min() < 0.9 - tolerance(0.9)


@pytest.mark.slow
def test_groups_count_once_or_new_groups_are_not_covered(make_features):
    kept, alone = [], []
    for seed in range(8):
        fields = cells(make_features, n_groups=36, per_group=30, group_spread=0.8, seed=seed)
        bundle, _ = fit(fields, "logreg", design=Design(folds=4, draws=100), settings=LOOSE["logreg"])
        new = cells(make_features, n_groups=600, per_group=3, group_spread=0.8, seed=100 + seed)
        kept.append(covered_by_class(predict(bundle, new, coverage=0.9), new.samples.labels).mean())
        scores = bundle.class_scores
        ungrouped = dataclasses.replace(bundle, class_scores=dataclasses.replace(scores, weight=np.ones(1080)))
        alone.append(covered_by_class(predict(ungrouped, new, coverage=0.9), new.samples.labels).mean())
    assert np.mean(kept) > 0.9
    assert np.mean(alone) < np.mean(kept) - 0.02


def test_higher_coverage_only_adds_classes(make_features):
    samples = cells(make_features, n_groups=240, seed=2)
    bundle, _ = fit(samples, "logreg", design=SMALL)
    small, large = (predict(bundle, samples, coverage=coverage).sets for coverage in (0.6, 0.95))
    assert (large.holds >= small.holds).all()
    assert large.sizes.mean() > small.sizes.mean()
    assert (small.sizes == 0).any()
    plain = predict(bundle, samples)
    assert plain.sets is None
    assert (plain.predicted == predict(bundle, samples, coverage=0.6).predicted).all()


def test_reported_coverage_is_by_thresholds_from_other_folds(make_features):
    samples = cells(make_features, n_groups=240, seed=3)
    result = compare(samples, ["logreg"], design=dataclasses.replace(SMALL, calibrate="none")).best
    table, sets = result.predictions, result.scores.sets
    probabilities = table[[f"probability_{name}" for name in CLASSES]].to_numpy()
    codes = np.searchsorted(CLASSES, table["label"])
    holds = np.empty(probabilities.shape, dtype=bool)
    for fold in (1, 2, 3):
        test = (table["fold"] == fold).to_numpy()
        scores = ClassScores.of(probabilities[~test], codes[~test], np.arange(np.count_nonzero(~test)))
        holds[test] = probabilities[test] >= scores.thresholds(0.9)
    hit = holds[np.arange(240), codes]
    assert sets.coverage == 0.9
    assert sets.per_class_coverage == pytest.approx([hit[codes == code].mean() for code in range(3)])
    assert sets.sizes.mean_size == pytest.approx(holds.sum(axis=1).mean())
    assert sets.sizes.one + sets.sizes.several + sets.sizes.none == pytest.approx(1)
    for fold, covered in enumerate(sets.per_class_coverage_per_fold, start=1):
        rows = (table["fold"] == fold).to_numpy()
        assert covered == pytest.approx([hit[rows & (codes == code)].mean() for code in range(3)])


def test_group_counts_once_in_the_reported_coverage(make_features):
    fields = cells(make_features, n_groups=60, per_group=4, seed=4)
    once, often = (
        compare(samples, ["logreg"], design=SMALL).best.scores.sets
        for samples in (fields, _with_one_field_repeated(fields, make_features))
    )
    assert often.per_class_coverage == pytest.approx(once.per_class_coverage, abs=0.1)


def _with_one_field_repeated(fields, make_features):
    rows = np.concatenate([np.arange(len(fields)), np.tile(np.arange(4), 30)])
    return make_features(fields.samples.labels[rows], fields.embeddings[rows], group=fields.samples.groups[rows])


def test_class_of_too_few_groups_is_in_every_set(make_features):
    fields = cells(make_features, n_groups=24, per_group=10, seed=5)
    bundle, result = fit(fields, "logreg", design=SMALL)
    predictions = predict(bundle, fields, coverage=0.95)
    assert predictions.sets.unlimited == CLASSES
    assert predictions.sets.holds.all()
    assert result.scores.sets.unlimited == CLASSES


def test_unreadable_sample_has_no_set(make_features):
    samples = cells(make_features, n_groups=120, seed=6)
    bundle, _ = fit(samples, "logreg", design=SMALL)
    status = samples.samples.status.copy()
    status[7] = 1
    predictions = predict(bundle, with_samples(samples, status=status), coverage=0.99)
    assert predictions.sets.names()[7] == ""
    assert predictions.sets.sizes[7] == 0
    assert predictions.sets.summary(predictions.is_read).none == 0


def test_separator_in_names_is_escaped():
    holds = np.array([[True, True, False], [False, True, True], [False, False, False]])
    sets = PredictionSets(0.9, holds, ("HeLa", "A|B", "C\\D"), ())
    assert sets.names() == ["HeLa|A\\|B", "A\\|B|C\\\\D", ""]
    assert sets.sizes.tolist() == [2, 2, 0]


def test_head_without_scores_and_wrong_coverage_are_refused(make_features):
    samples = cells(make_features, n_groups=60, seed=7)
    bundle, _ = fit(samples, "logreg", design=SMALL)
    with pytest.raises(BundleError, match=r"'logreg'.*out-of-fold scores"):
        predict(dataclasses.replace(bundle, class_scores=None), samples, coverage=0.9)
    with pytest.raises(ConfigError, match=r"coverage.*90"):
        predict(bundle, samples, coverage=90)
