"""``cellfeat init``, and the commands that find its file of settings."""

import contextlib
import io
from pathlib import Path

import imagecodecs
import pytest

from cellfeat.config_sources import load_settings
from cellfeat.extraction.store import load_features
from tests.commands.command_line import refused, run_cli, succeed
from tests.proposing.layout_folders import LAYOUTS, pixels, save

NETWORK = (
    "backbone.name=mobilenet_v3_small", "extraction.device=cpu", "extraction.precision=fp32", "extraction.workers=0",
    "preprocessing.input_size=48", "preprocessing.crop=none", "comparison.heads=[knn]", "comparison.folds=2",
)  # fmt: skip


def init(folder: Path, weights: Path, *arguments: str) -> str:
    """Run ``init --yes`` in a folder; the network is written into its file, so that later commands need no option."""
    network = [part for setting in (*NETWORK, f"backbone.weights={weights}") for part in ("--set", setting)]
    return succeed(folder, "init", "data", "--yes", *network, *arguments).stdout


@pytest.fixture(scope="session")
def weights(folder: Path) -> Path:
    return folder / "weights.pth"


QUICK = ("plate_well_field", "fields_with_masks", "load_data")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in LAYOUTS]
)
def test_first_extract_after_init_needs_no_option(name: str, tmp_path: Path, weights: Path) -> None:
    expected = LAYOUTS[name](tmp_path / "data")
    told = init(tmp_path, weights)
    assert told.endswith("next: cellfeat extract\n")
    done = succeed(tmp_path, "extract")
    assert "settings: cellfeat.yaml in this folder" in done.stderr
    samples = load_features(tmp_path / "features" / "cells.h5").samples
    assert len(samples.ids) == expected.n_samples
    assert set(samples.labels.tolist()) - {""} == set(expected.labels)
    if expected.n_groups is not None:
        assert len(set(samples.groups.tolist()) - {""}) == expected.n_groups


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Path:
    """A folder with ``cellfeat.yaml`` and the features that it describes."""
    folder = tmp_path_factory.mktemp("started")
    LAYOUTS["plate_well_field"](folder / "data")
    init(folder, weights)
    succeed(folder, "extract")
    return folder


@pytest.mark.slow
def test_later_commands_find_the_settings(started: Path) -> None:
    succeed(started, "compare")
    succeed(started, "fit", "--head", "knn")
    predicted = succeed(started, "predict", "--model", "results/cells/knn")
    assert predicted.stdout == "predictions.csv\n"
    assert "24 samples" in succeed(started, "verify").stdout
    assert "samples      24" in succeed(started, "inspect").stdout
    succeed(started, "audit")


def test_config_option_replaces_the_settings_of_the_folder(started: Path) -> None:
    (started / "other.yaml").write_text("extraction: {output: nowhere.h5}\n")
    done = run_cli(started, "compare", "--config", "other.yaml")
    assert "nowhere.h5" in done.stderr
    assert "cellfeat.yaml" not in done.stderr


def test_picture_shows_three_samples_with_their_channels(started: Path) -> None:
    picture = imagecodecs.imread(started / "cellfeat.png")
    height, width = picture.shape[:2]
    assert height > 600
    assert width > 900
    assert picture.std() > 10


def test_options_replace_guesses(tmp_path: Path, weights: Path) -> None:
    LAYOUTS["plate_well_field"](tmp_path / "data")
    init(tmp_path, weights, "--group", "plate,well", "--label", "none", "--channels", "w1,w3", "--output", "my.yaml")
    settings = load_settings(tmp_path / "my.yaml")
    assert settings.labels.group == ["plate", "well"]
    assert settings.labels.label is None
    assert settings.images.channels == ["w1", "w3"]


def test_terminal_is_asked_which_column_is_the_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(12):
        save(tmp_path, f"data/{i}.png", pixels(12, 12, 3))
    rows = "\n".join(f"{i},{'ab'[i % 2]},{'xy'[i // 6]}" for i in range(12))
    (tmp_path / "data" / "labels.csv").write_text(f"id,cell_line,treatment\n{rows}\n")
    answers = io.StringIO("2\n")
    answers.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", answers)
    with contextlib.chdir(tmp_path):
        done = succeed(tmp_path, "init", "data")
    assert "Which column is the label" in done.stderr
    assert load_settings(tmp_path / "cellfeat.yaml").labels.label == "treatment"


@pytest.mark.slow
def test_second_init_replaces_only_with_force(tmp_path: Path, weights: Path) -> None:
    LAYOUTS["mixed_bits"](tmp_path / "data")
    init(tmp_path, weights)
    before = (tmp_path / "cellfeat.yaml").read_text()
    assert "--force" in refused(tmp_path, "init", "data", "--yes")
    assert (tmp_path / "cellfeat.yaml").read_text() == before
    succeed(tmp_path, "init", "data", "--yes", "--force")
    assert (tmp_path / "cellfeat.yaml").read_text() != before


def test_folder_itself_can_be_looked_at_again(tmp_path: Path) -> None:
    LAYOUTS["mixed_bits"](tmp_path)
    succeed(tmp_path, "init", ".", "--yes")
    done = succeed(tmp_path, "init", ".", "--yes", "--force")
    assert "images: 12 " in done.stdout


@pytest.mark.slow
def test_groups_of_set_are_separated_by_commas(tmp_path: Path, weights: Path) -> None:
    LAYOUTS["fields_with_masks"](tmp_path / "data")
    init(tmp_path, weights, "--set", "labels.group=plate,well")
    assert load_settings(tmp_path / "cellfeat.yaml").labels.group == ["plate", "well"]
