import os
from pathlib import Path

from cellfeat.page.viewing import newest_results


def results(folder: Path, name: str, age: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("{}")
    os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))
    return folder


def test_newest_results_are_found_and_a_comparison_comes_first(tmp_path: Path) -> None:
    assert newest_results(tmp_path / "nothing") is None
    assert newest_results(tmp_path) is None
    old = results(tmp_path / "mlp", "metrics.json", 20)
    assert newest_results(tmp_path) == old
    newer = results(tmp_path / "audit", "audit.csv", 10)
    assert newest_results(tmp_path) == newer
    assert newest_results(results(tmp_path, "comparison.json", 30)) == tmp_path
