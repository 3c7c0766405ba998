"""Thumbnails made from the images of a feature file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellfeat.errors import CellfeatError, FingerprintError, MissingFileError, ReadError, WriteError
from cellfeat.extraction.sample_images import opened_images
from cellfeat.extraction.store import Features, view_folder
from cellfeat.samples.sheets.shards import sheets_in
from cellfeat.thumbnails import BlockMaker, Thumbnails, find_thumbnails, make_block, make_thumbnails
from tests.extraction.observers import Disturbed, Lines
from tests.thumbnails.image_folders import Make, write_images


def tile(thumbnails: Thumbnails, row: int) -> np.ndarray:
    """The thumbnail of a sample, shape (C, side, side)."""
    number, place = divmod(row, thumbnails.per_block)
    side = thumbnails.side
    top, left = place // thumbnails.across * side, place % thumbnails.across * side
    return np.stack([sheet[top : top + side, left : left + side] for sheet in sheets_in(thumbnails.block(number))])


def grey(thumbnails: Thumbnails, pixels: np.ndarray) -> np.ndarray:
    """What the mean of pixels becomes in thumbnails."""
    starts, ends = np.array([(channel.start, channel.end) for channel in thumbnails.channels]).T
    return (255 * (pixels.mean(axis=(1, 2)) - starts) / (ends - starts)).clip(0, 255)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "n_channels"), [(1, 1), (64, 2), (70, 3), (3, 9)])
def test_every_sample_has_its_thumbnail(make: Make, n: int, n_channels: int) -> None:
    features = make(n, n_channels)
    assert find_thumbnails(features) is None
    made = make_thumbnails(features)
    assert made.n_blocks == -(-n // 64)
    assert [channel.name for channel in made.channels] == [str(number) for number in range(n_channels)]
    assert find_thumbnails(features) == made
    for row in (0, n // 2, n - 1):
        pixels = tifffile.imread(features.recorded_settings.images.root / f"cell_{row:03}.tif")
        pixels = pixels.reshape(n_channels, *pixels.shape[-2:])
        assert tile(made, row).mean(axis=(1, 2)) == pytest.approx(grey(made, pixels), abs=6)


def test_progress_is_told(make: Make) -> None:
    observer = Lines()
    make_thumbnails(make(), observer=observer)
    assert observer.progress[-1] == (70, 70)


@pytest.mark.slow
def test_single_blocks_are_made_and_kept(make: Make) -> None:
    features = make()
    shard = make_block(features, 1)
    begun = Thumbnails.begun(features, view_folder(features))
    assert begun.block(1) == shard
    assert begun.find(0) is None
    assert find_thumbnails(features) is None
    with opened_images(features) as images:
        assert BlockMaker.of(images).make(0).shard == make_thumbnails(features).block(0)


@pytest.mark.slow
def test_blocks_that_are_there_are_kept(make: Make) -> None:
    features = make()
    make_block(features, 1)
    path = view_folder(features) / "thumbnails-1.sheets"
    before = path.stat().st_mtime_ns
    make_thumbnails(features)
    assert path.stat().st_mtime_ns == before


@pytest.mark.slow
def test_interrupted_making_keeps_finished_blocks(make: Make) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    features = make()
    with pytest.raises(KeyboardInterrupt):
        make_thumbnails(features, observer=Disturbed(64, interrupt))
    before = (view_folder(features) / "thumbnails-0.sheets").stat().st_mtime_ns
    assert find_thumbnails(features) is None
    observer = Lines()
    assert make_thumbnails(features, observer=observer).is_complete
    assert observer.progress == [(0, 6), (6, 6)]
    assert (view_folder(features) / "thumbnails-0.sheets").stat().st_mtime_ns == before


def test_finished_thumbnails_need_no_images(make: Make) -> None:
    features = make()
    made = make_thumbnails(features)
    shutil.rmtree(features.recorded_settings.images.root)
    assert make_thumbnails(features) == made


@pytest.mark.slow
def test_damaged_block_is_named_and_made_again(make: Make) -> None:
    features = make()
    shard = make_thumbnails(features).block(0)
    path = view_folder(features) / "thumbnails-0.sheets"
    path.write_bytes(path.read_bytes()[:-100])
    found = find_thumbnails(features)
    with pytest.raises(ReadError, match=r"thumbnails-0\.sheets"):
        found.block(0)
    assert make_thumbnails(features).block(0) == shard


@pytest.mark.slow
def test_damaged_record_is_made_again(make: Make) -> None:
    features = make()
    made = make_thumbnails(features)
    (view_folder(features) / "thumbnails.json").write_text("{}")
    assert find_thumbnails(features) is None
    assert make_thumbnails(features) == made


def test_missing_and_changed_images_lose_their_own_thumbnail_only(make: Make) -> None:
    features, observer = make(), Lines()
    images = features.recorded_settings.images.root
    (images / "cell_003.tif").unlink()
    changed = tifffile.imread(images / "cell_068.tif") + np.uint16(1)
    tifffile.imwrite(images / "cell_068.tif", changed, photometric="minisblack")
    (images / "cell_069.tif").write_bytes(b"II*\0 and no more")
    made = make_thumbnails(features, observer=observer)
    assert list(made.unread(0)) == [3]
    assert list(made.unread(1)) == [68, 69]
    assert "changed" in made.unread(1)[68]
    assert not tile(made, 3).max() > 30
    assert tile(made, 4).mean() > 60
    assert "3 samples" in observer.lines[-1]
    assert "row 3" in observer.lines[-1]


@pytest.mark.slow
def test_images_that_are_back_get_their_thumbnail(make: Make) -> None:
    features = make()
    path = features.recorded_settings.images.root / "cell_003.tif"
    content = path.read_bytes()
    path.unlink()
    make_thumbnails(features)
    path.write_bytes(content)
    made = make_thumbnails(features)
    assert made.unread(0) == {}
    assert tile(made, 3).mean() > 60


@pytest.mark.slow
def test_images_of_another_data_set_are_an_error(make: Make) -> None:
    features = make()
    images = features.recorded_settings.images.root
    shutil.rmtree(images)
    write_images(images, 70, side=16)
    with pytest.raises(FingerprintError, match="changed"):
        make_thumbnails(features)
    assert find_thumbnails(features) is None


def test_missing_folder_of_images_is_an_error_that_names_it(make: Make) -> None:
    features = make()
    images = features.recorded_settings.images.root
    moved = images.rename(images.with_name("moved"))
    with pytest.raises(CellfeatError, match="images"):
        make_thumbnails(features)
    assert make_thumbnails(features, images=moved).n_blocks == 2


@pytest.mark.slow
def test_block_without_any_image_is_an_error(make: Make) -> None:
    features = make()
    make_block(features, 0)
    images = features.recorded_settings.images.root
    for number in range(64, 70):
        (images / f"cell_{number:03}.tif").unlink()
    with pytest.raises(MissingFileError, match="no image"):
        make_block(features, 1)


def test_file_in_the_way_of_the_folder_is_an_error(make: Make, tmp_path: Path) -> None:
    features = make(3)
    (tmp_path / "cells.view").write_text("notes")
    with pytest.raises(WriteError, match=r"cells\.view"):
        make_thumbnails(features)
    assert (tmp_path / "cells.view").read_text() == "notes"


def test_samples_that_failed_are_black_and_on_record(make: Make, tmp_path: Path) -> None:
    write_images(tmp_path / "images", 5)
    (tmp_path / "images" / "cell_002.tif").write_bytes(b"II*\0 and no more")
    features = make()
    assert not features.samples.is_ok[2]
    made = make_thumbnails(features)
    assert made.record.failed == [2]
    assert made.unread(0) == {}
    assert not tile(made, 2).max() > 30


@pytest.mark.slow
def test_selected_samples_have_thumbnails_of_their_own(make: Make) -> None:
    features = make()
    whole = make_thumbnails(features)
    some = make_thumbnails(features.take([69, 5]))
    assert len(some) == 2
    np.testing.assert_allclose(tile(some, 1).mean(axis=(1, 2)), tile(whole, 5).mean(axis=(1, 2)), atol=30)
    assert find_thumbnails(features) == whole


def test_no_samples_have_no_blocks(make: Make) -> None:
    assert make_thumbnails(make(3).take([])).n_blocks == 0


def test_imported_features_have_no_images() -> None:
    with pytest.raises(MissingFileError, match="no images"):
        make_thumbnails(Features.from_arrays([[1.0], [2.0]]))
