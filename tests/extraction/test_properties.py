"""File properties of the samples, from the images to the feature file."""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import (
    INTENSITIES,
    Intensities,
    Properties,
    describe_constant_channels,
    describe_mixture,
    describe_summary,
    load_features,
    no_properties,
    read_intensities,
    read_properties,
    read_summary,
)
from tests.extraction.observers import Lines

MakeSettings = Callable[..., Settings]


@pytest.fixture
def images(cells: Path, tmp_path: Path) -> Path:
    """Generated cells, one of them in 16 bits and one damaged."""
    folder = tmp_path / "images"
    folder.mkdir()
    for path in (cells / "images").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for path in folder.glob("00002_*.png"):
        path.write_bytes(imagecodecs.png_encode(imagecodecs.imread(path).astype(np.uint16) * 10))
    (folder / "00003_red.png").write_bytes(b"")
    return folder


@pytest.mark.slow
def test_properties_are_kept_and_survive_an_update(settings_for: MakeSettings, images: Path) -> None:
    settings = settings_for(images__root=images, extraction__on_error="quarantine")
    path = extract(settings).path
    properties = load_features(path).samples.properties
    assert properties is not None
    assert properties.records[0].item() == (b"uint8", b"8", properties.bits_used[0], 32, 32, b"png")
    assert (properties.dtype[1], properties.bits_stated[1]) == ("uint16", "16")
    assert 8 < properties.bits_used[1] <= 12
    assert properties.records[2].item() == (b"", b"", 0, 0, 0, b"")
    assert "22 uint8, 32 x 32, png; 1 uint16, 32 x 32, png" in describe_summary(read_summary(path))
    intensities = load_features(path).samples.intensities
    assert intensities is not None
    blue = imagecodecs.imread(images / "00001_blue.png") / 255
    np.testing.assert_allclose(intensities.records[0, 0].item(), (blue.mean(), blue.std(), blue.max()), rtol=1e-5)
    # Sample 2 was saved in 16 bits, ten times as bright, of 65,535.
    assert 0 < intensities.highest[1].max() <= 2550 / 65535
    assert not intensities.records[2]["highest"].any()
    assert "brightness   blue 0" in describe_summary(read_summary(path))

    for source in images.glob("00001_*.png"):
        (images / source.name.replace("00001", "00003")).write_bytes(source.read_bytes())
    (images / "00004_red.png").write_bytes((images / "00005_red.png").read_bytes())
    extract(settings, update=True)
    now = read_intensities(path).records
    np.testing.assert_array_equal(np.delete(now, [2, 3], axis=0), np.delete(intensities.records, [2, 3], axis=0))
    np.testing.assert_array_equal(now[2], now[0])
    updated = read_properties(path).records
    np.testing.assert_array_equal(np.delete(updated, [2, 3]), np.delete(properties.records, [2, 3]))
    assert updated[2] == properties.records[0]
    assert updated[3]["dtype"] == b"uint8"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, None),
        ({"dtype": [b"uint8", b"uint8", b"uint16", b""]}, "2 uint8, 1 uint16"),
        ({"dtype": b"uint16", "bits_stated": [b"16", b"12", b"16", b""]}, "2 uint16, 1 uint16 of 12 bits"),
        ({"dtype": b"uint16", "bits_stated": b"16", "bits_used": [12, 16, 16, 0]}, "12 to 16 bits used"),
        ({"file_format": [b"png", b"jpeg", b"png", b""]}, "2 png, 1 jpeg"),
        ({"height": [48, 80, 64, 0]}, "48 to 80 pixels high, 64 to 64 wide"),
    ],
)
def test_mixture_of_files_is_one_line(properties: dict[str, object], expected: str | None) -> None:
    records = no_properties(4)
    records[:3] = (b"uint8", b"8", 8, 64, 64, b"png")
    for name, values in properties.items():
        records[name][:3] = values[:3] if isinstance(values, list) else values
    line = describe_mixture(Properties(records))
    assert line is None if expected is None else expected in str(line)


@pytest.mark.slow
def test_extraction_says_how_the_files_differ(settings_for: MakeSettings, images: Path) -> None:
    lines = Lines()
    extract(settings_for(images__root=images, extraction__on_error="quarantine"), observer=lines)
    (line,) = [line for line in lines.lines if "differ in their files" in line]
    assert "22 uint8, 1 uint16" in line


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [
        ([[0.1, 0.1], [0.1, 0.2], [0.3, 0.1]], None),
        ([[0.1, 0.0], [0.1, 0.2], [0.3, 0.0]], "er in 2 of 3 samples"),
        ([[0.0, 0.1], [0.0, 0.2], [0.0, 0.0]], "dna in all of 3 samples, er in 1 of 3 samples"),
    ],
)
def test_constant_channels_are_one_line_and_failed_samples_do_not_count(
    deviations: list[list[float]], expected: str | None
) -> None:
    records = no_properties(4)
    records["height"][:3] = 64
    intensities = np.zeros((4, 2), INTENSITIES)
    intensities["deviation"][:3] = deviations
    line = describe_constant_channels(Properties(records), Intensities(intensities), ["dna", "er"])
    assert line is None if expected is None else str(line).endswith(f"one value: {expected}")


@pytest.mark.slow
def test_extraction_warns_of_a_channel_that_is_black_everywhere(settings_for: MakeSettings, images: Path) -> None:
    for path in images.glob("*_blue.png"):
        path.write_bytes(imagecodecs.png_encode(np.zeros_like(imagecodecs.imread(path))))
    lines = Lines()
    extract(settings_for(images__root=images, extraction__on_error="quarantine"), observer=lines)
    (line,) = [line for line in lines.lines if "one value" in line]
    assert line == "warning: all pixels of a channel have one value: blue in all of 23 samples; audit lists them"
