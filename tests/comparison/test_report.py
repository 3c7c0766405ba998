import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from rich.console import Console

from cellfeat.comparison.compare import HeadFailure, compare
from cellfeat.comparison.report import (
    clean_text,
    draw_confusion,
    draw_recalls,
    draw_reliability,
    harmless_cell,
    render_table,
    save_predictions_csv,
    score_lines,
    set_lines,
    write_report,
)

HOSTILE = ("[red]A549[/red]", "$\\frac$ He\x1b[2JLa", "U-2 OS\u202e with a name far too long for any table or picture")


@pytest.fixture
def comparison(make_clusters):
    return compare(make_clusters(separation=0.8), heads=["logreg", "knn", "dummy"], folds=3, draws=200)


@pytest.fixture
def hostile(make_clusters):
    return compare(make_clusters(classes=HOSTILE), heads=["logreg", "dummy"], folds=3, draws=200)


def rendered(comparison):
    console = Console(file=io.StringIO(), width=200)
    console.print(render_table(comparison))
    return " ".join(console.file.getvalue().split())  # the heading is wrapped to the width of the table


def test_the_table_names_the_heads_in_order_with_their_scores(comparison):
    text = rendered(comparison)
    places = [text.index(f"{result.balanced_accuracy:.3f} [") for result in comparison.results]
    assert places == sorted(places)
    assert "180 samples in 180 groups, 3 classes, 3 folds; no copies" in text
    assert "] worse" in text


def test_the_table_warns_of_copies_that_were_not_kept_together(make_features):
    label = np.tile(["a", "b"], 20)
    features = make_features(label, np.random.default_rng(0).normal(size=(40, 1, 2)), pixel_digest=np.full(40, "x"))
    assert "39 copies of images NOT kept together" in rendered(
        compare(features, heads=["dummy"], groups="none", folds=2, draws=100)
    )


def test_the_table_tells_of_heads_that_failed(comparison):
    object.__setattr__(comparison, "failures", (HeadFailure("mlp", "mlp failed in fold 1 of 3: out\nof memory"),))
    assert "mlp failed in fold 1 of 3: out of memory" in rendered(comparison)


