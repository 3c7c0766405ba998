import pickle
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader, pixel_digest
from tests.samples.image_files import planes


@pytest.fixture
def tiff_reader(tmp_path):
    """The reader of one TIFF that holds all channels."""

    def make(pixels, channels, **options) -> SampleReader:
        file = tmp_path / "images" / "a.tif"
        file.parent.mkdir(exist_ok=True)
        tifffile.imwrite(file, pixels, photometric="minisblack", **options)
        images = ImagesSettings(root=file.parent, pattern="{sample_id}.tif", channels=channels)
        return SampleReader.for_manifest(build_manifest(images, LabelsSettings(file=None)))

    return make


def reader_of_file(path: Path) -> SampleReader:
    return SampleReader(path.parent, ((path.name,),), (0,), False)


class TestFiles:
    def test_suffix_does_not_matter(self, tmp_path):
        file = tmp_path / "really_a_png.tif"
        file.write_bytes(imagecodecs.png_encode(planes(1, "uint16")[0]))

        np.testing.assert_array_equal(reader_of_file(file).read(0), planes(1, "uint16"))

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(MissingFileError, match=r"absent\.png"):
            reader_of_file(tmp_path / "absent.png").read(0)

    def test_folder_is_refused(self, tmp_path):
        with pytest.raises(ImageError, match="folder"):
            reader_of_file(tmp_path).read(0)

    def test_error_names_the_file(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"")

        with pytest.raises(ImageError, match=r"a\.png: .*empty"):
            reader_of_file(tmp_path / "a.png").read(0)


class TestSampleReader:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    def test_channels_are_stacked_in_order(self, reader_of, dtype):
        pixels = reader_of(planes(3, dtype)).read(0)

        assert pixels.dtype == dtype
        np.testing.assert_array_equal(pixels, planes(3, dtype))

    def test_reader_can_be_pickled(self, reader_of):
        reader = pickle.loads(pickle.dumps(reader_of(planes(3))))

        assert len(reader) == 1
        np.testing.assert_array_equal(reader.read(0), planes(3))

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (np.zeros((5, 5), np.uint8), "00001_red.png: is 5 x 5 uint8, but 00001_blue.png .* is 5 x 6 uint8"),
            (np.zeros((6, 5), np.uint16), "00001_red.png: is 5 x 6 uint16"),
            (np.arange(90, dtype=np.uint8).reshape(6, 5, 3), "00001_red.png: holds 3 channels"),
        ],
    )
    def test_channels_of_other_sizes_or_types_are_refused(self, reader_of, other, message):
        blue, _, yellow = planes(3)

        with pytest.raises(ImageError, match=message):
            reader_of([blue, other, yellow]).read(0)

    @pytest.mark.parametrize("coloured", [[0, 1, 2], [0], [1], [2], [1, 2], [0, 2], [0, 1]])
    def test_grey_saved_as_rgb_is_one_channel(self, reader_of, coloured):
        blue, red, yellow = planes(3)
        image = np.zeros((*red.shape, 3), red.dtype)
        image[..., coloured] = red[..., None]

        np.testing.assert_array_equal(reader_of([blue, image, yellow]).read(0), planes(3))

    def test_black_saved_as_rgb_is_one_channel(self, reader_of):
        blue, red, yellow = planes(3)

        assert not reader_of([blue, np.zeros((*red.shape, 3), red.dtype), yellow]).read(0)[1].any()

    def test_limit_holds_for_each_file(self, reader_of):
        with pytest.raises(ImageError, match=r"00001_blue\.png: .*max_pixels allows 20"):
            reader_of(planes(3), max_pixels=20).read(0)

    def test_channels_of_one_file_are_picked_by_number(self, tiff_reader):
        pixels = tiff_reader(np.stack(planes(3)), [2, 0]).read(0)

        np.testing.assert_array_equal(pixels, [planes(3)[2], planes(3)[0]])

    def test_channels_of_one_file_are_picked_by_ome_name(self, tiff_reader):
        metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "ER", "Tubulin"]}}

        pixels = tiff_reader(np.stack(planes(3)), ["Tubulin", "DNA"], ome=True, metadata=metadata).read(0)

        np.testing.assert_array_equal(pixels, [planes(3)[2], planes(3)[0]])

    def test_unknown_number_lists_the_channels(self, tiff_reader):
        with pytest.raises(ImageError, match=r"a\.tif: has no channel 3; it holds 3, numbered 0 to 2"):
            tiff_reader(np.stack(planes(3)), [0, 3]).read(0)

    def test_unknown_name_suggests_a_channel(self, tiff_reader):
        metadata = {"axes": "CYX", "Channel": {"Name": ["DNA", "ER"]}}

        with pytest.raises(ImageError, match=r"'DNAA'; did you mean 'DNA'"):
            tiff_reader(np.stack(planes(2)), ["DNAA"], ome=True, metadata=metadata).read(0)

    def test_name_in_a_file_without_names_says_how_to_pick(self, tiff_reader):
        with pytest.raises(ImageError, match=r"images.channels=\[0,1\]"):
            tiff_reader(np.stack(planes(2)), ["blue"]).read(0)


class TestPixelDigest:
    def test_equal_pixels_have_equal_digests_in_any_memory_layout(self):
        pixels = np.stack(planes(3, "uint16"))

        digests = {pixel_digest(p) for p in (pixels, np.asfortranarray(pixels), pixels.astype(">u2"))}

        assert len(digests) == 1
        assert len(bytes.fromhex(digests.pop())) == 32

    def test_value_type_and_shape_change_the_digest(self):
        pixels = np.zeros((1, 4, 6), np.uint8)
        changed = pixels.copy()
        changed[0, 0, 0] = 1

        arrays = [pixels, changed, pixels.view(np.int8), pixels.reshape(1, 6, 4), pixels[:, :3], pixels.view(np.uint16)]

        assert len({pixel_digest(array) for array in arrays}) == len(arrays)


class TestProperties:
    def test_files_of_one_kind_give_one_value_each(self, reader_of):
        properties = reader_of(planes(3, "uint16")).read_sample(0).properties

        assert properties == ("uint16", "16", 16, 6, 5, "png")

    def test_files_of_several_kinds_are_joined_in_the_order_of_channels(self, tmp_path):
        grey = planes(1)[0]
        (tmp_path / "a.tif").write_bytes(imagecodecs.tiff_encode(grey))
        for name in ("b", "c"):
            (tmp_path / f"{name}.png").write_bytes(imagecodecs.png_encode(grey))
        reader = SampleReader(tmp_path, (("a.tif", "b.png", "c.png"),), ("a", "b", "c"), True)

        assert reader.read_sample(0).properties.file_format == "tiff+png"

    def test_bits_used_are_those_of_the_picked_channels(self, tiff_reader):
        pixels = np.array([[[4095, 3]], [[100, 0]]], np.uint16)

        assert tiff_reader(pixels, [0, 1]).read_sample(0).properties.bits_used == 12
        assert tiff_reader(pixels, [1]).read_sample(0).properties.bits_used == 7

    @pytest.mark.parametrize(("dtype", "values", "bits"), [("int16", [-300, 3], 9), ("float32", [0, 0.5], 0)])
    def test_bits_used_of_signed_numbers_and_floats(self, tiff_reader, dtype, values, bits):
        assert tiff_reader(np.array([[values]], dtype), [0]).read_sample(0).properties.bits_used == bits
