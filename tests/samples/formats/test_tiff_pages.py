"""Byte counts that other readers forgive, and files that hold fewer planes than they say."""

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
import tifffile

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image
from tests.samples.image_files import noise, tiff

MAX_PIXELS = 10**6
GREY = noise(50, 64, dtype="uint16")
RGB = noise(50, 64, 3)
FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def with_counts(content: bytes, change, page: int = 0) -> bytes:
    """A TIFF whose byte counts of strips or tiles are changed by a function of the tuple of counts."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tags = file.pages[page].tags
        tag = tags.get("StripByteCounts") or tags["TileByteCounts"]
        packing = f"{file.byteorder}{tag.count}{FORMATS[int(tag.dtype)]}"
        value = tag.value if isinstance(tag.value, tuple) else (tag.value,)
    changed = bytearray(content)
    struct.pack_into(packing, changed, tag.valueoffset, *change(value))
    return bytes(changed)


def without_counts(content: bytes) -> bytes:
    """A TIFF whose tag of byte counts is given a number that no reader knows."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        offset = file.pages[0].tags["StripByteCounts"].offset
        order = file.byteorder
    changed = bytearray(content)
    struct.pack_into(f"{order}H", changed, offset, 65000)
    return bytes(changed)


def zero(counts):
    return (0,) * len(counts)


def last_zero(counts):
    return (*counts[:-1], 0)


def last_full(counts):
    return (*counts[:-1], max(counts))


def far_too_large(counts):
    return (*counts[:-1], 2 * max(counts))


UNCOMPRESSED = {
    "one strip": {},
    "big-endian": {"byteorder": ">"},
    "big": {"bigtiff": True},
    "strips": {"rowsperstrip": 16},
    "big strips": {"rowsperstrip": 16, "bigtiff": True},
    "tiles": {"tile": (16, 32)},
    "one tile": {"tile": (64, 64)},
}


@pytest.mark.parametrize("change", [zero, last_zero, last_full, far_too_large])
@pytest.mark.parametrize("kind", UNCOMPRESSED)
def test_wrong_byte_counts_of_uncompressed_pixels_do_not_matter(kind, change):
    content = with_counts(tiff(GREY, metadata=None, **UNCOMPRESSED[kind]), change)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, GREY[np.newaxis])


@pytest.mark.parametrize("change", [zero, last_full, far_too_large])
def test_wrong_byte_counts_of_interleaved_pixels_do_not_matter(change):
    content = with_counts(tiff(RGB, metadata=None, photometric="rgb", rowsperstrip=16), change)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, np.moveaxis(RGB, 2, 0))


@pytest.mark.parametrize("change", [zero, far_too_large])
def test_wrong_byte_counts_of_planes_do_not_matter(change):
    planes = noise(3, 50, 64)
    content = with_counts(tiff(planes, metadata=None, photometric="rgb", planarconfig="separate"), change)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, planes)


@pytest.mark.parametrize("change", [zero, far_too_large])
@pytest.mark.parametrize("options", [{"metadata": None}, {"imagej": True, "metadata": {"axes": "CYX"}}])
def test_wrong_byte_counts_of_the_last_page_do_not_matter(options, change):
    planes = noise(3, 50, 64, dtype="uint16")
    content = with_counts(tiff(planes, photometric="minisblack", **options), change, page=-1)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, planes)


def test_wrong_byte_count_of_packed_pixels_does_not_matter():
    values = GREY >> 4
    packed = tiff(values, bitspersample=12, photometric="minisblack", metadata=None)

    for change in (zero, far_too_large):
        np.testing.assert_array_equal(decode_image(with_counts(packed, change), MAX_PIXELS).pixels, values[np.newaxis])


@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 16}, {"byteorder": ">"}])
def test_missing_byte_counts_of_uncompressed_pixels_do_not_matter(options):
    content = without_counts(tiff(GREY, metadata=None, **options))

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, GREY[np.newaxis])


COMPRESSED = ["deflate", "lzw", "packbits", "zstd", "lzma", "png", "jpeg2000", "jpegxl"]


@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 16}, {"tile": (32, 32)}], ids=["strip", "strips", "tiles"])
@pytest.mark.parametrize("codec", COMPRESSED)
def test_compressed_data_without_byte_counts_are_read_to_their_end(codec, options):
    content = with_counts(tiff(GREY, metadata=None, compression=codec, **options), zero)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, GREY[np.newaxis])


