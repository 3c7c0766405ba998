import time

import imagecodecs
import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ConfigError, ManifestError, MissingFileError
from cellfeat.samples.manifest.build import build_manifest, label_by_id
from cellfeat.samples.manifest.class_checks import check_classes, rare_class_remarks
from tests.samples.image_files import files_of


def test_samples_keep_order_and_columns_of_the_labels_table(build):
    manifest = build(
        files_of(1, 2, 10), "file_id,plate,cell_line,donor\n10,p2,HeLa,d1\n00002,p1,,d2\n1.0,p1,RT4,d1\n",
        labels={"group": "donor"},
    )  # fmt: skip

    assert len(manifest) == 3
    assert manifest.columns == ("plate",)
    assert manifest.table.drop(columns=["file_red", "file_yellow"]).to_dict("list") == {
        "sample_id": ["10", "2", "1"],
        "label": ["HeLa", "", "RT4"],
        "group": ["d1", "d2", "d1"],
        "file_blue": ["00010_blue.png", "00002_blue.png", "00001_blue.png"],
        "plate": ["p2", "p1", "p1"],
    }
    assert manifest.files(1) == tuple(manifest.root / name for name in files_of(2))


def test_without_a_labels_table_samples_are_sorted_by_number(build):
    manifest = build(files_of(2, 10, 1), images={"pattern": "{sample_id:05d}_{channel}.png"})

    assert manifest.table["sample_id"].tolist() == ["1", "2", "10"]
    assert set(manifest.table["label"]) == {""}


def test_labels_and_ids_come_from_nested_patterns(build):
    names = ["RT4/a_blue.tif", "RT4/a_red.tif", "HeLa/b_blue.tif", "HeLa/b_red.tif"]

    manifest = build(names, images={"pattern": "{label}/{sample_id}_{channel}.tif", "channels": ["blue", "red"]})

    assert manifest.table[["sample_id", "label"]].to_numpy().tolist() == [["a", "RT4"], ["b", "HeLa"]]


def test_labels_come_from_the_pattern_without_a_label_column(build):
    manifest = build(
        ["RT4/1.tif", "HeLa/2.tif"], "file_id\n2\n1\n", {"pattern": "{label}/{sample_id:d}.tif"}, {"label": None}
    )

    assert manifest.table[["sample_id", "label", "file"]].to_numpy().tolist() == [
        ["2", "HeLa", "HeLa/2.tif"],
        ["1", "RT4", "RT4/1.tif"],
    ]


def test_class_folders_are_labels(build):
    manifest = build(["G2/a.tif", "G1/x/b.tif", "G1/notes.txt", "LICENSE"], images={"layout": "folders"})

    assert manifest.table[["sample_id", "label", "file"]].to_numpy().tolist() == [
        ["G1/x/b.tif", "G1", "G1/x/b.tif"],
        ["G2/a.tif", "G2", "G2/a.tif"],
    ]


def test_table_names_one_file_for_all_channels(build):
    manifest = build(["p1/a.tif", "b.tif"], "file_id,cell_line,path\nA,HeLa,p1\\a.tif\nB,RT4,./b.tif\n",
                     {"channels": [0, 1]}, {"files": "path"})  # fmt: skip

    assert manifest.table["file"].tolist() == ["p1/a.tif", "b.tif"]
    assert manifest.columns == ()


def test_table_names_a_file_for_each_channel(build):
    manifest = build(["a0.png", "a1.png"], "file_id,cell_line,dna,er\nA,HeLa,a0.png,a1.png\n",
                     {"channels": ["blue", "red"]}, {"files": ["dna", "er"]})  # fmt: skip

    assert [path.name for path in manifest.files(0)] == ["a0.png", "a1.png"]
    assert manifest.file_columns == ("file_blue", "file_red")


def test_unmatched_samples_can_be_ignored(build):
    manifest = build(files_of(1, 5, 30, 4), "file_id,cell_line,plate\n30,RT4,p\n7,RT4,p\n1,HeLa,p\n",
                     labels={"unmatched": "ignore"})  # fmt: skip

    assert manifest.table[["sample_id", "label", "plate"]].to_numpy().tolist() == [
        ["30", "RT4", "p"], ["1", "HeLa", "p"], ["4", "", ""], ["5", "", ""],
    ]  # fmt: skip


