"""Passes and views: the pictures of a sample that go through the backbone."""

import numpy as np
import pytest
import torch

from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.passes import Pass, make_passes, make_view

CHANNELS = ("blue", "red", "yellow")


def test_planes_is_one_picture_of_three_channels() -> None:
    assert make_passes(CHANNELS, "planes") == [Pass("planes", (0, 1, 2))]


def test_separate_is_each_channel_alone_repeated() -> None:
    assert make_passes(CHANNELS, "separate") == [
        Pass("blue", (0, 0, 0)), Pass("red", (1, 1, 1)), Pass("yellow", (2, 2, 2)),
    ]  # fmt: skip


def test_both_is_planes_then_each_alone() -> None:
    assert [one.name for one in make_passes(CHANNELS, "both")] == ["planes", *CHANNELS]


@pytest.mark.parametrize("channels_as", ["planes", "separate", "both"])
def test_one_channel_is_repeated_to_three(channels_as: str) -> None:
    assert make_passes(["dapi"], channels_as) == [Pass("dapi", (0, 0, 0))]


@pytest.mark.parametrize("n_channels", [2, 4, 5])
def test_other_numbers_of_channels_need_separate(n_channels: int) -> None:
    channels = list(range(n_channels))
    assert len(make_passes(channels, "separate")) == n_channels
    with pytest.raises(BackboneError, match=f"there are {n_channels} .*channels_as=separate"):
        make_passes(channels, "planes")


def test_the_eight_views_are_the_eight_symmetries_of_the_square() -> None:
    picture = torch.arange(9.0).reshape(1, 1, 3, 3)
    views = [make_view(picture, view) for view in range(8)]
    assert torch.equal(views[0], picture)
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    corners = {0.0, 2.0, 6.0, 8.0}
    for view in views:
        assert view[0, 0, 1, 1] == 4
        assert {view[0, 0, i, j].item() for i in (0, 2) for j in (0, 2)} == corners


@pytest.mark.parametrize("view", range(8))
def test_a_view_is_numpys_mirror_and_quarter_turns(view: int) -> None:
    pictures = np.random.default_rng(0).random((2, 3, 5, 5))
    mirrored = pictures[..., ::-1] if view >= 4 else pictures
    expected = np.rot90(mirrored, view % 4, axes=(-2, -1))
    np.testing.assert_array_equal(make_view(torch.from_numpy(pictures), view), expected)


def test_the_first_four_views_are_rotations() -> None:
    picture = torch.rand(1, 1, 5, 5)
    assert torch.equal(make_view(make_view(picture, 1), 3), picture)
    assert torch.equal(make_view(make_view(picture, 2), 2), picture)
