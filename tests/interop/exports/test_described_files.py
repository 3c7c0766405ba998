import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

import cellfeat
from cellfeat.errors import MissingFileError
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features
from cellfeat.interop.exports.described_files import PARQUET
from cellfeat.saved_results.predictions import Results
from tests.interop.exports.environments import environment, run_in

READ = """
import json, sys
import mlcroissant
dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
print(json.dumps({
    "counts": [int(row["classes/count"]) for row in dataset.records("classes")],
    "id": next(iter(dataset.records("predictions")))["predictions/sample_id"].decode(),
    "errors": [str(error) for error in dataset.metadata.issues.errors],
}))
"""


@pytest.fixture
def filed(features: Features, tmp_path: Path) -> Features:
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "cells.h5").write_bytes(b"features")
    return replace(features, path=tmp_path / "features" / "cells.h5")


@pytest.fixture
def results(compared: Comparison, tmp_path: Path) -> Results:
    folder = tmp_path / "results"
    folder.mkdir()
    compared.predictions().to_parquet(folder / "predictions.parquet", index=False)
    (folder / "comparison.json").write_text("{}")
    return Results(str(folder), compared.predictions(), compared.record(), folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_croissant_is_valid_and_its_records_can_be_read(filed: Features, results: Results, tmp_path: Path) -> None:
    path = cellfeat.export(filed, "croissant", tmp_path, results=results)  # type: ignore[arg-type]
    found = json.loads(run_in(environment(tmp_path / "env", "mlcroissant==1.1.*", "pyarrow"), READ, path))
    assert sum(found["counts"]) == 58
    assert found["id"] == "cell-0"
    assert found["errors"] == []


def test_digests_are_those_of_the_files(filed: Features, results: Results, tmp_path: Path) -> None:
    path = cellfeat.export(filed, "croissant", tmp_path, results=results)  # type: ignore[arg-type]
    described = {file["contentUrl"]: file["sha256"] for file in json.loads(path.read_text())["distribution"]}
    assert set(described) == {"features/cells.h5", "results/predictions.parquet", "results/comparison.json"}
    for url, digest in described.items():
        assert hashlib.sha256((tmp_path / url).read_bytes()).hexdigest() == digest


def test_crate_names_every_file_once(filed: Features, results: Results, tmp_path: Path) -> None:
    path = cellfeat.export(filed, "ro-crate", tmp_path, results=results)  # type: ignore[arg-type]
    assert path.name == "ro-crate-metadata.json"
    graph = {entity["@id"]: entity for entity in json.loads(path.read_text())["@graph"]}
    parts = [part["@id"] for part in graph["./"]["hasPart"]]
    assert graph[path.name]["about"] == {"@id": "./"}
    assert all((tmp_path / part).is_file() and graph[part]["@type"] == "File" for part in parts)
    assert [graph[part]["encodingFormat"] for part in parts].count(PARQUET) == 1


def test_features_without_a_file_are_refused(features: Features, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="cells"):
        cellfeat.export(features, "croissant", tmp_path)
