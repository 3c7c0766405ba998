"""A head that was fitted on a table takes DataFrames with its columns."""

import numpy as np
import pandas as pd
import pytest

import cellfeat
from cellfeat.errors import FingerprintError, ManifestError
from cellfeat.evaluation.design import Design
from cellfeat.heads.saved.bundle import Bundle
from tests.feature_fixtures import build_clusters

rng = np.random.default_rng(0)
LINES = np.tile(["HeLa", "A549"], 40)
CELLS = pd.DataFrame(rng.normal(size=(80, 3)) + (LINES == "HeLa")[:, np.newaxis], columns=["area", "mean", "texture"])
NEW = CELLS.sample(frac=1, random_state=1).set_axis([f"new_{i}" for i in range(80)]) + 0.01


@pytest.fixture(scope="module")
def fitted() -> Bundle:
    features = cellfeat.Features.from_arrays(CELLS, labels=LINES)
    return cellfeat.fit(features, "logreg", design=Design(folds=3, draws=50))[0]


def test_columns_are_taken_by_name(fitted: Bundle) -> None:
    expected = cellfeat.predict(fitted, NEW)
    mixed = NEW[["texture", "area", "mean"]].assign(name="text", other=1.0)
    assert np.array_equal(cellfeat.predict(fitted, mixed).probabilities, expected.probabilities)
    assert expected.sample_id.tolist() == NEW.index.tolist()


def test_table_is_scored(fitted: Bundle) -> None:
    lines = pd.Series(LINES).reindex(CELLS.sample(frac=1, random_state=1).index).to_numpy()
    scored = cellfeat.score_held_out(fitted, NEW[["texture", "mean", "area"]], labels=lines, draws=50)
    assert scored.counts.n_samples == 80
    assert scored.balanced_accuracy > 0.7


def test_missing_columns_are_named(fitted: Bundle) -> None:
    with pytest.raises(ManifestError, match="lacks 1 of 3 columns: mean"):
        cellfeat.predict(fitted, NEW.drop(columns="mean"))


def test_features_are_made_like_others(fitted: Bundle) -> None:
    first = cellfeat.Features.from_arrays(CELLS, scaling="none")
    again = cellfeat.Features.from_arrays(NEW[["mean", "texture", "area"]], like=first)
    assert (again.fingerprint, again.scaling) == (first.fingerprint, "none")
    named = cellfeat.Features.from_arrays(NEW.to_numpy()[:, ::-1], names=["texture", "mean", "area"], like=first)
    assert np.array_equal(named.embeddings, again.embeddings)
    with pytest.raises(ManifestError, match="DataFrame"):
        cellfeat.Features.from_arrays(NEW.to_numpy(), like=fitted)
    with pytest.raises(FingerprintError, match="images"):
        cellfeat.Features.from_arrays(NEW, like=build_clusters(n=30))


def test_dataframe_like_an_array_keeps_its_ids() -> None:
    first = cellfeat.Features.from_arrays(CELLS.to_numpy())
    new = NEW.set_axis([f"cell_{number}" for number in range(len(NEW))], axis=0)
    lines = pd.Series("HeLa", index=new.index[:2])
    features = cellfeat.Features.from_arrays(new, labels=lines, like=first)
    assert features.samples.ids.tolist() == new.index.tolist()
    assert features.samples.labels[:3].tolist() == ["HeLa", "HeLa", ""]
    assert features.fingerprint == first.fingerprint


def test_array_is_like_an_array() -> None:
    first = cellfeat.Features.from_arrays(CELLS.to_numpy())
    assert cellfeat.Features.from_arrays(NEW, like=first).fingerprint == first.fingerprint
    with pytest.raises(ManifestError, match=r"3 columns .* got 2"):
        cellfeat.Features.from_arrays(NEW.to_numpy()[:, :2], like=first)
