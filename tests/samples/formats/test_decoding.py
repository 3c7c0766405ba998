import io
import re
import struct
import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image

MAX_PIXELS = 100_000


def random_pixels(*shape: int, dtype: str = "uint8") -> np.ndarray:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def tiff(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def png(pixels: np.ndarray) -> bytes:
    return imagecodecs.png_encode(np.ascontiguousarray(pixels))


def png_with_header(content: bytes, **changes: int) -> bytes:
    """A PNG whose header says otherwise, with the right checksum."""
    fields = dict(zip(("width", "height", "bits", "colour"), struct.unpack(">IIBB", content[16:26]), strict=True))
    header = b"IHDR" + struct.pack(">IIBB", *(fields | changes).values()) + content[26:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(bits: int, data: bytes, further: bytes = b"") -> bytes:
    """A 2 x 2 grey PNG of `bits` bits per pixel, with further chunks in front of its data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + further + png_chunk(b"IDAT", zlib.compress(data)) + png_chunk(b"IEND", b"")


PALETTE_PNG = (
    b"\x89PNG\r\n\x1a\n"
    + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    + png_chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    + png_chunk(b"IDAT", zlib.compress(bytes([0, 1, 0])))
    + png_chunk(b"IEND", b"")
)


def bits_tiff(compression: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(IS_BRIGHT).save(file, "TIFF", compression=compression)
    return file.getvalue()


def bits_png() -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(IS_BRIGHT).save(file, "PNG")
    return file.getvalue()


TWO_BITS = grey_png(2, bytes([0, 0b00_01_0000, 0, 0b10_11_0000]))
FOUR_BITS = grey_png(4, bytes([0, 0x12, 0, 0x3F]))
FOUR_BITS_ALPHA = grey_png(4, bytes([0, 0x12, 0, 0x3F]), png_chunk(b"tRNS", struct.pack(">H", 2)))
IS_BRIGHT = random_pixels(9, 19) > 127
BITS = IS_BRIGHT[np.newaxis] * np.uint8(255)
CYX = random_pixels(3, 7, 9, dtype="uint16")
RGB = random_pixels(7, 9, 3)
JPEG = imagecodecs.jpeg_encode(RGB)
OPAQUE = np.concatenate([RGB, np.full((7, 9, 1), 255, np.uint8)], axis=2)

# Content, and the pixels that stand in it.
READABLE = (
    {
        "png 8": (png(RGB[..., 0]), RGB[np.newaxis, ..., 0]),
        "png 16": (png(CYX[0]), CYX[:1]),
        "png rgb": (png(RGB), np.moveaxis(RGB, 2, 0)),
        "png rgba": (png(OPAQUE), np.moveaxis(OPAQUE, 2, 0)),
        "png grey alpha": (png(OPAQUE[..., [0, 3]]), np.moveaxis(OPAQUE[..., [0, 3]], 2, 0)),
        "png 1": (bits_png(), BITS),
        "png 2": (TWO_BITS, np.array([[[0, 1], [2, 3]]], np.uint8)),
        "png 4": (FOUR_BITS, np.array([[[1, 2], [3, 15]]], np.uint8)),
        "png 4 transparent": (FOUR_BITS_ALPHA, np.array([[[1, 2], [3, 15]], [[255, 0], [255, 255]]], np.uint8)),
        "png palette": (PALETTE_PNG, np.array([[[40, 10]], [[50, 20]], [[60, 30]]], np.uint8)),
        "tiff cyx": (tiff(CYX, photometric="minisblack", metadata={"axes": "CYX"}), CYX),
        "tiff pages": (tiff(CYX, photometric="minisblack", metadata=None), CYX),
        "tiff big-endian": (tiff(CYX, photometric="minisblack", byteorder=">"), CYX),
        "tiff big": (tiff(CYX, photometric="minisblack", bigtiff=True), CYX),
        "tiff imagej": (tiff(CYX, imagej=True, metadata={"axes": "CYX"}), CYX),
        "tiff tzcyx": (tiff(CYX[np.newaxis, np.newaxis], photometric="minisblack", metadata={"axes": "TZCYX"}), CYX),
        "tiff deflate": (tiff(CYX, photometric="minisblack", compression="deflate", rowsperstrip=3), CYX),
        "tiff 1": (tiff(IS_BRIGHT, photometric="minisblack"), BITS),
        "tiff 1 in strips": (tiff(IS_BRIGHT, photometric="minisblack", rowsperstrip=2, compression="deflate"), BITS),
        "tiff yx": (tiff(CYX[0]), CYX[:1]),
        "tiff one row": (tiff(CYX[:, :1], photometric="minisblack", metadata={"axes": "CYX"}), CYX[:, :1]),
        "tiff rgb": (tiff(RGB, photometric="rgb"), np.moveaxis(RGB, 2, 0)),
        "tiff rgb planes": (tiff(CYX, photometric="rgb", planarconfig="separate"), CYX),
        "tiff rgba": (tiff(OPAQUE, photometric="rgb", extrasamples=["unassalpha"]), np.moveaxis(OPAQUE, 2, 0)),
        "tiff ome": (tiff(CYX, ome=True, photometric="minisblack", metadata={"axes": "CYX"}), CYX),
    }
    | {
        f"tiff 1 {compression}": (bits_tiff(compression), BITS)
        for compression in ("raw", "packbits", "tiff_lzw", "tiff_deflate")
    }
    | {
        f"tiff {dtype}": (tiff(pixels, photometric="minisblack"), pixels)
        for dtype in ("uint8", "int16", "uint32", "int32", "float32", "float64")
        for pixels in [random_pixels(2, 5, 6, dtype=dtype)]
    }
)


@pytest.mark.parametrize("kind", READABLE)
def test_pixels_are_those_stored(kind):
    content, expected = READABLE[kind]

    pixels = decode_image(content, MAX_PIXELS).pixels

    assert pixels.dtype == expected.dtype
    assert pixels.dtype.isnative
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(CYX[0]), ("png", 16)),
        (png(RGB), ("png", 8)),
        (PALETTE_PNG, ("png", 8)),
        (bits_png(), ("png", 8)),
        (TWO_BITS, ("png", 2)),
        (FOUR_BITS, ("png", 4)),
        (tiff(IS_BRIGHT, photometric="minisblack"), ("tiff", 8)),
        (JPEG, ("jpeg", 8)),
        (tiff(CYX[0] >> 4), ("tiff", 16)),
        (tiff(CYX[0].astype("float32")), ("tiff", 32)),
        (tiff(RGB, photometric="rgb"), ("tiff", 8)),
        (imagecodecs.tiff_encode(CYX[0]), ("tiff", 16)),
        (tiff(CYX[0] >> 4, ome=True, metadata={"axes": "YX", "SignificantBits": 12}), ("tiff", 12)),
        (tiff(CYX[0], ome=True, metadata={"axes": "YX", "SignificantBits": 99}), ("tiff", 16)),
    ],
)
def test_format_and_stated_bits_are_read(content, expected):
    image = decode_image(content, MAX_PIXELS)

    assert (image.file_format, image.bits_stated) == expected


def test_bits_of_a_packed_tiff_are_those_stated():
    values = np.array([[1, 4095, 7, 300]], np.uint16)
    image = decode_image(packed_tiff(imagecodecs.packints_encode(values, 12), values.shape, bits=12), MAX_PIXELS)

    assert (image.pixels.dtype, image.bits_stated) == ("uint16", 12)
    np.testing.assert_array_equal(image.pixels, [values])


def packed_tiff(data: bytes, shape: tuple[int, int], *, bits: int) -> bytes:
    """A TIFF of `bits` bits a value: tag, type, count, value."""
    tags = [(256, 4, 1, shape[1]), (257, 4, 1, shape[0]), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, shape[0]), (279, 4, 1, len(data))]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = 8 + len(data) + len(data) % 2
    head = struct.pack("<2sHI", b"II", 42, start) + data.ljust(start - 8, b"\0")
    return head + struct.pack("<H", len(tags)) + directory + bytes(4)


JPEG_KINDS = {
    "plain": {},
    "not subsampled": {"subsampling": 0},
    "half in width": {"subsampling": 1},
    "coarse": {"quality": 5, "optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
}
SMOOTH = (np.indices((41, 67)).sum(axis=0)[..., np.newaxis] * [1, 2, 3]).astype(np.uint8)


def jpeg(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", JPEG_KINDS)
@pytest.mark.parametrize("pixels", [SMOOTH[..., 0], SMOOTH], ids=["grey", "rgb"])
def test_jpeg_equals_other_decoders(pixels, kind):
    content = jpeg(pixels, **JPEG_KINDS[kind])

    decoded = decode_image(content, MAX_PIXELS).pixels

    for other in (imagecodecs.jpeg8_decode(content), np.asarray(PIL.Image.open(io.BytesIO(content)))):
        np.testing.assert_array_equal(decoded, np.moveaxis(np.atleast_3d(other), 2, 0))


RESTARTS = jpeg(SMOOTH, restart_marker_blocks=1)
MARKERS = [found.start() for found in re.finditer(b"\xff[\xd0-\xd7]", RESTARTS)]


@pytest.mark.parametrize("end", MARKERS)
def test_jpeg_cut_at_a_restart_marker_is_refused(end):
    with pytest.raises(ImageError, match=r"damaged JPEG .*instead of RST"):
        decode_image(RESTARTS[:end] + b"\xff\xd9", MAX_PIXELS)


def test_jpeg_without_a_restart_interval_is_refused():
    with pytest.raises(ImageError, match=r"damaged JPEG .*instead of RST"):
        decode_image(RESTARTS[: MARKERS[1]] + RESTARTS[MARKERS[2] :], MAX_PIXELS)


def test_bytes_after_the_end_of_a_jpeg_are_ignored():
    pixels = decode_image(JPEG + b"and some words", MAX_PIXELS).pixels

    np.testing.assert_array_equal(pixels, decode_image(JPEG, MAX_PIXELS).pixels)


def test_jpeg_with_damaged_tables_is_refused():
    table = JPEG.index(b"\xff\xc4") + 5

    with pytest.raises(ImageError, match="damaged JPEG"):
        decode_image(JPEG[:table] + b"\xef" + JPEG[table + 1 :], MAX_PIXELS)


def test_jpeg_of_unusual_subsampling_is_refused():
    content = jpeg(SMOOTH, subsampling=0)
    component = content.index(b"\1\x11\0\2\x11\1\3\x11\1")

    with pytest.raises(ImageError, match="sampled in an unusual way; save it as TIFF or PNG"):
        decode_image(content[: component + 1] + b"\x13" + content[component + 2 :], MAX_PIXELS)


def test_jpeg_of_12_bits_is_refused():
    content = imagecodecs.jpeg8_encode(random_pixels(8, 8, dtype="uint16") >> 4, bitspersample=12)

    with pytest.raises(ImageError, match="a JPEG of 12 bits per pixel; expected 8"):
        decode_image(content, MAX_PIXELS)


@pytest.mark.parametrize("kind", [*READABLE, "jpeg"])
def test_truncated_file_never_gives_other_pixels(kind):
    content, expected = READABLE.get(kind) or (JPEG, None)
    if expected is None:
        expected = decode_image(content, MAX_PIXELS).pixels

    errors = 0
    for end in range(0, len(content), max(1, len(content) // 100)):
        try:
            pixels = decode_image(content[:end], MAX_PIXELS).pixels
        except ImageError:
            errors += 1
        else:  # only bytes behind the pixels were cut off
            np.testing.assert_array_equal(pixels, expected)
    assert errors > 20


@pytest.mark.parametrize("kind", [*READABLE, "jpeg"])
def test_damage_raises_only_image_errors(kind):
    content = READABLE[kind][0] if kind in READABLE else JPEG
    rng = np.random.default_rng(1)

    refused = 0
    for _ in range(100):
        damaged = bytearray(content)
        for position in rng.integers(4, min(len(content), 400), 3):
            damaged[position] = rng.integers(256)
        try:
            decode_image(bytes(damaged), MAX_PIXELS)
        except ImageError:
            refused += 1
    assert refused > 0


ROUGH = random_pixels(41, 67, 3)
TIFF_JPEGS = {
    "grey": tiff(ROUGH[..., 0], compression="jpeg", rowsperstrip=16, metadata=None),
    "rgb": tiff(ROUGH, compression="jpeg", photometric="rgb", metadata=None),
    "tiles": tiff(ROUGH[..., 0], compression="jpeg", tile=(32, 32), metadata=None),
}


@pytest.mark.parametrize("kind", TIFF_JPEGS)
def test_tiff_with_a_damaged_jpeg_is_refused(kind):
    content = TIFF_JPEGS[kind]
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        (*_, start), (*_, size) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    assert decode_image(content, MAX_PIXELS).pixels.shape[1:] == (41, 67)
    middle = start + size * 9 // 10

    with pytest.raises(ImageError, match="damaged JPEG"):
        decode_image(content[:middle] + b"\xff\xd9" + content[middle + 2 :], MAX_PIXELS)


def tiff_of_links(links: dict[int, int]) -> bytes:
    """A TIFF of pages without tags, each at its offset and with the offset of the next; then a whole picture."""
    content = bytearray(tiff(CYX[0], metadata=None)).ljust(2000, b"\0")
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        link = file.pages.next_page_offset
    content[link : link + 4] = struct.pack("<I", next(iter(links)))
    for offset, following in links.items():
        content[offset : offset + 6] = struct.pack("<HI", 0, following)
    return bytes(content)


@pytest.mark.parametrize("n_pages", [1, 2, 99, 150])
def test_circle_of_pages_is_refused(n_pages):
    offsets = [1000 + 6 * i for i in range(n_pages)]
    content = tiff_of_links(dict(zip(offsets, offsets[1:] + offsets[:1], strict=True)))

    with pytest.raises(ImageError, match="pages lead in a circle"):
        decode_image(content, MAX_PIXELS)


def test_page_beyond_the_end_is_missing():
    with pytest.raises(ImageError, match="later pages are missing"):
        decode_image(tiff_of_links({1000: 5000}), MAX_PIXELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (
            b"file_id,cell_line\n",
            "not an image: expected PNG, JPEG, TIFF or BMP, got a file that starts with b'file_id,'",
        ),
        (b"GIF89a\x00", "a GIF file"),
        (b"\x89HDF\r\n\x1a\n", "a HDF5 file"),
        (grey_png(3, bytes([0, 0x12, 0, 0x34])), "3 bits per pixel"),
        (FOUR_BITS[:-20] + FOUR_BITS[-12:], "damaged PNG"),
        (imagecodecs.apng_encode(random_pixels(3, 8, 8)), "animated"),
        (bits_tiff("group4"), "type bool"),
        (bits_tiff("raw")[:-9], "damaged TIFF"),
        (
            tiff(random_pixels(3, 8, 8) > 99, photometric="minisblack", metadata={"axes": "ZYX"}),
            "axes ZYX",
        ),
        (tiff(random_pixels(8, 8).astype("complex64")), "type complex64"),
        (tiff(np.array([[0, np.nan], [np.inf, 1]], np.float32)), "2 pixels that are NaN or infinite"),
        (tiff(CYX, photometric="minisblack", metadata={"axes": "ZYX"}), r"axes ZYX \(3, 7, 9\)"),
        (tiff(CYX[:, np.newaxis], imagej=True, metadata={"axes": "TCYX"}), "axes TYX"),
        (tiff(random_pixels(2, 3, 8, 8), photometric="minisblack", metadata={"axes": "TCYX"}), "axes TCYX"),
        (tiff(random_pixels(8, 8), photometric="miniswhite"), "MINISWHITE.*programs differ"),
        (tiff(random_pixels(8, 8), photometric="palette", colormap=np.zeros((3, 256), "uint16")), "PALETTE"),
        (tiff(random_pixels(8, 8, 4), photometric="separated"), "SEPARATED"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unclear_pixels_are_refused(content, message):
    with pytest.raises(ImageError, match=message):
        decode_image(content, MAX_PIXELS)


def test_several_images_in_one_file_are_refused():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(random_pixels(8, 8), metadata=None)
        writer.write(random_pixels(5, 5), metadata=None)

    with pytest.raises(ImageError, match="holds 2 images"):
        decode_image(file.getvalue(), MAX_PIXELS)


@pytest.mark.parametrize("kind", ["png 8", "png rgb", "tiff cyx", "tiff deflate", "jpeg"])
def test_limit_is_checked_before_decoding(kind):
    content, pixels = READABLE.get(kind) or (JPEG, RGB)

    with pytest.raises(ImageError, match=r"images.max_pixels allows 9"):
        decode_image(content, 9)
    assert decode_image(content, pixels.size).pixels.size == pixels.size


def test_huge_claim_in_a_header_is_refused():
    content = png_with_header(READABLE["png 8"][0], width=2**30, height=2**30)

    with pytest.raises(ImageError, match="max_pixels"):
        decode_image(content, 10**8)


def test_ome_channel_names_are_read():
    metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "ER", "Tubulin"]}}

    image = decode_image(tiff(CYX, ome=True, photometric="minisblack", metadata=metadata), MAX_PIXELS)

    assert image.channel_names == ("DNA", "ER", "Tubulin")


def test_part_of_a_multi_file_ome_tiff_is_refused():
    whole = tiff(CYX, ome=True, photometric="minisblack", metadata={"axes": "CYX"})
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        xml = file.ome_metadata
    elsewhere = '<UUID FileName="other.ome.tif">urn:uuid:11111111-1111-1111-1111-111111111111</UUID>'
    start, end = xml.index("<TiffData"), xml.index("</Pixels>")
    planes = "".join(
        f'<TiffData IFD="0" FirstC="{c}" PlaneCount="1">{elsewhere if c else ""}</TiffData>' for c in range(3)
    )
    part = tiff(CYX[0], description=xml[:start] + planes + xml[end:], metadata=None)

    with pytest.raises(ImageError, match="several files"):
        decode_image(part, MAX_PIXELS)
