import gzip
import io
import zipfile

import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.samples.tables.file import read_table_file

TEXT = "file_id,cell_line,plate\n1,HeLa,p1\n2,Zürich,\n"
CELLS = [["1", "HeLa", "p1"], ["2", "Zürich", ""]]


def cells_of(file):
    table = read_table_file(file).cells
    assert list(table.columns) == ["file_id", "cell_line", "plate"]
    return table.to_numpy().tolist()


@pytest.mark.parametrize("name", ["labels.csv.gz", "labels.csv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_is_read_in_the_encodings_of_spreadsheets(tmp_path, name, encoding, separator):
    content = TEXT.replace(",", separator).replace("\n", "\r\n").encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert cells_of(tmp_path / name) == CELLS


WESTERN = "file_id;cell_line;plate\n1;Größe;p1\n2;Grand Café;p2\n3;5 µm, 37 °C;p3\n4;señal 2×;p4\n"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western_text_without_utf_8_is_read_and_named(labels_csv, encoding):
    file = labels_csv("")
    file.write_bytes(WESTERN.encode(encoding))
    table = read_table_file(file)
    assert table.cells["cell_line"].tolist() == ["Größe", "Grand Café", "5 µm, 37 °C", "señal 2×"]
    (line,) = table.remarks
    assert all(part in line for part in (str(file), "Windows-1252", "Größe", "Café", "µm", "señal"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe", "mac_roman"),
        ("Café", "mac_roman"),
        ("Контроль", "cp1251"),
        ("Μάρτυρας", "cp1253"),
        ("Łódź", "cp1250"),
        ("kontrolní vzorek č. ž", "cp1250"),
        ("şişe", "cp1254"),
        ("対照", "shift_jis"),
        ("Größe", "cp437"),
    ],
)
def test_text_that_may_be_of_another_encoding_is_refused(labels_csv, text, encoding):
    file = labels_csv("")
    file.write_bytes(f"file_id,cell_line\n1,HeLa\n2,{text}\n".encode(encoding))
    with pytest.raises(ManifestError, match=r"line 3: not UTF-8 text.*(uncertain|mixed).*CSV UTF-8"):
        read_table_file(file)


def test_utf_8_with_a_damaged_part_is_refused(labels_csv):
    file = labels_csv("")
    file.write_bytes("file_id,cell_line\n1,Zürich\n".encode() + "2,Zürich\n".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"line 3: .*damaged or mixed"):
        read_table_file(file)


def test_big_endian_utf_16_is_read(labels_csv):
    file = labels_csv("")
    file.write_bytes(b"\xfe\xff" + TEXT.encode("utf-16-be"))
    assert cells_of(file) == CELLS


def test_first_line_of_excel_names_the_separator(labels_csv):
    assert cells_of(labels_csv("sep=;\n" + TEXT.replace(",", ";"))) == CELLS
    with pytest.raises(ManifestError, match="line 4: expected 3 cells"):
        read_table_file(labels_csv("sep=;\n" + TEXT.replace(",", ";").replace(";\n", "\n")))


def test_separators_inside_quotes_of_the_header_do_not_count(labels_csv):
    table = read_table_file(labels_csv('"a, b, c, d";file_id;x\n1;2;3\n')).cells
    assert list(table.columns) == ["a, b, c, d", "file_id", "x"]


def test_empty_columns_and_rows_of_spreadsheets_are_ignored(labels_csv):
    assert cells_of(labels_csv("file_id,cell_line,plate,,\n1,HeLa,p1,,\n2,Zürich,,,\n,,,,\n,,,,\n")) == CELLS
    assert cells_of(labels_csv("file_id,cell_line,plate\n1,HeLa,p1,,\n2,Zürich,,\n")) == CELLS


@pytest.mark.parametrize("separator", [" ", "\t", ","])
def test_row_names_of_r_are_ignored_and_named(labels_csv, separator):
    lines = ['"file_id" "cell_line" "plate"', '"a" "1" "HeLa" "p1"', '"b" "2" "Zürich" ""']
    file = labels_csv("\n".join(lines).replace(" ", separator))

    assert cells_of(file) == CELLS
    (line,) = read_table_file(file).remarks
    assert "row names" in line
    assert "'file_id'" in line


def test_cells_may_hold_any_character_but_line_ends(labels_csv):
    odd = "He\u2028La\x0bx\x85"
    assert read_table_file(labels_csv(f"file_id,cell_line\n1,{odd}\n")).cells["cell_line"].tolist() == [odd]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("comments", ["# exported by a program\n", "#a, b; c\n# 2024\n\n", "\n# x\n"])
def test_comments_above_the_header_are_ignored_and_named(labels_csv, separator, comments):
    file = labels_csv(comments + TEXT.replace(",", separator))
    assert cells_of(file) == CELLS
    table = read_table_file(file)
    assert list(table.cells.index) == [comments.count("\n") + 2, comments.count("\n") + 3]
    (line,) = table.remarks
    assert f"{comments.count('#')} line" in line


def test_header_that_begins_like_a_comment_is_a_header(labels_csv):
    table = read_table_file(labels_csv("# exported\n#file_id,cell_line\n1,HeLa\n#2,RT4\n"))
    assert list(table.cells) == ["#file_id", "cell_line"]
    assert table.cells["#file_id"].tolist() == ["1", "#2"]


@pytest.mark.parametrize("written", ['"=""{}"""', '="{}"', "'{}", "'{}'"])
def test_marks_that_keep_a_value_text_are_removed_and_named(labels_csv, written):
    rows = "".join(
        f"{written.format(one)},{label}\n" for one, label in [("001", "HeLa"), ("", "=x"), ("02", "'t Hooft")]
    )
    table = read_table_file(labels_csv(f"file_id,cell_line\n{rows}"))
    assert table.cells["file_id"].str.strip().tolist()[0::2] == ["001", "02"]
    assert table.cells["cell_line"].tolist() == ["HeLa", "=x", "'t Hooft"]
    (line,) = table.remarks
    assert "file_id" in line


def test_quotation_marks_of_some_values_stay(labels_csv):
    table = read_table_file(labels_csv("file_id,cell_line\n'1,HeLa\n2,RT4\n"))
    assert table.cells["file_id"].tolist() == ["'1", "2"]
    assert table.remarks == ()


def parquet_cells(tmp_path, frame, **options):
    frame.to_parquet(tmp_path / "labels.parquet", **options)
    table = read_table_file(tmp_path / "labels.parquet").cells
    return {str(name): table[name].tolist() for name in table}


def test_parquet_values_become_text(tmp_path):
    frame = pd.DataFrame(
        {
            "file_id": [1, 2, 3],
            "number": pd.array([2**60 + 1, None, 0], dtype="Int64"),
            "float": [1.0, None, 0.5],
            "bool": [True, False, None],
            "category": pd.Categorical(["HeLa", None, "RT4"]),
            "text": ["007", "NA", ""],
        }
    )
    assert parquet_cells(tmp_path, frame) == {
        "file_id": ["1", "2", "3"],
        "number": [str(2**60 + 1), "", "0"],
        "float": ["1", "", "0.5"],
        "bool": ["True", "False", ""],
        "category": ["HeLa", "", "RT4"],
        "text": ["007", "NA", ""],
    }


def test_days_of_parquet_are_written_as_in_csv_and_times_are_kept(tmp_path):
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-01-01", None]),
            "time": pd.to_datetime(["2026-01-01 10:30:00", "2026-01-02 00:00:00"]),
        }
    )
    frame.to_csv(tmp_path / "labels.csv", index=False)
    in_csv = read_table_file(tmp_path / "labels.csv").cells.to_dict("list")
    assert parquet_cells(tmp_path, frame) == in_csv
    assert in_csv["day"] == ["2026-01-01", ""]


