from dataclasses import replace

import numpy as np
import pytest

from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.page.build import page_of_results
from cellfeat.page.samples.held_out import joined
from cellfeat.reporting.files import write_held_out
from cellfeat.saved_results.results_folder import ResultsFolder
from tests.feature_fixtures import N_FITTED, part, with_samples
from tests.page.page_reading import values

pytestmark = pytest.mark.usefixtures("own_folder")


def page_with(bundle, held_out, fitted, folder):
    write_held_out(score_held_out(bundle, held_out), folder, figures=())
    ResultsFolder.of(folder, held_out).record()
    return page_of_results(folder, held_out, fitted=fitted)


def test_held_out_samples_lie_among_the_fitted(bundle, samples, held_out, tmp_path):
    fitted = part(samples, slice(N_FITTED))
    content = page_with(bundle, held_out, fitted, tmp_path / "scores")
    n = len(held_out)
    assert content.page["nSamples"] == n + N_FITTED
    assert values(content, "sample_id")[:n] == held_out.samples.ids.tolist()
    assert values(content, "origin") == ["held out"] * n + ["fitted"] * N_FITTED
    assert None not in values(content, "x")
    assert values(content, "predicted by logreg")[n:] == [None] * N_FITTED
    assert any(words in content.page["heldOut"][-1] for words in ("do not lie apart", "No held-out sample"))
    assert content.page["overview"]["data"][0]["value"] == f"{n}"


def test_samples_of_another_kind_are_said_to_lie_apart(bundle, samples, held_out, tmp_path):
    other = replace(held_out, embeddings=held_out.embeddings + np.float32(9))
    content = page_with(bundle, other, part(samples, slice(N_FITTED)), tmp_path / "scores")
    assert "As a set they lie apart" in content.page["heldOut"][-1]
    assert values(content, "apart").count("apart") > len(other) / 2


def test_same_ids_do_not_mix_predictions(bundle, samples, held_out, tmp_path):
    fitted = part(samples, slice(N_FITTED))
    same = with_samples(fitted, ids=np.array([f"s{N_FITTED + row}" for row in range(N_FITTED)]))
    content = page_with(bundle, held_out, same, tmp_path / "scores")
    assert values(content, "predicted by logreg")[len(held_out) :] == [None] * N_FITTED


def test_features_of_another_recipe_are_not_mixed(bundle, samples, held_out, tmp_path):
    other = replace(part(samples, slice(N_FITTED)), fingerprint="sha256:other")
    content = page_with(bundle, held_out, other, tmp_path / "scores")
    assert content.page["nSamples"] == len(held_out)
    assert "--fitted-on" in content.page["heldOut"][-1]


def test_columns_of_both_are_joined(samples):
    first = with_samples(samples, columns={"plate": np.full(len(samples), "P1")}, failures={2: "gone"}).samples
    both = joined(samples.samples, first)
    assert both.columns["plate"][len(samples) - 1 : len(samples) + 1].tolist() == ["", "P1"]
    assert both.failures == {len(samples) + 2: "gone"}
