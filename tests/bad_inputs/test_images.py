"""Image files of every bad kind in one extraction: each is quarantined by name, and the good ones are all there."""

import io
import re
import struct
import zlib
from typing import NamedTuple

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from cellfeat.extraction.store import Features, Status, load_features, verify_features
from cellfeat.samples.reading.images import pixel_digest


class Bad(NamedTuple):
    """A file that is no image of a cell, and what its reason must say."""

    name: str
    content: bytes
    reason: str


class Good(NamedTuple):
    """A file that looks odd and is a sample all the same, and its pixels."""

    name: str
    content: bytes
    pixels: np.ndarray


def noise(*shape: int, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def png(pixels: np.ndarray) -> bytes:
    return imagecodecs.png_encode(np.ascontiguousarray(pixels))


def progressive_jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", progressive=True)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def plain_png(
    rows: bytes,
    *,
    width: int = 2,
    height: int = 2,
    bits: int = 8,
    colour: int = 0,
    interlace: int = 0,
    **further: bytes,
) -> bytes:
    """A PNG put together by hand: its filtered rows, and further chunks before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))
    middle = b"".join(chunk(kind.encode(), data) for kind, data in further.items())
    return b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def adam7(pixels: np.ndarray) -> bytes:
    """The rows of the seven passes of an interlaced PNG."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    return b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in pixels[y::dy, x::dx])


