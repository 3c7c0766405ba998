"""Torn files, of full length with zeros in place of the last part, are refused; whole files of every codec are read."""

import io
import warnings

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image
from tests.samples.image_files import noise, tiff

MAX_PIXELS = 10**7
CODECS = {
    "lzw": {"compression": "lzw"},
    "lzw predictor": {"compression": "lzw", "predictor": True},
    "deflate": {"compression": "deflate"},
    "packbits": {"compression": "packbits"},
    "lzma": {"compression": "lzma"},
    "zstd": {"compression": "zstd"},
    "zstd predictor": {"compression": "zstd", "predictor": True},
    "lerc": {"compression": "lerc"},
    "lerc zstd": {"compression": "lerc", "compressionargs": {"compression": "zstd"}},
    "png": {"compression": "png"},
    "jpeg xl": {"compression": "jpegxl"},
    "jpeg 2000": {"compression": "jpeg2000"},
    "jpeg 2000 lossy": {"compression": "jpeg2000", "compressionargs": {"level": 40}},
    "jpeg 2000 boxes": {"compression": "jpeg2000", "compressionargs": {"codecformat": "JP2"}},
    "jpeg xr": {"compression": "jpegxr"},
    "jpeg xr lossy": {"compression": "jpegxr", "compressionargs": {"level": 0.9}},
    "jpeg": {"compression": "jpeg"},
    "webp": {"compression": "webp", "compressionargs": {"lossless": True}},
    "webp lossy": {"compression": "webp", "compressionargs": {"lossless": False, "level": 75}},
    "webp fast": {"compression": "webp", "compressionargs": {"lossless": True, "method": 0}},
}
ONLY_RGB = [name for name in CODECS if name.startswith("webp")]
ONLY_8_BITS = [*ONLY_RGB, "jpeg"]
CASES = [
    (codec, dtype, samples)
    for codec in CODECS
    for dtype in ("uint8", "uint16")
    for samples in (1, 3)
    if not (dtype == "uint16" and codec in ONLY_8_BITS) and not (samples == 1 and codec in ONLY_RGB)
]


def smooth(height: int, width: int, samples: int, dtype: str) -> np.ndarray:
    values = gaussian_filter(np.random.default_rng(1).normal(size=(height, width, samples)), (2, 2, 0))
    return (np.interp(values, (values.min(), values.max()), (0, 1)) * np.iinfo(dtype).max).astype(dtype)


def encoded(codec: str, pixels: np.ndarray, **options) -> bytes:
    kind = "rgb" if pixels.shape[2] == 3 else "minisblack"
    return tiff(
        pixels if kind == "rgb" else pixels[..., 0], photometric=kind, metadata=None, **CODECS[codec], **options
    )


def torn(content: bytes, share: float = 0.4) -> bytes:
    kept = round(len(content) * (1 - share))
    return content[:kept] + bytes(len(content) - kept)


def first_byte(content: bytes) -> int:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        return min(file.pages[0].dataoffsets)


@pytest.mark.parametrize(("codec", "dtype", "samples"), CASES)
def test_torn_file_is_refused(codec, dtype, samples):
    for shape in ((64, 64), (120, 90)):
        for pixels in (smooth(*shape, samples, dtype), noise(*shape, samples, dtype=dtype)):
            content = encoded(codec, pixels)
            assert decode_image(content, MAX_PIXELS).pixels.shape == (samples, *shape)

            for share in (0.2, 0.4, 0.7):
                with pytest.raises(ImageError, match="damaged"):
                    decode_image(torn(content, share), MAX_PIXELS)


@pytest.mark.parametrize("options", [{"rowsperstrip": 32}, {"tile": (32, 32)}], ids=["strips", "tiles"])
@pytest.mark.parametrize("codec", CODECS)
def test_torn_strips_and_tiles_are_refused(codec, options):
    content = encoded(codec, smooth(96, 96, 3, "uint8"), **options)
    assert decode_image(content, MAX_PIXELS).pixels.shape == (3, 96, 96)

    for share in (0.15, 0.3, 0.6):
        with pytest.raises(ImageError, match="damaged"):
            decode_image(torn(content, share), MAX_PIXELS)


