import dataclasses

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import HeadError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.cross_validation.hooks import Hooks
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.heads.registry import make_head
from cellfeat.heads.saved.bundle import describe_bundle
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from cellfeat.statistics.temperature import tempered
from tests.feature_fixtures import SMALL

QUICK = {"mlp": {"epochs": 2, "hidden": 8}}


@pytest.mark.parametrize("head", ["logreg", "mlp"])
def test_fit_scores_out_of_fold_and_saves_a_head_of_all_samples(make_clusters, head):
    features = make_clusters()
    settings = QUICK.get(head, {})
    bundle, result = fit(features, head, design=SMALL, settings=settings)
    alone = compare(features, [head], design=SMALL, settings={head: settings}).best
    pd.testing.assert_frame_equal(result.predictions, alone.predictions)
    assert (bundle.head_name, list(bundle.classes), bundle.fingerprint) == (head, ["a", "b", "c"], "sha256:test")
    assert bundle.scores["balanced_accuracy"] == alone.balanced_accuracy
    X = features.embeddings.mean(axis=1)
    by_hand = make_head(head, settings, n_views=1, random_state=0).fit(X, features.samples.labels)
    expected = tempered(by_hand.predict_proba(X), result.scores.calibration.temperature)
    assert (bundle.predict_proba(features.embeddings) == expected).all()


def test_without_calibration_probabilities_are_those_of_the_head(make_clusters):
    features = make_clusters()
    bundle, result = fit(features, "logreg", design=dataclasses.replace(SMALL, calibrate="none"))
    calibration = result.scores.calibration
    assert bundle.temperature == calibration.temperature == 1.0
    assert calibration.calibrated.log_loss == calibration.uncalibrated.log_loss
    X = features.embeddings.mean(axis=1)
    by_hand = make_head("logreg", {}).fit(X, features.samples.labels)
    assert (bundle.predict_proba(features.embeddings) == by_hand.predict_proba(X)).all()


def test_saved_head_keeps_its_scores(make_clusters, tmp_path):
    features = dataclasses.replace(make_clusters(), provenance={"settings": {"labels": {"id": "file_id"}}})
    bundle, result = fit(features, "logreg", design=SMALL, settings={"C": 0.5})
    save_bundle(bundle, tmp_path / "head")
    loaded = load_bundle(tmp_path / "head")
    assert loaded.scores == result.record()
    assert loaded.temperature == result.scores.calibration.temperature != 1
    assert (loaded.predict_proba(features.embeddings) == bundle.predict_proba(features.embeddings)).all()
    assert loaded.settings == {"C": 0.5}
    assert loaded.provenance["settings"] == features.provenance["settings"]
    assert loaded.provenance["fitted"]["on"] == "test.h5"


@pytest.mark.parametrize(("head", "setting", "given"), [("logreg", "C", {}), ("mlp", "epochs", {"hidden": 4})])
def test_saved_head_says_what_it_chose(make_clusters, tmp_path, monkeypatch, head, setting, given):
    monkeypatch.setattr("cellfeat.heads.neural_networks.mlp.EPOCHS", (2, 2))
    bundle, result = fit(make_clusters(), head, design=SMALL, settings=given | {setting: "auto"})
    (chosen,) = result.chosen.values()
    assert chosen["value"] == getattr(bundle.head, f"{setting}_")
    assert chosen["value"] in chosen["candidates"]
    assert [set(values) for values in result.chosen_per_fold] == [{setting}] * len(result.scores.overall.per_fold)
    save_bundle(bundle, tmp_path / "head")
    loaded = load_bundle(tmp_path / "head")
    assert loaded.chosen == result.record()["chosen"] == result.chosen
    assert loaded.params[setting] == "auto"
    assert f"{setting}={chosen['value']} (chosen from " in describe_bundle(loaded)


def test_head_that_chooses_nothing_records_no_choice(make_clusters):
    bundle, result = fit(make_clusters(), "logreg", design=SMALL, settings={"C": 0.5})
    assert {"chosen", "chosen_per_fold"}.isdisjoint(result.record())
    assert bundle.chosen == {}


def test_failure_of_the_head_is_raised(make_clusters, failing_head):
    failing_head(RuntimeError)
    with pytest.raises(HeadError, match=r"fold 1 of 3.*RuntimeError.*singular matrix"):
        fit(make_clusters(), "failing", design=SMALL)


def test_progress_counts_the_fit_on_all_samples_as_a_fold(make_clusters):
    told = []
    fit(make_clusters(), "dummy", design=SMALL, hooks=Hooks(progress=lambda *event: told.append(event)))
    assert told == [("dummy", 1, 0, 4), ("dummy", 2, 1, 4), ("dummy", 3, 2, 4), ("dummy", 0, 3, 4)]


def test_settings_that_are_numbers_of_numpy_are_saved(make_clusters, tmp_path):
    bundle, _ = fit(make_clusters(), "knn", settings={"n_neighbors": np.int64(3)}, design=SMALL)
    save_bundle(bundle, tmp_path / "saved")
    assert load_bundle(tmp_path / "saved").settings == {"n_neighbors": 3}


@pytest.mark.slow
def test_tuned_settings_of_all_samples_are_saved(planted_features, planted):
    bundle, result = fit(planted_features, "planted", design=dataclasses.replace(SMALL, tune=8))
    assert result.scores.tuning.final == {"skill": 2}
    assert bundle.head.skill == 2
    assert bundle.settings == {"skill": 2}
    assert result.settings["skill"] == 2
    assert result.balanced_accuracy == 1


@pytest.mark.slow
def test_tuned_head_can_be_saved_and_loaded(make_clusters, tmp_path):
    bundle, result = fit(make_clusters(separation=0.6), "logreg", design=dataclasses.replace(SMALL, tune=4))
    save_bundle(bundle, tmp_path / "saved")
    loaded = load_bundle(tmp_path / "saved")
    assert loaded.head.get_params() == bundle.head.get_params()
    assert loaded.scores["tuning"] == result.record()["tuning"]
