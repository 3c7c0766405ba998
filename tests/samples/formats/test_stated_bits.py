"""White is the highest value of the bits that a file states."""

import binascii
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.reading.images import SampleReader

CELLS = np.random.default_rng(0).integers(0, 4096, (20, 30)).astype(np.uint16)
MAX_SAMPLE_VALUE = 281


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def tiff_stating(pixels: np.ndarray, highest: int) -> bytes:
    return tiff(pixels, metadata=None, extratags=[(MAX_SAMPLE_VALUE, "H", 1, highest, True)])


def imagej(pixels: np.ndarray, **notes: Any) -> bytes:
    return tiff(pixels, imagej=True, metadata=notes)


def png(pixels: np.ndarray, significant: int) -> bytes:
    """A PNG with the chunk sBIT, which comes after the header."""
    content = imagecodecs.png_encode(pixels)
    chunk = b"sBIT" + bytes([significant])
    return content[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", binascii.crc32(chunk)) + content[33:]


def bits_of(content: bytes) -> int:
    return decode_image(content, 10**6).bits_stated


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_tiff_states_its_bits(bits):
    assert bits_of(tiff(CELLS >> (16 - bits), bitspersample=bits, photometric="minisblack", metadata=None)) == bits


@pytest.mark.parametrize(("significant", "expected"), [(12, 12), (14, 14), (16, 16), (99, 16), (0, 16)])
def test_ome_states_significant_bits(significant, expected):
    assert bits_of(tiff(CELLS, ome=True, metadata={"axes": "YX", "SignificantBits": significant})) == expected


@pytest.mark.parametrize(
    ("highest", "expected"),
    [(4095, 12), (16383, 14), (65535, 16), (4000, 16), (3, 16), (2047, 16)],
    ids=["12 bits", "14 bits", "16 bits", "of this image", "a label", "too low"],
)
def test_highest_value_of_a_tiff_counts_where_it_is_one_of_bits(highest, expected):
    assert bits_of(tiff_stating(CELLS, highest)) == expected


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({"min": 0.0, "max": 4095.0}, 12),
        ({"min": 0.0, "max": 3017.0}, 16),
        ({"min": 31.0, "max": 4095.0}, 16),
        ({"min": 0.0, "max": "bright"}, 16),
        ({}, 16),
    ],
)
def test_display_range_of_imagej_counts_where_it_is_one_of_bits(notes, expected):
    assert bits_of(imagej(CELLS, **notes)) == expected


@pytest.mark.parametrize(("ranges", "expected"), [((0, 4095, 0, 4095), 12), ((0, 4095, 0, 1023), 16)])
def test_display_ranges_of_all_channels_must_agree(ranges, expected):
    assert bits_of(imagej(np.stack([CELLS, CELLS]), axes="CYX", Ranges=ranges)) == expected


def test_significant_bits_of_a_png_count_where_values_are_as_the_camera_gave_them():
    assert bits_of(png(CELLS, 12)) == 12


@pytest.mark.parametrize(
    "scaled", [CELLS << 4, (CELLS << 4) | (CELLS >> 8), np.rint(CELLS * (65535 / 4095)).astype(np.uint16)]
)
@pytest.mark.parametrize("shade", [1, 16])
def test_png_whose_values_were_scaled_up_has_all_bits(scaled, shade):
    """The standard scales values up; a dark image stays below 4,095 all the same."""
    dark = scaled[(4096 // shade > CELLS)].reshape(1, -1)

    assert bits_of(png(dark, 12)) == 16


def test_files_of_one_sample_may_state_different_bits(tmp_path: Path):
    (tmp_path / "a.tif").write_bytes(tiff_stating(CELLS, 4095))
    (tmp_path / "b.tif").write_bytes(tiff(CELLS))
    reader = SampleReader(tmp_path, (("a.tif", "b.tif", "a.tif"),), ("a", "b", "c"), True)

    assert reader.read_sample(0).bits == (12, 16, 12)


def test_channels_of_one_file_have_its_bits(tmp_path: Path):
    (tmp_path / "a.tif").write_bytes(tiff_stating(np.stack([CELLS, CELLS]), 4095))
    reader = SampleReader(tmp_path, (("a.tif",),), (1, 0, 1), False)

    assert reader.read_sample(0).bits == (12, 12, 12)
