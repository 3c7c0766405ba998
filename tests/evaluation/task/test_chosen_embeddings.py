"""Rows of embeddings that stay where they are: equal to a copy of them, in any number of views and blocks."""

from dataclasses import replace

import numpy as np
import pytest

from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.head_run import HeadRun
from cellfeat.evaluation.task.chosen_embeddings import ChosenEmbeddings
from cellfeat.evaluation.task.task import prepare
from cellfeat.heads.registry import make_head, mean_over_views
from cellfeat.provenance import canonical_json, digest_bytes
from tests.feature_fixtures import build_features

ROWS = np.array([0, 2, 3, 5, 9, 10])


@pytest.fixture
def source():
    return np.random.default_rng(0).standard_normal((12, 3, 7)).astype(np.float32)


@pytest.fixture(params=[1, 30, 1 << 22])
def block_elements(request, monkeypatch):
    monkeypatch.setattr("cellfeat.evaluation.task.chosen_embeddings.BLOCK_ELEMENTS", request.param)


@pytest.mark.usefixtures("block_elements")
def test_rows_are_those_of_a_copy(source):
    chosen, copy = ChosenEmbeddings(source, ROWS), source[ROWS]
    assert chosen.shape == copy.shape
    assert np.array_equal(np.concatenate(list(chosen.blocks())), copy)
    assert np.array_equal(chosen.mean_over_views(), mean_over_views(copy))
    assert np.array_equal(chosen[np.array([4, 1])], copy[[4, 1]])
    assert np.array_equal(chosen.take(np.array([4, 1]))[:], copy[[4, 1]])
    assert np.array_equal(np.asarray(chosen), copy)


def test_rows_are_copies(source):
    before = source.copy()
    ChosenEmbeddings(source, ROWS)[np.array([0, 1])][:] = 0
    assert np.array_equal(source, before)


@pytest.mark.usefixtures("block_elements")
def test_digest_is_that_of_the_whole_matrix(make_clusters):
    task = prepare(make_clusters(), Design(folds=3, draws=100))
    embeddings = np.ascontiguousarray(task.embeddings[:])
    known = canonical_json([embeddings.shape, task.classes, task.y.tolist()]).encode()
    assert replace(task).digest == digest_bytes(known, embeddings.data)


@pytest.mark.parametrize("head", ["logreg", "mlp", "lightgbm", "knn", "linear_relu", "sklearn:GaussianNB"])
@pytest.mark.parametrize("n_views", [1, 4])
def test_features_are_left_alone_and_heads_learn_the_same(head, n_views):
    rng = np.random.default_rng(0)
    label = np.array(list("abc"))[np.arange(90) % 3]
    label[4] = ""
    embeddings = rng.standard_normal((90, n_views, 8)) + (np.arange(90) % 3)[:, None, None]
    features = build_features(label, embeddings)
    before = features.embeddings.copy()
    settings = {"n_estimators": 3} if head == "lightgbm" else {}
    task = prepare(features, Design(folds=3, draws=100))
    run, fold = HeadRun(task, head, None), task.folds[0]
    found = run.compute(settings, fold).probabilities
    assert np.array_equal(features.embeddings, before)
    # As scikit-learn's interface does it, with copies.
    used = features.embeddings[task.rows]
    X = used.reshape(len(used), -1) if run.entry.views == "own" else used.mean(axis=1)
    alone = make_head(head, settings, n_views=n_views, random_state=0).fit(X[fold.train], task.y[fold.train])
    assert np.array_equal(alone.predict_proba(X[fold.test]), found)


@pytest.mark.parametrize("transform", ["standardise", "power", "l2", "pca", "whiten"])
def test_overwriting_gives_the_same_numbers(transform):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 5)).astype(np.float32), np.arange(60) % 3
    kept, given = (make_head("logreg", {"feature_transform": transform}) for _ in range(2))
    kept.fit(X, y)
    before = X.copy()
    given.fit_overwriting(X.copy(), y)
    assert np.array_equal(X, before)
    assert np.array_equal(kept.coef_, given.coef_)
