import re

import numpy as np
import pytest

from cellfeat.config import ImagesSettings, IntensitySettings, LabelsSettings
from cellfeat.config_files import parse_assignment
from cellfeat.samples.formats.decoded_image import Image
from cellfeat.samples.image_file.properties import file_properties
from cellfeat.samples.intensity.advice import EXAMINED_SAMPLES, intensity_advice, spread_blocks, spread_rows
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleImage, SampleReader


def policy(n_channels: int = 1, **settings) -> IntensityPolicy:
    return IntensityPolicy.from_settings(IntensitySettings(**settings), n_channels)


def sample(pixels: np.ndarray, bits: int | None = None) -> SampleImage:
    stated = bits or 8 * pixels.dtype.itemsize
    return SampleImage(pixels, file_properties(pixels, [Image(pixels, "tiff", stated)]), (stated,) * len(pixels))


def cells(top: int, dtype: str, *, background: float = 0.0, lowest: int = 1, n: int = 5) -> list[SampleImage]:
    """Samples of 2 channels with values up to `top`, where some end, and a share of exact zeros."""
    rng = np.random.default_rng(0)
    pixels = np.minimum(rng.integers(lowest, lowest + 1.05 * (top - lowest), (n, 2, 16, 16)), top).astype(dtype)
    pixels[rng.random(pixels.shape) < background] = 0
    return [sample(one) for one in pixels]


def advised(advice: str) -> IntensityPolicy:
    """The policy of the setting in the message, as the command line would read it."""
    (assignment,) = re.findall(r"--set '(.*?)'", advice)
    _, value = parse_assignment(assignment)
    return IntensityPolicy.from_settings(IntensitySettings.model_validate(value), 2)


def test_advice_names_no_setting_where_the_recipe_is_given() -> None:
    advice = intensity_advice(policy(2), cells(4095, "uint16"), names_setting=False)
    assert advice is not None
    assert "the recipe is given" in advice
    assert "--set" not in advice


class TestBackground:
    @pytest.mark.parametrize("background", [0.0, 0.6, 0.95, 1.0])
    def test_black_background_is_ignored(self, background):
        assert intensity_advice(policy(2), cells(255, "uint8", background=background)) is None

    def test_saturated_pixels_are_ignored(self):
        pixels = np.full((1, 8, 8), 255, np.uint8)
        pixels[0, 0] = np.arange(8) * 30

        assert intensity_advice(policy(1), [sample(pixels)]) is None

    def test_no_samples_need_no_advice(self):
        assert intensity_advice(policy(2), []) is None


