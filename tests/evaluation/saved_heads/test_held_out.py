import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from cellfeat.config_sources import load_settings
from cellfeat.errors import BundleError, FingerprintError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.extraction.store import Features
from tests.feature_fixtures import N_FITTED, part, with_samples


def classes_of(bundle, embeddings):
    return np.array(bundle.classes)[bundle.predict_proba(embeddings).argmax(axis=1)]


def test_similar_samples_score_as_out_of_fold(bundle, held_out):
    found = score_held_out(bundle, held_out)
    expected = balanced_accuracy_score(held_out.samples.labels, classes_of(bundle, held_out.embeddings))
    assert found.balanced_accuracy == pytest.approx(expected)
    assert (found.counts.n_samples, found.counts.n_groups, found.n_seen) == (180, 180, 0)
    low, high = found.scores.overall.interval
    assert low < expected < high
    assert found.out_of_fold == bundle.scores["balanced_accuracy"]
    assert f"{found.out_of_fold:.3f}" in found.verdict()
    assert "no evidence of a difference" in found.verdict()


def test_training_samples_are_excluded_and_counted(bundle, samples):
    found = score_held_out(bundle, part(samples, slice(180, None)))
    clean = score_held_out(bundle, part(samples, slice(N_FITTED, None)))
    assert (found.n_seen, clean.n_seen) == (60, 0)
    assert found.balanced_accuracy == clean.balanced_accuracy
    pd.testing.assert_frame_equal(found.predictions, clean.predictions)
    label, embeddings = samples.samples.labels[180:], samples.embeddings[180:]
    assert found.with_all == pytest.approx(balanced_accuracy_score(label, classes_of(bundle, embeddings)))


def test_near_copies_are_excluded_where_they_are_named(bundle, held_out):
    is_near = np.zeros(180, dtype=bool)
    is_near[:30] = True
    found = score_held_out(bundle, held_out, is_near_copy=is_near)
    rest = score_held_out(bundle, part(held_out, slice(30, None)))
    assert (found.n_seen, found.n_near_copies, rest.n_near_copies) == (0, 30, None)
    assert found.balanced_accuracy == rest.balanced_accuracy
    assert found.with_all == score_held_out(bundle, held_out).balanced_accuracy


def test_head_without_digests_excludes_nothing(bundle, held_out):
    found = score_held_out(dataclasses.replace(bundle, training_digests=None), held_out)
    assert (found.n_seen, found.with_all, found.counts.n_samples) == (None, None, 180)


def test_samples_of_another_kind_score_worse(bundle, held_out):
    rng = np.random.default_rng(0)
    held_out.embeddings[:] += 3 * rng.normal(size=held_out.embeddings.shape)
    found = score_held_out(bundle, held_out)
    assert found.difference_interval.high < 0
    assert f"worse here by {-found.difference:.3f}" in found.verdict()
    assert "without a copy" not in found.verdict()


def test_worse_score_after_excluding_copies_names_them_as_a_reason(bundle, held_out):
    held_out.embeddings[:] += 3 * np.random.default_rng(0).normal(size=held_out.embeddings.shape)
    found = score_held_out(bundle, held_out, is_near_copy=np.arange(180) < 30)
    assert "samples without a copy are harder, and the 30 with one are excluded" in found.verdict()


def test_easier_samples_score_better_and_the_verdict_gives_reasons(bundle, held_out):
    for name in np.unique(held_out.samples.labels):
        rows = held_out.samples.labels == name
        held_out.embeddings[rows] = held_out.embeddings[rows].mean(axis=0)
    found = score_held_out(bundle, held_out)
    assert found.difference_interval.low > 0
    assert f"better here by {found.difference:.3f}" in found.verdict()
    searched = score_held_out(bundle, held_out, is_near_copy=np.zeros(180, dtype=bool))
    unknown = score_held_out(dataclasses.replace(bundle, training_digests=None), held_out)
    reasons = ("easier", "near copies", "some of them are training samples")
    given = [[reason in one.verdict() for reason in reasons] for one in (searched, found, unknown)]
    assert given == [[True, False, False], [True, True, False], [True, True, True]]


