"""Predefined splits: in a column, in folders, in file names; and splits that are mistaken for classes."""

import pytest

from cellfeat.errors import ConfigError, ManifestError

FOLDERS = {"layout": "folders"}
SPLIT_FOLDERS = {"layout": "split_folders"}


def names(*folders):
    return [f"{folder}/{i}.png" for folder in folders for i in range(2)]


@pytest.mark.parametrize(
    "parts",
    [
        ("train", "val", "test"),
        ("Training", "VALIDATION", "Testing"),
        ("train", "test"),
        ("valid", "dev"),
        ("train_set", "Test images"),
    ],
)
def test_folders_of_a_split_are_no_classes(build, parts):
    images = names(*(f"{part}/{label}" for part in parts for label in "AB"))

    with pytest.raises(ManifestError, match=r"parts of a split.*images\.layout=split_folders") as raised:
        build(images, images=FOLDERS)

    assert all(f"{part} (4 samples)" in str(raised.value) for part in parts)


def test_single_folder_of_a_split_above_class_folders_is_no_class(build):
    with pytest.raises(ManifestError, match=r"train \(4 samples\).*split_folders"):
        build(names("train/A", "train/B"), images=FOLDERS)


@pytest.mark.parametrize("folds", [("fold1", "fold2"), ("Fold_1", "Fold_2"), ("cv-0", "cv-1"), ("split 1", "split 2")])
def test_folds_are_no_classes(build, folds):
    with pytest.raises(ManifestError, match=r"folds.*--groups"):
        build(names(*(f"{fold}/{label}" for fold in folds for label in "AB")), images=FOLDERS)


def test_column_of_a_split_is_no_column_of_classes(build):
    csv = "file_id,cell_line,part\nA,HeLa,train\nB,RT4,test\n"
    with pytest.raises(ManifestError, match=r"labels\.split=part.*labels\.label=COLUMN"):
        build(["A.png", "B.png"], csv, {"pattern": "{sample_id}.png"}, {"label": "part"})


def test_part_in_the_place_of_the_label_in_a_pattern_is_no_class(build):
    with pytest.raises(ManifestError, match=r"\{split\} in place of \{label\}"):
        build(["train/1.png", "test/2.png"], images={"pattern": "{label}/{sample_id}.png"})


def test_class_named_test_among_others_is_a_class(build):
    assert set(build(names("A", "B", "test"), images=FOLDERS).table["label"]) == {"A", "B", "test"}


def test_split_folders_give_label_and_part(build):
    manifest = build([*names("train/A", "train/B", "Test/A", "val/B"), "notes.txt"], images=SPLIT_FOLDERS)

    assert manifest.columns == ("split",)
    assert set(zip(manifest.table["label"], manifest.table["split"], strict=True)) == {
        ("A", "train"), ("B", "train"), ("A", "Test"), ("B", "val"),
    }  # fmt: skip
    assert any("4 train, 2 val, 2 test" in line for line in manifest.remarks)


def test_other_folders_are_no_parts(build):
    with pytest.raises(ManifestError, match=r"training.*'A' \(2 samples\).*images\.layout=folders"):
        build(names("A/x", "B/x"), images=SPLIT_FOLDERS)


def test_test_images_without_class_folders_are_kept_where_asked(build):
    images = [*names("train/A", "train/B"), "test/1.png"]
    kept = build(images, images=SPLIT_FOLDERS, labels={"unmatched": "ignore"})
    assert kept.table[["label", "split"]].to_numpy().tolist()[0] == ["", "test"]
    strict = build([], images=SPLIT_FOLDERS)
    assert len(strict) == 4
    assert any("test/1.png" in line for line in strict.remarks)