def tiff_claiming(width: int, height: int) -> bytes:
    """A TIFF whose header claims a size and whose strip holds 64 bytes."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, 1),
            (278, 4, height), (279, 4, 64)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)).ljust(200, b"\0") + bytes(64)


def tiff_of_strip(strip: bytes) -> bytes:
    """A 64 x 64 TIFF, deflated, of one strip that may hold anything."""
    whole = tiff(np.zeros((64, 64), np.uint8), compression="deflate", metadata=None)
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        tags = file.pages[0].tags
        offset_at, count_at = tags["StripOffsets"].valueoffset, tags["StripByteCounts"].valueoffset
    changed = bytearray(whole)
    changed[offset_at : offset_at + 4] = struct.pack("<I", len(whole))
    changed[count_at : count_at + 4] = struct.pack("<I", len(strip))
    return bytes(changed) + strip


def tiff_that_loops() -> bytes:
    """A TIFF whose only page says that it is also the next one."""
    content = bytearray(tiff(GREY, metadata=None))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        link, page = file.pages.next_page_offset, file.pages[0].offset
    content[link : link + 4] = struct.pack("<I", page)
    return bytes(content)


def padded(magic: bytes) -> bytes:
    return magic + bytes(60)


def two_sizes() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(noise(8, 8), metadata=None)
        writer.write(noise(5, 5), metadata=None)
    return file.getvalue()


GREY = noise(40, 48)
DEEP = noise(40, 48, dtype="uint16")
RGB = noise(40, 48, 3)
JPEG = imagecodecs.jpeg_encode(RGB, level=90)
PROGRESSIVE = progressive_jpeg(GREY)
BLACK_BELOW = imagecodecs.jpeg_encode(np.pad(GREY, ((0, 200), (0, 0))))
CUTS = {
    "png": ("png", png(GREY)),
    "png-16": ("png", png(DEEP)),
    "png-rgb": ("png", png(RGB)),
    "jpeg": ("jpg", JPEG),
    "bmp": ("bmp", imagecodecs.bmp_encode(GREY)),
    "tiff": ("tif", tiff(DEEP)),
    "tiff-deflate": ("tif", tiff(DEEP, compression="deflate", rowsperstrip=8)),
    "tiff-lzw-tiles": ("tiff", tiff(noise(64, 64), compression="lzw", tile=(16, 16))),
    "bigtiff": ("tif", tiff(DEEP, bigtiff=True)),
    "tiff-pages": ("tif", tiff(noise(3, 40, 48), photometric="minisblack", metadata=None)),
}
TRUNCATED = [
    Bad(f"{kind}-cut-at-{tenth}.{suffix}", content[: len(content) * tenth // 10], "truncated or damaged")
    for kind, (suffix, content) in CUTS.items()
    for tenth in range(1, 10)
]

NOT_IMAGES = [
    Bad("empty.png", b"", "empty .0 bytes.; copy it again"),
    Bad("empty.tif", b"", "empty"),
    Bad("only-magic.png", b"\x89PNG\r\n\x1a\n", "truncated or damaged PNG"),
    Bad("only-magic.jpg", b"\xff\xd8\xff", "truncated or damaged JPEG"),
    Bad("only-magic.tif", b"II*\0", "truncated or damaged TIFF"),
    Bad("nul-bytes.png", bytes(4096), "not an image: expected PNG, JPEG, TIFF or BMP"),
    Bad("only-magic.bmp", padded(b"BM"), "a BMP with a header of 0 bytes"),
    Bad("text.png", b"this is not an image\n", "not an image"),
    Bad("labels.jpg", b"\xef\xbb\xbffile_id,cell_line\n", "not an image"),
    Bad("error-page.png", b"<!DOCTYPE html><h1>404</h1>", "not an image"),
    Bad("svg.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    Bad("lfs-pointer.png", b"version https://git-lfs.github.com/spec/v1\n", "not an image"),
    Bad("pickle.png", b"\x80\x04cos\nsystem\n(S'true'\ntR.", "not an image"),
    Bad("zip.tif", b"PK\x03\x04" + bytes(60), "not an image"),
    Bad("gif.png", padded(b"GIF89a"), "a GIF file"),
    Bad("really.gif", padded(b"GIF87a"), "a GIF file"),
    Bad("web.webp", padded(b"RIFF\0\0\0\0WEBP"), "WebP"),
    Bad("wavelets.jp2", padded(b"\0\0\0\x0cjP  "), "JPEG 2000"),
    Bad("hdf5.tif", padded(b"\x89HDF\r\n\x1a\n"), "a HDF5 file"),
    Bad("zeiss.tif", padded(b"ZISRAWFILE"), "CZI file"),
    Bad("paper.png", padded(b"%PDF-1.7"), "a PDF file"),
]

DAMAGED = [
    Bad("flipped-data.png", png(GREY)[:200] + bytes([png(GREY)[200] ^ 1]) + png(GREY)[201:], "damaged PNG"),
    Bad("rows-missing.png", plain_png(b"\0ab", height=2), "damaged PNG"),
    Bad("no-data.png", plain_png(b"", height=2), "damaged PNG"),
    Bad("end-put-behind-half.png", png(GREY)[:900] + chunk(b"IEND", b""), "damaged PNG"),
    Bad("end-put-behind-half.jpg", JPEG[: len(JPEG) // 2] + b"\xff\xd9", "damaged JPEG"),
    Bad("end-put-behind-nine-tenths.jpg", JPEG[: len(JPEG) * 9 // 10] + b"\xff\xd9", "damaged JPEG"),
    Bad("strip-too-short.tif", tiff_of_strip(zlib.compress(bytes(range(256)) * 8)), "damaged TIFF"),
    Bad("strip-empty.tif", tiff_of_strip(zlib.compress(b"")), "damaged TIFF"),
    Bad("strip-of-text.tif", tiff_of_strip(b"no deflated bytes at all"), "damaged TIFF"),
    Bad("pages-in-a-circle.tif", tiff_that_loops(), "damaged TIFF|later pages"),
]

BOMBS = [
    Bad("bomb.png", plain_png(b"\0", width=65_000, height=65_000), r"4225000000 pixels; images\.max_pixels"),
    Bad("bomb-2.png", plain_png(b"\0", width=2**31 - 1, height=2**31 - 1), r"images\.max_pixels"),
    Bad("bomb.jpg", JPEG.replace(struct.pack(">HH", 40, 48), b"\xfd\xe8\xfd\xe8"), r"images\.max_pixels"),
    Bad("bomb.tif", tiff_claiming(65_000, 65_000), r"images\.max_pixels"),
    Bad("claims-a-little-more.tif", tiff_claiming(64, 65), "damaged TIFF"),
    Bad("strip-bomb.tif", tiff_of_strip(zlib.compress(bytes(2**27))), "damaged TIFF"),
    Bad("no-width.png", plain_png(b"\0", width=0, height=5), "none at all"),
    Bad("no-height.tif", tiff_claiming(5, 0), "none at all"),
]

NOT_PLAIN = [
    Bad("animated.png", imagecodecs.apng_encode(noise(3, 8, 8)), "animated"),
    Bad("transparent.png", png(noise(8, 8, 4)), "transparent"),
    Bad("transparent-grey.png", png(noise(8, 8, 2)), "transparent"),
    Bad(
        "transparent-palette.png",
        plain_png(b"\0\0\1\0\1\0", colour=3, PLTE=bytes(range(6)), tRNS=b"\0\x80"),
        "transparent",
    ),
    Bad("transparent-value.png", plain_png(b"\0ab\0cd", tRNS=b"\0a"), "transparent"),
    Bad("cmyk.jpg", imagecodecs.jpeg_encode(noise(8, 8, 4), colorspace="CMYK", outcolorspace="CMYK"), "4 components"),
    Bad("complex.tif", tiff(noise(8, 8).astype("complex64")), "type complex64"),
    Bad("complex-128.tif", tiff(noise(8, 8).astype("complex128")), "type complex128"),
    Bad("inverted.tif", tiff(GREY, photometric="miniswhite"), "MINISWHITE"),
    Bad("palette.tif", tiff(GREY, photometric="palette", colormap=np.zeros((3, 256), "uint16")), "PALETTE"),
    Bad("cmyk.tif", tiff(noise(8, 8, 4), photometric="separated"), "SEPARATED"),
    Bad("lab.tif", tiff(noise(8, 8, 3), photometric="cielab"), "CIELAB"),
    Bad("transparent.tif", tiff(noise(8, 8, 4), photometric="rgb", extrasamples=["unassalpha"]), "transparent"),
    Bad("times.tif", tiff(noise(5, 8, 8), imagej=True, metadata={"axes": "TYX"}), "axes TYX"),
    Bad("depths.tif", tiff(noise(5, 8, 8), photometric="minisblack", metadata={"axes": "ZYX"}), "axes ZYX"),
    Bad("nan.tif", tiff(np.where(GREY < 9, np.nan, 0.5).astype("f4")), r"pixels that are NaN or infinite"),
    Bad("one-nan.tif", tiff(np.pad([[np.nan]], 3).astype("f8")), "1 pixels that are NaN"),
    Bad("infinite.tif", tiff(np.pad([[np.inf]], 3).astype("f4")), "1 pixels that are NaN or infinite"),
    Bad("minus-infinite.tif", tiff(np.pad([[-np.inf]], 3).astype("f2")), "1 pixels that are NaN or infinite"),
    Bad("all-nan.tif", tiff(np.full((8, 8), np.nan, "f4")), "64 pixels that are NaN"),
    Bad("float-beyond-1.tif", tiff(noise(8, 8).astype("f4")), r"say what is black and white"),
    Bad("float-huge.tif", tiff(np.full((8, 8), 1e300)), r"say what is black and white"),
    Bad("negative.tif", tiff(np.full((8, 8), -5, "int16")), r"say what is black and white"),
    Bad("two-sizes.tif", two_sizes(), "holds 2 images"),
]


BAD = [*TRUNCATED, *NOT_IMAGES, *DAMAGED, *BOMBS, *NOT_PLAIN]

ONES = np.ones((8, 8), np.uint8)
GOOD = [
    Good("plain.png", png(GREY), GREY),
    Good("all-zero.png", png(0 * ONES), 0 * ONES),
    Good("all-white.png", png(255 * ONES), 255 * ONES),
    Good("constant.png", png(7 * ONES), 7 * ONES),
    Good("all-zero-16.tif", tiff(np.zeros((9, 9), "uint16")), np.zeros((9, 9), "uint16")),
    Good("constant-float.tif", tiff(np.full((9, 9), 0.5, "f4")), np.full((9, 9), 0.5, "f4")),
    Good("one-pixel.png", png(noise(1, 1)), noise(1, 1)),
    Good("two-by-three.tif", tiff(noise(2, 3), photometric="minisblack"), noise(2, 3)),
    Good("one-column.png", png(noise(31, 1)), noise(31, 1)),
    Good("very-wide.png", png(noise(1, 65_000)), noise(1, 65_000)),
    Good("png-in-truth.jpg", png(GREY), GREY),
    Good("tiff-in-truth.png", tiff(GREY), GREY),
    Good("bits-1.png", plain_png(b"\0\x80\0\x40", bits=1), np.array([[255, 0], [0, 255]], np.uint8)),
    Good("bits-2.png", plain_png(b"\0\x80\0\x40", bits=2), np.array([[2, 0], [1, 0]], np.uint8)),
    Good("bits-4.png", plain_png(b"\0\x12\0\x34", bits=4), np.array([[1, 2], [3, 4]], np.uint8)),
    Good("bits-1.tif", tiff(noise(8, 8) > 99, photometric="minisblack"), (noise(8, 8) > 99) * np.uint8(255)),
    Good("loud.PNG", png(GREY), GREY),
    Good("deep.png", png(DEEP), DEEP),
    Good("interlaced.png", plain_png(adam7(GREY), width=48, height=40, interlace=1), GREY),
    Good("palette.png", plain_png(b"\0\0\1\0\1\0", colour=3, PLTE=bytes(range(6))), np.array([[0, 3], [3, 0]], "u1")),
    Good(
        "with-gamma.png",
        plain_png(b"\0ab\0cd", gAMA=struct.pack(">I", 45455)),
        np.array([[97, 98], [99, 100]], np.uint8),
    ),
    Good(
        "with-text-bomb.png",
        plain_png(b"\0ab\0cd", zTXt=b"Comment\0\0" + zlib.compress(bytes(2**26))),
        np.array([[97, 98], [99, 100]], np.uint8),
    ),
    Good("opaque.png", png(np.dstack([RGB, np.full((40, 48), 255, np.uint8)])), RGB[..., 0]),
    Good("colour.png", png(RGB), RGB[..., 0]),
    Good("grey.bmp", imagecodecs.bmp_encode(GREY), GREY),
    Good("colour.bmp", imagecodecs.bmp_encode(RGB), RGB[..., 0]),
    Good("big.tif", tiff(DEEP, bigtiff=True), DEEP),
    Good("motorola.tif", tiff(DEEP, byteorder=">"), DEEP),
    Good("tiles.tif", tiff(noise(64, 64), tile=(16, 16), compression="lzw"), noise(64, 64)),
    Good("half.tif", tiff(noise(8, 8, dtype="f2")), noise(8, 8, dtype="f2")),
    Good("double.tif", tiff(noise(8, 8, dtype="f8")), noise(8, 8, dtype="f8")),
    Good(
        "int32.tif",
        tiff(noise(8, 8, dtype="u4").astype("i4") // 2 + 2**30),
        noise(8, 8, dtype="u4").astype("i4") // 2 + 2**30,
    ),
    Good("uint32.tif", tiff(noise(8, 8, dtype="u4")), noise(8, 8, dtype="u4")),
    Good("uint64.tif", tiff(noise(8, 8, dtype="u8")), noise(8, 8, dtype="u8")),
    Good("rows-bomb.png", plain_png(b"\0ab\0cd" + bytes(2**24)), np.array([[97, 98], [99, 100]], np.uint8)),
    Good("progressive.jpg", PROGRESSIVE, imagecodecs.jpeg_decode(PROGRESSIVE)),
    Good("black-below.jpg", BLACK_BELOW, imagecodecs.jpeg_decode(BLACK_BELOW)),
    Good("tail.png", png(GREY) + b"and some words behind it", GREY),
]


@pytest.fixture(scope="module")
def quarantined(tmp_path_factory, cli, network) -> tuple[Features, str]:
    """All of them, extracted at once."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "images").mkdir()
    for file in [*BAD, *GOOD]:
        assert not (folder / "images" / file.name).exists(), f"two cases are called {file.name}"
        (folder / "images" / file.name).write_bytes(file.content)
    ending = cli(
        "extract", "--images", folder / "images", "--labels", "none", "--set", "images.layout=folders", "--set",
        "images.channels=[0]", "--set", "preprocessing.channels_as=separate", "--set", "labels.unmatched=ignore",
        "--on-error", "quarantine", "--output", folder / "features.h5", *network, "--workers", "2",
    )  # fmt: skip
    assert ending.code == 0, ending.err
    verify_features(folder / "features.h5")
    return load_features(folder / "features.h5"), ending.err


