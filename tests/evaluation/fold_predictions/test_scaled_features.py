"""Heads on imported numbers: scaled inside each fold, saved with the head, and part of the key of the cache."""

from dataclasses import replace

import numpy as np
import pytest

from cellfeat.errors import BundleError, FingerprintError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.fold_predictions.head_run import HeadRun
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.learning_curves.learning_curves import learning_curve
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.evaluation.task.chosen_embeddings import ChosenEmbeddings
from cellfeat.evaluation.task.task import prepare
from cellfeat.extraction.store import Features
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle

FAST = Design(folds=3, draws=100)


def measured(n: int = 120, seed: int = 0, scaling: str = "robust") -> Features:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)) + 2 * np.eye(3, 5)[np.arange(n) % 3]
    if scaling == "robust":
        X *= [1e-8, 1, 1e6, 1e20, 1e-3]
        X[rng.random(X.shape) < 0.02] = np.nan
    return Features.from_arrays(X, labels=np.array(list("abc"))[np.arange(n) % 3], scaling=scaling)


@pytest.mark.slow
def test_every_head_learns_from_huge_and_missing_numbers():
    compared = compare(measured(), ["logreg", "mlp", "knn"], design=FAST)
    assert not compared.failures
    assert min(result.balanced_accuracy for result in compared.results) > 0.6


def test_test_samples_do_not_move_the_scaling():
    task = prepare(measured(), FAST)
    fold = task.folds[0]
    first, rest = fold.test[:5], fold.test[5:]
    embeddings = task.embeddings[:]
    embeddings[rest] *= 1e3
    changed = replace(task, embeddings=ChosenEmbeddings(embeddings, np.arange(len(embeddings))))
    plain, beside = (HeadRun(one, "logreg", None).compute({}, fold).probabilities[:5] for one in (task, changed))
    alone = HeadRun(task, "logreg", None).compute({}, Fold(fold.train, first)).probabilities
    assert np.array_equal(plain, beside)
    assert np.allclose(plain, alone)


def test_saved_head_scales_as_it_was_fitted(tmp_path):
    bundle, _ = fit(measured(), "logreg", design=FAST)
    save_bundle(bundle, tmp_path / "head")
    loaded = load_bundle(tmp_path / "head")
    new = measured(seed=1)
    assert (tmp_path / "head" / "scaling.safetensors").is_file()
    assert np.array_equal(predict(loaded, new).probabilities, predict(bundle, new).probabilities)
    assert score_held_out(loaded, new, draws=100).balanced_accuracy > 0.7


def test_saved_head_without_its_scaling_is_refused():
    bundle, _ = fit(measured(), "dummy", design=FAST)
    with pytest.raises(BundleError, match="scaling"):
        replace(bundle, scaling=None)


def test_other_columns_are_refused():
    bundle, _ = fit(measured(), "dummy", design=FAST)
    other = Features.from_arrays(np.ones((4, 5)), names=list("vwxyz"))
    with pytest.raises(FingerprintError, match="--like"):
        predict(bundle, other)


def test_cache_tells_scalings_apart(tmp_path):
    cache = FoldCache(tmp_path)
    plain = measured(scaling="none")
    robust = replace(plain, recipe={**plain.recipe, "scaling": "robust"})
    first = compare(plain, ["logreg"], design=FAST, cache=cache).results[0]
    second = compare(robust, ["logreg"], design=FAST, cache=cache).results[0]
    again = compare(robust, ["logreg"], design=FAST, cache=cache).results[0]
    assert (first.n_cached, second.n_cached, again.n_cached) == (0, 0, 3)


def test_unscaled_numbers_are_used_as_they_are():
    bundle, _ = fit(measured(scaling="none"), "logreg", design=FAST)
    assert bundle.scaling is None


@pytest.mark.slow
def test_tuning_and_learning_curves_scale_too():
    compared = compare(measured(), ["logreg"], design=replace(FAST, tune=3))
    assert not compared.failures
    curve = learning_curve(prepare(measured(), FAST), "logreg", {}, [0.5, 1])
    assert len(curve.results) == 2
