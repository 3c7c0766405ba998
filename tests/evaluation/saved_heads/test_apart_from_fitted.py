from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import BundleError, ConfigError, HeadError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from tests.feature_fixtures import SMALL, build_clusters, with_samples


def cells(seed, *, n=240, shift=0.0, groups=None):
    """Clusters of the same three classes; other samples with another seed."""
    features = build_clusters(n=3000, dim=12, seed=0)
    features = features.take(np.arange(seed * n, (seed + 1) * n))
    moved = with_samples(replace(features, embeddings=features.embeddings + np.float32(shift)))
    return moved if groups is None else with_samples(moved, groups=groups)


@pytest.fixture(scope="module")
def bundle():
    return fit(cells(0), "logreg", design=SMALL)[0]


@pytest.mark.parametrize("seed", range(1, 9))
def test_samples_of_the_same_kind_do_not_lie_apart(bundle, seed):
    apart = predict(bundle, cells(seed)).apart
    assert not apart.is_evidence
    assert apart.number <= 12
    assert apart.line().startswith("no evidence")


def test_few_training_samples_give_no_share_of_single_samples():
    few = fit(cells(0).take(np.arange(45)), "logreg", design=SMALL)[0]
    line = predict(few, cells(1, shift=4)).apart.line()
    assert "45 training samples are too few" in line
    assert "lie farther" not in line


def test_a_single_class_of_the_same_kind_does_not_lie_apart(bundle):
    one = cells(1)
    for name in "abc":
        assert not predict(bundle, one.take(np.flatnonzero(one.samples.labels == name))).apart.is_evidence


def test_samples_of_another_kind_lie_apart(bundle, tmp_path):
    save_bundle(bundle, tmp_path / "head")
    found = predict(load_bundle(tmp_path / "head"), cells(1, shift=4))
    assert found.apart.number > 200
    assert found.apart.line().startswith("warning:")
    assert found.table()["apart_p"].max() < 0.1


def test_scores_tell_it_too(bundle):
    found = score_held_out(bundle, cells(1, shift=4))
    assert found.record()["apart"]["set_is_apart"]
    assert len(found.apart.p_values) == len(found.predictions)


def test_heads_of_earlier_versions_cannot_tell(bundle):
    assert predict(replace(bundle, neighbourhood=None), cells(1)).apart is None


def test_duplicates_of_training_samples_do_not_count(bundle):
    found = predict(bundle, cells(0)).apart
    assert found.test is None
    assert "none of these samples" in found.line()


def test_samples_that_could_not_be_read_have_no_p_value(bundle):
    status = np.zeros(240, np.uint8)
    status[:3] = 1
    apart = predict(bundle, with_samples(cells(1), status=status)).apart
    assert np.isnan(apart.p_values[:3]).all()
    assert apart.n_points == 237


def plated(seed, n_groups, strength, *, n=240, first=0):
    """Cells in groups that each add a shift of their own: cells of a group are no independent samples."""
    groups = first + np.arange(n) // 3 % n_groups
    shifts = np.random.default_rng([seed, 1]).normal(0, strength, (first + n_groups, 12))
    features = cells(seed)
    moved = replace(features, embeddings=features.embeddings + shifts[groups][:, None].astype(np.float32))
    return with_samples(moved, groups=np.array([f"g{seed}_{one}" for one in groups]))


def test_groups_do_not_fool_the_test():
    bundle = fit(plated(0, 40, 0.8), "logreg", design=SMALL)[0]
    found = [predict(bundle, plated(seed, 8, 0.8)).apart for seed in range(1, 9)]
    assert sum(one.is_evidence for one in found) <= 1
    assert "whole groups permuted" in found[0].claim


def test_a_few_near_copies_are_no_groups():
    pairs = np.where(np.arange(240) < 20, np.arange(240) // 2, -1)
    few = np.array([f"pair {pair}" if pair >= 0 else "" for pair in pairs])
    bundle = fit(cells(0, groups=few), "logreg", design=SMALL)[0]
    apart = predict(bundle, cells(1, shift=3)).apart
    assert "independent" in apart.claim
    assert apart.is_evidence


def test_few_groups_are_not_permuted():
    bundle = fit(plated(0, 4, 0.8), "logreg", design=SMALL)[0]
    like, unlike = predict(bundle, plated(1, 1, 0.8)).apart, predict(bundle, cells(1, shift=9)).apart
    assert not like.test.is_permuted
    assert "too few" in unlike.claim
    assert unlike.is_evidence


def with_plates(features, name="plate"):
    return with_samples(features, columns={name: np.where(np.arange(len(features)) < 120, "P1", "P2")})


@pytest.fixture(scope="module")
def standardising():
    return fit(with_plates(cells(0)), "logreg", design=replace(SMALL, standardise="plate"))[0]


def test_new_plates_are_standardised_by_their_own_medians(standardising, tmp_path):
    save_bundle(standardising, tmp_path / "head")
    bundle, said = load_bundle(tmp_path / "head"), []
    plain = predict(bundle, with_plates(cells(1)), say=said.append)
    moved = predict(bundle, with_plates(cells(1, shift=7)))
    assert "transductive" in said[0]
    np.testing.assert_allclose(moved.probabilities, plain.probabilities, atol=1e-3)
    assert not moved.apart.is_evidence
    assert score_held_out(bundle, with_plates(cells(1, shift=7))).balanced_accuracy > 0.6


def test_plates_are_named_by_another_column_or_are_one(standardising):
    named = predict(standardising, with_plates(cells(1), "batch"), standardise="batch")
    np.testing.assert_array_equal(named.probabilities, predict(standardising, with_plates(cells(1))).probabilities)
    assert predict(standardising, cells(1), standardise="one").is_read.all()


def test_missing_plates_are_refused(standardising, bundle):
    with pytest.raises(BundleError, match="no column 'plate'"):
        predict(standardising, cells(1))
    with pytest.raises(ConfigError, match="not standardised"):
        predict(bundle, with_plates(cells(1)), standardise="plate")
    with pytest.raises(HeadError, match="within plates"):
        standardising.predict_proba(cells(1).embeddings)


def test_small_new_plates_are_warned_about(standardising):
    said = []
    predict(standardising, with_plates(cells(1)).take(np.arange(110, 140)), say=said.append)
    assert any("10 samples" in line and line.startswith("warning") for line in said)


def test_plates_of_training_keep_their_medians_where_these_are_of_training():
    design = Design(folds=3, draws=100, standardise="plate", standardise_from="training")
    bundle = fit(with_plates(cells(0)), "logreg", design=design)[0]
    said = []
    predict(bundle, with_plates(cells(1)), say=said.append)
    assert said == ["standardised by the medians of 2 plates at fitting"]


def test_predict_and_score_say_the_same_of_the_same_samples(bundle):
    both = cells(0).take(np.arange(40))
    embeddings = np.concatenate([both.embeddings, cells(1).embeddings])
    columns = {
        name: np.concatenate([getattr(both.samples, name), getattr(cells(1).samples, name)])
        for name in ("labels", "groups", "status", "digests")
    }
    ids = np.array([f"n{row}" for row in range(len(embeddings))])
    mixed = with_samples(replace(both, embeddings=embeddings), ids=ids, **columns)
    shuffled = mixed.take(np.random.default_rng(3).permutation(len(mixed)))
    line = predict(bundle, mixed).apart.line()
    assert "of 240 samples" in line
    assert score_held_out(bundle, shuffled).apart.line() == line
