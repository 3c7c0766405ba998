"""OME-Zarr, ND2, CZI and LIF: their pixels, names, sizes, planes and images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellfeat.errors import ImageError
from cellfeat.samples.formats.headers import read_header
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.image_file.read import read_image
from cellfeat.samples.reading.images import SampleReader
from cellfeat.samples.reading.worker_pool import Workers
from tests.samples.formats.microscope_files import (
    NAMES,
    PIXEL_SIZE,
    fill_zarr,
    write_czi,
    write_lif,
    write_nd2,
    write_zarr,
)

N_TIMES, N_DEPTHS = 2, 3
PIXELS = np.random.default_rng(0).integers(0, 4096, (N_TIMES, N_DEPTHS, 4, 20, 24), dtype=np.uint16)
"""Times, depths, channels, height and width."""


def zarr_of(version: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pixels = np.swapaxes(PIXELS, 1, 2)
        return write_zarr(folder / "image.ome.zarr", pixels, "tczyx", version=version, names=NAMES)

    return write


def nd2_of(folder: Path) -> Path:
    frames = PIXELS.reshape(-1, *PIXELS.shape[2:])
    return write_nd2(folder / "image.nd2", frames, {"T": N_TIMES, "Z": N_DEPTHS}, names=NAMES)


def czi_of(folder: Path) -> Path:
    return write_czi(folder / "image.czi", PIXELS[np.newaxis], names=NAMES)


def lif_of(folder: Path) -> Path:
    return write_lif(folder / "image.lif", {"one": PIXELS}, names=NAMES)


KINDS = {
    "zarr 0.4": ("zarr", zarr_of("0.4")),
    "zarr 0.5": ("zarr", zarr_of("0.5")),
    "nd2": ("nd2", nd2_of),
    "czi": ("czifile", czi_of),
    "lif": ("liffile", lif_of),
}


@pytest.fixture(params=KINDS)
def stack(request, tmp_path) -> Path:
    """A file of several times, depths and channels."""
    library, write = KINDS[request.param]
    pytest.importorskip(library)
    return write(tmp_path)


def read(path: Path, **choice) -> np.ndarray:
    return read_image(path, 10**6, PlaneChoice(**choice)).pixels


def test_planes_of_stacks_are_read(stack):
    np.testing.assert_array_equal(read(stack, z=2, t=1), PIXELS[1, 2])
    np.testing.assert_array_equal(read(stack, z=0, t=0), PIXELS[0, 0])


def test_depths_are_projected(stack):
    np.testing.assert_array_equal(read(stack, z="max", t=1), PIXELS[1].max(axis=0))
    np.testing.assert_array_equal(read(stack, z="mean", t=0), np.rint(PIXELS[0].mean(axis=0)))


def test_names_and_pixel_size_are_read(stack):
    image = read_image(stack, 10**6, PlaneChoice(z=0, t=0))

    assert image.channel_names == NAMES
    assert image.pixel_size == pytest.approx(PIXEL_SIZE)
    assert image.file_format == stack.suffix.removeprefix(".")
    assert image.bits_stated == (16 if image.file_format == "zarr" else 12)


def test_stack_without_choice_is_refused_with_the_setting(stack):
    with pytest.raises(ImageError, match=r"3 depths and 2 times.*images\.plane=\{z: 0, t: 0\}"):
        read(stack)
    with pytest.raises(ImageError, match=r"no z 3.*0 to 2"):
        read(stack, z=3, t=0)
    with pytest.raises(ImageError, match="no image 1"):
        read(stack, z=0, t=0, series=1)


def test_limit_of_pixels_holds(stack):
    assert read_image(stack, 4 * 20 * 24, PlaneChoice(z="max", t=0)).pixels.size == 4 * 20 * 24
    with pytest.raises(ImageError, match="max_pixels"):
        read_image(stack, 4 * 20 * 24 - 1, PlaneChoice(z="max", t=0))


@pytest.mark.slow
def test_reading_processes_read_named_channels(stack):
    reader = SampleReader(stack.parent, ((stack.name,),), ("RFP", 0), False, plane=PlaneChoice("max", 1))

    with Workers() as workers:
        sample = workers.read_sample(reader, 0)

    np.testing.assert_array_equal(sample.pixels, PIXELS[1].max(axis=0)[[2, 0]])
    assert sample.properties.file_format == stack.suffix.removeprefix(".")


def test_positions_of_nd2_are_images(tmp_path):
    pytest.importorskip("nd2")
    frames = PIXELS[0]
    path = write_nd2(tmp_path / "a.nd2", frames, {"P": 3})

    np.testing.assert_array_equal(read(path, series=2), frames[2])
    with pytest.raises(ImageError, match=r"holds 3 images.*series: 0"):
        read(path)


def test_images_of_lif_are_read_by_number(tmp_path):
    pytest.importorskip("liffile")
    path = write_lif(tmp_path / "a.lif", {"first": PIXELS, "second": PIXELS[:1, :1]})

    np.testing.assert_array_equal(read(path, series=1), PIXELS[0, 0])
    with pytest.raises(ImageError, match=r"first T2xZ3.*second"):
        read(path)


def test_scenes_of_czi_are_put_together_of_tiles(tmp_path):
    pytest.importorskip("czifile")
    scenes = np.stack([PIXELS[:1, :1], PIXELS[1:, :1]])
    path = write_czi(tmp_path / "a.czi", scenes, tiles=3)

    np.testing.assert_array_equal(read(path, series=0), PIXELS[0, 0])
    np.testing.assert_array_equal(read(path, series=1), PIXELS[1, 0])


@pytest.mark.parametrize("compression", ["uncompressed:", "zstd0:ExplicitLevel=2", "zstd1:PreProcess=HiLoByteUnpack"])
def test_czi_of_its_makers_library_is_read(tmp_path, compression):
    pytest.importorskip("czifile")
    writer = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "a.czi"
    with writer.create_czi(str(path), compression_options=compression) as file:
        for channel, plane in enumerate(PIXELS[0, 0]):
            file.write(data=plane[..., np.newaxis], plane={"C": channel, "Z": 0, "T": 0})
        names = dict(enumerate(NAMES))
        file.write_metadata(document_name="a", channel_names=names, scale_x=1e-6, scale_y=1e-6)

    image = read_image(path, 10**6)

    np.testing.assert_array_equal(image.pixels, PIXELS[0, 0])
    assert (image.channel_names, image.pixel_size) == (NAMES, 1.0)


def test_single_planes_need_no_choice(tmp_path):
    for name in ("zarr", "nd2", "czifile", "liffile"):
        pytest.importorskip(name)
    plane = PIXELS[:1, :1]
    paths = [
        write_zarr(tmp_path / "a.zarr", plane[0, 0], "cyx"),
        write_zarr(tmp_path / "b.ome.zarr", np.swapaxes(plane, 1, 2), "tczyx", version="0.5"),
        write_nd2(tmp_path / "a.nd2", plane[0], {}),
        write_czi(tmp_path / "a.czi", plane[np.newaxis]),
        write_lif(tmp_path / "a.lif", {"one": plane}),
    ]

    for path in paths:
        np.testing.assert_array_equal(read(path), PIXELS[0, 0], err_msg=path.name)


def test_images_in_a_collection_of_zarr_are_read_by_number(tmp_path):
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(tmp_path / "c.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for number in range(2):
        fill_zarr(root.create_group(str(number)), PIXELS[number, 0], "cyx")

    np.testing.assert_array_equal(read(tmp_path / "c.zarr", series=1), PIXELS[1, 0])
    np.testing.assert_array_equal(read(tmp_path / "c.zarr" / "0"), PIXELS[0, 0])


def test_label_image_inside_zarr_is_read_by_its_path(tmp_path):
    zarr = pytest.importorskip("zarr")
    path = write_zarr(tmp_path / "a.zarr", PIXELS[0, 0], "cyx", version="0.5")
    labels = zarr.open_group(path, mode="a").create_group("labels/nuclei")
    fill_zarr(labels, PIXELS[0, 0, 0], "yx", version="0.5")

    np.testing.assert_array_equal(read(path / "labels" / "nuclei"), PIXELS[0, 0, :1])


@pytest.mark.parametrize("write", [write for _, write in KINDS.values()], ids=list(KINDS))
def test_headers_tell_size_and_pixel_size(write, tmp_path):
    for library in ("zarr", "nd2", "czifile", "liffile"):
        pytest.importorskip(library)

    assert read_header(write(tmp_path)) == (20, 24, pytest.approx(PIXEL_SIZE))
