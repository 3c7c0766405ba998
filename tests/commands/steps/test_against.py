import json
from pathlib import Path

import numpy as np
import pytest

from tests.commands.command_line import refused, run_cli, succeed

LABELS = np.resize(["a", "b", "c"], 120)


def write(folder: Path, name: str, noise: float, seed: int) -> str:
    """Import an array whose columns tell the class through some noise, and give the name of its feature file."""
    X = np.eye(3)[np.resize([0, 1, 2], 120)] + noise * np.random.default_rng(seed).normal(size=(120, 3))
    ids = np.array([f"cell_{n}" for n in range(120)])
    np.savez(folder / f"{name}.npz", X=X, y=LABELS, ids=ids)
    succeed(folder, "import", f"{name}.npz")
    return f"features/{name}.h5"


@pytest.mark.slow
def test_two_feature_files_are_compared_by_paired_differences(tmp_path: Path) -> None:
    clear, noisy = write(tmp_path, "clear", 0.3, 0), write(tmp_path, "noisy", 2.0, 1)
    heads = ("--heads", "logreg", "--folds", "3")
    done = succeed(tmp_path, "compare", "--features", clear, "--against", noisy, *heads)
    assert "logreg on clear is better than logreg on noisy" in done.stdout
    record = json.loads((tmp_path / "results" / "clear" / "against.json").read_text())
    assert [one["provenance"]["features"] for one in record["heads"]] == ["clear.h5", "noisy.h5"]
    assert record["differences"][0]["better"] == "logreg on clear"

    twice = run_cli(tmp_path, "compare", "--features", clear, "--features", noisy, *heads)
    assert twice.returncode == 2
    assert "--against" in twice.stderr
    across = run_cli(tmp_path, "compare", "--features", clear, "--against", noisy, "--across", "plate")
    assert across.returncode == 2
    missing = refused(tmp_path, "compare", "--features", clear, "--against", "features/none.h5", *heads)
    assert "none.h5" in missing