def test_groups_widen_the_interval(bundle, held_out):
    plate = np.arange(180) // 30
    of_plate = np.random.default_rng(0).normal(size=(6, 1, held_out.embeddings.shape[2]))
    held_out.embeddings[:] += of_plate[plate]
    grouped = with_samples(held_out, groups=np.array([f"plate {number}" for number in plate]))
    by_plate, alone = (score_held_out(bundle, grouped, groups=groups) for groups in ("auto", "none"))
    assert by_plate.counts.n_groups == score_held_out(bundle, grouped).counts.n_groups == 6
    widths = [high - low for low, high in (one.scores.overall.interval for one in (by_plate, alone))]
    assert widths[0] > widths[1]


def groups_and_remarks(bundle, features: Features, **options):
    said = []
    return score_held_out(bundle, features, say=said.append, **options).counts.n_groups, said


def test_samples_are_grouped_as_at_fitting(samples):
    donor = np.array([f"donor {row % 20}" for row in range(420)])
    fitted = with_samples(part(samples, slice(N_FITTED)), columns={"donor": donor[:N_FITTED]})
    bundle, _ = fit(fitted, "logreg", design=Design(groups="donor", folds=3, draws=100))
    held_out = with_samples(part(samples, slice(N_FITTED, None)), columns={"donor": donor[N_FITTED:]})
    assert groups_and_remarks(bundle, held_out) == (20, [])
    assert groups_and_remarks(bundle, held_out, groups="none") == (180, [])
    n_groups, (line,) = groups_and_remarks(bundle, with_samples(held_out, columns={}))
    assert n_groups == 180
    assert "donor" in line


def test_missing_groups_of_the_extraction_are_remarked(samples):
    plate = np.array([f"plate {row % 20}" for row in range(420)])
    record = load_settings(overrides={"labels.group": "plate"}).record()
    plated = dataclasses.replace(with_samples(samples, groups=plate), provenance={"settings": record})
    bundle, _ = fit(part(plated, slice(N_FITTED)), "logreg", design=Design(folds=3, draws=100))
    assert groups_and_remarks(bundle, part(plated, slice(N_FITTED, None))) == (20, [])
    n_groups, (line,) = groups_and_remarks(bundle, part(samples, slice(N_FITTED, None)))
    assert n_groups == 180
    assert "plate" in line


def test_unlabelled_and_unreadable_samples_are_counted(bundle, held_out):
    held_out.samples.status[:3] = 1
    held_out.embeddings[:3] = np.nan
    held_out.samples.digests[:3] = ""
    held_out.samples.labels[5:7] = ""
    counts = score_held_out(bundle, held_out).counts
    assert (counts.n_samples, counts.n_unlabelled, counts.n_failed) == (175, 2, 3)


def test_training_sample_without_a_label_counts_as_unlabelled(bundle, samples):
    late = part(samples, slice(180, None))
    late.samples.labels[:10] = ""
    found = score_held_out(bundle, late)
    assert (found.n_seen, found.counts.n_unlabelled) == (50, 10)


def test_given_labels_replace_those_of_the_file(bundle, held_out):
    labels = dict(zip(held_out.samples.ids.tolist(), held_out.samples.labels.tolist(), strict=True))
    expected = score_held_out(bundle, held_out)
    first = held_out.samples.ids[0]
    others = labels | {first: "a" if labels[first] != "a" else "b"}
    changed = score_held_out(bundle, held_out, labels=others)
    assert (changed.scores.per_class.confusion != expected.scores.per_class.confusion).any()
    unlabelled = with_samples(held_out, labels=np.full(180, ""))
    assert score_held_out(bundle, unlabelled, labels=labels).record() == expected.record()


def test_features_of_another_recipe_are_refused(bundle, held_out):
    with pytest.raises(FingerprintError, match=r"test\.h5.*recipe"):
        score_held_out(bundle, dataclasses.replace(held_out, fingerprint="sha256:other"))


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"balanced_accuracy": 0.9},
        {"balanced_accuracy": 0.9, "ci_low": 0.95, "ci_high": 1.0},
        {"balanced_accuracy": 7.0, "ci_low": 0.5, "ci_high": 9.0},
        {"balanced_accuracy": "nan", "ci_low": 0.5, "ci_high": 0.9},
        {"balanced_accuracy": True, "ci_low": 0, "ci_high": 1},
        {"balanced_accuracy": 10**400, "ci_low": 0, "ci_high": 10**401},
        {"balanced_accuracy": [0.9], "ci_low": None, "ci_high": {}},
    ],
)
def test_head_without_a_sound_out_of_fold_score_is_refused(bundle, held_out, scores):
    with pytest.raises(BundleError, match=r"'logreg'.*out-of-fold score"):
        score_held_out(dataclasses.replace(bundle, scores=scores), held_out)