def test_listed_takes_the_samples_of_the_table_in_its_order(build):
    manifest = build(files_of(*range(1, 5)), "file_id\n4\n2\n", labels={"label": None, "unmatched": "listed"})
    assert manifest.table["sample_id"].tolist() == ["4", "2"]
    (unlisted,) = manifest.remarks
    assert unlisted.startswith("left out: 2 samples that have images and no row in")
    assert unlisted.endswith("labels.csv: 1, 3")


def test_listed_file_may_be_outside_of_class_folders(build):
    manifest = build(
        ["a.png", "G1/b.png", "G1/c.png"], "file_id\nG1/b.png\na.png\n", {"layout": "folders"},
        {"label": None, "unmatched": "listed"},
    )  # fmt: skip
    assert manifest.table[["sample_id", "label"]].to_numpy().tolist() == [["G1/b.png", "G1"], ["a.png", ""]]
    assert manifest.remarks[0].endswith("labels.csv: G1/c.png")
    assert len(manifest.remarks) == 1


def test_links_in_the_root_are_followed(build, touch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.png").touch()
    (touch() / "link").symlink_to(tmp_path / "elsewhere")
    manifest = build([], "file_id,cell_line,path\nA,HeLa,link/b.png\n", {"channels": [0]}, {"files": "path"})
    assert manifest.files(0)[0].is_file()


def test_unlisted_link_to_itself_is_ignored(build, touch):
    root = touch("a.png")
    (root / "loop").symlink_to("loop")
    csv = "file_id,cell_line,path\nA,HeLa,a.png\n"
    assert len(build([], csv, {"channels": [0]}, {"files": "path"})) == 1


def test_folder_that_is_a_link_to_itself_is_named(build, touch):
    (touch("a.png") / "loop").symlink_to("loop")
    csv = "file_id,cell_line,path\nA,HeLa,a.png\nB,RT4,loop/b.png\n"
    with pytest.raises(ManifestError, match=r"loop: the folder cannot be listed"):
        build([], csv, {"channels": [0]}, {"files": "path"})


def test_ids_that_do_not_fit_the_pattern_lead_to_one_that_fits(build):
    with pytest.raises(ManifestError, match=r"expected whole numbers.*images.pattern=\{sample_id\}.png"):
        build(["c1.png", "c2.png"], "file_id,cell_line\nc1,HeLa\nc2,RT4\n")


def test_ids_that_do_not_fit_the_pattern_are_named(build):
    with pytest.raises(ManifestError, match=r"expected whole numbers.*'A1'"):
        build(files_of(1), "file_id,cell_line\nA1,HeLa\n")


def test_further_column_with_a_reserved_name_is_refused(build):
    with pytest.raises(ManifestError, match="column label "):
        build(files_of(1), "file_id,cell_line,label\n1,HeLa,7\n")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        ({"layout": "pattern", "pattern": None}, {}, "needs images.pattern"),
        ({"layout": "table"}, {}, "needs a CSV that names the files"),
        ({"channels": ["1", 1]}, {}, "every channel once"),
        ({}, {"files": ["a", "b"]}, "2 columns"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(build, images, labels, message):
    with pytest.raises(ConfigError, match=message):
        build(files_of(1), images=images, labels=labels)


def test_missing_root_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"absent.*images.root"):
        build_manifest(ImagesSettings(root=tmp_path / "absent"), LabelsSettings(file=None))


def test_digest_depends_on_ids_files_and_channels_only(build):
    names, csv = files_of(1, 2), "file_id,cell_line\n1,HeLa\n2,RT4\n"
    digest = build(names, csv).digest()

    assert build(names, csv.replace("HeLa", "RT4")).digest() == digest
    assert build(names, "file_id,cell_line\n2,RT4\n1,HeLa\n").digest() != digest
    assert build(names, csv, {"channels": ["red", "blue", "yellow"]}).digest() != digest


def test_class_with_fewer_samples_than_folds_is_remarked(build):
    rows = "".join(f"{i},{'RT4' if i < 4 else 'HeLa'}\n" for i in range(1, 10))
    manifest = build(files_of(*range(1, 11)), f"file_id,cell_line\n{rows}10,\n")

    check_classes(manifest)
    assert rare_class_remarks(manifest, 3) == []
    (line,) = rare_class_remarks(manifest, 5)
    assert all(part in line for part in ("1 of 2 classes", "5 folds", "RT4 (3)", "comparison.leave_out"))


@pytest.mark.parametrize("form", ["{:.2f}", "-{:.1e}"])
def test_measurements_in_place_of_classes_are_named(build, form):
    ids = range(1, 31)
    csv = "file_id,cell_line\n" + "".join(f"{i},{form.format(i * 1.37)}\n" for i in ids)
    (line,) = rare_class_remarks(build(files_of(*ids), csv), 5)
    assert all(part in line for part in ("warning", "30 different numbers", "measurements", "labels.label"))


@pytest.mark.parametrize("label", ["{}", "cell {}.5"])
def test_whole_numbers_and_names_are_classes(build, label):
    ids = range(1, 31)
    csv = "file_id,cell_line\n" + "".join(f"{i},{label.format(i)}\n" for i in ids)
    (line,) = rare_class_remarks(build(files_of(*ids), csv), 5)
    assert "30 of 30 classes" in line


def test_fewer_than_two_classes_are_refused(build):
    with pytest.raises(ManifestError, match="0 classes"):
        check_classes(build(files_of(1)))


@pytest.mark.slow
def test_thousands_of_samples_take_a_moment(build):
    ids = range(1, 5001)
    csv = "file_id,cell_line\n" + "".join(f"{i},RT4\n" for i in ids)
    build(files_of(*ids), csv)

    started = time.process_time()
    manifest = build([], csv)

    assert len(manifest) == 5000
    assert time.process_time() - started < 3  # 0.3 s; a look-up that is not constant takes 20


@pytest.mark.parametrize("digits", ["05d", "5d"])
def test_real_images_fit_their_labels(real_data, digits):
    folder = real_data / "jku_cell_lines"
    images = ImagesSettings(root=folder / "images_train", pattern=f"{{sample_id:{digits}}}_{{channel}}.png")
    labels = LabelsSettings(file=folder / "y_train.csv")

    if digits == "5d":  # padded with spaces, which these names are not
        with pytest.raises(ManifestError, match="expected files such as"):
            build_manifest(images, labels)
    else:
        manifest = build_manifest(images, labels)
        assert len(manifest) == 6773
        assert manifest.table["label"].nunique() == 9


def test_ids_of_replacing_labels_may_be_padded(tmp_path):
    (tmp_path / "new.csv").write_text("file_id,cell_line\n00001,HeLa\n2,A549\n")
    assert label_by_id(ImagesSettings(), LabelsSettings(), tmp_path / "new.csv") == {"1": "HeLa", "2": "A549"}


def test_replacing_labels_with_a_repeated_id_are_refused(tmp_path):
    (tmp_path / "new.csv").write_text("file_id,cell_line\n00001,HeLa\n1,A549\n")
    with pytest.raises(ManifestError, match="more than once: 1"):
        label_by_id(ImagesSettings(), LabelsSettings(), tmp_path / "new.csv")


@pytest.mark.parametrize("word", ["NA", "nan", "None"])
def test_folder_named_like_a_missing_value_is_no_class(build, word):
    manifest = build(["A/1.png", f"{word}/2.png", "B/3.png"], images={"layout": "folders"})

    assert manifest.table["label"].tolist() == ["A", "B", ""]
    assert any("1 labels" in line and repr(word) in line for line in manifest.remarks)
    kept = build([], images={"layout": "folders"}, labels={"missing": []})
    assert kept.table["label"].tolist() == ["A", "B", word]


def test_missing_label_in_a_pattern_still_finds_its_file(build):
    manifest = build(["A/1.png", "NA/2.png"], images={"pattern": "{label}/{sample_id}.png"})
    assert manifest.table[["label", "file"]].to_numpy().tolist() == [["A", "A/1.png"], ["", "NA/2.png"]]


def test_missing_words_of_replacing_labels_are_said(tmp_path):
    (tmp_path / "new.csv").write_text("file_id,cell_line\n1,HeLa\n2,NA\n")
    said = []
    labels = label_by_id(ImagesSettings(), LabelsSettings(), tmp_path / "new.csv", say=said.append)
    assert labels == {"1": "HeLa", "2": ""}
    assert "1 labels" in said[0]
    assert "'NA'" in said[0]


def test_ids_that_mostly_repeat_are_rather_cells(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(imagecodecs.png_encode(np.zeros((6, 6), np.uint8)))
    table = tmp_path / "labels.csv"
    table.write_text("id,label,left,top\n" + "".join(f"{i},{label},1,2\n" for i in "ab" for label in "xyz"))
    settings = LabelsSettings(file=table, id="id", label="label")
    with pytest.raises(ManifestError, match=r"keep one row of each; if the rows are cells.*images\.layout=fields"):
        build_manifest(ImagesSettings(root=tmp_path, pattern="{sample_id}.png", channels=[0]), settings)
