"""Thumbnails made in the pass of an extraction."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import DiskFullError
from cellfeat.extraction import thumbnails as pass_module
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features, verify_features, view_folder
from cellfeat.thumbnails import Thumbnails, find_thumbnails, make_thumbnails
from tests.extraction.observers import Disturbed, Lines

MakeSettings = Callable[..., Settings]


@pytest.fixture
def with_thumbnails(settings_for: MakeSettings) -> MakeSettings:
    """`settings_for` an extraction that makes thumbnails, as it does by default."""
    return lambda **overrides: settings_for(**{"extraction__thumbnails": True, **overrides})


def made_by(settings: Settings) -> Thumbnails:
    """Extract, and find the thumbnails that were made."""
    features = load_features(extract(settings).path)
    found = find_thumbnails(features)
    assert found is not None
    assert [path.name for path in (settings.extraction.output.parent / "features.view").iterdir()] == [
        view_folder(features).name
    ]
    return found


@pytest.mark.slow
def test_extraction_makes_what_is_made_later(with_thumbnails: MakeSettings) -> None:
    made = made_by(with_thumbnails())
    shards = [made.block(number) for number in range(made.n_blocks)]
    shutil.rmtree(made.folder)
    later = make_thumbnails(load_features(with_thumbnails().extraction.output))
    assert later == made
    assert [later.block(number) for number in range(later.n_blocks)] == shards
    assert [channel.name for channel in made.channels] == ["blue", "red", "yellow"]


@pytest.mark.slow
def test_thumbnails_are_not_in_the_recipe(with_thumbnails: MakeSettings) -> None:
    features = load_features(extract(with_thumbnails()).path)
    assert "thumbnails" not in str(features.recipe)
    assert "thumbnails" not in str(features.provenance["request"])
    assert extract(with_thumbnails(extraction__thumbnails=False)).n_extracted == 0


def test_no_thumbnails_are_made_where_they_are_not_wanted(with_thumbnails: MakeSettings) -> None:
    features = load_features(extract(with_thumbnails(extraction__thumbnails=False)).path)
    assert not view_folder(features).parent.exists()


@pytest.mark.slow
def test_interrupted_extraction_has_all_thumbnails_when_it_is_resumed(with_thumbnails: MakeSettings) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(with_thumbnails(), observer=Disturbed(12, interrupt))
    resumed = made_by(with_thumbnails())
    assert resumed.find(0).unread == {}


def test_quarantined_sample_is_black(with_thumbnails: MakeSettings, images: Path) -> None:
    (images / "00003_red.png").write_bytes(b"no image")
    made = made_by(with_thumbnails(images__root=images, extraction__on_error="quarantine"))
    assert made.record.failed == [2]
    assert made.find(0) is not None


def test_disk_that_is_full_costs_one_line_and_no_feature(
    with_thumbnails: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFullError("no room")

    monkeypatch.setattr(pass_module, "write_block", full)
    observer = Lines()
    extraction = extract(with_thumbnails(), observer=observer)
    assert [line for line in observer.lines if "thumbnails" in line and "no room" in line]
    assert verify_features(extraction.path).n_samples == 24
    assert find_thumbnails(load_features(extraction.path)) is None


def test_features_come_first_where_room_is_short(
    with_thumbnails: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pass_module, "SPARE_BYTES", 2**62)
    observer = Lines()
    extraction = extract(with_thumbnails(), observer=observer)
    assert [line for line in observer.lines if "thumbnails" in line and "room for the features" in line]
    assert not (extraction.path.parent / "features.view").exists()


def test_file_in_the_way_costs_one_line_and_no_feature(with_thumbnails: MakeSettings) -> None:
    settings, observer = with_thumbnails(), Lines()
    (settings.extraction.output.parent / "features.view").write_text("notes")
    extraction = extract(settings, observer=observer)
    assert len([line for line in observer.lines if "thumbnails" in line]) == 1
    assert np.isfinite(load_features(extraction.path).embeddings).all()


@pytest.mark.slow
def test_another_recipe_keeps_the_folder_of_the_same_samples(with_thumbnails: MakeSettings) -> None:
    first = made_by(with_thumbnails())
    (first.folder / "map.npz").write_bytes(b"a map of these samples")
    first_output = with_thumbnails().extraction.output
    first_output.unlink()
    again = made_by(with_thumbnails(extraction__views=4))
    assert again == first
    assert (again.folder / "map.npz").exists()
