"""Size and pixel size from the header of a file."""

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.extents import read_extent
from cellfeat.samples.formats.headers import read_header

PIXELS = np.zeros((5, 7), np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
def test_size_is_read(name: str, tmp_path: Path) -> None:
    encode = getattr(imagecodecs, {"a.jpg": "jpeg", "a.tif": "tiff"}.get(name, name[-3:]) + "_encode")
    (tmp_path / name).write_bytes(encode(PIXELS))
    assert read_header(tmp_path / name) == (5, 7, None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.325, "PhysicalSizeXUnit": "µm"}}, 0.325),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 650, "PhysicalSizeXUnit": "nm"}}, 0.65),
        ({"ome": True, "metadata": {"axes": "YX"}}, None),
        ({"imagej": True, "resolution": (5, 5), "metadata": {"unit": "um"}}, 0.2),
        ({"imagej": True, "resolution": (5, 5), "metadata": {"unit": "pixel"}}, None),
        ({"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}, 0.5),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
    ],
)
def test_pixel_size_is_read_where_it_is_stated(options: dict[str, Any], expected: float | None, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, **options)
    found = read_header(tmp_path / "a.tif").pixel_size
    assert found == (expected if expected is None else pytest.approx(expected))


def test_damaged_and_missing_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0abc")
    with pytest.raises(ImageError, match=r"a\.tif"):
        read_header(tmp_path / "a.tif")
    with pytest.raises(MissingFileError):
        read_header(tmp_path / "b.tif")


@pytest.mark.timeout(20)
def test_pages_in_a_circle_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        first, n_tags = file.pages.first.offset, len(file.pages.first.tags)
    struct.pack_into("<I", content, first + 2 + 12 * n_tags, first)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.tif: .*its pages lead in a circle"):
        read_header(tmp_path / "a.tif")
    assert read_extent(tmp_path / "a.tif") == (1, 1, 1)
