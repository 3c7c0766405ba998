"""The picture of samples with their channels."""

import numpy as np
import pytest

from cellfeat.figures import save_figure
from cellfeat.figures.samples import PicturedSample, channel_colours, compose, draw_samples


def test_colours_follow_the_names_of_channels_and_differ() -> None:
    blue, green, other, red = channel_colours(["Hoechst", "GFP", "w4", "mCherry"])
    assert blue[2] > max(blue[:2])
    assert green[1] > max(green[0], green[2])
    assert red[0] > max(red[1:])
    assert len({blue, green, other, red}) == 4


@pytest.mark.parametrize("n_channels", [1, 2, 7])
def test_composed_channels_stay_in_range(n_channels: int) -> None:
    planes = np.ones((n_channels, 4, 5), np.float32)
    mixed = compose(planes, channel_colours([str(i) for i in range(n_channels)]))
    assert mixed.shape == (4, 5, 3)
    assert 0 < mixed.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("n_channels", [1, 3, 12])
def test_any_number_of_channels_and_any_name_is_drawn(n_channels: int, tmp_path) -> None:
    sample = PicturedSample("a$\\x_{b\u202e\n: HeLa", np.zeros((n_channels, 900, 30), np.float32))
    figure = draw_samples([sample, sample], [f"c{i}\u4e2d" for i in range(n_channels)])
    save_figure(figure, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000