def test_names_cannot_steer_the_terminal(hostile):
    text = rendered(hostile)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[red]A549[/red]" in text or any(name in text for name in ("He�[2JLa", "U-2 OS�"))


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


def test_pictures_leave_pyplot_alone(comparison):
    draw_confusion(comparison.best)
    draw_recalls(comparison.results)
    draw_reliability(comparison.results)
    assert pyplot.get_fignums() == []


def test_no_label_of_the_confusion_matrix_is_cut_off(make_clusters):
    names = tuple(f"a rather long cell line name {i}" for i in range(9))
    result = compare(make_clusters(n=180, classes=names), heads=["dummy"], folds=3, draws=100).best
    figure = draw_confusion(result)
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    for axes in figure.axes:
        for text in [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes.xaxis.label]:
            box = text.get_window_extent()
            assert box.x0 >= -0.5
            assert box.y0 >= -0.5
            assert box.x1 <= width + 0.5
            assert box.y1 <= height + 0.5


def test_reliability_leaves_out_bins_of_a_few_samples_and_shows_both_kinds(make_clusters):
    result = compare(make_clusters(n=300, separation=1), heads=["logreg"], folds=3, draws=100).best
    (axes,) = draw_reliability([result]).axes
    _, before, after = axes.lines
    for line, name in ((before, "reliability_uncalibrated"), (after, "reliability")):
        shown = [bin_ for bin_ in result.metrics[name] if bin_[2] >= 10]
        assert 0 < len(shown) < len(result.metrics[name])
        assert line.get_xydata() == pytest.approx(np.array(shown)[:, :2])


def test_score_lines_tell_what_abstaining_would_keep(make_clusters):
    result = compare(make_clusters(), heads=["logreg"], folds=3, draws=100).best
    (line,) = (line for line in score_lines(result) if line.startswith("predict --min-probability: "))
    first = next(row for row in result.metrics["abstaining"] if row["kept"] < 1)
    assert f"{first['min_probability']:g} keeps {first['kept']:.0%}, {first['accuracy']:.1%} right" in line


def test_score_lines_tell_what_calibration_did(make_clusters):
    lines = score_lines(compare(make_clusters(), heads=["logreg"], folds=3, draws=100).best)
    assert any(line.startswith("probabilities calibrated by temperature 0.") for line in lines)
    plain = score_lines(compare(make_clusters(), heads=["logreg"], folds=3, draws=100, calibrate="none").best)
    assert any(line.startswith("probabilities as the head gives them") for line in plain)


def test_lines_tell_how_often_sets_hold_the_true_class(comparison):
    sets = comparison.best.metrics["prediction_sets"]
    by_fold = np.array(sets["per_class_coverage_per_fold"])
    heading, best, *_ = set_lines(comparison)
    assert heading == "predict --coverage 0.9, on held-out folds:"
    assert f"{sets['mean_size']:.2f} classes a set" in best
    assert best.endswith(f" {by_fold.min():.3f}")
    table = score_lines(comparison.best)[-3:]
    for line, covered, folds in zip(table, sets["per_class_coverage"], by_fold.T, strict=True):
        assert line.endswith(f"  {covered:.3f}, {folds.min():.3f} to {folds.max():.3f}")


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_predictions_are_written_under_the_names_asked_for(tmp_path):
    path = tmp_path / "out" / "predictions.csv"
    save_predictions_csv(path, ["9633", "9634"], ["HeLa", "U-2 OS"])
    assert path.read_text(encoding="utf-8") == "file_id,cell_line\n9633,HeLa\n9634,U-2 OS\n"
    save_predictions_csv(
        path,
        ["1"],
        ["b"],
        id_column="id",
        label_column="phase",
        probabilities=np.array([[0.25, 0.75]]),
        classes=["a", "b"],
    )
    assert read_csv(path) == [["id", "phase", "a", "b"], ["1", "b", "0.250000", "0.750000"]]


def test_further_columns_stand_between_the_class_and_the_probabilities(tmp_path):
    path = tmp_path / "p.csv"
    more = {"set": ["=a|b"], "set_size": ["2"]}
    save_predictions_csv(path, ["1"], ["b"], more=more, probabilities=np.array([[0.25, 0.75]]), classes=["=a", "b"])
    assert read_csv(path) == [
        ["file_id", "cell_line", "set", "set_size", "'=a", "b"],
        ["1", "b", "'=a|b", "2", "0.250000", "0.750000"],
    ]


def test_samples_without_a_prediction_have_empty_cells(tmp_path):
    path = tmp_path / "predictions.csv"
    save_predictions_csv(path, ["1"], [""], probabilities=np.full((1, 2), np.nan), classes=["a", "b"])
    assert read_csv(path)[1:] == [["1", "", "", ""]]


def test_formulas_in_names_are_not_run_by_a_spreadsheet(tmp_path):
    path = tmp_path / "predictions.csv"
    save_predictions_csv(path, ["=HYPERLINK(1)", "-7"], ["@SUM(A1)", 'a "quoted", name'])
    assert read_csv(path)[1:] == [["'=HYPERLINK(1)", "'@SUM(A1)"], ["-7", 'a "quoted", name']]


@pytest.mark.parametrize("text", ["=1", "+a", "-a", "-1+1", "@x", "\tx", "\r=1", "+1e", "-1.2.3", "--1"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert harmless_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1", "+1.5", "-1.5e-3", "-.5", "5", "name", "a=b", ""])
def test_plain_numbers_and_names_stay_as_they_are(text):
    assert harmless_cell(text) == text


def test_ids_and_predictions_of_unequal_number_are_refused(tmp_path):
    with pytest.raises(ValueError):
        save_predictions_csv(tmp_path / "p.csv", ["1", "2"], ["a"])
    assert not list(tmp_path.iterdir())


def test_clean_text_keeps_the_letters_of_all_scripts():
    assert clean_text("Zelle µ 細胞 A-549") == "Zelle µ 細胞 A-549"
    assert clean_text("a\nb\x9bc\u200bd") == "a�b�c�d"
