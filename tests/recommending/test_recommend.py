"""Recommendations on generated cells, with a small network of random weights."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cellfeat.backbones.base import Backbone, LoadedBackbone
from cellfeat.backbones.registry import load_entry
from cellfeat.config_sources import load_settings
from cellfeat.errors import BackboneError, CellfeatError, ConfigError, ManifestError, SplitError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features
from cellfeat.recommending import recommend as recommending
from cellfeat.recommending.embeddings import Embeddings
from cellfeat.recommending.networks import NamedNetwork
from cellfeat.recommending.recommend import recommend
from cellfeat.recommending.recommendation import Recommendation
from cellfeat.recommending.saving import save_recommendation
from cellfeat.recommending.shared_network import SharedNetwork
from tests.extraction.observers import Lines
from tests.recommending.conftest import by_texture, disc, settings_of, write_samples

SMALL = {"preprocessing.input_size": 32, "preprocessing.crop": "none"}


@pytest.fixture(autouse=True)
def _one_small_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "SIZES", (32,))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_samples(tmp_path_factory.mktemp("texture") / "images", {"fine": 12, "coarse": 12}, by_texture)


@pytest.fixture(scope="module")
def found(images: Path, mobilenet: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recommendation]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recommending, "SIZES", (32,))
        settings = settings_of(images, tmp_path_factory.mktemp("out"), **SMALL)
        yield recommend(settings, budget=600, samples=24, backbones=[mobilenet])


@pytest.mark.slow
def test_all_recipes_are_tried_where_there_is_time(found: Recommendation) -> None:
    table = found.table()
    assert set(table["input_size"]) == {32}
    assert set(table["pool"]) == {"norm"} | ({"stages"} & set(table["pool"]))
    assert {"planes", "separate", "both"} == set(table["channels_as"])
    assert {1, 4, 8} == set(table["views"])
    assert not found.untried or all("among the best" in why for why in found.untried.values())


def test_baseline_is_the_recipe_of_the_settings(found: Recommendation) -> None:
    assert (found.baseline.source.input_size, found.baseline.pool, found.baseline.views) == (32, "norm", 1)
    assert found.candidate(found.baseline).is_finalist


def test_score_has_an_interval_and_a_paired_difference(found: Recommendation) -> None:
    low, high = found.honest_interval
    assert low <= found.honest_score <= high
    assert sum(found.chosen_in_folds.values()) == found.n_folds
    row = found.table().query("chosen").iloc[0]
    assert row["balanced_accuracy"] >= found.best.score - 0.006


def test_front_grows_with_time(found: Recommendation) -> None:
    front = sorted((one for one in found.finalists if one.is_on_front), key=lambda one: one.seconds)
    scores = [one.score for one in front]
    assert scores == sorted(scores)
    assert found.best.score == scores[-1]


@pytest.mark.slow
def test_files_name_the_recipe_and_extract_takes_them(found: Recommendation, tmp_path: Path) -> None:
    files = save_recommendation(found, tmp_path, ("png", "svg"))
    assert [file.name for file in files] == [
        "recommended.yaml", "recipes.csv", "recommendation.json", "recipes.png", "recipes.svg",
    ]  # fmt: skip
    assert load_settings(files[0]).backbone == found.settings.backbone
    settings = load_settings(files[0], overrides={"extraction.output": tmp_path / "cells.h5"})
    features = load_features(extract(settings).path)
    chosen = found.chosen
    assert features.embeddings.shape[1] == chosen.views
    assert features.recipe["channels_as"] == chosen.channels_as
    assert features.recipe["transform"]["input_size"] == chosen.source.input_size
    assert len(pd.read_csv(files[1])) == len(found.candidates)


@pytest.mark.slow
def test_equal_seeds_give_equal_scores(found: Recommendation, images: Path, mobilenet: str, tmp_path: Path) -> None:
    again = recommend(settings_of(images, tmp_path, **SMALL), budget=600, samples=24, backbones=[mobilenet])
    columns = ["pool", "input_size", "channels_as", "views", "balanced_accuracy"]
    first, second = (one.table()[columns].sort_values(columns[:-1], ignore_index=True) for one in (found, again))
    common = first.merge(second, on=columns[:-1])
    np.testing.assert_array_equal(common["balanced_accuracy_x"], common["balanced_accuracy_y"])
    assert len(common) > 5


@pytest.mark.slow
def test_shared_forward_gives_the_embeddings_of_an_extraction(
    images: Path, mobilenet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Embeddings] = []
    original = Embeddings.__init__

    def remember(self: Embeddings, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        kept.append(self)

    monkeypatch.setattr(Embeddings, "__init__", remember)
    settings = settings_of(images, tmp_path, **SMALL)
    result = recommend(settings, budget=600, samples=24, backbones=[mobilenet])
    recipe = result.chosen
    wanted = kept[0].needs([recipe])
    rows = np.arange(result.n_compared)
    kept[0].ensure(recipe.source, wanted, rows)
    mean = np.concatenate([kept[0].of_pass(recipe, number, rows) for number in wanted], axis=1)
    features = load_features(extract(result.settings).path)
    np.testing.assert_allclose(np.sort(mean, axis=0), np.sort(features.embeddings.mean(axis=1), axis=0), atol=1e-3)


@pytest.mark.slow
def test_budget_is_kept_and_what_was_not_tried_is_said(images: Path, mobilenet: str, tmp_path: Path) -> None:
    result = None
    try:
        result = recommend(settings_of(images, tmp_path, **SMALL), budget=6, samples=24, backbones=[mobilenet])
    except ConfigError as error:  # on a busy machine
        assert "--budget" in str(error)  # noqa: PT017
    if result is not None:
        assert result.seconds < 12


@pytest.mark.slow
def test_interruption_gives_what_is_known(
    images: Path, mobilenet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Embeddings.ensure
    calls = 0

    def interrupted(self: Embeddings, *args: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Embeddings, "ensure", interrupted)
    result = recommend(settings_of(images, tmp_path, **SMALL), budget=600, samples=24, backbones=[mobilenet])
    assert result.is_interrupted
    assert len(result.finalists) > 1
    assert any("interrupted" in line for line in result.lines())


@pytest.mark.slow
@pytest.mark.parametrize("n_channels", [1, 2, 9])
def test_other_numbers_of_channels(n_channels: int, mobilenet: str, tmp_path: Path) -> None:
    def draw(code: int, rng: np.random.Generator) -> np.ndarray:
        return np.stack([disc((6 + 6 * code, 8), rng, size=24)] * n_channels)

    images = write_samples(tmp_path / "images", {"a": 12, "b": 12}, draw)
    settings = settings_of(images, tmp_path, n_channels, **SMALL)
    result = recommend(settings, budget=60, samples=24, backbones=[mobilenet])
    assert set(result.table()["channels_as"]) == {"planes" if n_channels == 1 else "separate"}


@pytest.mark.slow
def test_a_single_recipe_is_nothing_to_choose_from(
    mobilenet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommending, "CROPS", ("none",))
    images = write_samples(
        tmp_path / "images", {"a": 12, "b": 12}, lambda code, rng: disc((6 + 6 * code, 8), rng)[None]
    )
    with pytest.raises(BackboneError, match="nothing to choose from"):
        recommend(settings_of(images, tmp_path, 1, **SMALL), budget=60, samples=24, backbones=[mobilenet])


def test_labels_are_needed(images: Path, mobilenet: str, tmp_path: Path) -> None:
    for place, file in enumerate(sorted(images.rglob("*.tif"))[:12]):
        (tmp_path / "flat").mkdir(exist_ok=True)
        (tmp_path / "flat" / f"{place:05d}_all.tif").write_bytes(file.read_bytes())
    settings = settings_of(
        tmp_path / "flat", tmp_path, **{"images.layout": "pattern", "images.pattern": "{sample_id:05d}_all.tif"}
    )
    with pytest.raises(ManifestError, match="no sample has a label"):
        recommend(settings, backbones=[mobilenet])


@pytest.mark.slow
def test_rare_class_is_left_out_with_a_line(mobilenet: str, tmp_path: Path) -> None:
    lines: list[str] = []

    class Observer:
        def say(self, line: str) -> None:
            lines.append(line)

        def advance(self, n_done: int, n_samples: int) -> None: ...

    images = write_samples(tmp_path / "images", {"a": 12, "b": 12, "lone": 1}, by_texture)
    settings = settings_of(images, tmp_path, **SMALL)
    result = recommend(settings, budget=60, samples=30, backbones=[mobilenet], observer=Observer())
    assert result.n_classes == 2
    assert any("lone" in line and "left out" in line for line in lines)


def test_one_group_a_class_is_refused(mobilenet: str, tmp_path: Path) -> None:
    images = write_samples(tmp_path / "images", {"a": 6, "b": 6}, by_texture)
    rows = [f"{name}/{number:03d}.tif,{name},plate {name}" for name in "ab" for number in range(6)]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,plate", *rows]) + "\n")
    settings = settings_of(
        images, tmp_path,
        **{"images.layout": "table", "labels": {"file": str(tmp_path / "table.csv"), "files": "path", "id": "path",
           "label": "label", "group": "plate"}},
    )  # fmt: skip
    with pytest.raises(SplitError, match="group"):
        recommend(settings, backbones=[mobilenet])


@pytest.mark.slow
def test_networks_are_not_loaded_again_for_each_of_their_sources(
    images: Path, mobilenet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: Counter[tuple[str, int | None]] = Counter()

    def counted(entry: Backbone, **arguments: Any) -> LoadedBackbone:
        loaded[entry.name, arguments["input_size"]] += 1
        return load_entry(entry, **arguments)

    class InterruptsFirstRound(Lines):
        def say(self, line: str) -> None:
            if line.startswith("round 1"):
                raise KeyboardInterrupt

    monkeypatch.setattr("cellfeat.recommending.shared_network.load_entry", counted)
    monkeypatch.setattr("cellfeat.recommending.embeddings.NETWORKS_KEPT", 1)  # fewer than networks are compared
    settings, networks = settings_of(images, tmp_path, **SMALL), [mobilenet, "shufflenet_v2_x0_5=random"]
    with pytest.raises(KeyboardInterrupt):
        recommend(settings, budget=60, samples=24, backbones=networks, observer=InterruptsFirstRound())
    # To time it, and to see whether it takes the size.
    assert max(loaded.values()) <= 2


def test_random_weights_are_the_same_each_time_and_leave_the_callers_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    one, other = (
        SharedNetwork(
            NamedNetwork("squeezenet1_1", "random"), None, device=torch.device("cpu"), batch_size=1, seed=seed
        ).network.state_dict()
        for seed in (3, 3)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"budget": 0}, ConfigError),
        ({"samples": 3}, ConfigError),
        ({"backbones": ["resnet18=random", "resnet18=random"]}, ConfigError),
        ({"backbones": ["resnet18="]}, ConfigError),
        ({"backbones": ["no_such_network"]}, CellfeatError),
    ],
)
def test_bad_values_are_refused(arguments: dict, error: type[Exception], images: Path, tmp_path: Path) -> None:
    with pytest.raises(error):
        recommend(settings_of(images, tmp_path), **arguments)


def test_no_network_here_is_refused(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellfeat.recommending.networks.is_here", lambda _: False)
    with pytest.raises(BackboneError, match="--backbone"):
        recommend(settings_of(images, tmp_path))
