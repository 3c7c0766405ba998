import pytest

from cellfeat.errors import ManifestError
from tests.samples.image_files import files_of


def test_one_message_lists_every_problem(build):
    names = [name for name in files_of(1, 2, 3, 8) if name not in ("00002_red.png", "00003_blue.png")]

    with pytest.raises(ManifestError) as raised:
        build(names, "file_id,cell_line\n1,HeLa\n01,Hela\n2,RT4\n3,RT4\n7,RT4\n")

    message = str(raised.value)
    for part in (
        "2 of 15 files are missing: 00002_red.png (line 4), 00003_blue.png (line 5)",
        "more than one sample: 1 (line 2, line 3)",
        "'HeLa' (1 samples) and 'Hela' (1 samples)",
        "1 of 5 labelled samples have no image: 7 (line 6)",
        "1 samples have images and no row in the labels: 8",
    ):
        assert part in message


def test_at_most_ten_missing_files_are_named(build):
    names = [name for name in files_of(*range(1, 21)) if "red" not in name]

    with pytest.raises(ManifestError, match=r"20 of 60 files are missing: .*00010_red.png \(.*and 10 more"):
        build(names)


def test_ignored_samples_and_images_are_named_and_counted(build):
    manifest = build([*files_of(1, 4), "overview.png", "notes.txt"], "file_id,cell_line\n1,HeLa\n7,RT4\n",
                     labels={"unmatched": "ignore"})  # fmt: skip

    bare, unlabelled, unused = manifest.remarks
    assert bare.startswith("left out: 1 samples of")
    assert bare.endswith("labels.csv that have no image: 7 (line 3)")
    assert unlabelled.startswith("kept without a label: 1 samples that have images and no row in")
    assert unlabelled.endswith("labels.csv: 4")
    assert unused.startswith("left out: 1 of 7 images in")
    assert unused.endswith("00001_blue.png): overview.png")


@pytest.mark.parametrize("unmatched", ["error", "listed", "ignore"])
@pytest.mark.parametrize(("images", "first"), [(range(1, 9), 0), (range(8), 1)])
def test_ids_that_are_counted_from_elsewhere_are_refused(build, unmatched, images, first):
    rows = "".join(f"{number},{('HeLa', 'RT4')[number % 2]}\n" for number in range(first, first + 8))
    with pytest.raises(ManifestError, match=rf"labels.csv: the ids count from {first}, and those of the images from"):
        build(files_of(*images), f"file_id,cell_line\n{rows}", labels={"unmatched": unmatched})


def test_an_absent_first_sample_is_no_other_numbering(build):
    manifest = build(files_of(1, 2, 3), "file_id,cell_line\n0,HeLa\n1,RT4\n2,RT4\n5,RT4\n",
                     labels={"unmatched": "ignore"})  # fmt: skip
    assert manifest.table["label"].tolist() == ["RT4", "RT4", ""]


def test_samples_that_fit_give_no_remarks(build):
    assert build(files_of(1, 2), "file_id,cell_line\n1,HeLa\n2,RT4\n").remarks == ()


def test_at_most_ten_left_out_samples_are_named(build):
    rows = "".join(f"{i},RT4\n" for i in range(1, 31))
    (bare,) = build(files_of(1), f"file_id,cell_line\n{rows}", labels={"unmatched": "ignore"}).remarks
    assert "29 samples" in bare
    assert bare.endswith("11 (line 12) … and 19 more")


def test_listed_samples_need_their_images(build):
    with pytest.raises(ManifestError, match=r"1 of 2 rows of .*labels.csv have no image: 9 \(line 3\); copy"):
        build(files_of(1), "file_id\n1\n9\n", labels={"label": None, "unmatched": "listed"})


def test_images_without_a_row_are_named(build):
    csv = "file_id,path\nA,a.png\n"
    (unused,) = build(["a.png", "b.png"], csv, {"channels": [0]}, {"files": "path", "label": None}).remarks
    assert unused.endswith("a.png): b.png")


def test_missing_channels_are_never_ignored(build):
    with pytest.raises(ManifestError, match=r"00001_blue.png \(line 2\)"):
        build(files_of(1, 2)[1:], "file_id,cell_line\n1,HeLa\n2,RT4\n", labels={"unmatched": "ignore"})


@pytest.mark.parametrize("outside", ["../secret.png", "{tmp}/secret.png", "a/../../secret.png"])
def test_names_outside_the_root_are_refused_unless_allowed(build, tmp_path, outside):
    (tmp_path / "secret.png").touch()
    name = outside.format(tmp=tmp_path.as_posix())
    csv = f"file_id,cell_line,path\nA,HeLa,a.png\nB,RT4,{name}\n"
    channels = {"channels": [0]}

    with pytest.raises(ManifestError, match=r"secret.png \(line 3\).*allow_outside"):
        build(["a.png"], csv, channels, {"files": "path"})

    manifest = build(["a.png"], csv, {"allow_outside": True, **channels}, {"files": "path"})
    assert manifest.files(1)[0].is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("link/../secret.png", "have no image: B"),
        ("link\\..\\secret.png", "have no image: B"),
        ("link/../../elsewhere/secret.png", "lead out of images.root"),
    ],
)
def test_parent_folder_after_a_link_stays_inside_the_root(build, touch, tmp_path, name, message):
    (tmp_path / "elsewhere" / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere" / "secret.png").touch()
    (touch() / "link").symlink_to(tmp_path / "elsewhere" / "sub")
    csv = f"file_id,cell_line,path\nA,HeLa,a.png\nB,RT4,{name}\n"
    with pytest.raises(ManifestError, match=message):
        build(["a.png"], csv, {"channels": [0]}, {"files": "path"})


def test_parent_folder_in_an_id_is_refused(build, touch, tmp_path):
    (tmp_path / "elsewhere" / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere" / "secret.png").touch()
    (touch() / "link").symlink_to(tmp_path / "elsewhere" / "sub")
    pattern = {"pattern": "{sample_id}", "channels": [0]}
    with pytest.raises(ManifestError, match=r"lead out of images.root: link/\.\./secret.png"):
        build(["a.png"], "file_id,cell_line\na.png,HeLa\nlink/../secret.png,RT4\n", pattern)


def test_empty_cell_is_a_missing_file(build):
    with pytest.raises(ManifestError, match=r"\(empty cell\) \(line 2\)"):
        build(["a.png"], "file_id,cell_line,b,r\nA,HeLa,a.png,\n", {"channels": ["b", "r"]}, {"files": ["b", "r"]})


def test_class_folders_under_a_pattern_suggest_the_folders_layout(build):
    with pytest.raises(ManifestError, match=r"G1, G2.*images.layout=folders"):
        build(["G1/a.tif", "G2/b.tif"], "file_id,cell_line\n1,G1\n")


def test_flat_images_under_the_folders_layout_suggest_a_pattern(build):
    with pytest.raises(ManifestError, match=r"00001_blue.png.*images.layout=pattern"):
        build(files_of(1), images={"layout": "folders"})


def test_empty_folder_suggests_another_root(build):
    with pytest.raises(ManifestError, match=r"--images FOLDER"):
        build([])
