import json
import shutil
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from tests.commands.command_line import refused, succeed

HEADER = "sample_id,label,label_before,head,predicted,confidence,seen,changed_at"
COMPARE = ("compare", "--heads", "logreg", "--folds", "3", "--output", "results/changed")


def write_changes(folder: Path, *, seen: str = "prediction") -> Path:
    """Give the first five samples of a class the label of another one."""
    labels = pd.read_csv(folder / "labels.csv", dtype=str)
    id_column, label_column = labels.columns[:2]
    classes = sorted(set(labels[label_column]))
    chosen = labels[labels[label_column] == classes[0]].head(5)
    rows = [
        f"{one[id_column]},{classes[1]},{classes[0]},logreg,{classes[1]},0.9,{seen}," for _, one in chosen.iterrows()
    ]
    path = folder / "changes.csv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    return path


@pytest.mark.slow
def test_compare_with_changes_of_the_page_reports_old_and_new_labels(folder: Path) -> None:
    write_changes(folder)
    done = succeed(folder, *COMPARE, "--labels", "changes.csv")
    assert "without changes after seeing" in done.stdout
    assert "5 by a person who had seen a prediction" in done.stdout
    record = json.loads((folder / "results" / "changed" / "comparison.json").read_text())
    assert record["relabelling"]["heads"][0]["without_changes_after_seeing"]["n_samples"] == 145
    assert record["provenance"]["relabelled"]["n_changed_seen"] == 5


@pytest.mark.slow
def test_blind_changes_need_no_second_column(folder: Path) -> None:
    write_changes(folder, seen="blind")
    done = succeed(folder, *COMPARE, "--labels", "changes.csv")
    assert "without changes after seeing" not in done.stdout
    assert "selection" in done.stdout


@pytest.mark.slow
def test_fit_and_audit_take_the_new_labels(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(import_module("cellfeat.auditing.audit"), "LEAK_SETS", 1)
    write_changes(folder)
    succeed(folder, "fit", "--head", "knn", "--folds", "3", "--labels", "changes.csv", "--output", "changed-knn")
    metrics = json.loads((folder / "changed-knn" / "metrics.json").read_text())
    assert metrics["provenance"]["relabelled"]["n_changed_seen"] == 5
    shutil.copy(
        folder / "features" / "cells.h5", folder / "features" / "changed.h5"
    )  # an audit leaves a record beside it
    audit = ("audit", "--features", "features/changed.h5", "--folds", "2", "--output", "changed-audit")
    assert "5 labels changed by changes.csv" in succeed(folder, *audit, "--labels", "changes.csv").stdout
    assert "--labels" in refused(folder, *audit, "--labels", "none", code=2)


def test_changes_of_other_labels_are_refused_with_their_row(folder: Path) -> None:
    path = write_changes(folder)
    path.write_text(path.read_text().replace(",logreg,", ",logreg,", 1).replace("prediction", "guess", 1))
    message = refused(folder, *COMPARE, "--labels", "changes.csv")
    assert "changes.csv: line 2" in message
    assert "guess" in message
