import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from cellfeat.config import load_settings
from cellfeat.errors import BundleError, FingerprintError, ManifestError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fit import fit
from cellfeat.evaluation.saved_heads.fitted_copies import near_copies_of_fitted
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.extraction.store import Features, Status
from cellfeat.reporting.files import write_held_out
from cellfeat.reporting.terminal.held_out import held_out_details, held_out_lines
from cellfeat.statistics.intervals import Interval, independent_difference
from tests.feature_fixtures import with_samples

N_FITTED = 240


@pytest.fixture
def samples(make_clusters) -> Features:
    """Samples of which a head is fitted on the first 240."""
    return make_clusters(n=420, separation=0.9)


@pytest.fixture
def bundle(samples):
    return fit(part(samples, slice(N_FITTED)), "logreg", design=Design(folds=3, draws=200))[0]


def part(features: Features, rows: slice) -> Features:
    return features.take(np.arange(len(features))[rows])


@pytest.fixture
def held_out(samples) -> Features:
    return part(samples, slice(N_FITTED, None))


def test_samples_like_those_of_the_folds_score_as_the_folds_promised(bundle, held_out):
    found = score_held_out(bundle, held_out)
    metrics = found.result.record()
    expected = balanced_accuracy_score(held_out.samples.labels, bundle.predict(held_out.embeddings))
    assert found.result.balanced_accuracy == pytest.approx(expected)
    assert (metrics["n_samples"], metrics["n_groups"], found.n_seen) == (180, 180, 0)
    assert metrics["ci_low"] < expected < metrics["ci_high"]
    assert found.out_of_fold == bundle.scores["balanced_accuracy"]
    assert found.verdict().startswith(f"out of fold it had {found.out_of_fold:.3f} [")
    assert "no evidence that it does otherwise here" in found.verdict()


def test_samples_that_the_head_was_fitted_on_are_left_out_and_told(bundle, samples):
    found = score_held_out(bundle, part(samples, slice(180, None)))
    clean = score_held_out(bundle, part(samples, slice(N_FITTED, None)))
    assert (found.n_seen, clean.n_seen) == (60, 0)
    assert found.result.balanced_accuracy == clean.result.balanced_accuracy
    pd.testing.assert_frame_equal(found.result.predictions, clean.result.predictions)
    label, embeddings = samples.samples.labels[180:], samples.embeddings[180:]
    assert found.with_all == pytest.approx(balanced_accuracy_score(label, bundle.predict(embeddings)))
    told = held_out_lines(found)[1]
    assert told.startswith("left out: 60 with the very pixels of samples that it was fitted on; ")
    assert told.endswith(f" {found.with_all:.3f}")


def test_a_score_on_nothing_but_fitted_samples_is_refused(bundle, samples):
    with pytest.raises(ManifestError, match="fitted on all of these 100 samples"):
        score_held_out(bundle, part(samples, slice(100)))


def test_near_copies_are_left_out_where_they_are_named_and_said_not_to_be_looked_for_where_not(bundle, held_out):
    is_near = np.zeros(180, dtype=bool)
    is_near[:30] = True
    found = score_held_out(bundle, held_out, is_near_copy=is_near)
    rest = score_held_out(bundle, part(held_out, slice(30, None)))
    assert (found.n_seen, found.n_near_copies, rest.n_near_copies) == (0, 30, None)
    assert found.result.balanced_accuracy == rest.result.balanced_accuracy
    assert found.with_all == score_held_out(bundle, held_out).result.balanced_accuracy
    assert any("and 30 near copies of them; with all of these" in line for line in held_out_lines(found))
    assert any("were not looked for (--fitted-on FEATURES)" in line for line in held_out_lines(rest))
    assert not any("were not looked for" in line for line in held_out_lines(found))


