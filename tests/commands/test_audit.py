from importlib import import_module
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest

from cellfeat.samples.synthetic import CHANNELS
from tests.commands.command_line import EXTRACT, copy_images, refused, rows_of, succeed
from tests.feature_fixtures import build_clusters


@pytest.fixture(autouse=True)
def _one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of leaks on a single set of folds."""
    # `cellfeat.audit` is also a function of the public API, which a dotted name would find first.
    monkeypatch.setattr(import_module("cellfeat.auditing.audit"), "LEAK_SETS", 1)


@pytest.mark.slow
def test_audit_finds_an_overlap_and_compare_keeps_it_together(folder: Path) -> None:
    copy_images(folder, folder / "doubled", {number: number for number in range(1, 81)})
    for channel in CHANNELS:
        shifted = np.roll(imagecodecs.imread(folder / "images" / f"00001_{channel}.png"), 3, axis=1)
        (folder / "doubled" / f"00002_{channel}.png").write_bytes(imagecodecs.png_encode(shifted))
    features = ("--features", "features/doubled.h5")
    pictured = ("--set", "labels.unmatched=ignore", "--set", "comparison.folds=3")
    succeed(folder, *EXTRACT, "--images", "doubled", *pictured, "--output", features[1])
    done = succeed(folder, "audit", *features, "--folds", "3", "--output", "audit")
    assert "features/doubled.audit.json" in done.stdout
    assert "random folds would have claimed" in done.stdout
    assert "embeddings (logreg)" in done.stdout
    assert ["2", "near copy", "1"] in [row[:3] for row in rows_of(folder / "audit" / "audit.csv")]
    groups = pd.read_csv(folder / "audit" / "groups.csv", dtype=str).set_index("sample_id")["group"]
    assert groups["2"] == groups["1"]
    dummy = ("compare", "--heads", "dummy", "--folds", "3", *features, "--output", "results/doubled")
    assert "near copies kept together" in succeed(folder, *dummy).stdout
    predictions = pd.read_parquet(folder / "results" / "doubled" / "predictions.parquet").set_index("sample_id")
    assert predictions["fold"]["1"] == predictions["fold"]["2"]


@pytest.mark.slow
def test_features_without_recorded_settings_are_audited_without_their_images(tmp_path: Path) -> None:
    build_clusters(n=60).save(tmp_path / "cells.h5")
    done = succeed(tmp_path, "audit", "--features", "cells.h5", "--folds", "2", "--output", "audit", "--no-page")
    assert "does not say which images" in done.stderr
    assert "findings: audit" in done.stdout
    message = refused(tmp_path, "audit", "--features", "cells.h5", "--images", ".", "--output", "audit")
    assert "does not say which images" in message
    succeed(tmp_path, "fit", "--features", "cells.h5", "--head", "knn", "--folds", "3", "--output", "head", "--no-page")
    succeed(tmp_path, "predict", "--model", "head", "--features", "cells.h5", "--output", "p.csv")
    assert rows_of(tmp_path / "p.csv")[0][:2] == ["id", "label"]


@pytest.mark.slow
def test_images_are_audited_before_any_extraction(folder: Path) -> None:
    # The default feature file exists, and must not be used.
    copy_images(folder, folder / "unextracted", {number: number for number in range(1, 41)})
    arguments = ("audit", "--output", "alone", "--images", "unextracted", "--folds", "2")
    done = succeed(folder, *arguments, "--labels", "labels.csv", "--set", "labels.unmatched=ignore")
    assert "--features" in done.stderr
    assert "110 samples" in done.stderr, "labels without an image are named"
    assert "claimed" not in done.stdout
    assert "intensity statistics" in done.stdout
    assert {"border", "names and order"} <= {row[0] for row in rows_of(folder / "alone" / "probes.csv")}
    assert len(rows_of(folder / "alone" / "groups.csv")) == 41
    assert not (folder / "features" / "cells.audit.json").exists()
    unlabelled = succeed(folder, *arguments, "--labels", "none")
    assert "probes left out" in unlabelled.stderr
    assert len(rows_of(folder / "alone" / "probes.csv")) == 1


@pytest.mark.slow
def test_without_images_their_findings_are_left_out(folder: Path) -> None:
    (folder / "images").rename(folder / "moved")
    try:
        done = succeed(folder, "audit", "--folds", "3", "--output", "blind")
    finally:
        (folder / "moved").rename(folder / "images")
    assert all(noun in done.stderr for noun in ("near copies", "channels", "--features FILE --images DIR"))
    assert "near copy" not in done.stdout
