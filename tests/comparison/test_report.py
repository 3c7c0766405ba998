import json

import numpy as np
import pandas as pd
import pytest

from cellfeat.comparison.report import write_report


def test_the_report_is_complete_and_can_be_computed_again(comparison, tmp_path):
    files = write_report(comparison, tmp_path / "new" / "report")
    assert all(file.stat().st_size for file in files)
    assert sorted(file.name for file in (tmp_path / "new" / "report").iterdir()) == sorted(file.name for file in files)
    table = pd.read_parquet(tmp_path / "new" / "report" / "predictions.parquet")
    pd.testing.assert_frame_equal(table, comparison.predictions(), check_dtype=False)
    record = json.loads((tmp_path / "new" / "report" / "comparison.json").read_text(encoding="utf-8"))
    assert [pair["verdict"] for pair in record["differences"]] == comparison.verdicts()
    for metrics in record["heads"]:
        rows = table[table["head"] == metrics["head"]]
        recalls = [(rows["predicted"] == rows["label"])[rows["label"] == name].mean() for name in "abc"]
        assert np.mean(recalls) == pytest.approx(metrics["balanced_accuracy"])
        alone = tmp_path / "new" / "report" / f"metrics_{metrics['head']}.json"
        assert json.loads(alone.read_text(encoding="utf-8")) == metrics


def test_hostile_names_can_be_drawn_and_written(hostile, tmp_path):
    files = write_report(hostile, tmp_path)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files if file.suffix == ".png")