@pytest.fixture
def pictured(make_clusters, with_pictures, tmp_path):
    """Features of 60 samples with pictures, of which sample 50 overlaps with sample 4, and sample 51 with sample 40."""
    fields = np.kron(np.random.default_rng(0).integers(0, 200, (60, 24, 24)), np.ones((4, 4))).astype(np.uint8)
    pixels = fields[:, :64, :64].copy()
    pixels[50], pixels[51] = fields[4, 10:74, 20:84], fields[40, 10:74, 20:84]
    return with_pictures(make_clusters(n=60), pixels, tmp_path)


def test_near_copies_of_what_it_was_fitted_on_are_found_and_no_others(pictured, tmp_path):
    bundle, _ = fit(part(pictured, slice(40)), "logreg", design=Design(folds=3, draws=100))
    options = {"fitted_images": tmp_path, "images": tmp_path}
    found = near_copies_of_fitted(bundle, pictured, part(pictured, slice(40, None)), **options)
    assert np.flatnonzero(found).tolist() == [10], "sample 51 overlaps with one that the head was not fitted on"
    with pytest.raises(FingerprintError, match="lacks 20 of the 40 samples that the head was fitted on"):
        near_copies_of_fitted(bundle, part(pictured, slice(20)), pictured, **options)
    with pytest.raises(BundleError, match="does not tell what it was fitted on"):
        near_copies_of_fitted(dataclasses.replace(bundle, training_digests=None), pictured, pictured, **options)


def test_a_head_that_does_not_tell_what_it_was_fitted_on_says_so(bundle, held_out):
    found = score_held_out(dataclasses.replace(bundle, training_digests=None), held_out)
    assert (found.n_seen, found.with_all) == (None, None)
    assert any("this saved head does not tell" in line for line in held_out_lines(found))


def test_samples_of_another_kind_score_worse_than_the_folds_promised(bundle, held_out):
    rng = np.random.default_rng(0)
    held_out.embeddings[:] += 3 * rng.normal(size=held_out.embeddings.shape)
    found = score_held_out(bundle, held_out)
    assert found.difference_interval.high < 0
    assert f"here it is worse by {-found.difference:.3f}" in found.verdict()


def test_samples_that_are_easier_score_better_than_the_folds_promised(bundle, held_out):
    for name in np.unique(held_out.samples.labels):
        rows = held_out.samples.labels == name
        held_out.embeddings[rows] = held_out.embeddings[rows].mean(axis=0)
    found = score_held_out(bundle, held_out)
    assert found.difference_interval.low > 0
    assert f"here it is better by {found.difference:.3f}" in found.verdict()
    assert found.verdict().endswith(
        "it was fitted on more samples than in the folds, these samples are easier, or they are near copies of what it "
        "was fitted on"
    )
    looked = score_held_out(bundle, held_out, is_near_copy=np.zeros(180, dtype=bool))
    assert looked.verdict().endswith("than in the folds, or these samples are easier")
    unknown = score_held_out(dataclasses.replace(bundle, training_digests=None), held_out)
    assert unknown.verdict().endswith("near copies of what it was fitted on, or it was fitted on some of them")


def test_groups_widen_the_interval_here_too(bundle, held_out):
    plate = np.arange(180) // 30
    of_plate = np.random.default_rng(0).normal(size=(6, 1, held_out.embeddings.shape[2]))
    held_out.embeddings[:] += of_plate[plate]
    grouped = with_samples(held_out, groups=np.array([f"plate {number}" for number in plate]))
    widths = []
    for features, groups in ((grouped, "auto"), (grouped, "none")):
        metrics = score_held_out(bundle, features, groups=groups).result.record()
        widths.append(metrics["ci_high"] - metrics["ci_low"])
    assert score_held_out(bundle, grouped).result.record()["n_groups"] == 6
    assert widths[0] > widths[1]


def told_of_groups(bundle, features, **options):
    said = []
    return score_held_out(bundle, features, say=said.append, **options).result.record()["n_groups"], said