def test_pattern_may_name_the_part_of_each_channel(build):
    images = [f"{part}/{label}/{i}_{channel}.png" for i, (part, label) in enumerate(
        [("train", "A"), ("train", "B"), ("test", "A")]) for channel in ("blue", "red")]  # fmt: skip
    pattern = {"pattern": "{split}/{label}/{sample_id}_{channel}.png", "channels": ["blue", "red"]}
    table = build(images, images=pattern).table
    assert table["split"].tolist() == ["train", "train", "test"]
    assert table["file_red"].tolist() == ["train/A/0_red.png", "train/B/1_red.png", "test/A/2_red.png"]


CSV = "file_id,cell_line,part,donor\n1,HeLa,train,d1\n2,RT4,Training,d2\n3,HeLa,dev,d1\n4,RT4,TEST,d3\n5,RT4,,\n"
SINGLE = {"pattern": "{sample_id:d}.png"}


def test_column_of_a_split_is_kept_and_counted(build):
    manifest = build([f"{i}.png" for i in range(1, 6)], CSV, SINGLE, {"split": "part", "group": "donor"})

    assert manifest.table["part"].tolist() == ["train", "Training", "dev", "TEST", ""]
    counts, groups = manifest.remarks
    assert "2 train, 1 val, 1 test, 1 in no part" in counts
    assert "1 of 3 groups" in groups
    assert "d1 (train, val)" in groups


def test_unknown_part_is_named_with_its_count(build):
    csv = CSV.replace("dev", "fold1").replace("TEST", "fold1")
    with pytest.raises(ManifestError, match=r"'part'.*validation.*'fold1' \(2 samples\)"):
        build([f"{i}.png" for i in range(1, 6)], csv, SINGLE, {"split": "part"})


def test_missing_column_of_a_split_is_named(build):
    with pytest.raises(ManifestError, match=r"'parts' \(labels\.split\); did you mean 'part'"):
        build(["1.png"], CSV, SINGLE, {"split": "parts"})


def test_column_that_looks_like_a_split_is_named(build):
    remarks = build([f"{i}.png" for i in range(1, 6)], CSV, SINGLE).remarks
    assert any("'part'" in line and "labels.split=part" in line for line in remarks)


def test_parts_inside_class_folders_are_named(build):
    remarks = build(names("A/train", "B/train", "A/test", "B/test"), images=FOLDERS).remarks
    assert any("test, train" in line and "images.layout=split_folders" in line for line in remarks)


def test_parts_may_be_inside_class_folders(build):
    table = build(names("A/train", "B/train", "A/test", "test/test"), images=SPLIT_FOLDERS).table
    assert set(zip(table["label"], table["split"], strict=True)) == {
        ("A", "train"), ("B", "train"), ("A", "test"), ("test", "test"),
    }  # fmt: skip


def test_folder_above_the_class_folders_is_named(build, touch):
    (line,) = build(names("data/A", "data/B"), images=FOLDERS).remarks
    assert line.endswith("images/data")
    assert "folder data" in line


def test_column_and_folders_cannot_both_give_the_split(build):
    with pytest.raises(ConfigError, match=r"labels\.split.*images\.layout"):
        build(names("train/A"), images=SPLIT_FOLDERS, labels={"split": "part"})


def test_labels_table_with_a_split_column_clashes_with_split_folders(build):
    csv = "file_id,cell_line,split\ntrain/A/0.png,A,train\n"
    with pytest.raises(ManifestError, match="column split has a reserved name"):
        build(["train/A/0.png"], csv, SPLIT_FOLDERS)


@pytest.mark.parametrize(("images", "empty"), [(FOLDERS, ["C", "D"]), (SPLIT_FOLDERS, ["test/B"])])
def test_empty_class_folders_are_named(build, touch, images, empty):
    present = names("A", "B") if images is FOLDERS else names("train/A", "train/B", "test/A")
    root = touch(*present)
    for name in [*empty, ".hidden"]:
        (root / name).mkdir(parents=True)
    if images is FOLDERS:
        (root / "C" / "notes.txt").touch()
    (*_, line) = [line for line in build([], images=images).remarks if "without images" in line]
    assert line.endswith(": " + ", ".join(empty))
