import pytest

from cellfeat.config import Settings
from cellfeat.config_sources import override_settings
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.recommending.recipes import (
    Recipe,
    Source,
    given_recipe,
    passes_of,
    recipes_of,
    ways_to_show,
    widest,
)

SOURCE = Source("efficientnet_lite0", 96, "none")


@pytest.mark.parametrize("n_channels", [1, 2, 3, 9])
def test_each_way_to_show_channels_is_a_part_of_the_widest(n_channels: int) -> None:
    channels = [f"c{number}" for number in range(n_channels)]
    all_passes = make_passes(channels, widest(n_channels))
    for channels_as in ways_to_show(n_channels):
        own = [all_passes[number] for number in passes_of(channels_as, n_channels)]
        assert own == make_passes(channels, channels_as)


def test_recipes_are_settings_of_an_extraction() -> None:
    for recipe in recipes_of(SOURCE, ("norm", "stages"), 3):
        settings = override_settings(Settings(), recipe.overrides())
        assert given_recipe(settings, "efficientnet_lite0", 224, 3) == recipe


def test_recipe_of_the_defaults() -> None:
    assert given_recipe(Settings(), "resnet18", 224, 3) == Recipe(
        Source("resnet18", 224, "none"), "stages", "planes", 1
    )


def test_planes_of_nine_channels_are_shown_one_by_one() -> None:
    assert given_recipe(Settings(), "resnet18", 224, 9).channels_as == "separate"


def test_work_grows_with_views_pixels_and_channels() -> None:
    small = Recipe(SOURCE, "norm", "planes", 1)
    assert small.with_views(8).work(3) == 8 * small.work(3)
    assert Recipe(SOURCE, "norm", "both", 1).work(3) == 4 * small.work(3)
    assert Recipe(SOURCE, "stages", "planes", 1).work(3) < small.work(3)
