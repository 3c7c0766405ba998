"""Which shapes of a TIFF are channels, height and width, and which are refused."""

import numpy as np
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image
from tests.samples.image_files import noise, tiff

WRITERS = {
    "shape": {},
    "pages": {"metadata": None},
    "deflate": {"compression": "deflate"},
    "big": {"bigtiff": True},
    "imagej": {"imagej": True},
    "ome": {"ome": True},
}
CYX = {"metadata": {"axes": "CYX"}}
NAMED = {"shape": CYX, "imagej": CYX | {"imagej": True}, "ome": CYX | {"ome": True}}


def written(shape: tuple[int, ...], options: dict) -> bytes:
    return tiff(noise(*shape, dtype="uint16"), photometric="minisblack", **options)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("shape", [(64, 64, 5), (61, 70, 4), (200, 60, 5), (64, 5, 64)])
def test_channels_last_without_named_axes_are_refused(shape, writer):
    n_planes, height, width = shape

    with pytest.raises(ImageError, match=rf"{n_planes} channels of {height} x {width} pixels.*'axes': 'CYX'"):
        decode_image(written(shape, WRITERS[writer]), 10**7)


@pytest.mark.parametrize("shape", [(20, 20, 12), (40, 44, 16), (8, 8, 5), (30, 100, 9), (1, 64, 64, 5), (60, 64, 20)])
@pytest.mark.parametrize("writer", ["shape", "pages"])
def test_small_channels_last_without_named_axes_are_refused(shape, writer):
    with pytest.raises(ImageError, match=r"does not name its axes.*height"):
        decode_image(written(shape, WRITERS[writer]), 10**7)


def test_channels_first_as_samples_of_a_pixel_are_refused():
    content = tiff(noise(5, 64, 64), photometric="minisblack", planarconfig="contig")

    with pytest.raises(ImageError, match="64 channels of 5 x 64 pixels"):
        decode_image(content, 10**7)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "shape",
    [
        (3, 40, 40),
        (5, 8, 8),
        (5, 64, 64),
        (2, 300, 9),
        (4, 9, 300),
        (3, 1, 31),
        (40, 12, 12),
        (60, 30, 31),
        (60, 40, 30),
        (40, 32, 20),
        (5, 6, 3),
        (7, 20, 5),
    ],
)
def test_channels_first_are_read(shape, writer):
    expected = noise(*shape, dtype="uint16")

    pixels = decode_image(written(shape, WRITERS[writer]), 10**7).pixels

    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("shape", [(20, 20, 12), (40, 14, 12), (8, 8, 5)])
@pytest.mark.parametrize("writer", NAMED)
def test_named_axes_are_believed(shape, writer):
    expected = noise(*shape, dtype="uint16")

    np.testing.assert_array_equal(decode_image(written(shape, NAMED[writer]), 10**7).pixels, expected)


def test_channels_with_names_are_believed():
    metadata = {"axes": "CYX", "Channel": {"Name": [f"marker {i}" for i in range(40)]}}
    expected = noise(40, 36, 5, dtype="uint16")

    np.testing.assert_array_equal(
        decode_image(written((40, 36, 5), {"ome": True, "metadata": metadata}), 10**7).pixels, expected
    )


@pytest.mark.parametrize("axes", ["YXC", "YXS"])
def test_channels_last_with_named_axes_are_read(axes):
    pixels = noise(64, 64, 5, dtype="uint16")
    planarconfig = {"planarconfig": "contig"} if axes == "YXS" else {}

    content = tiff(pixels, photometric="minisblack", metadata={"axes": axes}, **planarconfig)

    np.testing.assert_array_equal(decode_image(content, 10**7).pixels, np.moveaxis(pixels, 2, 0))


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}], ids=["shape", "imagej", "ome"])
def test_depths_and_times_are_refused(axes, options):
    content = tiff(noise(3, 20, 21), photometric="minisblack", metadata={"axes": axes}, **options)

    with pytest.raises(ImageError, match=rf"axes {axes} \(3, 20, 21\).*images.plane"):
        decode_image(content, 10**7)
