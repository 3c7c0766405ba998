import json
from pathlib import Path

import numpy as np
import pytest

from cellfeat.page.files.written import read_written_page
from tests.commands.command_line import refused, run_cli, succeed

LABELS = np.resize(["a", "b", "c"], 120)


def write(folder: Path, name: str, noise: float, seed: int) -> str:
    """Import an array whose columns tell the class through some noise, and give the name of its feature file."""
    X = np.eye(3)[np.resize([0, 1, 2], 120)] + noise * np.random.default_rng(seed).normal(size=(120, 3))
    ids = np.array([f"cell_{n}" for n in range(120)])
    np.savez(folder / f"{name}.npz", X=X, y=LABELS, ids=ids)
    succeed(folder, "import", f"{name}.npz")
    return f"features/{name}.h5"


def compared_on(page: Path) -> list[str]:
    """The heads on feature files that a page shows."""
    return [row["name"] for row in read_written_page(page).page["overview"]["against"]["rows"]]


@pytest.mark.slow
def test_two_feature_files_are_compared_by_paired_differences(tmp_path: Path) -> None:
    clear, noisy = write(tmp_path, "clear", 0.3, 0), write(tmp_path, "noisy", 2.0, 1)
    heads = ("--heads", "logreg", "--folds", "3")
    done = succeed(tmp_path, "compare", "--features", clear, "--against", noisy, *heads)
    assert "logreg on clear is better than logreg on noisy" in done.stdout
    record = json.loads((tmp_path / "results" / "clear" / "against.json").read_text())
    assert [one["provenance"]["features"] for one in record["heads"]] == ["clear.h5", "noisy.h5"]
    assert record["differences"][0]["better"] == "logreg on clear"

    page = tmp_path / "results" / "clear" / "page.html"
    assert f"page: {page.relative_to(tmp_path)}" in done.stdout
    assert "logreg on noisy" in compared_on(page)
    shown = succeed(tmp_path, "view", "results/clear", "--map", "none", "--output", "shown.html")
    assert "shown.html" in shown.stdout
    assert "logreg on noisy" in compared_on(tmp_path / "shown.html")

    succeed(tmp_path, "compare", "--features", clear, "--heads", "dummy", "--folds", "3")
    again = ("compare", "--features", clear, "--against", noisy, "--heads", "dummy", "--folds", "3")
    succeed(tmp_path, *again, "--no-page")
    assert "dummy on noisy" not in compared_on(page)
    succeed(tmp_path, *again)
    assert "dummy on noisy" in compared_on(page), "a page that was there is written again"

    twice = run_cli(tmp_path, "compare", "--features", clear, "--features", noisy, *heads)
    assert twice.returncode == 2
    assert "--against" in twice.stderr
    across = run_cli(tmp_path, "compare", "--features", clear, "--against", noisy, "--across", "plate")
    assert across.returncode == 2
    missing = refused(tmp_path, "compare", "--features", clear, "--against", "features/none.h5", *heads)
    assert "none.h5" in missing
