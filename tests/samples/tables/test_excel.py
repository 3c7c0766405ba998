"""Tables in Excel files as labs have them, written by openpyxl."""

import datetime
import zipfile
from pathlib import Path

import pytest

from cellfeat.errors import ManifestError
from cellfeat.samples.tables import excel
from cellfeat.samples.tables.file import read_table_file

openpyxl = pytest.importorskip("openpyxl")

HEADER = ["file_id", "cell_line"]


@pytest.fixture
def book():
    return openpyxl.Workbook()


@pytest.fixture
def read(tmp_path: Path, book):
    """Fill the first sheet with rows, and read the file; a function given to it changes the sheet first."""

    def read_rows(rows, change=None):
        for row in rows:
            book.active.append(row)
        if change is not None:
            change(book.active)
        book.save(tmp_path / "labels.xlsx")
        table = read_table_file(tmp_path / "labels.xlsx")
        return table.cells.to_numpy().tolist(), "\n".join(table.remarks)

    return read_rows


def test_numbers_and_missing_cells_are_read_as_shown(read):
    cells, said = read([HEADER, [1.0, "NA"], [2.5, None], [0.1 + 0.2, "Zürich"], [None, None], [10**15, True]])
    assert cells == [["1", "NA"], ["2.5", ""], ["0.3", "Zürich"], ["1000000000000000", "True"]]
    assert said == ""


def test_table_need_not_begin_in_the_first_cell(tmp_path, book):
    for row, values in enumerate([HEADER, [1, "HeLa"]], start=4):
        for column, value in enumerate(values, start=3):
            book.active.cell(row, column, value)
    book.save(tmp_path / "labels.xlsx")
    cells = read_table_file(tmp_path / "labels.xlsx").cells
    assert cells.to_numpy().tolist() == [["1", "HeLa"]]
    assert cells.index.tolist() == [5]


def test_zeros_of_a_number_format_are_kept(read):
    def pad(sheet):
        for cell in sheet["A"][1:]:
            cell.number_format = "00000"

    assert read([HEADER, [1, "HeLa"], [20, "RT4"]], pad)[0] == [["00001", "HeLa"], ["00020", "RT4"]]


def test_dates_among_text_are_named(read):
    day = datetime.datetime(2024, 9, 2)
    cells, said = read([[*HEADER, "day"], [1, "TP53", day], [2, day, day], [3, "x", datetime.datetime(2024, 9, 2, 8)]])
    assert cells[1] == ["2", "2024-09-02", "2024-09-02"]
    assert cells[2][2] == "2024-09-02 08:00:00"
    assert "column cell_line: 1 dates among other values: B3 2024-09-02" in said
    assert "column day" not in said


def test_merged_cells_have_their_value_in_each_row(read):
    rows = [HEADER, [1, "HeLa"], [2, None], [3, None], [4, "RT4"], [5, None]]
    cells, said = read(rows, lambda sheet: sheet.merge_cells("B2:B4"))
    assert [label for _, label in cells] == ["HeLa", "HeLa", "HeLa", "RT4", ""]
    assert "B2:B4" in said


def test_hidden_rows_are_read_and_named(read):
    def hide(sheet):
        sheet.row_dimensions[3].hidden = True

    cells, said = read([HEADER, [1, "HeLa"], [2, "RT4"], [3, "HeLa"]], hide)
    assert len(cells) == 3
    assert "1 hidden rows are read like the others: row 3" in said


def test_errors_of_formulas_are_empty_cells(read):
    cells, said = read([HEADER, [1, "#N/A"], [2, "#REF!"], [3, "HeLa"]])
    assert [label for _, label in cells] == ["#N/A", "", "HeLa"]
    assert "B3 #REF!" in said
    assert "B2" not in said


def test_formulas_without_computed_values_are_refused(read):
    with pytest.raises(ManifestError, match=r"labels.xlsx: sheet 'Sheet': B2: formulas without computed values"):
        read([HEADER, [1, '="He"&"La"'], [2, "RT4"]])


def test_formula_whose_computed_value_is_empty_is_an_empty_cell(tmp_path, book, read):
    read([HEADER, [1, "HeLa"], [2, "formula"]])
    computed = tmp_path / "computed.xlsx"
    # openpyxl writes no computed values, so the cell is written as Excel does.
    with zipfile.ZipFile(tmp_path / "labels.xlsx") as source, zipfile.ZipFile(computed, "w") as changed:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("sheet1.xml"):
                start = content.index(b'<c r="B3"')
                end = content.index(b"</c>", start) + len(b"</c>")
                content = content[:start] + b'<c r="B3" t="str"><f>IF(A3&gt;1,"","x")</f><v></v></c>' + content[end:]
            changed.writestr(name, content)
    assert read_table_file(computed).cells["cell_line"].tolist() == ["HeLa", ""]


def test_first_sheet_that_is_visible_and_not_empty_is_read(book, read):
    hidden = book.create_sheet("lists", 0)
    hidden.append(["x"])
    hidden.sheet_state = "hidden"
    book.create_sheet("Sheet2", 0)
    book.create_sheet("notes").append(["later"])
    book.active = book["Sheet"]
    cells, said = read([HEADER, [1, "HeLa"]])
    assert cells == [["1", "HeLa"]]
    assert "sheet 'Sheet' is read" in said
    assert "'lists' (hidden), 'notes'" in said


def test_error_names_the_sheet_that_was_read(book, read):
    book.create_sheet("labels").append(HEADER)
    with pytest.raises(ManifestError, match=r"no samples.*'Sheet' is read.*'labels'"):
        read([["see the other sheet"]])


def test_empty_and_damaged_files_are_refused(tmp_path, book, read):
    with pytest.raises(ManifestError, match=r"labels.xlsx: is empty"):
        read([])
    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook")
    with pytest.raises(ManifestError, match=r"labels.xlsx: cannot be read as Excel"):
        read_table_file(tmp_path / "labels.xlsx")


def test_sheet_too_large_for_memory_is_refused(monkeypatch, read):
    monkeypatch.setattr(excel, "MAX_SHEET_BYTES", 1_000)
    with pytest.raises(ManifestError, match=r"labels.xlsx: a sheet of more than 1,000 bytes.*CSV"):
        read([HEADER, *([i, "HeLa"] for i in range(100))])
