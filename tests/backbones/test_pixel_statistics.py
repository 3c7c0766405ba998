"""Measurements of pixels: what they are on pictures whose answers are known, and that they are used as any network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cellfeat.backbones.pixel_statistics import EMBEDDING_DIM, N_OF_A_PLANE, N_SCALES, QUANTILES, PixelStatistics
from cellfeat.backbones.registry import BACKBONES, load_backbone
from cellfeat.errors import BackboneError, WeightsError

MEAN, DEVIATION, FIRST_QUANTILE = 0, 1, 2
SHARE, BRIGHT_MEAN, BRIGHT_DEVIATION, SPREAD, FIRST_DIFFERENCE = np.arange(5) + 2 + len(QUANTILES)


def measured(pictures: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of each plane, and the correlations of the planes."""
    numbers = PixelStatistics()(pictures).numpy()
    n_planes = 3 * N_OF_A_PLANE
    return numbers[:, :n_planes].reshape(-1, 3, N_OF_A_PLANE), numbers[:, n_planes:]


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.rand((4, 3, 96, 96), generator=torch.Generator().manual_seed(0))


def test_the_table_knows_the_number_of_columns(noise: torch.Tensor) -> None:
    assert BACKBONES["pixel_statistics"].embedding_dim == EMBEDDING_DIM == PixelStatistics()(noise).shape[1]


def test_a_disc_has_its_area_its_brightness_and_its_size() -> None:
    places = (torch.arange(96) - 47.5) / 96
    radius = (places[:, None].square() + places.square()).sqrt()
    disc = 0.8 * (radius < 0.25).float()
    planes, _ = measured(disc.expand(1, 3, 96, 96))
    area = np.pi * 0.25**2
    assert planes[0, 0, SHARE] == pytest.approx(area, rel=0.03)
    assert planes[0, 0, MEAN] == pytest.approx(0.8 * area, rel=0.01)
    assert planes[0, 0, BRIGHT_MEAN] == pytest.approx(0.8, rel=0.02)
    # The root mean square radius of a disc is its radius over the square root of 2.
    assert planes[0, 0, SPREAD] == pytest.approx(0.25 / np.sqrt(2), rel=0.03)


def test_twice_the_light_is_twice_the_intensity_and_the_same_shape(noise: torch.Tensor) -> None:
    (dark, of_dark), (light, of_light) = measured(noise / 2), measured(noise)
    shapes = [SHARE, SPREAD]
    others = np.setdiff1d(np.arange(N_OF_A_PLANE), shapes)
    np.testing.assert_allclose(light[..., others], 2 * dark[..., others], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(light[..., shapes], dark[..., shapes], rtol=1e-3)
    np.testing.assert_allclose(of_light, of_dark, atol=1e-4)


def test_quantiles_rise_and_lie_around_the_mean(noise: torch.Tensor) -> None:
    planes, _ = measured(noise)
    quantiles = planes[..., FIRST_QUANTILE : FIRST_QUANTILE + len(QUANTILES)]
    assert (np.diff(quantiles, axis=-1) > 0).all()
    assert quantiles[..., len(QUANTILES) // 2] == pytest.approx(planes[..., MEAN], abs=0.02)


def test_fine_and_coarse_grain_are_told_apart(noise: torch.Tensor) -> None:
    coarse = torch.nn.functional.interpolate(noise[..., ::8, ::8], size=(96, 96), mode="nearest")
    differences = slice(FIRST_DIFFERENCE, FIRST_DIFFERENCE + N_SCALES)
    fine_planes, coarse_planes = measured(noise)[0][..., differences], measured(coarse)[0][..., differences]
    assert (np.diff(fine_planes, axis=-1) < 0).all()
    assert (np.diff(coarse_planes, axis=-1) > 0).all()


def test_correlations_are_those_of_the_planes(noise: torch.Tensor) -> None:
    first, second = noise[:, 0], noise[:, 1]
    _, correlations = measured(torch.stack([first, 1 - first, second], dim=1))
    np.testing.assert_allclose(correlations[:, 0], -1, atol=1e-4)
    assert np.abs(correlations[:, 1:]).max() < 0.1


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constant_pictures_have_finite_numbers(value: float) -> None:
    numbers = PixelStatistics()(torch.full((1, 3, 64, 64), value))
    assert numbers.isfinite().all()
    assert numbers[0, MEAN] == pytest.approx(value)
    assert numbers[0, -3:].abs().max() == 0


def test_views_of_a_picture_have_the_same_numbers(noise: torch.Tensor) -> None:
    network = PixelStatistics()
    torch.testing.assert_close(network(noise.transpose(-2, -1).flip(-1)), network(noise), rtol=1e-3, atol=1e-5)


def test_weights_and_other_pools_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights"):
        load_backbone("pixel_statistics", weights=str(tmp_path / "mine.pth"))
    with pytest.raises(BackboneError, match="pool"):
        load_backbone("pixel_statistics", pool="raw")
    assert load_backbone("pixel_statistics", pool="auto").pool == "norm"
