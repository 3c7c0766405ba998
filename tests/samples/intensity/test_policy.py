import numpy as np
import pytest

from cellfeat.config import ImagesSettings, IntensitySettings, LabelsSettings
from cellfeat.errors import ConfigError, ImageError
from cellfeat.samples.intensity.policy import IntensityPolicy, recorded_intensity
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader
from tests.samples.image_files import planes


def policy(n_channels: int = 1, **settings) -> IntensityPolicy:
    return IntensityPolicy.from_settings(IntensitySettings(**settings), n_channels)


class TestIntensityPolicy:
    @pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("int16", 32767), ("float32", 1)])
    def test_dtype_is_the_range_of_the_type(self, dtype, top):
        limits = policy(2).limits(np.zeros((2, 3, 3), dtype))

        assert limits.dtype == np.float32
        assert limits.tolist() == [[0, top], [0, top]]

    def test_white_follows_the_stated_bits_of_each_channel(self):
        assert policy(2).limits(np.zeros((2, 3, 3), np.uint16), (12, 16)).tolist() == [[0, 4095], [0, 65535]]

    def test_white_of_the_type_ignores_stated_bits(self):
        assert policy(1, white="type").limits(np.zeros((1, 3, 3), np.uint16), (12,)).tolist() == [[0, 65535]]

    def test_bits_of_floats_mean_nothing(self):
        assert policy(1).limits(np.zeros((1, 3, 3), np.float32), (32,)).tolist() == [[0, 1]]

    def test_values_above_the_stated_bits_are_refused(self):
        pixels = np.full((1, 50, 50), 65520, np.uint16)

        with pytest.raises(ImageError, match=r"12 bits.*65520.*white: type"):
            policy().limits(pixels, (12,))

    def test_a_hot_pixel_above_the_stated_bits_is_white(self):
        pixels = np.zeros((1, 50, 50), np.uint16)
        pixels[0, 7, 7] = 5000

        assert policy().limits(pixels, (12,)).tolist() == [[0, 4095]]

    @pytest.mark.parametrize("pixels", [np.float32([[[0, 1.5]]]), np.float64([[[-0.1, 1]]]), np.int16([[[-3, 9]]])])
    def test_pixels_beyond_their_type_need_a_range(self, pixels):
        with pytest.raises(ImageError, match="range: "):
            policy().limits(pixels)

    def test_one_range_serves_all_channels(self):
        assert policy(2, range=(10, 99)).limits(np.zeros((2, 1, 1))).tolist() == [[10, 99], [10, 99]]

    def test_each_channel_can_have_its_range(self):
        assert policy(2, range=[(0, 9), (5, 7)]).limits(np.zeros((2, 1, 1))).tolist() == [[0, 9], [5, 7]]

    def test_wrong_number_of_ranges_is_refused(self):
        with pytest.raises(ConfigError, match="3 channels, got 2"):
            policy(3, range=[(0, 9), (5, 7)])

    def test_percentiles_are_those_of_image_and_channel(self):
        pixels = np.stack([np.arange(101).reshape(1, 101), 10 * np.arange(101).reshape(1, 101)]).astype(np.uint16)

        assert policy(2, percentile=(10, 90)).limits(pixels).tolist() == [[10, 90], [100, 900]]

    @pytest.mark.parametrize("value", [0, 7, 65535, 2**30])
    def test_constant_channel_becomes_black(self, value):
        pixels = np.full((1, 4, 4), value, np.uint32)

        (lo, hi), = policy(percentile=(0.1, 99.9)).limits(pixels)  # fmt: skip

        assert lo == value
        assert hi > lo

    def test_unresolved_policy_has_no_limits(self):
        with pytest.raises(ConfigError, match="resolved"):
            policy(percentile=(1, 99), over="dataset").limits(np.zeros((1, 2, 2), np.uint8))

    def test_percentiles_of_the_data_set_become_a_range(self, write_pngs):
        images = {f"{i:05d}.png": np.full((4, 5), i, np.uint16) for i in range(101)}
        settings = ImagesSettings(root=write_pngs(images), pattern="{sample_id:05d}.png", channels=[0])
        reader = SampleReader.for_manifest(build_manifest(settings, LabelsSettings(file=None)))

        resolved = policy(percentile=(10, 90), over="dataset").resolved(reader, range(len(reader)))

        np.testing.assert_allclose(resolved.limits(reader.read(0)), [[10, 90]], atol=1)
        assert not resolved.needs_dataset
        assert resolved == policy(percentile=(10, 90), over="dataset").resolved(reader, range(len(reader)))

    def test_measuring_only_unreadable_images_is_an_error(self, reader_of, write_pngs):
        reader = reader_of(planes(3))
        write_pngs({"00001_red.png": np.zeros((2, 2), np.uint8)})

        with pytest.raises(ImageError, match=r"no image could be read .*00001_red\.png"):
            policy(3, percentile=(1, 99), over="dataset").resolved(reader, [0])

    def test_unreadable_images_are_skipped_when_measuring(self, write_pngs):
        root = write_pngs({f"{i:05d}.png": np.full((4, 5), i, np.uint16) for i in range(101)})
        (root / "00100.png").write_bytes(b"broken")
        settings = ImagesSettings(root=root, pattern="{sample_id:05d}.png", channels=[0])
        reader = SampleReader.for_manifest(build_manifest(settings, LabelsSettings(file=None)))

        resolved = policy(percentile=(0, 100), over="dataset").resolved(reader, range(len(reader)))

        assert resolved.ranges == ((0, 99),)

    @pytest.mark.parametrize("settings", [{}, {"range": (0, 9)}, {"percentile": (1, 99)}])
    def test_only_percentiles_over_the_data_set_are_resolved(self, settings, reader_of):
        given = policy(3, **settings)

        assert given.resolved(reader_of(planes(3)), [0]) is given

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"white": "type"},
            {"range": (0, 9)},
            {"range": [(0, 1), (0, 2)]},
            {"percentile": (1, 99), "over": "dataset"},
        ],
    )
    def test_record_makes_the_same_limits_again(self, settings):
        given = policy(2, **settings)
        again = IntensityPolicy.from_settings(recorded_intensity(given.record()), 2)

        assert again.record() == given.record()
        if not given.needs_dataset:
            pixels = np.arange(18, dtype=np.uint16).reshape(2, 3, 3)
            assert again.limits(pixels, (12, 16)).tolist() == given.limits(pixels, (12, 16)).tolist()

    def test_record_of_0_1_means_the_white_of_the_type(self):
        record = {"range": None, "percentile": None, "over": "image"}
        again = IntensityPolicy.from_settings(recorded_intensity(record), 1)

        assert again.limits(np.zeros((1, 3, 3), np.uint16), (12,)).tolist() == [[0, 65535]]
        assert again.record() == record
