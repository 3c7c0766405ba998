"""Thumbnails and crops of a page that is looked at; the images are those of generated features."""

from pathlib import Path

import numpy as np
import pytest

from cellfeat.errors import MissingFileError
from cellfeat.extraction.observer import SilentObserver
from cellfeat.page.content import PageContent
from cellfeat.page.samples import pictures as pictures_module
from cellfeat.page.serving import live_pictures as module
from cellfeat.page.serving.live_pictures import live_pictures
from tests.feature_fixtures import build_clusters, save_pictures

N = 70


class Said(SilentObserver):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def features(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 4000, (N, 9, 12)).astype(np.uint16)
    made = save_pictures(build_clusters(n=N), pixels, tmp_path / "images")
    return made.save(tmp_path / "cells.h5"), pixels


def page() -> PageContent:
    return PageContent({"thumbnails": None, "channels": [], "picturesNote": "none", "nSamples": N}, {})


def test_thumbnails_are_made_at_the_start_and_crops_are_exact(features) -> None:
    given, pixels = features
    with live_pictures(given, None, SilentObserver()) as pictures:
        content = pictures.added_to(page())
        assert (pictures.crop(3) == pixels[3]).all()
        with pytest.raises(MissingFileError):  # a row of a fitted sample beside held-out ones
            pictures.crop(N)
    assert content.page["thumbnails"] == {"side": 64, "perBlock": 64, "across": 8, "from": "shards"}
    assert [channel["name"] for channel in content.page["channels"]] == ["dapi"]
    assert list(content.shards) == ["thumbnails-0", "thumbnails-1"]
    length = int.from_bytes(content.shards["thumbnails-0"]()[:4], "little")
    assert content.shards["thumbnails-0"]()[4 : 4 + length].startswith(b"\xff\xd8")


def test_blocks_of_very_many_samples_are_made_when_looked_at(features, monkeypatch) -> None:
    given, _ = features
    monkeypatch.setattr(module, "MOST_IN_SHARDS", 10)
    monkeypatch.setattr(pictures_module, "MOST_IN_SHARDS", 10)
    with live_pictures(given, None, SilentObserver()) as pictures:
        assert not list((given.path.parent / "cells.view").rglob("*.sheets"))
        content = pictures.added_to(page())
        assert content.page["thumbnails"]["from"] == "server"
        assert content.shards["thumbnails-1"]()
        assert len(list((given.path.parent / "cells.view").rglob("*.sheets"))) == 1


def test_images_that_are_gone_leave_the_thumbnails_that_are_kept(features, tmp_path: Path) -> None:
    given, _ = features
    with live_pictures(given, None, SilentObserver()):
        pass
    (tmp_path / "images").rename(tmp_path / "moved")
    said = Said()
    with live_pictures(given, None, said) as pictures:
        assert pictures.crop is None
        assert pictures.added_to(page()).shards["thumbnails-0"]()
    assert any("no exact pixels" in line for line in said.lines)
    with live_pictures(given, tmp_path / "moved", SilentObserver()) as pictures:
        assert pictures.crop(0).shape == (1, 9, 12)


def test_no_image_is_read_where_none_is_wanted(features) -> None:
    given, _ = features
    with live_pictures(given, None, SilentObserver(), reads_images=False) as pictures:
        assert pictures.crop is None
        assert pictures.added_to(page()).page["thumbnails"] is None


def test_tables_have_no_pictures() -> None:
    with live_pictures(None, None, SilentObserver()) as pictures:
        assert pictures.added_to(page()).shards == {}
