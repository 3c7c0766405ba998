import numpy as np
import pytest

from cellfeat.config import ImagesSettings, IntensitySettings, LabelsSettings
from cellfeat.errors import ConfigError, ImageError
from cellfeat.samples.images import SampleReader
from cellfeat.samples.intensity import IntensityPolicy, intensity_advice
from cellfeat.samples.manifest import build_manifest
from tests.samples.image_files import planes


def policy(n_channels: int = 1, **settings) -> IntensityPolicy:
    return IntensityPolicy.from_settings(IntensitySettings(**settings), n_channels)


class TestIntensityPolicy:
    @pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("int16", 32767), ("float32", 1)])
    def test_dtype_is_the_range_of_the_type(self, dtype, top):
        limits = policy(2).limits(np.zeros((2, 3, 3), dtype))

        assert limits.dtype == np.float32
        assert limits.tolist() == [[0, top], [0, top]]

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
        "settings", [{}, {"range": (0, 9)}, {"range": [(0, 1), (0, 2)]}, {"percentile": (1, 99), "over": "dataset"}]
    )
    def test_record_makes_the_policy_again(self, settings):
        given = policy(2, **settings)

        assert policy(2, **given.record()) == given


class TestIntensityAdvice:
    def cells(self, top: int, dtype: str, *, background: float = 0.0) -> list[np.ndarray]:
        """Samples of 2 channels with values up to `top`, and a share of exact zeros."""
        rng = np.random.default_rng(0)
        pixels = rng.integers(1, top, (5, 2, 16, 16)).astype(dtype)
        pixels[rng.random(pixels.shape) < background] = 0
        return list(pixels)

    @pytest.mark.parametrize("background", [0.0, 0.6, 0.95, 1.0])
    def test_black_background_is_ignored(self, background):
        assert intensity_advice(policy(2), self.cells(255, "uint8", background=background)) is None

    def test_saturated_pixels_are_ignored(self):
        pixels = np.full((1, 8, 8), 255, np.uint8)
        pixels[0, 0] = np.arange(8) * 30

        assert intensity_advice(policy(1), [pixels]) is None

    def test_twelve_bits_in_sixteen_are_squeezed(self):
        advice = intensity_advice(policy(2), self.cells(2750, "uint16"), channels=["blue", "red"])

        assert "channel red: its pixels fill 4.2% of the range" in advice
        assert "images.intensity: {percentile: [0.1, 99.9], over: dataset}" in advice

    @pytest.mark.parametrize("background", [0.0, 0.6])
    def test_low_range_clips_to_white(self, background):
        advice = intensity_advice(policy(2, range=(0, 1)), self.cells(255, "uint8", background=background))

        assert "channel 1: 100% of its pixels are clipped to white" in advice

    def test_high_range_clips_to_black(self):
        assert "clipped to black" in intensity_advice(policy(2, range=(200, 255)), self.cells(255, "uint8"))

    @pytest.mark.parametrize("settings", [{"range": (0, 2750)}, {"percentile": (0.1, 99.9)}])
    def test_fitting_policy_needs_no_advice(self, settings):
        assert intensity_advice(policy(2, **settings), self.cells(2750, "uint16")) is None

    def test_no_samples_need_no_advice(self):
        assert intensity_advice(policy(2), []) is None


class TestRealImages:
    def test_eight_bit_cells_fit_their_type(self, real_data):
        folder = real_data / "jku_cell_lines"
        settings = ImagesSettings(root=folder / "images_train")
        manifest = build_manifest(settings, LabelsSettings(file=folder / "y_train.csv"))
        reader = SampleReader.for_manifest(manifest)

        samples = [reader.read(row) for row in range(200)]

        assert {sample.shape for sample in samples} == {(3, 64, 64)}
        assert intensity_advice(policy(3), samples) is None

    def test_imaging_flow_cytometry_does_not_fit_sixteen_bits(self, real_data):
        settings = ImagesSettings(root=real_data / "jurkat_cell_cycle", layout="folders", channels=[0, 1, 2])
        manifest = build_manifest(settings, LabelsSettings(file=None))
        reader = SampleReader.for_manifest(manifest)
        samples = [reader.read(row) for row in range(200)]

        assert manifest.table["label"].nunique() == 7
        for channel in range(3):
            assert f"channel {channel}: its pixels fill" in intensity_advice(policy(3), samples)
        resolved = policy(3, percentile=(0.1, 99.9), over="dataset").resolved(reader, range(len(reader)))
        assert intensity_advice(resolved, samples) is None
