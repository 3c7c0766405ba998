import dataclasses

import pandas as pd
import pytest

from cellfeat.errors import HeadError
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fit import fit
from cellfeat.evaluation.hooks import Hooks
from cellfeat.heads.bundle_files import load_bundle, save_bundle
from cellfeat.heads.registry import make_head
from cellfeat.statistics.temperature import tempered

QUICK = {"mlp": {"epochs": 2, "hidden": 8}}
FEW_DRAWS = {"folds": 3, "draws": 200}


@pytest.mark.parametrize("head", ["logreg", "mlp"])
def test_fit_scores_out_of_fold_and_bundles_a_head_of_all_samples(make_clusters, head):
    features = make_clusters()
    settings = QUICK.get(head, {})
    bundle, result = fit(features, head, design=Design(**FEW_DRAWS), settings=settings)
    alone = compare(features, [head], design=Design(**FEW_DRAWS), settings={head: settings}).best
    pd.testing.assert_frame_equal(result.predictions, alone.predictions)
    assert (bundle.head_name, list(bundle.classes), bundle.fingerprint) == (head, ["a", "b", "c"], "sha256:test")
    assert bundle.scores["balanced_accuracy"] == alone.balanced_accuracy
    X = features.embeddings.mean(axis=1)
    by_hand = make_head(head, settings, n_views=1, random_state=0).fit(X, features.samples.labels)
    expected = tempered(by_hand.predict_proba(X), result.record()["temperature"])
    assert (bundle.predict_proba(features.embeddings) == expected).all()


def test_without_calibration_probabilities_are_the_heads_own(make_clusters):
    features = make_clusters()
    bundle, result = fit(features, "logreg", design=Design(calibrate="none", **FEW_DRAWS))
    assert bundle.temperature == result.record()["temperature"] == 1.0
    assert result.record()["log_loss"] == result.record()["log_loss_uncalibrated"]
    X = features.embeddings.mean(axis=1)
    assert (
        bundle.predict_proba(features.embeddings)
        == make_head("logreg", {}).fit(X, features.samples.labels).predict_proba(X)
    ).all()


def test_a_fitted_bundle_keeps_its_scores_on_disk(make_clusters, tmp_path):
    features = dataclasses.replace(make_clusters(), provenance={"settings": {"labels": {"id": "file_id"}}})
    bundle, result = fit(features, "logreg", design=Design(**FEW_DRAWS), settings={"C": 0.5})
    save_bundle(bundle, tmp_path / "head")
    loaded = load_bundle(tmp_path / "head")
    assert loaded.scores == result.record()
    assert loaded.temperature == result.record()["temperature"] != 1
    assert (loaded.predict_proba(features.embeddings) == bundle.predict_proba(features.embeddings)).all()
    assert loaded.settings == {"C": 0.5}
    assert loaded.provenance["settings"] == features.provenance["settings"]
    assert loaded.provenance["fitted"]["on"] == "test.h5"


def test_fit_raises_what_compare_reports(make_clusters, failing_head):
    failing_head(RuntimeError)
    with pytest.raises(HeadError, match="fold 1 of 3: RuntimeError: singular matrix"):
        fit(make_clusters(), "failing", design=Design(**FEW_DRAWS))


def test_progress_counts_the_fit_on_all_samples_as_one_fold_more(make_clusters):
    told = []
    fit(make_clusters(), "dummy", design=Design(**FEW_DRAWS), hooks=Hooks(progress=lambda *event: told.append(event)))
    assert told == [("dummy", 1, 0, 4), ("dummy", 2, 1, 4), ("dummy", 3, 2, 4), ("dummy", 0, 3, 4)]
