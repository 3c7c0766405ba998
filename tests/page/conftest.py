"""Results on disk, as commands write them, and the features that they are of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features
from cellfeat.reporting.files import write_report
from cellfeat.saved_results.results_folder import ResultsFolder
from tests.feature_fixtures import HOSTILE, build_clusters, bundle, held_out, samples, with_samples  # noqa: F401, pytest finds fixtures by name

QUICK = Design(folds=3, draws=100)


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a test in a folder of its own: maps are kept beside feature files, or in the cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CELLFEAT_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def cells() -> Features:
    """Samples of three classes with groups and columns; one has no label and one could not be read."""
    features = build_clusters(n=120, separation=0.8)
    labels, status = features.samples.labels.copy(), features.samples.status.copy()
    labels[3], status[7] = "", 1
    columns = {
        "plate": np.array([f"P{row % 4}" for row in range(120)]),
        "area": np.array([f"{row / 7:.3f}" if row % 5 else "" for row in range(120)]),
        "well": np.array([f"0{row % 3}" for row in range(120)]),
        "label": np.array([f"note {row}" for row in range(120)]),
    }
    embeddings = features.embeddings.copy()
    embeddings[7] = np.nan
    groups = np.array([f"donor {row % 40}" for row in range(120)])
    changed = with_samples(
        features, labels=labels, status=status, columns=columns, groups=groups, failures={7: "truncated <b>PNG"}
    )
    return replace(changed, embeddings=embeddings)


@pytest.fixture(scope="session")
def compared(cells: Features) -> Comparison:
    """Two heads compared on `cells`; shared, so leave it as it is."""
    return compare(cells, ["logreg", "dummy"], design=QUICK)


@pytest.fixture(scope="session")
def hostile_cells() -> Features:
    """Samples of classes with hostile names."""
    return build_clusters(n=90, classes=HOSTILE)


def write_results(comparison: Comparison, features: Features, folder: Path) -> Path:
    """Write a comparison as the command does."""
    write_report(comparison, folder, figures=())
    ResultsFolder.of(folder, features).record()
    return folder


@pytest.fixture
def results(compared: Comparison, cells: Features, tmp_path: Path) -> Path:
    """The folder of the comparison: a test may change it."""
    return write_results(compared, cells, tmp_path / "results")


@pytest.fixture
def written() -> Callable[[Comparison, Features, Path], Path]:
    return write_results
