"""Planes that are chosen out of stacks, in TIFF files of OME, ImageJ and tifffile."""

import numpy as np
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.formats.planes import PlaneChoice
from tests.samples.image_files import noise, tiff

OME = {"ome": True}
IMAGEJ = {"imagej": True}
COMPRESSED = {"ome": True, "compression": "deflate"}
WRITERS = {"ome": OME, "imagej": IMAGEJ, "compressed": COMPRESSED, "shape": {}}


def stack(axes: str, pixels: np.ndarray, writer: str, **metadata) -> bytes:
    return tiff(pixels, photometric="minisblack", metadata={"axes": axes, **metadata}, **WRITERS[writer])


def read(content: bytes, **choice) -> np.ndarray:
    return decode_image(content, 10**6, PlaneChoice(**choice)).pixels


@pytest.mark.parametrize("writer", WRITERS)
def test_one_depth_is_read_with_all_channels(writer):
    pixels = noise(4, 3, 16, 17, dtype="uint16")

    read_pixels = read(stack("ZCYX", pixels, writer), z=2)

    np.testing.assert_array_equal(read_pixels, pixels[2])


@pytest.mark.parametrize("writer", WRITERS)
def test_depths_are_projected(writer):
    pixels = noise(4, 3, 16, 17, dtype="uint16")
    content = stack("ZCYX", pixels, writer)

    np.testing.assert_array_equal(read(content, z="max"), pixels.max(axis=0))
    mean = read(content, z="mean")
    np.testing.assert_array_equal(mean, np.rint(pixels.mean(axis=0)))
    assert mean.dtype == np.uint16


@pytest.mark.parametrize("writer", WRITERS)
def test_time_and_depth_are_chosen_together(writer):
    pixels = noise(2, 4, 3, 16, 17, dtype="uint16")
    content = stack("TZCYX", pixels, writer)

    np.testing.assert_array_equal(read(content, z=3, t=1), pixels[1, 3])
    np.testing.assert_array_equal(read(content, z="max", t=0), pixels[0].max(axis=0))


@pytest.mark.parametrize("axes", ["CZYX", "TCZYX"])
@pytest.mark.parametrize("writer", ["ome", "compressed", "shape"])
def test_order_of_axes_does_not_matter(writer, axes):
    pixels = noise(3, 4, 16, 17, dtype="uint16")
    written = pixels[np.newaxis] if "T" in axes else pixels

    np.testing.assert_array_equal(read(stack(axes, written, writer), z=1), pixels[:, 1])


def test_big_endian_stack_is_read():
    pixels = noise(4, 16, 17, dtype="uint16")
    content = tiff(pixels, photometric="minisblack", byteorder=">", metadata={"axes": "ZYX"})

    np.testing.assert_array_equal(read(content, z=1), pixels[1:2])


@pytest.mark.parametrize("options", [{"metadata": None}, {}, {"bigtiff": True, "compression": "lzw"}])
def test_pages_without_names_are_depths_where_a_depth_is_chosen(options):
    pixels = noise(5, 16, 17, dtype="uint16")
    content = tiff(pixels, photometric="minisblack", **options)

    np.testing.assert_array_equal(read(content, z="max"), pixels.max(axis=0, keepdims=True))
    np.testing.assert_array_equal(read(content, t=4), pixels[4:])


def test_colour_depths_are_read():
    pixels = noise(4, 16, 17, 3)
    content = tiff(pixels, photometric="rgb", imagej=True, metadata={"axes": "ZYXS"})

    np.testing.assert_array_equal(read(content, z=1), np.moveaxis(pixels[1], -1, 0))


def two_images() -> tuple[bytes, list[np.ndarray]]:
    import io

    import tifffile

    file, images = io.BytesIO(), [noise(2, 16, 17, seed=1), noise(3, 9, 8, seed=2)]
    with tifffile.TiffWriter(file, ome=True) as writer:
        for number, image in enumerate(images):
            names = [f"marker {number} {i}" for i in range(len(image))]
            writer.write(image, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": names}})
    return file.getvalue(), images


def test_an_image_of_several_is_read_with_its_own_names():
    content, images = two_images()

    image = decode_image(content, 10**6, PlaneChoice(series=1))

    np.testing.assert_array_equal(image.pixels, images[1])
    assert image.channel_names == ("marker 1 0", "marker 1 1", "marker 1 2")
    with pytest.raises(ImageError, match=r"holds 2 images.*images\.plane=\{series: 0\}"):
        decode_image(content, 10**6)
    with pytest.raises(ImageError, match="no image 2"):
        decode_image(content, 10**6, PlaneChoice(series=2))


def test_refusal_says_the_setting_and_the_numbers():
    content = stack("TZCYX", noise(2, 4, 3, 16, 17), "ome")

    with pytest.raises(ImageError, match=r"4 depths and 2 times.*images\.plane=\{z: 0, t: 0\}.*z 0 to 3"):
        read(content)
    with pytest.raises(ImageError, match=r"2 times.*images\.plane=\{t: 0\}"):
        read(content, z=0)


@pytest.mark.parametrize("choice", [{"z": 4}, {"z": 0, "t": 1}, {"series": 1, "z": 0}])
def test_planes_that_do_not_exist_are_refused(choice):
    content = stack("ZCYX", noise(4, 3, 16, 17), "ome")

    with pytest.raises(ImageError, match=r"has no .*\(images\.plane"):
        read(content, **choice)


def test_flat_images_take_only_the_first_plane():
    flat = tiff(noise(16, 17), photometric="minisblack")

    assert read(flat, z="max", t=0, series=0).shape == (1, 16, 17)
    with pytest.raises(ImageError, match="no z 1"):
        read(flat, z=1)


def test_limit_of_pixels_is_that_of_the_plane():
    content = stack("ZCYX", noise(40, 3, 16, 17), "ome")

    assert decode_image(content, 1000, PlaneChoice(z="max")).pixels.shape == (3, 16, 17)
    with pytest.raises(ImageError, match="max_pixels"):
        decode_image(content, 800, PlaneChoice(z="max"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.325, "PhysicalSizeY": 0.325}}, 0.325),
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "YX", "PhysicalSizeX": 65.0, "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 65.0, "PhysicalSizeYUnit": "nm",
                },
            },
            0.065,
        ),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.6}}, None),
        ({"imagej": True, "resolution": (1 / 0.25, 1 / 0.25), "metadata": {"unit": "um"}}, 0.25),
        ({"imagej": True, "resolution": (4.0, 4.0), "metadata": {"unit": "\\u00B5m"}}, 0.25),
        ({"imagej": True, "resolution": (4.0, 4.0), "metadata": {"unit": "pixel"}}, None),
        ({"resolution": (20000.0, 20000.0), "resolutionunit": "CENTIMETER"}, 0.5),
        ({"resolution": (300.0, 300.0), "resolutionunit": "INCH"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_pixel_size_is_read(options, expected):
    size = decode_image(tiff(noise(16, 17), photometric="minisblack", **options), 10**6).pixel_size

    assert size == (None if expected is None else pytest.approx(expected, rel=1e-4))