def test_every_file_is_a_sample(quarantined):
    features, _ = quarantined
    assert sorted(features.samples.ids) == sorted(file.name for file in [*BAD, *GOOD])


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_image_is_quarantined_by_name_with_its_reason(bad, quarantined):
    features, told = quarantined
    row = features.samples.ids.tolist().index(bad.name)
    assert features.samples.status[row] == Status.FAILED
    assert np.isnan(features.embeddings[row]).all()
    assert features.samples.digests[row] == ""
    reason = features.samples.failures[row]
    assert re.search(bad.reason, reason), reason
    assert f"quarantined: sample {bad.name} (row {row}): {reason}" in told


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_a_good_image_among_them_is_there_with_its_own_pixels(good, quarantined):
    features, _ = quarantined
    row = features.samples.ids.tolist().index(good.name)
    assert features.samples.status[row] == Status.OK, features.samples.failures.get(row)
    assert np.isfinite(features.embeddings[row]).all()
    assert features.samples.digests[row] == pixel_digest(good.pixels[np.newaxis])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("intensity", "warns"),
    [("{range: [0, 60000]}", True), ("{percentile: [1, 99], over: image}", False)],
)
def test_two_scales_of_floats_are_named_where_one_range_serves_all(intensity, warns, tmp_path, cli, network):
    for number in range(4):
        file = tmp_path / "images" / "AB"[number // 2] / f"{number}.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tiff(noise(8, 8, dtype="f4") * (1 if number % 2 else 60_000)))
    ending = cli(
        "extract", "--images", tmp_path / "images", "--labels", "none", "--set", "images.layout=folders", "--set",
        "images.channels=[0]", "--set", "preprocessing.channels_as=separate", "--set", f"images.intensity={intensity}",
        "--output", tmp_path / "features.h5", *network,
    )  # fmt: skip
    assert ending.code == 0, ending.err
    assert ("warning: 2 of 4 samples have values from 0 to 1 and the others up to 5" in ending.err) == warns
    assert ("save all of them on one scale" in ending.err) == warns
