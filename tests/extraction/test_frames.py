"""Features as a DataFrame and as AnnData."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ConfigError, MissingExtraError
from cellfeat.extraction.store import Features
from tests.feature_fixtures import build_features


@pytest.fixture
def few() -> Features:
    """Three samples of two views, the last of which could not be read."""
    embeddings = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    embeddings[2] = np.nan
    return build_features(
        np.array(["HeLa", "", "A549"]),
        embeddings,
        group=np.array(["p1", "p1", ""]),
        columns={"plate": np.array(["x", "y", ""]), "label": np.array(["1", "2", "3"])},
        status=np.array([0, 0, 1], np.uint8),
    )


def test_table_has_samples_as_rows(few: Features) -> None:
    table = few.to_pandas()
    assert table.index.tolist() == ["s0", "s1", "s2"]
    assert table.index.name == "sample_id"
    assert table.columns.tolist() == ["label", "group", "plate", "label_2", "planes_0000", "planes_0001"]
    assert table["label"].isna().tolist() == [False, True, False]
    assert table.loc["s0", ["planes_0000", "planes_0001"]].tolist() == [1.0, 2.0]
    assert table.loc["s2", ["planes_0000", "planes_0001"]].isna().all()


def test_one_view_can_be_chosen(few: Features) -> None:
    assert few.to_pandas(view=1)["planes_0000"].tolist()[:2] == [2.0, 6.0]
    with pytest.raises(ConfigError, match="expected 0 to 1, got 2"):
        few.to_pandas(view=2)


def test_columns_are_named_by_their_pass(few: Features) -> None:
    two = replace(few, recipe={"passes": ["red", "blue"]})
    assert two.to_pandas().columns.tolist()[-2:] == ["red_0000", "blue_0000"]
    assert replace(few, recipe={}).to_pandas().columns.tolist()[-1] == "feature_0001"


def test_table_goes_back_in(few: Features) -> None:
    table = few.to_pandas()
    again = few.with_labels(table["label"][::-1]).with_groups(table["group"])
    assert again.samples.labels.tolist() == few.samples.labels.tolist()
    assert again.samples.groups.tolist() == few.samples.groups.tolist()


def test_features_of_a_table_keep_its_names() -> None:
    table = pd.DataFrame({"area": [1.0, 2.0, 4.0], "round": [0.1, 0.2, 0.3]}, index=["a", "b", "c"])
    features = Features.from_arrays(table, labels=["x", "y", "x"])
    pd.testing.assert_frame_equal(features.to_pandas()[["area", "round"]], table, check_dtype=False, check_names=False)


def test_missing_anndata_is_named(few: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(MissingExtraError, match="pip install anndata"):
        few.to_anndata()


def test_anndata_has_the_samples_that_could_be_read(few: Features) -> None:
    pytest.importorskip("anndata")
    found = few.to_anndata()
    assert found.obs_names.tolist() == ["s0", "s1"]
    assert found.var_names.tolist() == ["planes_0000", "planes_0001"]
    assert found.X.tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert found.layers["view_0"].tolist() == [[0.0, 1.0], [4.0, 5.0]]
    assert found.obs["group"].cat.categories.tolist() == ["p1"]
    assert found.obs["label"].isna().tolist() == [False, True]
    assert "fingerprint" in found.uns["cellfeat"]
