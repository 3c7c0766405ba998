import pytest

from cellfeat.errors import ManifestError

FOLDERS = {"layout": "folders", "channels": [0]}
CELLS = [f"{label}/{number:03d}" for label in ("HeLa", "RT4") for number in range(6)]


@pytest.fixture
def warnings(build):
    def told(names):
        return [line for line in build(names, images=FOLDERS).remarks if line.startswith("warning")]

    return told


@pytest.mark.parametrize(
    "ending", ["_mask", "-masks", "_cp_masks", "_seg", "_Segmentation", ".labels", "_gt", " outlines"]
)
def test_masks_beside_images_are_named(warnings, ending):
    names = [f"{cell}{end}" for cell in CELLS for end in (".tif", f"{ending}.png")]
    (line,) = warnings(names)
    assert "12 of 24 images" in line
    assert f"HeLa/000{ending}.png of HeLa/000.tif" in line


@pytest.mark.parametrize("folder", ["thumbnails", "overlays", "Previews", "merged"])
def test_previews_in_class_folders_are_named(warnings, folder):
    previews = [f"{cell.replace('/', f'/{folder}/')}.png" for cell in CELLS]
    (line,) = warnings([*(f"{cell}.tif" for cell in CELLS), *previews])
    assert "12 of 24 images are named like previews" in line
    assert previews[0] in line


@pytest.mark.parametrize("folder", ["thumbs", "overlay", "low_res"])
def test_folders_of_images_and_of_previews_are_no_classes(build, folder):
    with pytest.raises(ManifestError, match=f"images, {folder} are taken as classes.*previews"):
        build([f"{one}/{number}.png" for one in ("images", folder) for number in range(6)], images=FOLDERS)


CHANNELS = [("DAPI", "GFP"), ("w1", "w2", "w3"), ("image", "mask")]


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("separator", ["_", "-"])
def test_one_file_for_each_channel_is_named_with_its_pattern(build, warnings, channels, separator):
    cells = [f"{cell}_{place}" for place, cell in enumerate(CELLS)]
    names = [f"{cell}{separator}{channel}.tif" for cell in cells for channel in channels]
    (line,) = warnings(names)
    pattern = f"{{label}}/{{sample_id}}{separator}{{channel}}.tif"
    assert f"'images.pattern={pattern}'" in line
    assert f"images.channels=[{', '.join(channels)}]" in line
    assert len(build([], images={"pattern": pattern, "channels": channels})) == len(cells)


@pytest.mark.parametrize("channels", CHANNELS)
def test_channels_of_cells_whose_numbers_repeat_need_a_table(warnings, channels):
    (line,) = warnings([f"{cell}_{channel}.tif" for cell in CELLS for channel in channels])
    assert "images.pattern" not in line
    assert "labels.files" in line


@pytest.mark.parametrize(
    "names",
    [
        [f"{cell}.tif" for cell in CELLS],
        [f"{cell}_{number}.tif" for cell in CELLS for number in (1, 2)],  # fields or times
        [f"{cell}_mask.tif" for cell in CELLS],  # all of them: there is no image that they mask
        ["HeLa/a_left.tif", "HeLa/a_right.tif", "RT4/b_left.tif", "RT4/b_right.tif"],  # too few to tell
        ["HeLa/a_left.tif", "HeLa/a_right.tif", "HeLa/b_left.tif", "RT4/c_left.tif"],
    ],
)
def test_other_names_are_no_sets(warnings, names):
    assert warnings(names) == []


@pytest.mark.parametrize(
    "folders", [("images", "masks"), ("image", "label_map"), ("raw", "Segmentation"), ("img", "GT")]
)
def test_folders_of_images_and_masks_are_no_classes(build, folders):
    with pytest.raises(ManifestError, match=rf"{folders[0]}, {folders[1]}.*masks.*--images .*{folders[0]}"):
        build([f"{folder}/{number}.png" for folder in folders for number in range(3)], images=FOLDERS)


@pytest.mark.parametrize("folders", [("HeLa", "masks"), ("images", "control"), ("label A", "label B")])
def test_other_folders_are_classes(build, folders):
    assert len(build([f"{folder}/{number}.png" for folder in folders for number in range(3)], images=FOLDERS)) == 6
