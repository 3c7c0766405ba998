import pytest

from cellfeat.config import LabelsSettings
from cellfeat.errors import ManifestError, MissingFileError
from cellfeat.samples.labels.table import read_labels


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_byte_order_mark_and_white_space_do_not_matter(labels_csv, separator):
    file = labels_csv("\ufefffile_id,cell_line,plate\n 1 , HeLa,p1\n\n2,,p2\n".replace(",", separator))

    table = read_labels(LabelsSettings(), file).cells

    assert table.to_dict("list") == {"file_id": ["1", "2"], "cell_line": ["HeLa", ""], "plate": ["p1", "p2"]}
    assert list(table.index) == [2, 4]


def test_cells_stay_text(labels_csv):
    file = labels_csv('file_id,cell_line,dose\n007,Na,1.50\n008,"A, B",none\n')

    table = read_labels(LabelsSettings(), file).cells

    assert table.to_numpy().tolist() == [["007", "Na", "1.50"], ["008", "A, B", "none"]]


def test_column_without_a_name_is_ignored(labels_csv):
    table = read_labels(LabelsSettings(), labels_csv(",file_id,cell_line\n0,1,HeLa\n")).cells

    assert list(table.columns) == ["file_id", "cell_line"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("file_id,cell_line\n", "header but no samples"),
        ("id,cell_lines\n1,HeLa\n", r"'file_id' \(labels.id\).*did you mean 'cell_lines'"),
        ("file_id,cell_line\n1,HeLa\n,A549\n3,RT4\n ,A549\n", "no file_id in line 3, 5"),
        ("file_id,cell_line\n1,HeLa\n2,RT4,p1\n3\n", "line 3, 4: expected 2 cells"),
        ("file_id,cell_line,cell_line\n1,HeLa,RT4\n", "cell_line occurs more than once"),
        ('file_id,cell_line\n1,"HeLa\n', "line 2: not a CSV table"),
    ],
)
def test_malformed_table_is_refused_with_its_line(labels_csv, text, message):
    file = labels_csv(text)

    with pytest.raises(ManifestError, match=message) as raised:
        read_labels(LabelsSettings(), file)

    assert str(file) in str(raised.value)


def test_every_column_of_the_settings_must_exist(labels_csv):
    settings = LabelsSettings(group="plate", files=["blue", "red"])

    with pytest.raises(ManifestError, match=r"'plate'.*'blue'.*'red'"):
        read_labels(settings, labels_csv("file_id,cell_line,site\n1,HeLa,s1\n"))


def test_missing_table_suggests_labels_none(tmp_path):
    with pytest.raises(MissingFileError, match=r"--labels none"):
        read_labels(LabelsSettings(), tmp_path / "absent.csv")


def test_other_encoding_is_refused(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes("file_id,cell_line\n1,Zürich\n".encode("mac_roman"))

    with pytest.raises(ManifestError, match="not UTF-8"):
        read_labels(LabelsSettings(), file)


WORDS = ("NA", "nan", "NaN", "None", "NULL", "#N/A", "N/A", "<NA>")


@pytest.mark.parametrize("word", WORDS)
def test_words_for_missing_values_are_empty_cells(labels_csv, word):
    rows = "".join(f"{i},{'HeLa' if i < 4 else word},{'d1' if i < 3 else word},{word}\n" for i in range(1, 7))
    table = read_labels(LabelsSettings(group="donor"), labels_csv(f"file_id,cell_line,donor,dose\n{rows}"))

    assert table.cells["cell_line"].tolist() == ["HeLa"] * 3 + [""] * 3
    assert table.cells["donor"].tolist() == ["d1"] * 2 + [""] * 4
    assert table.cells["dose"].tolist() == [""] * 6
    label, group, further = table.remarks
    assert all(part in label for part in ("3 labels", "labels.csv", repr(word), "labels.missing=[]"))
    assert all(part in group for part in ("4 groups", repr(word), "labels.missing=[]"))
    assert f"dose (6 cells: {word!r})" in further


def test_words_for_missing_values_can_be_chosen(labels_csv):
    file = labels_csv("file_id,cell_line\n1,NA\n2,unknown\n3,None\n")

    assert read_labels(LabelsSettings(missing=[]), file).cells["cell_line"].tolist() == ["NA", "unknown", "None"]
    chosen = read_labels(LabelsSettings(missing=["unknown"]), file)
    assert chosen.cells["cell_line"].tolist() == ["NA", "", "None"]
    assert "1 labels" in chosen.remarks[0]
    assert "'unknown'" in chosen.remarks[0]


def test_ids_and_file_names_are_never_missing(labels_csv):
    file = labels_csv("file_id,cell_line,path\nNA,HeLa,None\n")
    assert read_labels(LabelsSettings(files="path"), file).cells.loc[2].tolist() == ["NA", "HeLa", "None"]


def test_class_that_looks_like_a_missing_value_is_named(labels_csv):
    table = read_labels(LabelsSettings(), labels_csv("file_id,cell_line\n1,Na\n2,Na\n3,Cl\n4,NA\n"))

    assert table.cells["cell_line"].tolist() == ["Na", "Na", "Cl", ""]
    assert any(
        "2 labels" in line and "'Na'" in line and 'labels.missing=["NA", "Na"]' in line for line in table.remarks
    )


def test_empty_labels_are_counted(labels_csv):
    (line,) = read_labels(LabelsSettings(), labels_csv("file_id,cell_line\n1,HeLa\n2,  \n3,\n")).remarks
    assert line.startswith("2 labels in")


def test_labels_that_white_space_keeps_apart_are_joined_and_named(labels_csv):
    table = read_labels(LabelsSettings(), labels_csv("file_id,cell_line\n1,HeLa\n2,HeLa \n3, RT4\n"))

    assert table.cells["cell_line"].tolist() == ["HeLa", "HeLa", "RT4"]
    assert "'HeLa' and 'HeLa '" in table.remarks[0]
    assert "RT4" not in table.remarks[0]


@pytest.mark.parametrize("written", ["File ID", "file-id", "FILE_ID", "fileid"])
def test_column_that_differs_in_case_or_spaces_is_suggested(labels_csv, written):
    with pytest.raises(ManifestError, match=f"'file_id' .*did you mean '{written}'"):
        read_labels(LabelsSettings(), labels_csv(f"{written},cell_line,file\n1,HeLa,a\n"))
