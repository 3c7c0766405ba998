"""Where one property of cells alone tells the classes apart, a recipe is chosen that sees it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cellfeat.recommending import recommend as recommending
from cellfeat.recommending.recommend import recommend
from tests.recommending.conftest import Draw, by_colour, by_shape, by_texture, settings_of, write_samples

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _one_small_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "SIZES", (64,))


@pytest.mark.parametrize(
    ("draw", "sees"),
    [
        (by_colour, lambda recipe: recipe.channels_as in ("planes", "both")),
        (by_texture, lambda recipe: recipe.pool == "stages"),
        (by_shape, lambda _: True),
    ],
)
def test_recipe_sees_what_tells_the_classes_apart(draw: Draw, sees: Callable, tmp_path: Path) -> None:
    images = write_samples(tmp_path / "images", {"first": 60, "second": 60}, draw)
    settings = settings_of(images, tmp_path, **{"preprocessing.input_size": 64, "extraction.batch_size": 16})
    found = recommend(settings, budget=50, samples=120, backbones=["efficientnet_lite0"])
    assert found.honest_score > 0.7
    assert sees(found.chosen), found.table().head(12).to_string()