def test_samples_are_grouped_as_they_were_at_fitting(samples):
    donor = np.array([f"donor {row % 20}" for row in range(420)])
    columned = with_samples(samples, columns={"donor": donor})
    fitted = with_samples(part(columned, slice(N_FITTED)), columns={"donor": donor[:N_FITTED]})
    bundle, _ = fit(fitted, "logreg", design=Design(groups="donor", folds=3, draws=100))
    held_out = with_samples(part(samples, slice(N_FITTED, None)), columns={"donor": donor[N_FITTED:]})
    assert told_of_groups(bundle, held_out) == (20, [])
    assert told_of_groups(bundle, held_out, groups="none") == (180, [])
    n_groups, (line,) = told_of_groups(bundle, with_samples(held_out, columns={}))
    assert n_groups == 180
    assert "fitted with the groups of donor, which these samples do not tell" in line


def test_groups_that_the_extraction_named_are_missed(samples):
    plate = np.array([f"plate {row % 20}" for row in range(420)])
    record = load_settings(overrides={"labels.group": "plate"}).record()
    plated = dataclasses.replace(with_samples(samples, groups=plate), provenance={"settings": record})
    bundle, _ = fit(part(plated, slice(N_FITTED)), "logreg", design=Design(folds=3, draws=100))
    assert told_of_groups(bundle, part(plated, slice(N_FITTED, None))) == (20, [])
    n_groups, (line,) = told_of_groups(bundle, part(samples, slice(N_FITTED, None)))
    assert n_groups == 180
    assert "fitted with the groups of plate, which these samples do not tell" in line


def test_what_is_not_scored_is_counted(bundle, held_out):
    held_out.samples.status[:3] = 1
    held_out.embeddings[:3] = np.nan
    held_out.samples.digests[:3] = ""
    held_out.samples.labels[5:7] = ""
    found = score_held_out(bundle, held_out)
    assert found.result.record()["n_samples"] == 175
    lines = held_out_lines(found)
    assert "left out: 2 without a label" in lines
    assert "left out: 3 that could not be read" in lines
    assert Status.OK == 0


def test_labels_given_stand_in_place_of_those_of_the_file(bundle, held_out):
    labels = dict(zip(held_out.samples.ids.tolist(), held_out.samples.labels.tolist(), strict=True))
    others = labels | {held_out.samples.ids[0]: "a" if held_out.samples.labels[0] != "a" else "b"}
    assert (
        score_held_out(bundle, held_out, labels=others).result.record()["confusion_matrix"]
        != (score_held_out(bundle, held_out).result.record()["confusion_matrix"])
    )
    unlabelled = with_samples(held_out, labels=np.full(180, ""))
    found = score_held_out(bundle, unlabelled, labels=labels)
    assert found.result.record() == score_held_out(bundle, held_out).result.record()
    with pytest.raises(ManifestError, match="no sample is labelled"):
        score_held_out(bundle, unlabelled)


def test_labels_that_the_head_does_not_know_are_refused_with_what_was_meant(bundle, held_out):
    held_out.samples.labels[0] = "A"
    with pytest.raises(ManifestError, match="labels that the head does not know: A"):
        score_held_out(bundle, held_out)


def test_a_class_that_is_not_among_the_samples_is_named(bundle, held_out):
    held_out.samples.labels[held_out.samples.labels == "b"] = ""
    with pytest.raises(ManifestError, match="no held-out sample of b: a score over the other 2 classes"):
        score_held_out(bundle, held_out)


def test_a_label_that_only_a_seen_sample_has_is_called_unknown_and_not_unread(bundle, samples):
    late = part(samples, slice(180, None))
    late.samples.labels[0] = "z"
    with pytest.raises(ManifestError, match="labels that the head does not know: z;"):
        score_held_out(bundle, late)


def test_a_class_of_which_all_were_seen_is_told_from_one_that_is_not_there(bundle, samples):
    late = part(samples, slice(180, None))
    late.samples.labels[60:][late.samples.labels[60:] == "b"] = "a"
    with pytest.raises(ManifestError, match="no sample of b is left: the head was fitted on them"):
        score_held_out(bundle, late)


