"""Further words of a pattern: columns of the samples, their groups, and ids made of them."""

import pytest

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.layouts.pattern import PatternLayout
from cellfeat.samples.layouts.pattern_fields import id_pattern

WELLS = "{label}/{plate}_{well}_s{site}_{channel}.tif"
CHANNELS = ["w1", "w2"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{plate}/{well}_s{site}_w{channel}.tif", "{plate}/{well}_s{site}"),
        ("r{row}c{column}f{site}p01-{channel}sk1fk1fl1.tiff", "r{row}c{column}f{site}p01"),
        ("{channel}/{plate}_{well}.tif", "{plate}_{well}"),
        ("{well}_T0001F{site}L01A01Z01{channel}.tif", "{well}_T0001F{site}L01A01Z01"),
        ("x{{y}}_{plate}.tif", "x{{y}}_{plate}"),
    ],
)
def test_id_is_the_path_without_the_channel(pattern, expected):
    assert id_pattern(pattern) == expected


def test_further_words_are_read_and_written():
    layout = PatternLayout(WELLS, tuple(CHANNELS))
    found = layout.find("HeLa/P1_B03_s2_w1.tif")
    assert found == Found("HeLa/P1_B03_s2", "HeLa", "", (("plate", "P1"), ("well", "B03"), ("site", "2")))
    assert layout.names(found) == ("HeLa/P1_B03_s2_w1.tif", "HeLa/P1_B03_s2_w2.tif")


@pytest.mark.parametrize("pattern", ["{smaple_id}_{plate}.png", "{chanel}_{well}.png", "{lable}/{well}.png"])
def test_misspelt_field_is_no_further_column(pattern):
    with pytest.raises(ConfigError, match="did you mean"):
        PatternLayout(pattern, ("a",))


@pytest.mark.parametrize("pattern", ["{group}_{sample_id}.png", "{file}.png", "{a b}.png", "{well:02d}.png"])
def test_reserved_name_or_format_is_refused(pattern):
    with pytest.raises(ConfigError, match=r"images\.pattern"):
        PatternLayout(pattern, ("a",))


def names(*ids: str) -> list[str]:
    return [f"{one}_{channel}.tif" for one in ids for channel in CHANNELS]


def test_groups_come_out_of_the_names(build):
    files = names("HeLa/P1_B03_s1", "HeLa/P1_B03_s2", "RT4/P2_B03_s1")
    images = {"layout": "pattern", "pattern": WELLS, "channels": CHANNELS}
    table = build(files, images=images, labels={"group": ["plate", "well"]}).table
    assert table["group"].tolist() == ["P1/B03", "P1/B03", "P2/B03"]
    assert table["plate"].tolist() == ["P1", "P1", "P2"]
    assert table["label"].tolist() == ["HeLa", "HeLa", "RT4"]


CSV = "file_id,cell_line,donor\nP1_B03_s1.tif,HeLa,d1\nP1_B04_s1,RT4,d2\n"


def test_table_and_names_give_groups_together(build):
    images = {"layout": "pattern", "pattern": "{plate}_{well}_s{site}_{channel}.tif", "channels": CHANNELS}
    table = build(names("P1_B03_s1", "P1_B04_s1"), CSV, images, {"group": ["donor", "plate"]}).table
    assert table["group"].tolist() == ["d1/P1", "d2/P1"]
    assert table["donor"].tolist() == ["d1", "d2"]


def test_column_of_the_table_may_not_be_a_word_of_the_pattern(build):
    images = {"layout": "pattern", "pattern": "{donor}_{well}_s{site}_{channel}.tif", "channels": CHANNELS}
    with pytest.raises(Exception, match="donor"):
        build(names("P1_B03_s1", "P1_B04_s1"), CSV, images)


def test_id_without_folders_finds_its_file_in_a_folder(build):
    files = ["a/cell_1.png", "b/cell_2.png"]
    images = {"layout": "pattern", "pattern": "{plate}/{cell}.png", "channels": [0]}
    table = build(files, "file_id,cell_line\ncell_1,HeLa\ncell_2,RT4\n", images).table
    assert table[["sample_id", "label", "plate"]].to_numpy().tolist() == [
        ["a/cell_1", "HeLa", "a"],
        ["b/cell_2", "RT4", "b"],
    ]


def test_unknown_word_of_a_sample_without_files_is_named(build):
    images = {"layout": "pattern", "pattern": "{folder}/{sample_id}.png", "channels": [0]}
    with pytest.raises(ManifestError) as raised:
        build(["cell_1.png"], "file_id,cell_line\ncell_1,HeLa\n", images)
    assert "{folder}/cell_1.png" in str(raised.value)
    assert "images.root" not in str(raised.value)
