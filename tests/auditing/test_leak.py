import numpy as np
import pytest

from cellfeat.auditing.audit import audit
from cellfeat.auditing.leak import LEAK_HEADS, LEAK_SETS, Leak, leak_arms, leaks
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.statistics.intervals import GroupBootstrap
from tests.feature_fixtures import SMALL, with_samples


@pytest.fixture(scope="module")
def copied(make_features):
    """Noise with shuffled labels, each image three times: a head that sees a copy in training knows the answer."""
    rng = np.random.default_rng(0)
    original = np.tile(np.arange(60), 3)
    return make_features(
        np.tile(rng.permutation(np.repeat(["a", "b"], 30)), 3),
        rng.normal(size=(60, 1, 8))[original],
        pixel_digest=np.array([f"pixels{i}" for i in original]),
    )


@pytest.mark.slow
def test_copies_inflate_the_scores_of_random_folds(copied):
    by_head = {leak.head: leak for leak in audit(copied, design=SMALL).leaks}
    assert by_head.keys() == set(LEAK_HEADS)
    random, copies, near_copies = by_head["knn"].means
    assert random > 0.8
    assert copies < 0.65
    assert by_head["knn"].claimed == pytest.approx(random - near_copies)
    assert by_head["knn"].claimed > 0.15
    assert len(by_head["knn"].scores) == LEAK_SETS == 5
    assert not by_head["knn"].is_scatter


@pytest.mark.slow
def test_without_copies_the_claim_is_scatter(make_clusters):
    features = make_clusters(separation=0.5)
    # One copy makes the folds different from random ones, and nothing else.
    digests = features.samples.digests.copy()
    digests[9] = digests[3]
    for leak in audit(with_samples(features, digests=digests), design=SMALL).leaks:
        assert leak.deviation > 0
        assert leak.is_scatter


def test_claim_of_a_single_set_is_scatter():
    assert Leak("knn", ((0.9, 0.6, 0.5),)).is_scatter
    assert not Leak("knn", ((0.9, 0.6, 0.5), (0.9, 0.6, 0.51))).is_scatter


def test_equal_folds_have_no_difference_to_explain():
    assert "same score" in Leak("knn", ((0.9, 0.9, 0.9), (0.8, 0.8, 0.8))).remark
    assert "choice of folds" in Leak("knn", ((0.9, 0.9, 0.8), (0.8, 0.8, 0.9))).remark
    assert Leak("knn", ((0.9, 0.6, 0.5), (0.9, 0.6, 0.51))).remark == ""


@pytest.mark.slow
def test_class_of_few_groups_is_left_out_of_every_arm(copied):
    labels = copied.samples.labels.astype("<U4")
    # Twelve samples, and four groups of copies: on random folds alone the class could be split.
    labels[np.isin(np.arange(180) % 60, [0, 1, 2, 3])] = "rare"
    rare = with_samples(copied, labels=labels)

    found = audit(rare, design=Design(folds=5, draws=10))
    alone = audit(rare.take(np.flatnonzero(labels != "rare")), design=Design(folds=5, draws=10))
    assert [leak.left_out for leak in found.leaks] == [("rare",)] * 2
    assert [leak.left_out for leak in alone.leaks] == [()] * 2
    assert [leak.scores for leak in found.leaks] == [leak.scores for leak in alone.leaks]


@pytest.mark.slow
def test_one_class_that_can_be_split_is_too_few(copied):
    labels = np.where(np.arange(180) % 60 < 4, "rare", "a")
    said = []
    assert audit(with_samples(copied, labels=labels), design=Design(folds=5, draws=10), say=said.append).leaks == ()
    assert "rare" in said[-1]


def test_study_predicts_and_draws_no_bootstrap(copied, monkeypatch):
    monkeypatch.setattr(GroupBootstrap, "__init__", lambda *_, **__: pytest.fail("a bootstrap was drawn"))
    arms = leak_arms(copied, copied, SMALL, None)
    assert len(list(leaks([arms]))) == len(LEAK_HEADS)
    assert all("bootstrap" not in vars(arm.task) for arm in arms)


@pytest.mark.slow
def test_seeds_and_folds_are_those_of_the_design(copied, monkeypatch):
    designs = []

    def note(features, grouped, design, cache):
        designs.append(design)
        return leak_arms(features, grouped, design, cache)

    monkeypatch.setattr("cellfeat.auditing.audit.leak_arms", note)
    monkeypatch.setattr("cellfeat.auditing.audit.LEAK_SETS", 2)
    audit(copied, design=Design(folds=2, random_state=7))
    assert [(design.folds, design.random_state) for design in designs] == [(2, 7), (2, 8)]


@pytest.mark.slow
def test_cached_folds_are_not_fitted_again(copied, tmp_path, monkeypatch):
    cache = FoldCache(tmp_path)
    first = list(leaks([leak_arms(copied, copied, SMALL, cache)]))
    monkeypatch.setattr("cellfeat.heads.base.HeadClassifier.fit", lambda *_: pytest.fail("fitted again"))
    assert list(leaks([leak_arms(copied, copied, SMALL, cache)])) == first


def test_small_leak_on_every_set_of_folds_is_no_scatter():
    claims = [0.004, 0.006, 0.010, 0.012, 0.018]
    assert not Leak("knn", tuple((0.5 + claim, 0.5, 0.5) for claim in claims)).is_scatter
    assert Leak("knn", tuple((0.5 + claim, 0.5, 0.5) for claim in (-0.004, 0.006, 0.010, -0.002, 0.004))).is_scatter
