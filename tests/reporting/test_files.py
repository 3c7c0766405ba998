import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow
import pytest

from cellfeat.errors import WriteError
from cellfeat.evaluation.learning_curves.learning_curves import learning_curves_on
from cellfeat.evaluation.results.tables_and_figures import curve_table
from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.evaluation.task.task import prepare
from cellfeat.reporting import files
from cellfeat.reporting.files import check_held_out_folder, write_curves, write_held_out, write_report
from tests.feature_fixtures import SMALL


@pytest.fixture(scope="module")
def report(comparison, tmp_path_factory):
    """The report of three heads: its folder, and the files that were written."""
    folder = tmp_path_factory.mktemp("results") / "new" / "report"
    return folder, write_report(comparison, folder)


@pytest.fixture(scope="session")
def single(comparison):
    """A comparison of one head: its report is quick to write."""
    return replace(comparison, results=comparison.results[:1], differences=())


def test_report_is_complete(comparison, report):
    folder, written = report
    assert all(file.stat().st_size for file in written)
    assert sorted(file.name for file in folder.iterdir()) == sorted(file.name for file in written)
    record = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert [pair["verdict"] for pair in record["differences"]] == comparison.verdicts()
    for metrics in record["heads"]:
        alone = folder / f"metrics_{metrics['head']}.json"
        assert json.loads(alone.read_text(encoding="utf-8")) == metrics


def test_scores_can_be_computed_again_from_the_predictions(comparison, report):
    folder, _ = report
    table = pd.read_parquet(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(table, comparison.predictions(), check_dtype=False)
    for metrics in json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["heads"]:
        rows = table[table["head"] == metrics["head"]]
        recalls = [(rows["predicted"] == rows["label"])[rows["label"] == name].mean() for name in "abc"]
        assert np.mean(recalls) == pytest.approx(metrics["balanced_accuracy"])


@pytest.mark.slow
def test_hostile_names_can_be_drawn_and_written(hostile, tmp_path):
    written = write_report(hostile, tmp_path)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in written if file.suffix == ".png")


@pytest.mark.slow
def test_files_of_an_earlier_comparison_are_removed_and_nothing_else(single, tmp_path):
    own = ["confusion_mlp.png", "metrics_mlp.json", "repeats.json", "learning_curve.csv", "learning_curve.png"]
    foreign = ["confusion_final.png", "metrics_mlp.txt", "notes.json", "dummy/metrics_mlp.json", ".cache/repeats.json"]
    for name in (*own, *foreign):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("earlier")
    (tmp_path / "learning_curve.json").mkdir()
    said = []
    written = write_report(single, tmp_path, say=said.append)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*foreign, *(file.name for file in written)}
    assert all((tmp_path / name).read_text() == "earlier" for name in foreign)
    assert (tmp_path / "learning_curve.json").is_dir()
    (line,) = said
    assert all(name in line for name in (str(tmp_path), *own))
    write_report(single, tmp_path, say=said.append)
    assert len(said) == 1


@pytest.mark.slow
def test_files_of_a_comparison_that_ended_while_this_one_drew_are_removed(single, tmp_path, monkeypatch):
    draw = files.draw_heads

    def drawn_while_another_ends(*arguments):
        (tmp_path / "metrics_mlp.json").write_text("another comparison")
        return draw(*arguments)

    monkeypatch.setattr(files, "draw_heads", drawn_while_another_ends)
    written = write_report(single, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(written)


@pytest.mark.slow
def test_report_that_cannot_be_written_leaves_the_earlier_one(single, tmp_path):
    write_report(single, tmp_path)
    (tmp_path / "repeats.json").write_text("earlier")
    earlier = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    unwritable = single.best.predictions.assign(more=[object()] * len(single.best.predictions))
    broken = replace(single, results=(replace(single.best, predictions=unwritable),))
    with pytest.raises(pyarrow.ArrowException):
        write_report(broken, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == earlier


def test_curves_are_written_as_record_table_and_figure(make_clusters, tmp_path):
    found = learning_curves_on(prepare(make_clusters(), SMALL), ["knn"], {}, [0.5, 1])
    record, table, figure = write_curves(found, tmp_path)
    assert table.read_text().splitlines()[0] == "head,fraction,n_train,balanced_accuracy,ci_low,ci_high"
    assert figure.read_bytes().startswith(b"\x89PNG")
    (curve,) = json.loads(record.read_text(encoding="utf-8"))["curves"]
    assert (curve["head"], curve["verdict"]) == ("knn", found.curves[0].verdict())
    assert pd.DataFrame(curve["points"]).equals(curve_table(found.curves).drop(columns="head"))


@pytest.mark.slow
def test_held_out_scores_are_written(bundle, held_out, tmp_path):
    found = score_held_out(bundle, held_out, draws=200)
    written = {path.name for path in write_held_out(found, tmp_path)}
    assert written == {"metrics.json", "predictions.parquet", "confusion.png", "reliability.png"}
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["balanced_accuracy"] == found.balanced_accuracy
    assert record["out_of_fold"]["verdict"] == found.verdict()
    assert len(pd.read_parquet(tmp_path / "predictions.parquet")) == 180


@pytest.mark.parametrize("name", ["bundle.json", "comparison.json"])
def test_held_out_scores_do_not_replace_other_results(tmp_path, name):
    check_held_out_folder(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(WriteError, match=str(tmp_path)):
        check_held_out_folder(tmp_path)
