from dataclasses import asdict

import numpy as np
import pytest

from cellfeat.errors import ManifestError, SplitError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.task.task import prepare
from tests.feature_fixtures import SMALL, with_samples


def labels_of(features):
    return dict(zip(features.samples.ids.tolist(), features.samples.labels.tolist(), strict=True))


def test_unlabelled_and_unreadable_samples_are_excluded_and_counted(make_clusters):
    features = make_clusters()
    label, status = features.samples.labels.copy(), features.samples.status.copy()
    label[:4], status[10:13] = "", 1
    task = prepare(with_samples(features, labels=label, status=status), SMALL)
    counts = task.counts
    assert (counts.n_samples, counts.n_unlabelled, counts.n_failed) == (173, 4, 3)
    assert not {"s0", "s11"} & set(task.sample_id)
    assert (task.embeddings[:] == features.embeddings[task.rows]).all()


def test_given_labels_replace_those_of_the_file(make_clusters):
    features = make_clusters()
    labels = {sample_id: label.upper() for sample_id, label in labels_of(features).items()}
    del labels["s0"]
    task = prepare(features, SMALL, labels=labels)
    assert task.classes == ("A", "B", "C")
    assert task.counts.n_unlabelled == 1


def test_labels_of_unknown_samples_are_refused(make_clusters):
    with pytest.raises(ManifestError, match=r"test\.h5.*nobody"):
        prepare(make_clusters(), SMALL, labels={"nobody": "a"})


def test_samples_without_labels_are_refused(make_clusters):
    with pytest.raises(SplitError, match=r"test\.h5.*0 of 180.*180 could be read"):
        prepare(with_samples(make_clusters(), labels=np.full(180, "")), SMALL)


def test_class_that_could_not_be_read_is_refused(make_clusters):
    features = make_clusters()
    status = np.where(features.samples.labels == "b", 1, 0).astype(np.uint8)
    with pytest.raises(SplitError, match=r"test\.h5.* b "):
        prepare(with_samples(features, status=status), SMALL)


@pytest.mark.parametrize(("evaluate", "heads"), [(compare, ["dummy"]), (fit, "dummy")])
def test_remarks_about_groups_count_the_samples_in_use(make_clusters, evaluate, heads):
    features = make_clusters()
    plate = np.array([f"p{i % 40}" for i in range(180)])
    plate[:12], features.samples.labels[:2] = "", ""
    told = []
    evaluate(
        with_samples(features, columns={"plate": plate}),
        heads,
        design=Design(folds=3, draws=100, groups="plate"),
        hooks=Hooks(say=told.append),
    )
    (line,) = told
    assert "10 of 178 samples" in line
    assert "plate" in line


def test_digest_depends_on_labels_pixels_and_choice_of_samples(make_clusters):
    features = make_clusters()
    labels = labels_of(features)
    assert labels["s0"] != labels["s1"]
    swapped = labels | {"s0": labels["s1"], "s1": labels["s0"]}
    redrawn = with_samples(features, digests=np.array(["f" * 64, *features.samples.digests[1:]]))
    asked = [(features, labels), (features, swapped), (features, labels | {"s0": ""}), (redrawn, labels)]
    digests = [prepare(data, SMALL, labels=given).provenance.samples_digest for data, given in asked]
    assert len(set(digests)) == 4
    assert prepare(features, SMALL).provenance.samples_digest == digests[0]


@pytest.mark.parametrize("groups", ["auto", "none", "plate"])
def test_groups_without_a_table_have_no_digest(make_clusters, groups):
    features = with_samples(make_clusters(), columns={"plate": np.array([f"p{i // 3}" for i in range(180)])})
    provenance = asdict(prepare(features, Design(folds=3, groups=groups)).provenance)
    assert (provenance["groups"], provenance["groups_digest"]) == (groups, None)


def test_bootstrap_is_drawn_once_for_other_folds(make_clusters):
    task = prepare(make_clusters(), SMALL)
    other = task.with_folds(task.folds[::-1])
    assert other.folds == task.folds[::-1]
    assert other.bootstrap is task.bootstrap
