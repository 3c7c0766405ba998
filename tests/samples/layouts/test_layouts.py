import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellfeat.errors import ConfigError
from cellfeat.samples.folders.local import scan
from cellfeat.samples.layouts import Found, leads_outside
from cellfeat.samples.layouts.class_folders import FoldersLayout, SplitFoldersLayout
from cellfeat.samples.layouts.pattern import PatternLayout
from cellfeat.samples.layouts.table import table_file_name

CHANNELS = ("blue", "red_2", 3)
PATTERNS = [
    "{sample_id:05d}_{channel}.png",
    "{sample_id:d}_{channel}.png",
    "{sample_id}_{channel}.png",
    "{sample_id}/{channel}.tif",
    "{sample_id}/{sample_id}_{channel}.tif",
    "{label}/{sample_id}_{channel}.png",
    "c+({channel})/{sample_id:03d}.png",
    "{label}/{sample_id}.tif",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(deadline=None)
@given(number=st.integers(0, 10**7), label=st.text("abcXYZ 0-9", min_size=1))
def test_pattern_recognises_its_own_names(pattern, number, label):
    layout = PatternLayout(pattern, CHANNELS)
    sample = Found(str(number), label if "{label}" in pattern else "")

    assert [layout.find(name) for name in layout.names(sample)] == [sample] * len(layout.file_columns)


@pytest.mark.parametrize(
    "name",
    ["1_blue.png", "000001_blue.png", "00001_green.png", "00001_blue.png.bak", "sub/00001_blue.png", "0000x_blue.png"],
)
def test_pattern_ignores_other_names(name):
    assert PatternLayout("{sample_id:05d}_{channel}.png", ("blue",)).find(name) is None


@pytest.mark.parametrize("cell", ["1", "00001", "1.0", "1."])
def test_number_format_unifies_the_spellings_of_an_id(cell):
    assert PatternLayout("{sample_id:05d}.png", ("blue",)).sample_id(cell) == "1"


@pytest.mark.parametrize("cell", ["1.5", "A1", "-1", "1e3", "²"])
def test_number_format_refuses_other_text(cell):
    assert PatternLayout("{sample_id:05d}.png", ("blue",)).sample_id(cell) is None


def test_id_stays_as_it_is_without_a_number_format():
    assert PatternLayout("{sample_id}.png", ("blue",)).sample_id("00001") == "00001"


@pytest.mark.parametrize(
    "pattern",
    [
        "{channel}.png",
        "{sample}_{channel}.png",
        "{sample_id:x}.png",
        "{sample_id!r:>5}.png",
        "{sample_id.__class__}.png",
        "{sample_id}_{channel:02d}.png",
        "{sample_id}_{label:5}.png",
        "{sample_id",
        "{}.png",
    ],
)
def test_invalid_pattern_is_a_configuration_error(pattern):
    with pytest.raises(ConfigError, match=r"images.pattern"):
        PatternLayout(pattern, ("blue", "red"))


def test_numbered_channels_can_have_a_format():
    layout = PatternLayout("{sample_id}_c{channel:02d}.tif", (0, 11))

    assert layout.names(Found("a", "")) == ("a_c00.tif", "a_c11.tif")
    assert layout.find("a_c11.tif") == Found("a", "")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("G1/a.tif", Found("G1/a.tif", "G1")),
        ("G1/day 2/a.PNG", Found("G1/day 2/a.PNG", "G1")),
        ("G1/slide.bmp", Found("G1/slide.bmp", "G1")),
        ("a.tif", None),
    ],
)
def test_images_in_a_class_folder_are_found(name, found):
    assert FoldersLayout().find(name) == found


def test_image_outside_of_folders_can_be_kept_unlabelled():
    assert FoldersLayout(keeps_unlabelled=True).find("a.tif") == Found("a.tif", "")


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "a/../../b.png", "C:/a.png", ".."])
def test_names_that_lead_outside_are_recognised(name):
    assert leads_outside(name)


@pytest.mark.parametrize("name", ["a.png", "a..b/c.png", "..a/b.png", "plate:1/a.png"])
def test_names_that_stay_inside_are_recognised(name):
    assert not leads_outside(name)


def test_table_file_names_are_normalised():
    assert table_file_name("plate1\\.\\a.tif") == "plate1/a.tif"
    assert table_file_name("") == ""


def test_scan_follows_links_once_and_ignores_hidden_files(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for name in ("root/a.png", "root/sub/b.png", "root/.hidden.png", "root/.cache/c.png", "elsewhere/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (root / "linked").symlink_to(elsewhere)
    (root / "sub" / "loop").symlink_to(root)

    assert scan(root) == {"a.png", "sub/b.png", "linked/d.png"}


@pytest.mark.parametrize("links", ["ABC", "XYZ"])
def test_folder_is_listed_under_its_own_name(tmp_path, links):
    for link in links[:2]:
        (tmp_path / link).symlink_to("HeLa")
    (tmp_path / "HeLa").mkdir()
    (tmp_path / links[2]).symlink_to("HeLa")
    (tmp_path / "HeLa" / "1.png").touch()
    assert scan(tmp_path) == {"HeLa/1.png"}


def test_folder_is_listed_under_the_first_of_several_links(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").touch()
    root = tmp_path / "root"
    root.mkdir()
    for link in "cab":
        (root / link).symlink_to(tmp_path / "elsewhere")
    assert scan(root) == {"a/1.png"}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("train/A/1.png", Found("train/A/1.png", "A", "train")),
        ("Test/A/x/1.png", Found("Test/A/x/1.png", "A", "Test")),
        ("test/1.png", None),
        ("1.png", None),
    ],
)
def test_folders_above_class_folders_say_the_part(name, found):
    assert SplitFoldersLayout().find(name) == found


def test_images_above_class_folders_may_be_unlabelled():
    layout = SplitFoldersLayout(keeps_unlabelled=True)
    assert layout.find("test/1.png") == Found("test/1.png", "", "test")
    assert layout.find("1.png") == Found("1.png", "", "")


def test_pattern_may_name_the_part():
    layout = PatternLayout("{split}/{label}/{sample_id}_{channel}.png", ("blue", "red"))
    found = layout.find("Train/A/7_red.png")
    assert found == Found("7", "A", "Train")
    assert layout.names(found) == ("Train/A/7_blue.png", "Train/A/7_red.png")
