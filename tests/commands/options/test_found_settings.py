"""Which settings a command takes, and what it says of those that it does not take."""

import contextlib
from pathlib import Path

import click
import pytest

from cellfeat.commands.options.evaluation import tell_without_effect
from cellfeat.commands.options.settings import OWN_CONFIG, resolve_settings

SETTINGS = "images:\n  root: data\n"


def told_in(folder: Path, config: Path | None, capsys: pytest.CaptureFixture[str]) -> str:
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(folder), click.Context(click.Command("extract")):
        resolve_settings(config, (), {})
    return capsys.readouterr().err


def test_paths_that_do_not_start_from_the_settings_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / OWN_CONFIG).write_text(SETTINGS)
    told = told_in(tmp_path, Path("project") / OWN_CONFIG, capsys)
    assert "not in project/data" in told
    assert "run the command in project" in told
    assert not told_in(tmp_path / "project", OWN_CONFIG, capsys)


def test_settings_whose_folder_has_no_such_images_are_taken_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mine.yaml").write_text(SETTINGS)
    assert not told_in(tmp_path, Path("configs/mine.yaml"), capsys)


def test_settings_of_a_folder_above_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / OWN_CONFIG).write_text(SETTINGS)
    told = told_in(tmp_path / "data", None, capsys)
    assert str(tmp_path / OWN_CONFIG) in told
    assert "not used" in told


def test_settings_of_the_extraction_have_no_effect_on_an_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("labels.label=stage", "preprocessing.input_size=96", "comparison.folds=3", "logreg.C=1")
    tell_without_effect(given, takes_labels=False)
    told = capsys.readouterr().err
    assert "labels.label=stage, preprocessing.input_size=96:" in told
    tell_without_effect(("labels.label=stage",), takes_labels=True)
    assert not capsys.readouterr().err