class TestUnstatedBits:
    @pytest.mark.parametrize("bits", [10, 12, 14])
    def test_fewer_bits_in_sixteen_are_squeezed(self, bits):
        samples = cells(2**bits - 1, "uint16")

        advice = intensity_advice(policy(2), samples, channels=["blue", "red"])

        assert "channel red: its values, " in advice
        assert f" to {2**bits - 1}, fill" in advice
        assert f"--set 'images.intensity={{range: [0, {2**bits - 1}]}}'" in advice
        assert intensity_advice(advised(advice), samples) is None

    def test_fifteen_bits_end_at_their_highest_value(self):
        assert "range: [0, 32767]" in intensity_advice(policy(2), cells(32767, "uint16", n=20))

    @pytest.mark.parametrize("bits", [8, 12, 15])
    def test_an_offset_is_found_and_told(self, bits):
        samples = cells(32768 + 2**bits - 1, "uint16", lowest=32768)

        advice = intensity_advice(policy(2), samples)

        assert "offset of 32768" in advice
        assert f"range: [32768, {32768 + 2**bits - 1}]" in advice
        assert intensity_advice(advised(advice), samples) is None

    def test_offset_below_a_black_background_is_found(self):
        assert "offset" in intensity_advice(policy(2), cells(36863, "uint16", lowest=32768, background=0.5))

    @pytest.mark.parametrize("top", [65535, 60000, 40000])
    def test_full_range_needs_no_advice(self, top):
        assert intensity_advice(policy(2), cells(top, "uint16")) is None

    def test_dark_images_with_a_bright_one_need_no_advice(self):
        assert intensity_advice(policy(2), [*cells(1500, "uint16", n=50), *cells(60000, "uint16", n=1)]) is None

    def test_stated_bits_need_no_advice(self):
        assert intensity_advice(policy(2), [sample(one.pixels, bits=12) for one in cells(4095, "uint16")]) is None

    def test_dark_floats_get_percentiles(self):
        samples = [sample((one.pixels / 2550).astype(np.float32)) for one in cells(255, "uint8")]

        assert "percentile: [0.1, 99.9], over: dataset" in intensity_advice(policy(2), samples)

    def test_channels_that_need_different_ranges_get_percentiles(self):
        samples = [sample(one.pixels // np.array([1, 16], np.uint16)[:, None, None]) for one in cells(60000, "uint16")]

        advice = intensity_advice(policy(2), samples)

        assert "channel 0" not in advice
        assert "percentile: [0.1, 99.9], over: dataset" in advice


class TestSeveralKinds:
    def test_each_type_is_examined_by_itself(self):
        samples = [*cells(255, "uint8", n=25), *cells(4095, "uint16", n=25)]

        advice = intensity_advice(policy(2), samples)

        assert "25 samples of uint16: channel 0" in advice
        assert "uint8" not in advice
        assert intensity_advice(advised(advice), samples) is None

    def test_samples_of_other_stated_bits_are_examined_by_themselves(self):
        stated = [sample(one.pixels, bits=12) for one in cells(4095, "uint16")]

        advice = intensity_advice(policy(2), [*stated, *cells(4095, "uint16")])

        assert "5 samples of uint16: channel 0" in advice
        assert "12 bits stated" not in advice


class TestClipping:
    @pytest.mark.parametrize("background", [0.0, 0.6])
    def test_low_range_clips_to_white(self, background):
        advice = intensity_advice(policy(2, range=(0, 1)), cells(255, "uint8", background=background, lowest=2))

        assert "channel 1: 100% of its pixels are clipped to white" in advice

    def test_high_range_clips_to_black(self):
        assert "clipped to black" in intensity_advice(policy(2, range=(200, 255)), cells(255, "uint8"))

    @pytest.mark.parametrize("settings", [{"range": (0, 2750)}, {"percentile": (0.1, 99.9)}])
    def test_fitting_policy_needs_no_advice(self, settings):
        assert intensity_advice(policy(2, **settings), cells(2750, "uint16")) is None


class TestSpreadRows:
    @pytest.mark.parametrize("n_samples", [1, 7, EXAMINED_SAMPLES, 5000])
    def test_rows_are_spread_over_all_samples(self, n_samples):
        rows = spread_rows(n_samples)

        assert len(rows) == len(set(rows)) == min(n_samples, EXAMINED_SAMPLES)
        assert rows == sorted(rows)
        assert rows[0] >= 0
        assert n_samples - n_samples / EXAMINED_SAMPLES - 1 <= rows[-1] < n_samples
        assert spread_rows(n_samples) == rows

    def test_alternating_kinds_are_all_seen(self):
        assert {row % 2 for row in spread_rows(400)} == {0, 1}


class TestRealImages:
    def test_eight_bit_cells_fit_their_type(self, real_data):
        folder = real_data / "jku_cell_lines"
        settings = ImagesSettings(root=folder / "images_train")
        manifest = build_manifest(settings, LabelsSettings(file=folder / "y_train.csv"))
        reader = SampleReader.for_manifest(manifest)

        samples = [reader.read_sample(row) for row in spread_rows(len(reader))]

        assert {sample.pixels.shape for sample in samples} == {(3, 64, 64)}
        assert intensity_advice(policy(3), samples) is None

    def test_imaging_flow_cytometry_does_not_fit_sixteen_bits(self, real_data):
        settings = ImagesSettings(root=real_data / "jurkat_cell_cycle", layout="folders", channels=[0, 1, 2])
        manifest = build_manifest(settings, LabelsSettings(file=None))
        reader = SampleReader.for_manifest(manifest)
        samples = [reader.read_sample(row) for row in spread_rows(len(reader))]

        assert manifest.table["label"].nunique() == 7
        for channel in range(3):
            assert f"channel {channel}: its values" in intensity_advice(policy(3), samples)
        resolved = policy(3, percentile=(0.1, 99.9), over="dataset").resolved(reader, range(len(reader)))
        assert intensity_advice(resolved, samples) is None


def test_few_blocks_are_examined() -> None:
    rows = spread_rows(2400)
    kept = spread_blocks(rows, lambda row: row // 24)
    assert len({row // 24 for row in kept}) == 8
    assert spread_blocks(rows, lambda row: row) == rows
