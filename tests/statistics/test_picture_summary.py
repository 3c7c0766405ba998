import numpy as np
import pytest

from cellfeat.statistics.picture_summary import QUANTILES, summarise


def noisy(level, spread, shape=(64, 64), seed=0):
    return np.random.default_rng(seed).normal(level, spread, shape)


def with_disc(picture, value, radius, centre=(32, 32)):
    y, x = np.indices(picture.shape)
    return np.where(np.hypot(y - centre[0], x - centre[1]) < radius, value, picture)


def test_intensity_holds_moments_extremes_and_quantiles():
    pixels = np.arange(64 * 64).reshape(1, 64, 64).astype(np.uint16)
    mean, deviation, lowest, highest, *quantiles = summarise(pixels).intensity[0]
    assert (mean, lowest, highest) == (2047.5, 0, 4095)
    assert deviation == pytest.approx(pixels.std())
    np.testing.assert_allclose(quantiles, np.quantile(pixels, QUANTILES), atol=0.5)


@pytest.mark.parametrize("value", [900, 0], ids=["bright cells", "dark cells"])
def test_level_is_that_of_the_background_though_a_cell_reaches_the_border(value):
    alone, reaching = (with_disc(noisy(400, 5), value, 20, centre) for centre in ((32, 32), (10, 10)))
    levels = [summarise(picture[np.newaxis]).background[0, 0] for picture in (alone, reaching)]
    assert np.abs(np.subtract(levels, 400)).max() < 3


def test_share_of_the_background_falls_where_cells_reach_the_border():
    pixels = np.stack([with_disc(noisy(50, 2), 900, 20), np.kron(noisy(500, 200, (16, 16)), np.ones((4, 4)))])
    plain, textured = summarise(pixels).background_share
    assert plain > 0.99
    assert textured < 0.6


def test_sides_show_light_from_one_side():
    slope = np.tile(np.linspace(0, 30, 64), (64, 1))
    _, _, _, top, bottom, left, right = summarise((with_disc(slope + 100, 900, 15))[np.newaxis]).background[0]
    assert left < 105
    assert right > 125
    assert abs(top - bottom) < 1


def test_outermost_line_is_seen():
    framed = noisy(50, 2)
    framed[[0, -1]] = framed[:, [0, -1]] = 200
    assert summarise(framed[np.newaxis]).background[0, 2] == 200


@pytest.mark.parametrize(
    ("pixels", "step"),
    [
        (np.arange(256, dtype=np.uint8), 1),
        (np.arange(4096, dtype=np.uint16) * 16, 16),
        (np.arange(256, dtype=np.uint16) * 257, 257),
        (np.repeat(np.arange(4, dtype=np.uint8), 4096), 1),
        (np.arange(-128, 128, dtype=np.int16) * 8 + 3, 8),
        (np.full(256, 7, np.uint8), 0),
        (np.linspace(0, 1, 256, dtype=np.float32), 0),
    ],
)
def test_step_between_grey_values(pixels, step):
    assert summarise(pixels.reshape(1, 16, -1)).step == step


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 40), (1, 3, 2), (1, 300, 1000)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.float32])
def test_any_size_and_type_is_summarised(shape, dtype):
    found = summarise(np.random.default_rng(0).integers(0, 100, shape).astype(dtype))
    assert found.intensity.shape == (shape[0], 4 + len(QUANTILES))
    assert found.background.shape == (shape[0], 7)
    assert np.isfinite(found.background).all()
    assert ((found.background_share >= 0) & (found.background_share <= 1)).all()