RAW = {
    "plane": (smooth(64, 70, 1, "uint16")[..., 0] | 1, {}),
    "noise": (noise(64, 70), {}),
    "strips": (noise(64, 70), {"rowsperstrip": 8}),
    "rgb": (smooth(64, 70, 3, "uint8") | 1, {"photometric": "rgb"}),
    "planes": (noise(3, 64, 70, dtype="uint16"), {"photometric": "rgb", "planarconfig": "separate"}),
    "big-endian": (noise(64, 70, dtype="uint16"), {"byteorder": ">"}),
}


@pytest.mark.parametrize("row", [10, 40, 60])
@pytest.mark.parametrize("kind", RAW)
def test_torn_uncompressed_pixels_are_refused_where_they_end_within_a_row(kind, row):
    pixels, options = RAW[kind]
    content = tiff(pixels, **{"metadata": None, "photometric": "minisblack", **options})
    assert decode_image(content, MAX_PIXELS).pixels.shape[1:] == (64, 70)
    row_bytes = 70 * pixels.itemsize * (3 if kind == "rgb" else 1)
    kept = first_byte(content) + row * row_bytes + row_bytes // 3

    with pytest.raises(ImageError, match=r"damaged TIFF .*within a row"):
        decode_image(content[:kept] + bytes(len(content) - kept), MAX_PIXELS)


def test_black_borders_are_read():
    y, x = np.mgrid[:64, :70]
    masks = [y < 50, x < 50, (y < 50) & (x < 40), y + x / 20 < 52, np.hypot(y - 32, x - 32) < 25, y < 1, y + x == 0]
    for mask in masks:
        pixels = (noise(64, 70) | 1) * mask.astype("uint8")

        np.testing.assert_array_equal(decode_image(tiff(pixels), MAX_PIXELS).pixels, pixels[np.newaxis])


@pytest.mark.parametrize("compression", [None, "deflate", "jpeg2000"])
@pytest.mark.parametrize(
    "options",
    [{"metadata": None}, {}, {"imagej": True, "metadata": {"axes": "CYX"}}, {"ome": True}],
    ids=["pages", "shape", "imagej", "ome"],
)
def test_torn_file_of_several_pages_is_refused(options, compression):
    """The later pages stand behind the pixels: what they hold is lost, too."""
    if compression and "imagej" in options:
        pytest.skip("ImageJ compresses no stacks")
    pages = noise(3, 64, 64, dtype="uint16")
    content = tiff(pages, photometric="minisblack", compression=compression, **options)

    for share in (0.1, 0.4):
        with pytest.raises(ImageError, match="damaged TIFF"):
            decode_image(torn(content, share), MAX_PIXELS)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_torn_file_with_its_page_at_the_end_is_called_damaged(compression):
    file = io.BytesIO()
    PIL.Image.fromarray(noise(64, 64)).save(file, "TIFF", compression=compression)

    with pytest.raises(ImageError, match="damaged"):
        decode_image(torn(file.getvalue(), 0.1), MAX_PIXELS)


def test_torn_jpeg_of_12_bits_is_refused():
    values = smooth(64, 64, 3, "uint16") >> 4
    content = tiff(values, photometric="rgb", compression="jpeg", compressionargs={"bitspersample": 12}, metadata=None)
    assert decode_image(content, MAX_PIXELS).bits_stated in (12, 16)

    with pytest.raises(ImageError, match="damaged JPEG"):
        decode_image(torn(content), MAX_PIXELS)


@pytest.mark.parametrize("codec", CODECS)
def test_file_that_ends_within_its_data_is_refused(codec):
    content = encoded(codec, smooth(64, 64, 3, "uint8"))

    for tenth in range(3, 10):
        kept = first_byte(content) + (len(content) - first_byte(content)) * tenth // 10
        with pytest.raises(ImageError, match="damaged"):
            decode_image(content[:kept], MAX_PIXELS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"quality": 5}])
