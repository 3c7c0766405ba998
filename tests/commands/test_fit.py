import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.commands.command_line import ROOT, refused, succeed


@pytest.mark.slow
def test_fit_saves_the_head_with_its_scores(folder: Path) -> None:
    done = succeed(folder, "fit", "--head", "logreg", "--folds", "3")
    first, *_, last, _ = done.stdout.splitlines()
    assert first.startswith("logreg: balanced accuracy 0.")
    assert last.startswith("saved head: results/cells/logreg ")
    assert len(done.stdout.splitlines()) < 24
    metrics = json.loads((folder / "results" / "cells" / "logreg" / "metrics.json").read_text())
    assert metrics["ci_low"] <= metrics["balanced_accuracy"] <= metrics["ci_high"]
    assert len(metrics["per_fold"]) == 3
    assert (metrics["provenance"]["features"], metrics["provenance"]["n_samples"]) == ("cells.h5", 150)


def test_saved_head_can_be_inspected(folder: Path, saved_knn: str) -> None:
    shown = succeed(folder, "inspect", saved_knn)
    assert "knn" in shown.stdout
    assert "fingerprint" in shown.stdout


def test_folder_with_other_files_is_refused(folder: Path) -> None:
    notes = folder / "precious" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("years of work")
    message = refused(folder, "fit", "--head", "dummy", "--output", "precious")
    assert "precious" in message
    assert "notes.txt" in message
    assert notes.read_text() == "years of work"


@pytest.mark.slow
def test_name_that_the_pipe_cannot_encode_is_escaped(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv")
    labels["cell_line"] = labels["cell_line"].replace("HeLa", "細胞")
    labels.to_csv(folder / "named.csv", index=False)
    arguments = ("fit", "--head", "knn", "--folds", "2", "--labels", "named.csv", "--output", "named")
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        cwd=folder, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rb"\u7d30\u80de" in done.stdout
