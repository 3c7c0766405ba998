import pytest

from cellfeat.errors import ManifestError
from cellfeat.samples.labels.id_matching import match_ids

PLAIN = {"pattern": "{sample_id}.png"}
CSV = "file_id,cell_line\n{},HeLa\n{},RT4\n"


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("1.png", "1"), ("1.PNG", "1"), ("1.0", "1"), ("0001", "1"), ("1", "0001"), ("cell.tif", "cell"),
        ("A/8", "A/8.png"), ("A\\8", "A/8.png"), ("C:\\data\\008.tif", "8"), ("/home/me/cells/a.tif", "a"),
        ("D:\\cells\\A\\8.png", "A/8.png"), ("./A/8.png", "A/8.png"), ("//server/A/8", "A/8.png"),
    ],
)  # fmt: skip
def test_id_in_another_form_is_matched(written, known):
    assert match_ids([written, "other"], [known, "more"]) == {written: known}


@pytest.mark.parametrize(
    ("written", "known"), [("1", ["1", "01"]), ("1.0", ["1", "01"]), ("1.5", ["1"]), ("-1", ["1"]), ("a", ["A"]),
     ("data/8", ["A/8.png"]), ("B/8.png", ["A/8.png"]), ("data/8", ["8", "08"])]
)  # fmt: skip
def test_id_that_is_known_or_could_be_several_is_not_matched(written, known):
    assert match_ids([written], known) == {}


def test_ids_in_another_form_find_their_files_with_a_remark(build):
    manifest = build(["1.png", "2.png"], CSV.format("1.png", "02.0"), PLAIN)
    assert manifest.table[["sample_id", "label"]].to_numpy().tolist() == [["1", "HeLa"], ["2", "RT4"]]
    (line,) = manifest.remarks
    assert all(part in line for part in ("2 ids", "labels.csv", "'1.png' as '1'", "'02.0' as '2'"))


def test_number_pattern_takes_ids_with_endings(build):
    manifest = build(["00001.png", "00002.png"], CSV.format("00001.png", "2"), {"pattern": "{sample_id:05d}.png"})
    assert manifest.table["sample_id"].tolist() == ["1", "2"]


def test_two_forms_of_one_id_are_refused(build):
    with pytest.raises(ManifestError, match=r"more than one sample: 1 \(line 2, line 3\)"):
        build(["1.png"], CSV.format("1", "1.0"), PLAIN)


PATHS = "file_id,cell_line\nC:\\cells\\1.png,HeLa\nC:\\cells\\2.png,RT4\n"


def test_whole_paths_of_another_machine_find_their_files(build):
    manifest = build(["1.png", "2.png"], PATHS, PLAIN)
    assert manifest.table[["sample_id", "label"]].to_numpy().tolist() == [["1", "HeLa"], ["2", "RT4"]]
    (line,) = manifest.remarks
    assert "2 ids" in line


def test_paths_of_several_folders_that_end_alike_are_refused(build):
    with pytest.raises(ManifestError, match=r"more than one sample: 1 \(line 2, line 3\)"):
        build(["1.png"], CSV.format("plate1/1.png", "plate2/1.png"), PLAIN)
