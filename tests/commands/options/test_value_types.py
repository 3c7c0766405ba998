"""What is missing is asked for by its names, and each step names the next."""

from pathlib import Path

import numpy as np
import pytest

from cellfeat.heads.registry import HEADS
from cellfeat.interop.exports.registry import EXPORTS
from tests.commands.command_line import refused, succeed


def table(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = np.eye(3)[np.resize([0, 1, 2], 90)] + 0.3 * rng.normal(size=(90, 3))
    np.savez(folder / "my cells.npz", X=X, y=np.resize(["a", "b", "c"], 90))


@pytest.mark.parametrize(("command", "option", "names"), [("fit", "--head", HEADS), ("export", "--to", EXPORTS)])
def test_missing_name_lists_the_names(tmp_path: Path, command, option, names) -> None:
    said = refused(tmp_path, command, code=2)
    assert option in said
    assert all(name in said for name in names)


@pytest.mark.slow
def test_missing_model_names_saved_heads(tmp_path: Path) -> None:
    assert "cellfeat fit" in refused(tmp_path, "predict", code=2)
    table(tmp_path)
    succeed(tmp_path, "import", "my cells.npz")
    features = ("--features", "features/my cells.h5", "--no-page")
    compared = succeed(tmp_path, "compare", *features, "--heads", "logreg", "--folds", "3", "--tune", "2")
    assert "next: cellfeat fit --head logreg --features 'features/my cells.h5' --folds 3 --tune 2" in compared.stderr
    fitted = succeed(tmp_path, "fit", "--head", "logreg", "--folds", "3", *features)
    assert "next: cellfeat predict --model 'results/my cells/logreg'" in fitted.stderr
    audited = succeed(tmp_path, "audit", "--folds", "3", *features)
    assert "next: cellfeat compare --features" in audited.stderr
    for command in ("predict", "score"):
        assert "results/my cells/logreg" in refused(tmp_path, command, code=2)
    wrong = ("predict", "--model", "results/my cells/Logreg", "--features", "features/my cells.h5")
    assert "results/my cells/logreg" in refused(tmp_path, *wrong)


@pytest.mark.slow
def test_predictions_are_no_spreadsheet(tmp_path: Path) -> None:
    table(tmp_path)
    succeed(tmp_path, "import", "my cells.npz")
    succeed(tmp_path, "fit", "--head", "logreg", "--folds", "3", "--features", "features/my cells.h5", "--no-page")
    use = ("predict", "--model", "results/my cells/logreg", "--features", "features/my cells.h5", "--output")
    assert "a.csv" in refused(tmp_path, *use, "a.xlsx", code=2)
    assert "predicted: a 3" in succeed(tmp_path, *use, "a.csv").stderr
