import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellfeat.extraction.store import load_features
from cellfeat.interop.exports.registry import EXPORTS
from tests.commands.command_line import Ended, refused, run_cli, succeed


@pytest.fixture(scope="module")
def compared(folder: Path) -> str:
    succeed(folder, "compare", "--heads", "logreg,dummy", "--folds", "2", "--set", "comparison.output=to-export")
    return "to-export"


@pytest.mark.parametrize("name", [name for name, entry in EXPORTS.items() if entry.source == "features"])
def test_export_writes_each_format_beside_the_features(folder: Path, compared: str, name: str) -> None:
    done = succeed(folder, "export", "features/cells.h5", "--to", name, "--results", compared)
    path = folder / "features" / EXPORTS[name].default_name("cells")
    assert done.stdout.startswith(f"features/{path.name} (")
    assert path.stat().st_size > 100


def test_table_of_a_real_extraction(folder: Path, compared: str) -> None:
    succeed(folder, "export", "features/cells.h5", "--to", "profiles", "--results", compared, "--output", "p.parquet")
    profiles = pd.read_parquet(folder / "p.parquet")
    assert {"Metadata_Plate", "Metadata_label", "Metadata_fold", "Metadata_logreg_predicted"} <= set(profiles)
    embeddings = load_features(folder / "features" / "cells.h5").embeddings[:, 0]
    assert np.array_equal(profiles.filter(like="Cells_CellFeat_planes_").to_numpy(), embeddings)


@pytest.mark.slow
def test_saved_head_is_exported_beside_its_folder(folder: Path) -> None:
    pytest.importorskip("onnx")
    succeed(folder, "fit", "--head", "logreg", "--folds", "2", "--output", "heads/linear")
    done = succeed(folder, "export", "--model", "heads/linear", "--to", "onnx")
    assert done.stdout.startswith("heads/linear.onnx (")


def test_predictions_of_a_saved_head_are_exported(folder: Path, saved_knn: str) -> None:
    succeed(folder, "export", "features/cells.h5", "--to", "csv", "--results", saved_knn, "--output", "knn.csv")
    assert "knn_predicted" in (folder / "knn.csv").read_text().partition("\n")[0]


def test_held_out_predictions_are_exported(early: Path, scored: tuple[Ended, Path]) -> None:
    features = str(scored[1])
    folder = str(scored[1].parent)
    succeed(early, "export", features, "--to", "csv", "--results", folder, "--output", "held-out.csv")
    heading = (early / "held-out.csv").read_text().partition("\n")[0].replace('"', "").split(",")
    assert "logreg_predicted" in heading
    assert "fold" not in heading


def test_record_holds_the_scores(folder: Path, compared: str) -> None:
    succeed(folder, "export", "features/cells.h5", "--to", "npz", "--results", compared, "--output", "cells.npz")
    record = json.loads(np.load(folder / "cells.npz")["cellfeat"].item())
    assert [head["head"] for head in record["results"]["heads"]][-1] == "dummy"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "h5ad"),
        ("features/cells.h5", "--model", "heads/linear", "--to", "csv", "--results", "results"),
        ("--model", "heads/linear", "--to", "onnx", "--results", "results"),
        ("features/cells.h5", "--to", "csv", "--with-backbone"),
        ("--model", "heads/linear", "--to", "onnx", "--weights", "w.pth"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_wrong_usage(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run_cli(folder, "export", *arguments).returncode == 2


def test_unknown_format_is_refused_with_the_formats(folder: Path) -> None:
    message = refused(folder, "export", "features/cells.h5", "--to", "anndata")
    assert "h5ad" in message
    assert "anndata" in message


def test_formats_are_listed(folder: Path) -> None:
    assert {line.split()[0] for line in succeed(folder, "list", "exports").stdout.splitlines()} == set(EXPORTS)


@pytest.mark.slow
def test_head_that_standardises_is_told_the_plates(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 3)) + np.eye(3)[np.resize([0, 1, 2], 120)], columns=list("uvw"))
    table = table.assign(label=np.resize(["a", "b", "c"], 120), plate=np.repeat(["P1", "P2", "P3", "P4"], 30))
    table.to_csv(tmp_path / "cells.csv", index=False)
    table.drop(columns="plate").to_csv(tmp_path / "new.csv", index=False)
    succeed(tmp_path, "import", "cells.csv")
    features = ("--features", "features/cells.h5", "--folds", "3", "--no-page")
    succeed(tmp_path, "fit", "--head", "logreg", "--standardise", "plate", *features)
    succeed(tmp_path, "import", "new.csv", "--like", "results/cells/logreg")
    use = ("export", "features/new.h5", "--to", "csv", "--model", "results/cells/logreg")
    assert "--standardise" in refused(tmp_path, *use)
    done = succeed(tmp_path, *use, "--standardise", "one")
    assert "standardised within 1 plate" in done.stderr
    assert "logreg_predicted" in (tmp_path / "features" / "new.csv").read_text()
    refused(tmp_path, "export", "features/new.h5", "--to", "csv", "--standardise", "one", code=2)
