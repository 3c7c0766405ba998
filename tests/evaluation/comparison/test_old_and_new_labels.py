"""Simulated labelling: what the three numbers show, and what they do not."""

import json

import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.relabelling.changes import Change, Relabelling
from cellfeat.evaluation.saved_heads.fit import fit
from tests.feature_fixtures import build_clusters, with_samples

DESIGN = Design(folds=4, draws=300)


@pytest.fixture(scope="module")
def features():
    return build_clusters(n=480, separation=0.75)


def out_of_fold(features):
    predicted = compare(features, ["logreg"], design=DESIGN).best.predictions
    return dict(zip(predicted["sample_id"], predicted["predicted"], strict=True))


def relabelling(features, new, *, is_seen=True, predicted=None):
    """Labels changed as `new` says, by sample id."""
    before = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    changes = [
        Change(one, before[one], label, is_seen, "logreg", (predicted or {}).get(one, "")) for one, label in new.items()
    ]
    return Relabelling(before | new, before, changes, "fixed.csv")


def disagreements(features):
    predicted = out_of_fold(features)
    label = dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))
    return {one: found for one, found in predicted.items() if found != label[one]}


def test_following_the_head_raises_the_second_number_and_not_the_third(features):
    found = disagreements(features)
    rng = np.random.default_rng(0)
    chosen = rng.permutation(sorted(found))[: len(found) * 2 // 3].tolist()
    comparison = compare(
        features, ["logreg"], design=DESIGN, labels=relabelling(features, {one: found[one] for one in chosen})
    )
    (effect,) = comparison.relabelling.heads
    assert effect.all_samples.gain.low > 0.05
    assert effect.unseen.gain.low < 0.01
    assert effect.unseen.n_samples == len(features) - len(chosen)
    # The third score itself is high by selection; only the old labels on the same samples are comparable.
    assert effect.unseen.new.score > effect.all_samples.old.score + 0.05
    lines = "\n".join(comparison.relabelling.summary_lines())
    assert "by itself" in lines
    assert "no evidence" in lines


def test_mending_wrong_labels_helps_where_nobody_looked(make_clusters):
    """Right labels for systematically wrong ones: the third number rises as the fitted head gets better."""
    true = make_clusters(n=1200, separation=1.2)
    labels, rng = true.samples.labels.copy(), np.random.default_rng(1)
    wrong = np.flatnonzero((labels == "a") & (rng.random(len(labels)) < 0.6))
    labels[wrong] = "b"
    features = with_samples(true, labels=labels)
    mended = {features.samples.ids[row]: "a" for row in wrong}
    effect = compare(features, ["logreg"], design=DESIGN, labels=relabelling(features, mended)).relabelling.heads[0]
    assert effect.all_samples.gain.low > 0
    assert effect.unseen.gain.low > 0


@pytest.mark.slow
def test_blind_changes_stay_in_and_are_said_to_be_selected(features):
    found = disagreements(features)
    chosen = relabelling(features, found, is_seen=False, predicted=found)
    effect = compare(features, ["logreg"], design=DESIGN, labels=chosen).relabelling
    (head,) = effect.heads
    assert head.unseen.n_samples == head.all_samples.n_samples
    assert head.unseen.gain == head.all_samples.gain
    assert any("selection" in line for line in effect.summary_lines())


@pytest.mark.slow
def test_old_labels_score_as_they_do_alone_in_the_same_folds(features):
    one = features.samples.ids[0]
    label = "b" if features.samples.labels[0] != "b" else "c"
    compared = compare(features, ["logreg", "dummy"], design=DESIGN, labels=relabelling(features, {one: label}))
    assert [head.head for head in compared.relabelling.heads] == [result.head for result in compared.results]
    best = compared.relabelling.heads[0]
    assert best.all_samples.new.score == pytest.approx(compared.best.balanced_accuracy)
    assert best.all_samples.new.interval == compared.best.scores.overall.interval
    assert best.all_samples.gain.low <= 0 <= best.all_samples.gain.high


def test_removed_and_added_labels_are_counted_and_left_out(make_clusters):
    full = make_clusters(n=240, separation=1.5)
    labels = full.samples.labels.copy()
    labels[0] = ""
    features = with_samples(full, labels=labels)
    ids = features.samples.ids
    chosen = relabelling(features, {ids[0]: "a", ids[1]: ""})
    effect = compare(features, ["logreg"], design=DESIGN, labels=chosen).relabelling
    assert (effect.n_without_old, effect.n_without_new) == (1, 1)
    assert effect.heads[0].all_samples.n_samples == 238


def test_class_that_only_the_old_labels_have_is_scored(make_clusters):
    features = make_clusters(n=240, classes=("a", "b", "c", "d"))
    joined = {
        one: "c" for one, label in zip(features.samples.ids, features.samples.labels, strict=True) if label == "d"
    }
    effect = compare(
        features, ["logreg"], design=DESIGN, labels=relabelling(features, joined, is_seen=False)
    ).relabelling
    assert effect.heads[0].all_samples.n_samples == 240


def test_old_labels_that_cannot_be_evaluated_do_not_cost_the_comparison(make_clusters):
    features = make_clusters(n=120)
    labels = features.samples.labels.astype("U8")
    labels[0] = "alone"
    odd = with_samples(features, labels=labels)
    mended = relabelling(odd, {odd.samples.ids[0]: "a"})
    comparison = compare(odd, ["logreg"], design=Design(folds=3, draws=100), labels=mended)
    (effect,) = comparison.relabelling.heads
    assert effect.all_samples is None
    assert "alone" in effect.why_not
    assert comparison.best.balanced_accuracy > 0


def test_all_samples_of_a_class_changed_after_seeing_leaves_the_third_number_out(make_clusters):
    features = make_clusters(n=120)
    ids, labels = features.samples.ids, features.samples.labels
    new = dict.fromkeys(ids[labels == "a"][:12], "rare")
    effect = compare(
        features, ["logreg"], design=Design(folds=3, draws=100), labels=relabelling(features, new)
    ).relabelling
    (head,) = effect.heads
    assert head.all_samples is not None
    assert head.unseen is None
    assert "rare" in head.why_not


@pytest.mark.slow
def test_records_say_how_many_labels_were_changed(features):
    chosen = relabelling(features, {features.samples.ids[0]: "c"}, is_seen=False)
    comparison = compare(features, ["logreg"], design=DESIGN, labels=chosen)
    record = json.loads(json.dumps(comparison.record()))
    assert record["provenance"]["relabelled"]["n_changed_blind"] == 1
    head = record["relabelling"]["heads"][0]
    assert set(head["all_samples"]) == {"n_samples", "old_labels", "new_labels", "gain"}
    _, result = fit(features, "logreg", design=DESIGN, labels=chosen)
    assert result.record()["provenance"]["relabelled"]["table"] == "fixed.csv"
    plain = compare(features, ["logreg"], design=DESIGN).record()
    assert "relabelling" not in plain
    assert "relabelled" not in plain["provenance"]