@pytest.mark.parametrize("samples", [1, 3])
def test_torn_jpeg_file_is_refused(options, samples):
    file = io.BytesIO()
    PIL.Image.fromarray(smooth(64, 80, samples, "uint8").squeeze()).save(file, "JPEG", **options)
    content = file.getvalue()

    for share in (0.02, 0.1, 0.2):
        with pytest.raises(ImageError, match="damaged JPEG"):
            decode_image(torn(content, share), MAX_PIXELS)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("samples", [1, 3])
def test_torn_png_file_is_refused(dtype, samples):
    content = imagecodecs.png_encode(smooth(64, 80, samples, dtype).squeeze())

    for share in (0.01, 0.1, 0.4, 0.8):
        with pytest.raises(ImageError, match="damaged PNG"):
            decode_image(torn(content, share), MAX_PIXELS)


def painted(kind: str, shape: tuple[int, int, int], dtype: str, seed: int) -> np.ndarray:
    """Pictures that may well end in zeros, as pixels or in their code."""
    rng, white = np.random.default_rng(seed), np.iinfo(dtype).max
    y, x = np.mgrid[: shape[0], : shape[1]]
    rough, edge = noise(*shape, dtype=dtype, seed=seed), rng.random()
    masks = {
        "black below": y < shape[0] * edge,
        "black right": x < shape[1] * edge,
        "noise below": y > shape[0] * edge,
        "one spot": y + x == 0,
    }
    if kind in masks:
        return rough * masks[kind][..., np.newaxis].astype(dtype)
    plain = {
        "noise": rough,
        "faint noise": rough >> 6,
        "black": np.zeros(shape),
        "white": np.full(shape, white),
        "constant": np.full(shape, rng.integers(white)),
        "spots": np.where(rng.random(shape) < 0.003, white, 0),
        "ramp": np.arange(np.prod(shape)).reshape(shape) % white,
    }
    return plain[kind].astype(dtype)


KINDS = ["noise", "faint noise", "black", "white", "constant", "black below", "black right", "noise below", "spots"]
KINDS += ["one spot", "ramp"]


@pytest.mark.parametrize(("codec", "dtype", "samples"), CASES)
@settings(max_examples=10, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    seed=st.integers(0, 99),
)
def test_whole_file_is_read(codec, dtype, samples, kind, height, width, seed):
    pixels = painted(kind, (height, width, samples), dtype, seed)
    with warnings.catch_warnings(action="ignore"):
        try:
            content = encoded(codec, pixels)
        except RuntimeError:
            return  # the encoder itself does not take so small an image

    decoded = decode_image(content, MAX_PIXELS).pixels

    assert decoded.shape == (samples, height, width)
    if not any(word in codec for word in ("lossy", "jpeg")):
        np.testing.assert_array_equal(decoded, np.moveaxis(pixels, 2, 0))


@pytest.mark.parametrize("codec", ["zstd", "webp lossy"])
@pytest.mark.parametrize("kind", KINDS)
def test_whole_large_file_is_read(codec, kind):
    pixels = painted(kind, (500, 700, 3), "uint8", 5)

    assert decode_image(encoded(codec, pixels), MAX_PIXELS).pixels.shape == (3, 500, 700)


@pytest.mark.parametrize("kind", ["black", "one spot", "black below"])
def test_webp_that_codes_black_as_zeros_is_read(kind):
    """Without search for repeats, WebP spends a zero bit on each black pixel: kilobytes of zeros at the end."""
    pixels = painted(kind, (400, 500, 3), "uint8", 3)

    np.testing.assert_array_equal(
        decode_image(encoded("webp fast", pixels), MAX_PIXELS).pixels, np.moveaxis(pixels, 2, 0)
    )


def test_lzw_strip_filled_up_with_zeros_is_read():
    """Some writers give each strip the same space: the end mark stands before the zeros."""
    pixels = smooth(64, 64, 1, "uint8")
    content = encoded("lzw", pixels)
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tag, (size,) = file.pages[0].tags["StripByteCounts"], file.pages[0].databytecounts
    longer = bytearray(content + bytes(100))
    longer[tag.valueoffset : tag.valueoffset + tag.valuebytecount] = (size + 100).to_bytes(tag.valuebytecount, "little")

    np.testing.assert_array_equal(decode_image(bytes(longer), MAX_PIXELS).pixels, np.moveaxis(pixels, 2, 0))
