"""Every format of the table: written whole, replaced on request only, and read back by what reads it."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import cellfeat
from cellfeat.errors import CellfeatError, ConfigError, WriteError
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.interop.exports.registry import EXPORTS, ExportFormat
from tests.interop.exports.conftest import FAILED, N_SAMPLES

OF_FEATURES = [name for name, entry in EXPORTS.items() if entry.source == "features"]
TABLES = {"parquet": pd.read_parquet, "csv": lambda path: pd.read_csv(path, dtype={"dose_uM": str})}


def source_of(entry: ExportFormat, features: Features, fitted: Bundle, folder: Path) -> Features | Bundle:
    """Features with a file behind them, which descriptions name; or the saved head."""
    (folder / "cells.h5").write_bytes(b"features")
    return replace(features, path=folder / "cells.h5") if entry.source == "features" else fitted


@pytest.mark.parametrize("name", EXPORTS)
def test_format_is_written_and_replaced_only_on_request(
    name: str, features: Features, fitted: Bundle, tmp_path: Path
) -> None:
    entry = EXPORTS[name]
    if entry.extra:
        pytest.importorskip(entry.extra)
    write = cellfeat.export if entry.source == "features" else cellfeat.export_model
    source = source_of(entry, features, fitted, tmp_path)
    target = write(source, name, tmp_path / entry.default_name("cells"))
    first = target.read_bytes()
    target.write_bytes(b"mine")
    with pytest.raises(WriteError, match="--replace"):
        write(source, name, target)
    assert target.read_bytes() == b"mine"
    write(source, name, target, replace=True)
    assert len(target.read_bytes()) == len(first) > 100
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("name", EXPORTS)
def test_name_with_another_end_is_refused(name: str, features: Features, fitted: Bundle, tmp_path: Path) -> None:
    write = cellfeat.export if EXPORTS[name].source == "features" else cellfeat.export_model
    source = features if EXPORTS[name].source == "features" else fitted
    with pytest.raises(WriteError, match=r"cells\.h5"):
        write(source, name, tmp_path / "cells.h5")


@pytest.mark.parametrize("name", EXPORTS)
def test_format_is_in_the_docs(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "guide" / "export.md").read_text()
    assert f"| `{name}` |" in page


def test_folder_as_output_gets_the_default_name(features: Features, tmp_path: Path) -> None:
    assert cellfeat.export(features, "csv", tmp_path) == tmp_path / "cells.csv"


@pytest.mark.parametrize("name", TABLES)
def test_table_holds_samples_predictions_and_exact_embeddings(
    name: str, features: Features, compared: Comparison, readable: np.ndarray, tmp_path: Path
) -> None:
    table = TABLES[name](cellfeat.export(features, name, tmp_path, results=compared))
    assert len(table) == N_SAMPLES - 1
    assert f"cell-{FAILED}" not in set(table["sample_id"])
    columns = [f"{one}_{i:04d}" for one in ("planes", "ER mito") for i in range(4)]
    assert np.array_equal(table[columns].to_numpy(np.float32), readable)
    predictions = compared.results[0].predictions.set_index("sample_id")
    head = compared.results[0].head
    rows = table.set_index("sample_id").loc[predictions.index]
    assert np.allclose(rows[f"{head}_probability_HeLa"], predictions["probability_HeLa"], atol=0)
    assert rows["fold"].tolist() == predictions["fold"].tolist()
    assert pd.isna(table.set_index("sample_id").loc["cell-11", "label"])
    assert table["dose_uM"].dropna().unique().tolist() == ["01", "0.50"]
    assert table["label_2"].unique().tolist() == ["other"]


def test_csv_holds_no_formula(features: Features, tmp_path: Path) -> None:
    path = cellfeat.export(features, "csv", tmp_path / "cells.csv.gz")
    text = gzip.decompress(path.read_bytes()).decode()
    assert "'=1+1" in text
    assert ",=1+1" not in text


def test_npz_holds_all_views_without_pickles(viewed: Features, compared: Comparison, tmp_path: Path) -> None:
    with np.load(cellfeat.export(viewed, "npz", tmp_path), allow_pickle=False) as arrays:
        assert arrays["embeddings"].shape == (N_SAMPLES - 1, 4, 8)
        assert np.array_equal(arrays["embeddings"], viewed.embeddings[viewed.samples.is_ok])
        assert arrays["column_Plate"][:2].tolist() == ["p0", "p1"]
        assert json.loads(arrays["cellfeat"].item())["failed"] == {f"cell-{FAILED}": "cut short"}


def test_tables_hold_the_mean_over_views(viewed: Features, tmp_path: Path) -> None:
    table = pd.read_parquet(cellfeat.export(viewed, "parquet", tmp_path))
    means = viewed.embeddings[viewed.samples.is_ok].mean(axis=1)
    assert np.array_equal(table.filter(regex=r"_\d{4}$").to_numpy(np.float32), means)


def test_labels_of_the_results_win(features: Features, tmp_path: Path) -> None:
    labels = {name: ("A", "B")[i % 2] for i, name in enumerate(features.samples.ids.tolist())}
    result = cellfeat.compare(features, ["dummy"], design=cellfeat.Design(folds=2), labels=labels)
    lines: list[str] = []
    path = cellfeat.export(features, "parquet", tmp_path, results=result, say=lines.append)
    assert set(pd.read_parquet(path)["label"]) == {"A", "B"}
    assert any("labels" in line for line in lines)
    assert any("left out: 1 samples" in line and f"cell-{FAILED}" in line for line in lines)


def test_results_of_other_samples_are_refused(features: Features, compared: Comparison, tmp_path: Path) -> None:
    others = features.take(np.array([FAILED, 11]))
    with pytest.raises(CellfeatError):
        cellfeat.export(others, "parquet", tmp_path, results=compared)
    assert not list(tmp_path.iterdir())


def test_part_of_the_samples_takes_its_predictions(features: Features, compared: Comparison, tmp_path: Path) -> None:
    part = features.take(np.arange(40, 50))
    table = pd.read_parquet(cellfeat.export(part, "parquet", tmp_path, results=compared))
    assert len(table) == 10
    assert table["logreg_predicted"].notna().all()


def test_model_format_of_features_is_refused(features: Features, fitted: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="saved head"):
        cellfeat.export(features, "onnx", tmp_path)
    with pytest.raises(ConfigError, match="feature file"):
        cellfeat.export_model(fitted, "h5ad", tmp_path)
    with pytest.raises(ConfigError, match="h5ad"):
        cellfeat.export(features, "csv", tmp_path, with_tsne=True)


@pytest.mark.filterwarnings("error")
def test_missing_numbers_of_imported_features_stay_missing(features: Features, tmp_path: Path) -> None:
    embeddings = features.embeddings.copy()
    embeddings[0, 0, 1] = embeddings[:, 0, 2] = np.nan
    gaps = replace(features, embeddings=embeddings)
    for name in ("parquet", "csv"):
        table = TABLES[name](cellfeat.export(gaps, name, tmp_path))
        assert table["planes_0001"].isna().tolist() == [True] + [False] * (N_SAMPLES - 2)
        assert table["planes_0002"].isna().all()
    with h5py.File(cellfeat.export(gaps, "h5ad", tmp_path)) as file:
        assert np.isnan(file["X"][0, 1])
        assert np.isfinite(file["obsm/X_pca"][:]).all()


def test_features_in_no_file_need_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = Features.from_arrays(np.arange(20.0).reshape(5, 4) ** 2, labels=list("xyxyx"))
    with pytest.raises(ConfigError, match=r"path='features\.parquet'"):
        cellfeat.export(made, "parquet")
    assert not list(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    assert cellfeat.export(made, "parquet", "out").name == "features.parquet"