def test_labelled_samples_that_could_not_be_read_are_told_from_unlabelled_ones(bundle, held_out):
    held_out.samples.status[:] = 1
    with pytest.raises(ManifestError, match="none of the labelled samples could be read"):
        score_held_out(bundle, held_out)


def test_a_class_of_a_single_sample_is_named(bundle, held_out):
    rows = np.flatnonzero(held_out.samples.labels == "b")
    held_out.samples.labels[rows[1:]] = ""
    with pytest.raises(ManifestError, match="a single group is left of b"):
        score_held_out(bundle, held_out)


def test_a_seen_sample_without_a_label_counts_as_neither(bundle, samples):
    late = part(samples, slice(180, None))
    late.samples.labels[:10] = ""
    found = score_held_out(bundle, late)
    assert (found.n_seen, found.result.record()["n_unlabelled"]) == (50, 10)
    unlabelled = part(samples, slice(100))
    unlabelled.samples.labels[50:] = ""
    with pytest.raises(ManifestError, match="fitted on all of these 50 samples"):
        score_held_out(bundle, unlabelled)


def test_features_of_another_recipe_are_refused(bundle, held_out):
    with pytest.raises(FingerprintError, match="made by another recipe"):
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
def test_a_head_without_a_sound_out_of_fold_score_is_refused(bundle, held_out, scores):
    with pytest.raises(BundleError, match="lacks the out-of-fold score"):
        score_held_out(dataclasses.replace(bundle, scores=scores), held_out)


def test_classes_in_any_order_give_the_same_recalls(bundle, held_out):
    turned = dataclasses.replace(bundle, classes=bundle.classes[::-1], class_scores=None)
    found, expected = (score_held_out(head, held_out).result.record() for head in (turned, bundle))
    assert found["classes"] == expected["classes"][::-1]
    assert found["per_class_recall"] == expected["per_class_recall"][::-1]
    assert found["log_loss"] == pytest.approx(expected["log_loss"])
    assert "prediction_sets" not in found


def test_probabilities_and_sets_are_held_against_the_samples(bundle, held_out):
    metrics = score_held_out(bundle, held_out).result.record()
    assert metrics["calibration_error"] != metrics["calibration_error_uncalibrated"]
    covered = metrics["prediction_sets"]["per_class_coverage"]
    assert len(covered) == 3
    assert 0.75 < np.mean(covered) < 1
    details = held_out_details(score_held_out(bundle, held_out))
    assert details[1].startswith(f"predict --coverage 0.9: the true class was in the set {np.mean(covered):.1%}")


def test_what_is_found_is_written_whole(bundle, held_out, tmp_path):
    found = score_held_out(bundle, held_out)
    files = {path.name for path in write_held_out(found, tmp_path)}
    assert files == {"metrics.json", "predictions.parquet", "confusion.png", "reliability.png"}
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["balanced_accuracy"] == found.result.balanced_accuracy
    assert record["out_of_fold"]["verdict"] == found.verdict()
    assert record["provenance"]["n_samples"] == 180
    assert record["format"] == 1
    assert "created" in record
    assert record["fitted"]["n_samples"] == N_FITTED
    assert len(pd.read_parquet(tmp_path / "predictions.parquet")) == 180


def test_the_interval_of_a_difference_of_independent_scores_holds_it():
    """Of two shares of 200 and 400 that differ by nothing, each with its Wilson interval, in 2,000 draws."""
    rng = np.random.default_rng(0)
    first, second = rng.binomial(200, 0.9, 2000) / 200, rng.binomial(400, 0.9, 2000) / 400
    held = [
        low <= 0 <= high
        for low, high in (
            independent_difference(a, wilson(a, 200), b, wilson(b, 400)) for a, b in zip(first, second, strict=True)
        )
    ]
    assert 0.93 < np.mean(held) < 0.97


def wilson(share: float, n: int) -> Interval:
    square = 1.96**2 / n
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return Interval(centre - half, centre + half)
