import pytest

from cellfeat.config import LabelsSettings
from cellfeat.errors import ManifestError, MissingFileError
from cellfeat.samples.labels import read_labels


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_byte_order_mark_and_white_space_do_not_matter(labels_csv, separator):
    file = labels_csv("\ufefffile_id,cell_line,plate\n 1 , HeLa,p1\n\n2,,p2\n".replace(",", separator))

    table = read_labels(LabelsSettings(), file)

    assert table.to_dict("list") == {"file_id": ["1", "2"], "cell_line": ["HeLa", ""], "plate": ["p1", "p2"]}
    assert list(table.index) == [2, 4]


def test_cells_stay_text(labels_csv):
    table = read_labels(LabelsSettings(), labels_csv('file_id,cell_line,dose\n007,NA,1.50\n008,"A, B",None\n'))

    assert table.to_numpy().tolist() == [["007", "NA", "1.50"], ["008", "A, B", "None"]]


def test_column_without_a_name_is_ignored(labels_csv):
    table = read_labels(LabelsSettings(), labels_csv(",file_id,cell_line\n0,1,HeLa\n"))

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
    file.write_bytes("file_id,cell_line\n1,Zürich\n".encode("latin-1"))

    with pytest.raises(ManifestError, match="not UTF-8"):
        read_labels(LabelsSettings(), file)
