"""`cellfeat recommend` as a user runs it, and the line of `extract` that offers it."""

import json
from pathlib import Path

import pytest

from cellfeat.commands.extract import has_unchosen_recipe
from cellfeat.config import Settings
from cellfeat.config_sources import override_settings
from tests.commands.command_line import refused, succeed

COMMAND = ("recommend", "--images", "images", "--labels", "labels.csv", "--backbone", "mobilenet_v3_small=weights.pth")
SMALL = ("--set", "preprocessing.input_size=32", "--set", "extraction.workers=0", "--device", "cpu", "--samples", "60")


@pytest.mark.slow
def test_settings_table_picture_and_record_are_written(folder: Path) -> None:
    done = succeed(folder, *COMMAND, *SMALL, "--budget", "90s", "--output", "recommended", "--json")
    record = json.loads(done.stdout)
    names = {path.name for path in (folder / "recommended").iterdir()}
    assert names == {"recommended.yaml", "recipes.csv", "recommendation.json", "recipes.png"}
    assert record["chosen"]["backbone.name"] == "mobilenet_v3_small"
    assert record["n_samples"] == 150


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--budget", "soon"), "--budget"),
        (("--backbone", "mobilenet_v3_smal"), "mobilenet_v3_small"),
        (("--labels", "none"), "label"),
        (("--images", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_message(folder: Path, options: tuple[str, ...], word: str) -> None:
    assert word in refused(folder, *COMMAND, *SMALL, *options)


def test_extract_offers_it_only_where_nothing_was_chosen() -> None:
    assert has_unchosen_recipe(Settings())
    for key, value in {
        "backbone.pool": "stages",
        "preprocessing.input_size": 96,
        "extraction.views": 4,
        "labels.file": None,
    }.items():
        assert not has_unchosen_recipe(override_settings(Settings(), {key: value})), key
