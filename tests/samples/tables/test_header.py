"""Titles above the header, comments, and lines of types or units below it are left out, and named."""

import gzip

import openpyxl
import pytest

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.importing import import_table
from cellfeat.samples.tables.file import read_table_file
from cellfeat.samples.tables.header import Header, find_header

NAMES = ["id", "label", "area", "mean"]
SAMPLES = [[f"img_{i:02}", "AB"[i % 2], f"{i * 1.37 % 5:.2f}", f"{i * 2.11 % 7:.2f}"] for i in range(20)]
ROWS = [NAMES, *SAMPLES]
ABOVE = {
    "one cell": [["Experiment 12"]],
    "one cell of all": [["Experiment 12", "", "", ""], ["", "", "", ""]],
    "words and values": [["Experiment", "12", "", ""], ["Date", "2024-05-01", "", ""]],
    "a comma": [["Operator: X", " Y"]],
    "several kinds": [["Experiment 12"], ["Operator: X", " Y"], []],
    "empty cells": [["", "", "", ""]],
    "a comment of another kind": [["% exported"]],
    "a quoted comment": [['"# exported, by a program"']],
    "an indented comment": [["  # exported"]],
}
BELOW = {
    "types": ["string", "category", "float", "float"],
    "units": ["", "", "um2", "a.u."],
    "units and dashes": ["-", "-", "[µm²]", "%"],
    "units of any name": ["Units", "", "squared pixels", "grey levels"],
    "types of QIIME": ["#q2:types", "categorical", "numeric", "numeric"],
    "names again": ["id", "-", "um2", "ratio"],
}


def text(rows, separator=","):
    return "".join(separator.join(row) + "\n" for row in rows)


def read_both(path):
    """The rows that both readers give, and what they say."""
    table = read_table_file(path)
    imported = import_table(path)
    assert list(table.cells) == NAMES
    assert table.cells.to_numpy().tolist() == SAMPLES
    assert list(imported.features.samples.ids) == [row[0] for row in SAMPLES]
    assert list(imported.features.provenance["imported"]["columns"]) == NAMES[2:]
    said = [line for line in imported.remarks if "ignored" in line]
    assert said == list(table.remarks)
    return said


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("above", ABOVE.values(), ids=ABOVE)
def test_titles_above_the_header_are_left_out_and_named(tmp_path, above, separator):
    path = tmp_path / "a.csv"
    path.write_text(text([*above, *ROWS], separator), encoding="utf-8-sig")
    said = read_both(path)
    titles = [str(number) for number, row in enumerate(above, 1) if any(row)]
    assert [line for line in said if f"line {', '.join(titles)} (" in line] == (said if titles else [])
    assert len(said) == bool(titles)


@pytest.mark.parametrize("row", BELOW.values(), ids=BELOW)
def test_a_row_of_types_or_units_is_no_sample(tmp_path, row):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text([["Experiment 12"], NAMES, row, *SAMPLES]).encode()))
    titles, types = read_both(path)
    assert "line 1 (Experiment 12)" in titles
    assert "line 3" in types
    assert "units" in types


def test_titles_and_units_of_excel_are_left_out_and_named(tmp_path):
    book = openpyxl.Workbook()
    for row in [["Experiment", 12], [], ["# exported"], NAMES, ["-", "-", "µm²", "AU"], *SAMPLES]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    titles, types = read_both(tmp_path / "a.xlsx")
    assert "row 1, 3 (Experiment, 12)" in titles
    assert "row 5" in types


def test_types_and_units_may_stand_in_two_rows(tmp_path):
    (tmp_path / "a.csv").write_text(text([NAMES, BELOW["types"], BELOW["units"], *SAMPLES]))
    types, units = read_both(tmp_path / "a.csv")
    assert "line 2" in types
    assert "line 3" in units


def test_comments_among_the_rows_are_left_out_and_named(tmp_path):
    (tmp_path / "a.csv").write_text(text([NAMES, ["# first"], *SAMPLES, ["# end"]]))
    (said,) = read_both(tmp_path / "a.csv")
    assert "line 2, 23" in said


PLAIN = {
    "pandas": [["", "label"], ["img_1", "A"], ["img_2", "A"]],
    "a series of numbers": [["", "score"], ["img_1", "1.5"], ["img_2", "2.5"]],
    "names of two columns alone": [["id", "label", "", ""], ["a", "x", "c", "d"], ["b", "y", "e", "f"]],
    "different words": [["file", "name"], ["a.png", "first"], ["b.png", "second"]],
    "row names of R": [["label", "donor"], ["img_1", "A", "d1"], ["img_2", "A", "d2"]],
    "two lines of names": [["", "Cells", "Cells"], ["id", "label", "area"], ["a", "x", "1"]],
    "a class called text": [["id", "label"], ["1", "text"], ["2", "string"]],
    "a class called m": [["id", "label"], ["A", "m"], ["B", "h"], ["C", "m"]],
    "a sample without numbers": [["id", "area", "mean"], ["a", "failed", "failed"], ["b", "1", "2"]],
    "a number without a sample": [["id", "area"], ["1", "failed"], ["2", "1"], ["3", "2"]],
    "a missing number": [["id", "area"], ["a", "none"], ["b", "1"]],
    "numbers alone": [["400", "450"], ["1", "2"], ["3", "4"]],
    "a single column": [["id"], ["label"], ["a"], ["b"]],
    "no rows": [["Experiment 12"]],
}


@pytest.mark.parametrize("rows", PLAIN.values(), ids=PLAIN)
def test_rows_that_are_samples_stay(rows):
    assert find_header(rows) == Header()


def test_titles_that_are_not_certain_are_named_in_the_error(tmp_path):
    (tmp_path / "b.csv").write_text(text([["x"], ["400", "450", "500"], ["1", "2", "3"], ["4", "5", "6"]]))
    with pytest.raises(ManifestError, match=r"expected 1 cells .* got 3.*titles"):
        read_table_file(tmp_path / "b.csv")


def test_commas_in_a_single_column_of_text_are_no_separators(tmp_path):
    (tmp_path / "a.csv").write_text("name\nSmith; John\nDoe; Jane\nRoe; Max\n")
    assert read_table_file(tmp_path / "a.csv").cells["name"].tolist()[0] == "Smith; John"


def test_lines_that_are_no_samples_are_shown_in_the_error(tmp_path):
    (tmp_path / "a.csv").write_text(text([*ROWS, ["20 rows exported"]]))
    with pytest.raises(ManifestError, match=r"line 22.*got 1.*20 rows exported.*remove"):
        read_table_file(tmp_path / "a.csv")


def test_two_lines_of_names_are_refused_with_advice(tmp_path):
    (tmp_path / "a.csv").write_text(text([["", "", "Cells", "Cells"], *ROWS]))
    with pytest.raises(ManifestError, match=r"column Cells occurs more than once.*two lines"):
        read_table_file(tmp_path / "a.csv")
