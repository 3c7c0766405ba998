import csv

import numpy as np
import pytest

from cellfeat.reporting.csv_table import save_predictions_csv
from cellfeat.text import harmless_cell


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_predictions_have_the_columns_asked_for(tmp_path):
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


def test_further_columns_precede_the_probabilities(tmp_path):
    path = tmp_path / "p.csv"
    more = {"set": ["=a|b"], "set_size": ["2"]}
    save_predictions_csv(path, ["1"], ["b"], more=more, probabilities=np.array([[0.25, 0.75]]), classes=["=a", "b"])
    assert read_csv(path) == [
        ["file_id", "cell_line", "set", "set_size", "'=a", "b"],
        ["1", "b", "'=a|b", "2", "0.250000", "0.750000"],
    ]


@pytest.mark.parametrize("name", ["set", "set_size", "file_id", "cell_line"])
def test_class_named_like_a_column_gets_a_heading_of_its_own(tmp_path, name):
    path = tmp_path / "p.csv"
    more = {"set": ["b"], "set_size": ["1"]}
    save_predictions_csv(path, ["1"], ["b"], more=more, probabilities=np.array([[0.25, 0.75]]), classes=[name, "b"])
    heading, _ = read_csv(path)
    assert heading == ["file_id", "cell_line", "set", "set_size", f"probability_{name}", "probability_b"]


def test_without_probabilities_classes_are_no_headings(tmp_path):
    path = tmp_path / "p.csv"
    save_predictions_csv(path, ["1"], ["set"], more={"set": ["set"]}, classes=["set", "b"])
    assert read_csv(path) == [["file_id", "cell_line", "set"], ["1", "set", "set"]]


def test_samples_without_a_prediction_have_empty_cells(tmp_path):
    path = tmp_path / "predictions.csv"
    save_predictions_csv(path, ["1"], [""], probabilities=np.full((1, 2), np.nan), classes=["a", "b"])
    assert read_csv(path)[1:] == [["1", "", "", ""]]


def test_formulas_in_names_are_defused(tmp_path):
    path = tmp_path / "predictions.csv"
    save_predictions_csv(path, ["=HYPERLINK(1)", "-7"], ["@SUM(A1)", 'a "quoted", name'])
    assert read_csv(path)[1:] == [["'=HYPERLINK(1)", "'@SUM(A1)"], ["-7", 'a "quoted", name']]


@pytest.mark.parametrize("text", ["=1", "+a", "-a", "-1+1", "@x", "\tx", "\r=1", "+1e", "-1.2.3", "--1"])
def test_formula_gets_an_apostrophe(text):
    assert harmless_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1", "+1.5", "-1.5e-3", "-.5", "5", "name", "a=b", ""])
def test_plain_text_is_unchanged(text):
    assert harmless_cell(text) == text


def test_ids_and_predictions_of_unequal_length_are_refused(tmp_path):
    with pytest.raises(ValueError):
        save_predictions_csv(tmp_path / "p.csv", ["1", "2"], ["a"])
    assert not list(tmp_path.iterdir())