@pytest.mark.parametrize("codec", [None, *COMPRESSED])
@pytest.mark.parametrize("change", [zero, far_too_large, lambda counts: counts])
def test_cut_file_is_found_whatever_its_byte_counts_say(codec, change):
    content = with_counts(tiff(GREY, metadata=None, compression=codec), change)

    for end in (len(content) - 200, len(content) // 2):
        with pytest.raises(ImageError, match="truncated or damaged"):
            decode_image(content[:end], MAX_PIXELS)


def test_count_too_small_for_one_strip_of_several_is_damage():
    content = with_counts(tiff(GREY, metadata=None, rowsperstrip=16), lambda counts: (counts[0] // 2, *counts[1:]))

    with pytest.raises(ImageError, match="pixel data are missing"):
        decode_image(content, MAX_PIXELS)


def test_claim_of_many_strips_costs_nothing():
    content = bytearray(tiff(noise(9, 1), metadata=None, rowsperstrip=1))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tag = file.pages[0].tags["ImageLength"]
    struct.pack_into("<HI", content, tag.offset + 2, 4, 1)
    struct.pack_into("<I", content, tag.valueoffset, 10**8)

    with pytest.raises(ImageError, match="pixel data are missing"):
        decode_image(bytes(content), 10**9)


def cut_after(content: bytes, n_pages: int) -> bytes:
    """A TIFF whose list of pages ends early."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        offset = file.pages[n_pages - 1].offset
        kind = file.tiff
    (n_tags,) = struct.unpack_from(kind.tagnoformat, content, offset)
    link = offset + kind.tagnosize + n_tags * kind.tagsize
    return content[:link] + bytes(kind.offsetsize) + content[link + kind.offsetsize :]


def separate_pages(planes: np.ndarray, description: str, **options) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for i, plane in enumerate(planes):
            writer.write(plane, description=description if i == 0 else None, metadata=None, **options)
    return file.getvalue()


IMAGEJ = "ImageJ=1.53t\nimages=5\nchannels=5\nhyperstack=true\nmode=composite\n"


@pytest.mark.parametrize(
    "description",
    [IMAGEJ, IMAGEJ.replace("channels=5\n", ""), IMAGEJ.replace("images=5\n", ""), IMAGEJ.replace("=true", "=false")],
    ids=["both", "images", "channels", "stack"],
)
@pytest.mark.parametrize("options", [{}, {"compression": "deflate"}], ids=["plain", "deflate"])
def test_imagej_stack_of_fewer_planes_than_noted_is_cut(description, options):
    content = separate_pages(noise(3, 20, 21), description, **options)

    with pytest.raises(ImageError, match=r"truncated or damaged TIFF .*planes.*holds 3.*5"):
        decode_image(content, MAX_PIXELS)


@pytest.mark.parametrize("n_pages", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "CYX"}},
        {"metadata": {"axes": "CYX"}, "compression": "deflate"},
        {"compression": "deflate"},
        {"ome": True, "metadata": {"axes": "CYX"}},
    ],
    ids=["imagej", "axes", "shape", "ome"],
)
def test_list_of_pages_that_ends_early_gives_all_planes_or_an_error(options, n_pages):
    planes = noise(5, 20, 21, dtype="uint16")
    content = cut_after(tiff(planes, photometric="minisblack", **options), n_pages)

    with suppress(ImageError):
        np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, planes)


@pytest.mark.parametrize("n_planes", [1, 3, 4])
def test_imagej_stack_in_one_piece_that_ends_early_is_cut(n_planes):
    """ImageJ may write one page, and the other planes behind it."""
    planes = noise(5, 20, 21, dtype="uint16")
    whole = separate_pages(planes[:1], IMAGEJ) + planes[1:].tobytes()
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        (start,) = file.pages[0].dataoffsets
    np.testing.assert_array_equal(decode_image(whole, MAX_PIXELS).pixels, planes)

    with pytest.raises(ImageError, match="truncated or damaged TIFF"):
        decode_image(whole[: start + n_planes * planes[0].nbytes], MAX_PIXELS)


@pytest.mark.parametrize("axes", ["CYX", "YXS"])
def test_imagej_colour_image_is_whole(axes):
    pixels = noise(20, 21, 3) if axes == "YXS" else noise(3, 20, 21)
    content = tiff(pixels, imagej=True, metadata={"axes": axes})

    assert decode_image(content, MAX_PIXELS).pixels.shape == (3, 20, 21)


@pytest.mark.parametrize("images", [1, 3])
def test_colour_image_whose_samples_are_noted_as_channels_is_whole(images):
    """Bio-Formats does so."""
    note = f"ImageJ=\nhyperstack=true\nimages={images}\nchannels=3\nslices=1\nframes=1\n"
    content = tiff(RGB, photometric="rgb", metadata=None, description=note)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, np.moveaxis(RGB, 2, 0))


def test_cut_out_part_with_the_note_of_the_whole_is_read():
    """Some programs keep tifffile's note of the shape when they save a part of the image."""
    with tifffile.TiffFile(io.BytesIO(tiff(noise(64, 64)))) as file:
        note = file.pages[0].description

    content = tiff(noise(32, 32), description=note, metadata=None)

    np.testing.assert_array_equal(decode_image(content, MAX_PIXELS).pixels, noise(32, 32)[np.newaxis])


def test_strip_of_a_whole_jpeg_with_more_bytes_than_it_needs_is_read():
    content = tiff(RGB, photometric="rgb", compression="jpeg", metadata=None)

    np.testing.assert_array_equal(
        decode_image(with_counts(content + bytes(300), lambda counts: (counts[0] + 300,)), MAX_PIXELS).pixels,
        decode_image(content, MAX_PIXELS).pixels,
    )
