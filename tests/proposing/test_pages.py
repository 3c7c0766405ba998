"""What `init` says of files whose pages may be channels, depths, times or cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat import propose
from cellfeat.errors import ManifestError
from tests.proposing.layout_folders import CLASSES, pixels, save

UNKNOWN: Mapping[str, object] = {"metadata": None, "photometric": "minisblack"}


def fill(folder: Path, shape: Sequence[int], names: Sequence[str], **options: object) -> Path:
    """A file of some pages under each name."""
    for name in names:
        save(folder, f"{name}.tif", pixels(*shape), **options)
    return folder


def in_classes(n_each: int = 3) -> list[str]:
    return [f"{one}/well{number}" for one in CLASSES for number in range(n_each)]


@pytest.mark.parametrize("names", [CLASSES, in_classes()])
def test_many_pages_of_unknown_meaning_are_refused_with_each_meaning(tmp_path: Path, names: Sequence[str]) -> None:
    folder = fill(tmp_path, (40, 16, 18), names, **UNKNOWN)
    with pytest.raises(ManifestError, match="holds 40 pages of 18 x 16 pixels") as caught:
        propose(folder)
    cells, depths, times, channels = str(caught.value).splitlines()[1:]
    assert "tifffile.imread" in cells
    assert "--set 'images.plane={z: max}'" in depths
    assert "--set 'images.plane={t: 0}'" in times
    assert "--set 'images.channels=[0,1,2]' (0 to 39)" in channels


def test_numbers_of_pages_may_differ(tmp_path: Path) -> None:
    fill(tmp_path, (40, 16, 18), CLASSES[:1], **UNKNOWN)
    fill(tmp_path, (37, 16, 18), CLASSES[1:], **UNKNOWN)
    with pytest.raises(ManifestError, match="37 to 40 pages"):
        propose(tmp_path)


@pytest.mark.parametrize(
    ("settings", "n_channels"),
    [({"images.plane": {"z": "max"}}, 1), ({"images.plane": {"t": 0}}, 1), ({"images.channels": list(range(40))}, 40)],
)
def test_what_the_user_says_of_pages_is_taken(tmp_path: Path, settings: Mapping[str, object], n_channels: int) -> None:
    found = propose(fill(tmp_path, (40, 16, 18), in_classes(), **UNKNOWN), settings=settings)
    assert len(found.settings.images.channels) == n_channels
    assert len(found.manifest) == 6


def test_cells_that_were_saved_as_the_message_says_are_samples(tmp_path: Path) -> None:
    pages = fill(tmp_path / "pages", (40, 16, 18), CLASSES, **UNKNOWN)
    (tmp_path / "cells").mkdir()
    for name in CLASSES:
        for i, cell in enumerate(tifffile.imread(pages / f"{name}.tif")):
            tifffile.imwrite(tmp_path / "cells" / f"{name}_{i:04d}.tif", cell)
    assert propose(tmp_path / "cells").manifest.table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 40)


@pytest.mark.parametrize(
    ("n_planes", "options"),
    [
        (16, UNKNOWN),
        (40, {"ome": True, "metadata": {"axes": "CYX", "Channel": {"Name": [f"marker{i}" for i in range(40)]}}}),
        (40, {"imagej": True, "metadata": {"axes": "CYX"}}),
    ],
    ids=["few", "named", "named axis"],
)
def test_channels_stay_channels(tmp_path: Path, n_planes: int, options: Mapping[str, object]) -> None:
    found = propose(fill(tmp_path, (n_planes, 16, 18), in_classes(), **options))
    channels = next(choice for choice in found.choices if choice.key == "images.channels")
    assert len(channels.value) == n_planes
    assert ("if they are cells" in channels.reason) == channels.is_guess


@pytest.mark.parametrize(("axes", "key"), [("ZYX", "images.plane.z"), ("TYX", "images.plane.t")])
@pytest.mark.parametrize("n_planes", [5, 40])
def test_many_depths_or_times_may_be_cells(tmp_path: Path, axes: str, key: str, n_planes: int) -> None:
    found = propose(fill(tmp_path, (n_planes, 16, 18), in_classes(), imagej=True, metadata={"axes": axes}))
    reason = next(choice.reason for choice in found.guesses if choice.key == key)
    assert ("if they are cells" in reason) == (n_planes == 40)


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "CYX"])
def test_files_without_ids_may_hold_cells(tmp_path: Path, axes: str) -> None:
    fill(tmp_path, (20, 16, 18), CLASSES, imagej=True, metadata={"axes": axes})
    with pytest.raises(ManifestError, match=r"no sample an id.*if the pages of a file are cells.*tifffile.imread"):
        propose(tmp_path)


def test_cells_of_several_sizes_in_a_file(tmp_path: Path) -> None:
    for name in CLASSES:
        with tifffile.TiffWriter(tmp_path / f"{name}.tif") as file:
            for side in (16, 17, 18):
                file.write(pixels(side, side), metadata=None)
    with pytest.raises(ManifestError, match=r"if the pages of a file are cells.*\.pages"):
        propose(tmp_path)


def test_images_of_one_page_without_ids_are_no_pages(tmp_path: Path) -> None:
    fill(tmp_path, (16, 18), CLASSES)
    with pytest.raises(ManifestError) as caught:
        propose(tmp_path)
    assert "cells" not in str(caught.value)


def test_cells_in_colour_are_told(tmp_path: Path) -> None:
    for name in CLASSES:
        save(tmp_path, f"{name}.tif", np.zeros((5, 16, 18, 3), np.uint8), photometric="rgb")
    with pytest.raises(ManifestError, match=r"if axis Q counts cells.*tifffile.imread"):
        propose(tmp_path)