def test_named_index_of_parquet_is_a_column(tmp_path):
    frame = pd.DataFrame({"cell_line": ["HeLa"]}, index=pd.Index(["a"], name="file_id"))
    assert parquet_cells(tmp_path, frame) == {"file_id": ["a"], "cell_line": ["HeLa"]}


def test_index_of_texts_of_parquet_is_a_column_also_without_a_name(tmp_path):
    frame = pd.DataFrame({"cell_line": ["HeLa", "RT4"]}, index=["a", "b"])
    assert parquet_cells(tmp_path, frame) == {"__index_level_0__": ["a", "b"], "cell_line": ["HeLa", "RT4"]}
    assert parquet_cells(tmp_path, frame.set_axis([3, 5])) == {"cell_line": ["HeLa", "RT4"]}


def test_names_end_where_all_rows_do(labels_csv):
    assert cells_of(labels_csv(TEXT.replace("plate\n", "plate,,\n"))) == CELLS


def test_content_decides_and_not_the_ending(tmp_path):
    frame = pd.DataFrame({"file_id": ["1", "2"], "cell_line": ["HeLa", "Zürich"], "plate": ["p1", None]})
    frame.to_parquet(tmp_path / "labels.csv")
    assert cells_of(tmp_path / "labels.csv") == CELLS


def test_excel_without_openpyxl_is_refused_with_advice(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    monkeypatch.setattr("cellfeat.samples.tables.excel.find_spec", lambda _name: None)
    with pytest.raises(ManifestError, match=r"labels.xlsx.*pip install 'cellfeat\[excel\]'.*CSV UTF-8"):
        read_table_file(tmp_path / "labels.xlsx")


def zipped(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, TEXT)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(TEXT.encode())[:-9], "damaged gzip"),
        (gzip.compress(zipped("labels.csv")), "a zip archive"),
        (b"PAR1" + TEXT.encode(), "cannot be read as Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "before 2007"),
        (zipped("labels.csv"), "a zip archive"),
        (zipped("labels.csv")[:40], "damaged Excel or zip"),
        (TEXT.encode("utf-16-le"), "NUL|not UTF-8"),
        (TEXT.encode("utf-16")[:-1], "not UTF-16"),
    ],
    # The bytes have the time in them, and each process of the tests would make other ids of them.
    ids=[
        "cut gzip", "zip in gzip", "Parquet", "old Excel", "zip", "cut zip", "UTF-16 no mark", "cut UTF-16",
    ],
)  # fmt: skip
def test_other_content_is_refused(labels_csv, content, message):
    file = labels_csv("")
    file.write_bytes(content)
    with pytest.raises(ManifestError, match=message) as raised:
        read_table_file(file)
    assert str(file) in str(raised.value)


def test_zip_of_a_version_that_python_does_not_read_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    content = bytearray((tmp_path / "labels.xlsx").read_bytes())
    # The version that is needed to read an entry, in the directory at the end.
    content[content.index(b"PK\x01\x02") + 6] = 186
    (tmp_path / "labels.xlsx").write_bytes(content)
    with pytest.raises(ManifestError, match=r"labels.xlsx: a damaged Excel or zip file: zip file version 18.6"):
        read_table_file(tmp_path / "labels.xlsx")