def test_order_of_classes_does_not_matter(bundle, held_out):
    turned = dataclasses.replace(bundle, classes=bundle.classes[::-1], class_scores=None)
    found, expected = (score_held_out(head, held_out).record() for head in (turned, bundle))
    assert found["classes"] == expected["classes"][::-1]
    assert found["per_class_recall"] == expected["per_class_recall"][::-1]
    assert found["log_loss"] == pytest.approx(expected["log_loss"])
    assert "prediction_sets" not in found


def test_probabilities_and_sets_are_scored(bundle, held_out):
    scores = score_held_out(bundle, held_out).scores
    calibration = scores.calibration
    assert calibration.calibrated.calibration_error != calibration.uncalibrated.calibration_error
    assert len(scores.sets.per_class_coverage) == 3
    assert 0.75 < np.mean(scores.sets.per_class_coverage) < 1


@pytest.mark.parametrize("absent", [("b",), ("a",), ("a", "c")])
def test_absent_classes_are_named_and_the_others_scored(bundle, held_out, absent):
    rows = np.flatnonzero(~np.isin(held_out.samples.labels, absent))
    few = held_out.take(rows)
    found = score_held_out(bundle, few)
    predicted = classes_of(bundle, few.embeddings)
    assert found.absent == absent
    kept = tuple(name for name in "abc" if name not in absent)
    assert found.scores.per_class.classes == kept
    recall = [np.mean(predicted[few.samples.labels == name] == name) for name in kept]
    assert found.balanced_accuracy == pytest.approx(np.mean(recall))
    low, high = found.scores.overall.interval
    assert low <= found.balanced_accuracy <= high
    assert found.scores.per_class.confusion.shape == (len(kept), 3)
    assert found.scores.per_class.confusion.sum() == len(few)
    out_of_fold = dict(zip(bundle.scores["classes"], bundle.scores["per_class_recall"], strict=True))
    assert found.out_of_fold == pytest.approx(np.mean([out_of_fold[name] for name in kept]))
    assert found.out_of_fold_interval.low < found.out_of_fold < found.out_of_fold_interval.high
    assert "over these classes" in found.verdict()
    assert found.record()["absent_classes"] == list(absent)
    assert len(found.scores.sets.per_class_coverage) == len(kept)


def test_class_of_training_samples_only_is_absent(bundle, samples):
    late = part(samples, slice(180, None))
    late.samples.labels[60:][late.samples.labels[60:] == "b"] = "a"
    found = score_held_out(bundle, late)
    assert found.absent == ("b",)
    assert 0 <= found.with_all <= 1


def test_test_part_is_scored(bundle, samples):
    settings = load_settings(overrides={"labels.split": "part"}).record()
    words = np.array(["train"] * N_FITTED + ["val"] * 60 + ["test"] * 120)
    features = dataclasses.replace(with_samples(samples, columns={"part": words}), provenance={"settings": settings})
    said = []
    found = score_held_out(bundle, features, say=said.append)
    assert (found.counts.n_samples, found.counts.n_other_parts, found.n_seen) == (120, 300, 0)
    assert "120 test" in said[0]
    assert found.record()["parts"] == ["test"]
    assert score_held_out(bundle, features, parts=["val"]).counts.n_samples == 60
    everything = score_held_out(bundle, features, parts=None)
    assert (everything.counts.n_samples, everything.n_seen) == (180, N_FITTED)
    assert score_held_out(bundle, features.part("test")).balanced_accuracy == found.balanced_accuracy


def test_head_without_errors_out_of_fold_may_make_a_few():
    """Four errors in 120 are no evidence of worse samples after none in 120."""
    rng = np.random.default_rng(0)
    codes = np.arange(240) % 3
    X = rng.normal(size=(240, 8))
    X[:, :3] += 20 * np.eye(3)[codes]
    wrong = np.where(np.arange(240) >= 236, (codes + 1) % 3, codes)
    features = Features.from_arrays(X, labels=np.array(["A549", "HeLa", "PC-3"])[wrong])
    bundle, result = fit(features.take(np.arange(120)), "logreg")
    assert result.scores.overall.balanced_accuracy == 1
    found = score_held_out(bundle, features.take(np.arange(120, 240)))
    assert found.expected.score == 1
    assert found.expected.interval.low < 0.97
    assert "no evidence of a difference" in found.verdict()
