"""Whole fields from images to the feature file: resumed within a field, quarantined by field, used by a saved head."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellfeat.config import Settings
from cellfeat.errors import FingerprintError, ImageError
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.store import load_features, read_summary
from cellfeat.extraction.verification import check_pixels, recorded_manifest
from cellfeat.samples.manifest.build import build_manifest
from tests.extraction.observers import Disturbed, Lines, contents
from tests.samples.fields.field_files import CHANNELS, settings_of_round_cells, write_fields, write_round_cells

MakeSettings = Callable[..., Settings]
N_SAMPLES = 16


@pytest.fixture
def make(tmp_path: Path, settings_into: MakeSettings) -> MakeSettings:
    """Settings that extract four fields of four cells."""
    write_fields(tmp_path)

    def settings(**overrides: Any) -> Settings:
        own = {
            "images.root": tmp_path / "images",
            "images.layout": "fields",
            "images.pattern": "{plate}/{well}_s{site}_{channel}.png",
            "images.channels": list(CHANNELS),
            "images.fields.masks_root": tmp_path / "masks",
            "images.fields.crop_size": 9,
            "preprocessing.channels_as": "separate",
            "labels.file": None,
        }
        return settings_into(tmp_path, **(own | {key.replace("__", "."): value for key, value in overrides.items()}))

    return settings


def test_recipe_and_request_hold_the_rules(make: MakeSettings) -> None:
    summary = read_summary(extract(make(images__fields__mask="zero_outside", images__fields__dilate=2)).path)
    expected = {"crop_size": 9, "border": "pad", "mask": "zero_outside", "dilate": 2, "resolution": None}
    assert summary.recipe["fields"] == summary.provenance["request"]["fields"] == expected


def test_other_rules_are_other_features(make: MakeSettings) -> None:
    extract(make())
    with pytest.raises(FingerprintError, match=r"fields.mask|zero_outside"):
        extract(make(images__fields__mask="zero_outside"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_run_resumed_within_a_field_has_the_same_bytes(workers: int, make: MakeSettings, tmp_path: Path) -> None:
    wanted = {"extraction__workers": workers, "extraction__batch_size": 2}
    with pytest.raises(KeyboardInterrupt):
        extract(make(**wanted), observer=Disturbed(6, lambda: signal.raise_signal(signal.SIGINT)))
    resumed = extract(make(**wanted))
    assert resumed.n_extracted == N_SAMPLES - 6
    fresh = extract(make(**wanted, extraction__output=tmp_path / "fresh.h5"))
    assert contents(resumed.path) == contents(fresh.path)


@pytest.mark.slow
def test_unreadable_field_costs_its_cells_only(make: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "images" / "P1" / "B02_s1_ER.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"P1/B02/1:1 \(row 4\)"):
        extract(make())
    lines = Lines()
    features = load_features(extract(make(extraction__on_error="quarantine"), observer=lines).path)
    assert features.samples.ids[~features.samples.is_ok].tolist() == [f"P1/B02/1:{n}" for n in range(1, 5)]
    assert sum("quarantined: sample P1/B02/1:" in line and "B02_s1_ER.png" in line for line in lines.lines) == 4


@pytest.mark.slow
def test_file_properties_are_those_of_the_crops(make: MakeSettings) -> None:
    properties = load_features(extract(make()).path).samples.properties
    assert set(properties.height.tolist()) == set(properties.width.tolist()) == {9}
    assert set(properties.dtype.tolist()) == {"uint16"}


@pytest.mark.slow
def test_changed_field_is_told_and_updated(make: MakeSettings, tmp_path: Path) -> None:
    path = extract(make()).path
    check_pixels(path, recorded_manifest(path))
    (tmp_path / "images" / "P2" / "A01_s1_ER.png").write_bytes(
        (tmp_path / "images" / "P2" / "B02_s1_ER.png").read_bytes()
    )
    with pytest.raises(FingerprintError, match="P2/A01/1:1"):
        extract(make())
    updated = extract(make(), update=True)
    assert updated.n_extracted == 4
    fresh = extract(make(extraction__output=tmp_path / "fresh.h5"))
    assert load_features(updated.path).embeddings.tobytes() == load_features(fresh.path).embeddings.tobytes()


@pytest.mark.slow
def test_masks_beside_new_images_are_used(make: MakeSettings, tmp_path: Path) -> None:
    summary = read_summary(extract(make()).path)
    write_fields(tmp_path / "new", wells=("C03",))
    output = tmp_path / "new.h5"
    settings = settings_like(
        summary.provenance["settings"], summary.recipe, images=tmp_path / "new" / "images", output=output
    )
    assert settings.images.fields.masks_root == tmp_path / "new" / "masks"
    found = build_manifest(settings.images, settings.labels)
    assert found.table["sample_id"].tolist()[:2] == ["P1/C03/1:1", "P1/C03/1:2"]
    assert extract(settings, manifest=found, expected_recipe=summary.recipe).n_samples == 8


def test_positions_of_earlier_images_are_not_used_for_new_ones(make: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("file,x,y\nP1/A01_s1_DNA.png,8,9\n")
    summary = read_summary(extract(make(images__fields__positions=str(tmp_path / "cells.csv"))).path)
    (tmp_path / "others").mkdir()
    settings = settings_like(
        summary.provenance["settings"], summary.recipe, images=tmp_path / "others", output=tmp_path / "o.h5"
    )
    assert settings.images.fields.positions is None


@pytest.mark.slow
def test_positions_that_are_exchanged_are_told(settings_into: MakeSettings, tmp_path: Path) -> None:
    write_round_cells(tmp_path, lambda x, y, _: (y, x))
    lines = Lines()
    extract(settings_into(tmp_path, **settings_of_round_cells(tmp_path)), observer=lines)
    (line,) = [line for line in lines.lines if "beside their places" in line]
    assert "taken with x and y exchanged" in line
