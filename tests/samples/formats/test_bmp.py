"""BMP files of every kind, written byte by byte here and by other programs' libraries, and those that are refused."""

import io
import struct

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.image_file.channels import pick_channels

MAX_PIXELS = 100_000
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 7), np.uint8)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
OPAQUE = np.dstack([RGB, np.full((5, 7), 255, np.uint8)])
BLUE_FIRST = np.ascontiguousarray(RGB[..., ::-1])
UNUSED = RNG.integers(0, 256, (5, 7, 1), np.uint8)
RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
COLOURS = RNG.integers(0, 256, (256, 3), np.uint8)
IS_BRIGHT = GREY > 127
MASKS = (0xFF0000, 0xFF00, 0xFF)


def rows(pixels: np.ndarray, *, upper_first: bool = False) -> bytes:
    """Rows of uint8, each filled up to a multiple of 4 bytes with what is no zero."""
    flat = (pixels if upper_first else pixels[::-1]).reshape(len(pixels), -1)
    return b"".join(row.tobytes().ljust((flat.shape[1] + 3) // 4 * 4, b"\x7f") for row in flat)


def bmp(
    data: bytes,
    bits: int,
    *,
    palette: np.ndarray | None = None,
    size: tuple[int, int] = (7, 5),
    compression: int = 0,
    n_colours: int = 0,
    masks: tuple[int, ...] = (),
    header_size: int = 40,
) -> bytes:
    """A BMP as the documentation of Windows has it: header of the file, of the picture, masks, palette, rows."""
    colours = b"" if palette is None else np.pad(palette[:, ::-1], ((0, 0), (0, 1)), constant_values=9).tobytes()
    head = struct.pack("<IiiHHIIiiII", header_size, *size, 1, bits, compression, len(data), 2835, 2835, n_colours, 0)
    head = (head + struct.pack(f"<{len(masks)}I", *masks)).ljust(header_size, b"\0") + colours
    start = 14 + len(head)
    return struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + head + data


def of_pillow(pixels: np.ndarray, mode: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(file, "BMP")
    return file.getvalue()


def two_in_a_byte(numbers: np.ndarray) -> np.ndarray:
    even = np.pad(numbers, ((0, 0), (0, numbers.shape[1] % 2)))
    return even[:, ::2] << 4 | even[:, 1::2]


def with_alpha(pixels: np.ndarray) -> bytes:
    return bmp(rows(pixels), 32, compression=3, masks=(*MASKS[::-1], 0xFF000000), header_size=56)


BITS = np.packbits(IS_BRIGHT, axis=1)
# The bytes of a file, and the pixels that it holds: (H, W) or (H, W, S).
READABLE = {
    "grey": (bmp(rows(GREY), 8, palette=RAMP), GREY),
    "grey, upper row first": (bmp(rows(GREY, upper_first=True), 8, palette=RAMP, size=(7, -5)), GREY),
    "grey with a short palette": (bmp(rows(GREY % 16), 8, palette=RAMP[:16], n_colours=16), GREY % 16),
    "white first": (bmp(rows(GREY), 8, palette=RAMP[::-1]), 255 - GREY),
    "grey of a new header": (bmp(rows(GREY), 8, palette=RAMP, header_size=124), GREY),
    "without the end of the last row": (bmp(rows(GREY)[:-1], 8, palette=RAMP), GREY),
    "palette": (bmp(rows(GREY), 8, palette=COLOURS), COLOURS[GREY]),
    "colours": (bmp(rows(BLUE_FIRST), 24), RGB),
    "colours, upper row first": (bmp(rows(BLUE_FIRST, upper_first=True), 24, size=(7, -5)), RGB),
    "32 bits": (bmp(rows(np.dstack([BLUE_FIRST, UNUSED])), 32), RGB),
    "32 bits with masks": (bmp(rows(np.dstack([BLUE_FIRST, UNUSED])), 32, compression=3, masks=MASKS), RGB),
    "red first": (bmp(rows(np.dstack([RGB, UNUSED])), 32, compression=3, masks=MASKS[::-1]), RGB),
    "alpha": (with_alpha(OPAQUE), OPAQUE),
    "1 bit": (bmp(rows(BITS), 1, palette=RAMP[[0, 255]], n_colours=2), IS_BRIGHT * np.uint8(255)),
    "1 bit, white first": (bmp(rows(BITS), 1, palette=RAMP[[255, 0]]), ~IS_BRIGHT * np.uint8(255)),
    "4 bits": (bmp(rows(two_in_a_byte(GREY % 16)), 4, palette=RAMP[::17]), GREY % 16 * 17),
    "4 bits in colour": (bmp(rows(two_in_a_byte(GREY % 16)), 4, palette=COLOURS[:16]), COLOURS[GREY % 16]),
    "imagecodecs grey": (imagecodecs.bmp_encode(GREY), GREY),
    "imagecodecs colours": (imagecodecs.bmp_encode(RGB), RGB),
    "Pillow grey": (of_pillow(GREY, "L"), GREY),
    "Pillow colours": (of_pillow(RGB, "RGB"), RGB),
    # Pillow does not say that the fourth byte is alpha.
    "Pillow alpha": (of_pillow(OPAQUE, "RGBA"), RGB),
    "Pillow 1 bit": (of_pillow(IS_BRIGHT, "1"), IS_BRIGHT * np.uint8(255)),
}


@pytest.mark.parametrize("kind", READABLE)
def test_pixels_are_those_stored(kind: str) -> None:
    content, expected = READABLE[kind]

    image = decode_image(content, MAX_PIXELS)

    assert image.pixels.flags.c_contiguous
    assert (image.file_format, image.bits_stated, image.pixels.dtype) == ("bmp", 8, "uint8")
    np.testing.assert_array_equal(image.pixels, np.moveaxis(np.atleast_3d(expected), 2, 0))


def test_alpha_is_no_channel() -> None:
    chosen = pick_channels(decode_image(with_alpha(OPAQUE), MAX_PIXELS), (0, 1, 2))
    np.testing.assert_array_equal(chosen, np.moveaxis(RGB, 2, 0))
    with pytest.raises(ImageError, match="transparent"):
        pick_channels(decode_image(with_alpha(np.dstack([RGB, UNUSED])), MAX_PIXELS), (0, 1, 2))


def torn() -> bytes:
    """Whole to the middle of row 20 of 40, and zeros from there."""
    full = RNG.integers(1, 256, (40, 48), np.uint8)
    content = bmp(rows(full), 8, palette=RAMP, size=(48, 40))
    n_lost = 20 * 48 - 24
    return content[:-n_lost] + bytes(n_lost)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"BM", "damaged BMP .its header is missing"),
        (struct.pack("<2sIHHI", b"BM", 99, 0, 0, 26) + struct.pack("<IHHHH", 12, 7, 5, 1, 24) + bytes(120), "12 bytes"),
        (bmp(rows(GREY), 8, palette=RAMP)[:-2], "pixel data are missing"),
        (bmp(rows(GREY), 8, palette=RAMP)[:900], "palette is missing"),
        (bmp(rows(GREY), 8, palette=RAMP[:9]), "palette is missing"),
        (bmp(rows(GREY), 8, palette=RAMP[:16], n_colours=16), "of a palette of 16"),
        (bmp(rows(GREY), 8, palette=RAMP, size=(-7, 5)), "its width is -7"),
        (bmp(rows(GREY), 8, palette=RAMP, size=(7, -(2**31))), r"images\.max_pixels"),
        (bmp(rows(GREY), 8, palette=RAMP, size=(2**31 - 1, 2**31 - 1)), r"images\.max_pixels"),
        (bmp(b"", 8, palette=RAMP, size=(0, 5)), "none at all"),
        (bmp(rows(GREY), 8, palette=RAMP, compression=1), "compressed as RLE8; .*save it as TIFF or PNG"),
        (bmp(rows(two_in_a_byte(GREY)), 4, palette=RAMP[:16], compression=2), "compressed as RLE4"),
        (bmp(rows(np.dstack([GREY, GREY])), 16), "16 bits per pixel"),
        (bmp(rows(OPAQUE), 32, compression=3, masks=(0x3FF00000, 0xFFC00, 0x3FF)), "other bits than a byte each"),
        (torn(), "damaged BMP .its pixels end within a row"),
    ],
)  # fmt: skip
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_image(content, MAX_PIXELS)
