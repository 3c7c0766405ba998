import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import cellfeat
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features
from cellfeat.interop.exports.h5ad import colours
from tests.interop.exports.conftest import FAILED, N_SAMPLES
from tests.interop.exports.environments import environment, run_in

READ = """
import json, sys
import anndata, numpy as np
a = anndata.read_h5ad(sys.argv[1])
b = anndata.read_h5ad(sys.argv[1], backed="r")
a.write_h5ad(sys.argv[2])
print(json.dumps({
    "shape": a.shape, "index": a.obs_names[:2].tolist(), "label": a.obs["label"].cat.categories.tolist(),
    "missing": int(a.obs["label"].isna().sum()), "obsm": sorted(a.obsm),
    "colours": list(a.uns["label_colors"]), "failed": json.loads(a.uns["cellfeat"])["failed"],
    "same": bool(np.array_equal(b[:5].X, a.X[:5])), "columns": list(a.obs.columns),
}))
"""


@pytest.fixture(scope="module")
def written(viewed: Features, compared: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four views, with a comparison of one view: the recipes differ, so the record is left out."""
    from cellfeat.saved_results.predictions import Results

    results = Results("here", compared.predictions(), {})
    path = tmp_path_factory.mktemp("h5ad") / "cells.h5ad"
    return cellfeat.export(viewed, "h5ad", path, results=results, with_tsne=True)  # type: ignore[arg-type]


def texts(dataset: h5py.Dataset) -> list[str]:
    return dataset.asstr()[:].tolist()


def test_embeddings_and_views(written: Path, viewed: Features) -> None:
    rows = viewed.embeddings[viewed.samples.is_ok]
    with h5py.File(written) as file:
        assert np.array_equal(file["X"][:], rows.mean(axis=1))
        assert np.array_equal(file["layers/view_0"][:], rows[:, 0])
        assert file["X"].dtype == np.float32
        assert texts(file["var/feature"])[:2] == ["planes_0000", "planes_0001"]


def test_table_of_samples(written: Path) -> None:
    with h5py.File(written) as file:
        obs = file["obs"]
        assert obs.attrs["_index"] == "sample_id"
        assert texts(obs["sample_id"])[0] == "cell-0"
        order = obs.attrs["column-order"].tolist()
        assert order[:5] == ["label", "group", "fold", "logreg_predicted", "dummy_predicted"]
        assert {"Plate", "WELL", "dose_uM", "dtype_2", "label_2"} <= set(order)
        assert texts(obs["label/categories"]) == ["=1+1", "HeLa", "MCF7"]
        assert (obs["label/codes"][:] == -1).sum() == 1
        assert set(order) | {"sample_id"} == set(obs)


def test_predictions_and_projections(written: Path, compared: Comparison) -> None:
    with h5py.File(written) as file:
        assert set(file["obsm"]) == {"X_pca", "X_tsne", "logreg_proba", "dummy_proba"}
        assert all(len(array) == N_SAMPLES - 1 for array in file["obsm"].values())
        ids = texts(file["obs/sample_id"])
        predictions = compared.predictions().query("head == 'logreg'").set_index("sample_id")
        row = ids.index(predictions.index[0])
        found = file["obsm/logreg_proba"][row]
        assert np.allclose(found, predictions.filter(like="probability_").iloc[0], atol=1e-7)
        assert np.isnan(file["obsm/logreg_proba"][ids.index("cell-11")]).all()


def test_every_encoding_is_one_that_all_versions_read(written: Path) -> None:
    seen = set()
    with h5py.File(written) as file:
        file.visititems(lambda _, item: seen.add((item.attrs["encoding-type"], item.attrs["encoding-version"])))
    assert seen == {
        ("array", "0.2.0"), ("string-array", "0.2.0"), ("string", "0.2.0"), ("categorical", "0.2.0"),
        ("dataframe", "0.2.0"), ("dict", "0.1.0"),
    }  # fmt: skip


def test_record_says_where_the_samples_come_from(written: Path, viewed: Features) -> None:
    with h5py.File(written) as file:
        record = json.loads(file["uns/cellfeat"].asstr()[()])
    assert record["fingerprint"] == viewed.fingerprint
    assert record["failed"] == {f"cell-{FAILED}": "cut short"}
    assert record["recipe"]["passes"] == ["planes", "ER mito"]


def test_positions_on_fields_are_spatial(on_fields: Features, tmp_path: Path) -> None:
    with h5py.File(cellfeat.export(on_fields, "h5ad", tmp_path)) as file:
        assert file["obsm/spatial"][1].tolist() == [1.5, 20.0]
        assert {"field", "centre_x", "centre_y", "mask_value"} <= set(file["obs"])


def test_many_classes_have_colours_of_their_own() -> None:
    assert len(set(colours(60))) == 60
    assert colours(0) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_anndata_reads_and_writes_it(written: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", "anndata==0.12.*", "pandas<3")
    found = json.loads(run_in(python, READ, written, tmp_path / "again.h5ad"))
    assert found["shape"] == [N_SAMPLES - 1, 8]
    assert found["label"] == ["=1+1", "HeLa", "MCF7"]
    assert found["missing"] == 1
    assert found["same"]
    assert len(found["colours"]) == 3
