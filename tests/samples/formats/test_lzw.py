"""A code that follows a clear code and names no byte is found; nothing else is."""

import imagecodecs
import numpy as np
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.formats.lzw import names_lost_string
from tests.samples.image_files import noise, tiff

CLEAR, END = 256, 257
WIDTHS = [(512, 9), (1024, 10), (2048, 11), (5120, 12)]


def packed(codes: list[int], *, from_lowest: bool = False) -> bytes:
    """A stream of codes, each as wide as a decoder expects it there."""
    bits, n_strings, is_first = "", 258, False
    for code in codes:
        width = next(width for strings, width in WIDTHS if n_strings + (not from_lowest) < strings or width == 12)
        bits += f"{code:0{width}b}"[:: -1 if from_lowest else 1]
        if code == CLEAR:
            n_strings, is_first = 258, True
        elif is_first:
            is_first = False
        else:
            n_strings += 1
    ordered = bits + "0" * (-len(bits) % 8)
    return bytes(int(ordered[i : i + 8][:: -1 if from_lowest else 1], 2) for i in range(0, len(ordered), 8))


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (300, 300), (700, 700)])
@pytest.mark.parametrize("values", [1, 4, 256])
def test_whole_data_pass(shape, values):
    pixels = np.random.default_rng(0).integers(0, values, shape, np.uint8)
    assert not names_lost_string(imagecodecs.lzw_encode(pixels.tobytes()))


@pytest.mark.parametrize("from_lowest", [False, True])
@pytest.mark.parametrize("n_codes", [0, 1, 60, 70, 600, 3000])
@pytest.mark.parametrize("code", [258, 300, 511])
def test_lost_string_is_found_after_any_clear_code(n_codes, code, from_lowest):
    before = [CLEAR, *([7] * n_codes)]
    assert names_lost_string(packed([*before, CLEAR, code, 1, 2, END], from_lowest=from_lowest))
    assert names_lost_string(packed([*before, CLEAR, CLEAR, code], from_lowest=from_lowest))
    for after in ([CLEAR, 255, 258, END], [CLEAR, END, CLEAR, code], [END, CLEAR, code], [CLEAR], []):
        assert not names_lost_string(packed([*before, *after], from_lowest=from_lowest)), after


@pytest.mark.parametrize("n_codes", [1, 600, 3000])
def test_codes_are_those_of_the_decoder(n_codes):
    codes = [CLEAR, *np.random.default_rng(n_codes).integers(0, 256, n_codes).tolist()]
    assert imagecodecs.lzw_decode(packed([*codes, END])) == bytes(codes[1:])


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x00", b"\x00\x01", b"\xff" * 9])
def test_any_bytes_can_be_asked_about(content):
    assert names_lost_string(content) in (False, True)


def test_image_with_a_lost_string_is_refused():
    pixels = noise(32, 32)
    content = tiff(pixels, compression="lzw", rowsperstrip=32)
    start = content.index(imagecodecs.lzw_encode(pixels.tobytes())[:8])
    # The first code after the clear code: its highest bit makes a string of a byte.
    damaged = content[: start + 1] + bytes([content[start + 1] | 0x40]) + content[start + 2 :]
    with pytest.raises(ImageError, match="name a string that they have not defined"):
        decode_image(damaged, max_pixels=10**6)
