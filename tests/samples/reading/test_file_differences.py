"""Samples whose files name other channels, or state another size of a pixel."""

import numpy as np
import PIL.Image
import tifffile

from cellfeat.samples.reading.file_differences import FileDifferences
from cellfeat.samples.reading.images import SampleReader

NAMES = ("DAPI", "GFP")


def write(path, names=NAMES, size=0.5):
    metadata = {"axes": "CYX", "Channel": {"Name": list(names)}, "PhysicalSizeX": size, "PhysicalSizeY": size}
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint16), ome=True, metadata=metadata)


def remarks(folder, channels=(0, 1), resolution=None):
    files = tuple((path.name,) for path in sorted(folder.iterdir()))
    reader = SampleReader(folder, files, tuple(channels), one_file_per_channel=False)
    found = FileDifferences()
    assert len(list(found.passing(reader.read_sample(row) for row in range(len(files))))) == len(files)
    return "\n".join(found.remarks(channels, resolution))


def test_equal_files_are_not_mentioned(tmp_path):
    write(tmp_path / "a.ome.tif")
    write(tmp_path / "b.ome.tif", size=0.501)
    assert not remarks(tmp_path)


def test_channels_in_another_order_are_warned_of_where_they_go_by_number(tmp_path):
    write(tmp_path / "a.ome.tif")
    write(tmp_path / "b.ome.tif", names=NAMES[::-1])
    assert "[DAPI, GFP] (1) and [GFP, DAPI] (1)" in remarks(tmp_path)
    assert not remarks(tmp_path, channels=NAMES)


def test_sizes_of_pixels_are_warned_of_where_nothing_scales_them(tmp_path):
    write(tmp_path / "a.ome.tif")
    write(tmp_path / "b.ome.tif", size=0.25)
    assert "0.25 (1), 0.5 (1)" in remarks(tmp_path)
    assert not remarks(tmp_path, resolution=0.5)


def write_jpeg(path, orientation):
    exif = PIL.Image.Exif()
    if orientation:
        exif[274] = orientation
    exif[271] = "a phone"
    PIL.Image.new("L", (9, 5)).save(path, exif=exif)


def test_orientations_are_warned_of_and_not_followed(tmp_path):
    write_jpeg(tmp_path / "a.jpg", 6)
    write_jpeg(tmp_path / "b.jpg", 1)
    write_jpeg(tmp_path / "c.jpg", None)
    tifffile.imwrite(tmp_path / "d.tif", np.zeros((5, 9), np.uint8), extratags=[(274, 3, 1, 3, True)])
    assert "2 of 4 samples that were examined state an orientation (Exif, TIFF): 3 (1), 6 (1)" in remarks(
        tmp_path, (0,)
    )
    assert SampleReader(tmp_path, (("a.jpg",),), (0,), one_file_per_channel=False).read(0).shape == (1, 5, 9)


def test_pictures_as_they_are_stored_are_not_mentioned(tmp_path):
    write_jpeg(tmp_path / "a.jpg", 1)
    write_jpeg(tmp_path / "b.jpg", None)
    assert not remarks(tmp_path, (0,))
