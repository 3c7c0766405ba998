"""Settings: files and overrides merge, and mistakes are named."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cellfeat.config import Settings
from cellfeat.config_files import parse_assignment
from cellfeat.config_sources import load_settings
from cellfeat.errors import ConfigError, MissingFileError

CONFIGS = Path(__file__).parent.parent / "configs"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_default_yaml_is_the_default() -> None:
    assert load_settings(CONFIGS / "default.yaml") == Settings()


def test_default_yaml_shows_every_setting() -> None:
    shown = yaml.safe_load((CONFIGS / "default.yaml").read_text())
    sections = Settings().record()
    assert shown.keys() == sections.keys()
    for name, section in sections.items():
        assert shown[name].keys() == section.keys(), name


@pytest.mark.parametrize("path", sorted(CONFIGS.iterdir()), ids=lambda path: path.name)
def test_every_shipped_config_is_valid(path: Path) -> None:
    load_settings(path)


def test_json_config_equals_its_yaml() -> None:
    assert load_settings(CONFIGS / "demo.json") == load_settings(CONFIGS / "demo.yaml")


def test_later_files_and_overrides_win(tmp_path: Path) -> None:
    first = write(tmp_path / "a.yaml", "extraction: {views: 8, part_size: 64}\nheads: {mlp: {hidden: 64}}")
    second = write(tmp_path / "b.json", json.dumps({"extraction": {"views": 4}}))
    settings = load_settings(first, second, overrides={"heads.mlp.dropout": 0.1, "extraction.output": "x.h5"})
    assert (settings.extraction.views, settings.extraction.part_size) == (4, 64)
    assert settings.extraction.output == Path("x.h5")
    assert settings.heads == {"mlp": {"hidden": 64, "dropout": 0.1}}


def test_overrides_of_the_caller_stay_as_they_are() -> None:
    overrides = {"heads": {"mlp": {"hidden": 512}}, "heads.mlp.dropout": 0.1}
    assert load_settings(overrides=overrides).heads["mlp"] == {"hidden": 512, "dropout": 0.1}
    assert overrides["heads"] == {"mlp": {"hidden": 512}}


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"extraction.veiws": 8}, "unknown key 'extraction.veiws'; did you mean 'extraction.views'"),
    "unknown section": ({"extractoin.views": 8}, "unknown key 'extractoin'; did you mean 'extraction'"),
    "wrong type": ({"comparison.folds": "many"}, "comparison.folds: .*got 'many'"),
    "out of range": ({"comparison.folds": 1}, "comparison.folds: .*got 1"),
    "no such choice": ({"extraction.views": 3}, "extraction.views: .*1, 4 or 8, got 3"),
    "a range upside down": ({"images.intensity": {"range": [5, 1]}}, "lo < hi"),
    "a percentile above 100": ({"images.intensity": {"percentile": [1, 101]}}, "0 <= p < q <= 100"),
    "two policies": ({"images.intensity": {"percentile": [1, 99], "range": [0, 1]}}, "not both"),
    "an unknown policy": ({"images.intensity": "minmax"}, "expected dtype"),
    "no channels": ({"images.channels": []}, "images.channels"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_a_file_is_named(mistake: str) -> None:
    overrides, message = MISTAKES[mistake]
    with pytest.raises(ConfigError, match=message):
        load_settings(overrides=overrides)


FILES = {
    "broken yaml": ("a.yaml", "extraction: [1, 2", "not valid YAML"),
    "broken json": ("a.json", "{", "not valid JSON"),
    "a list": ("a.yaml", "- 1", "expected a mapping"),
    "a tag that would run code": ("a.yaml", "x: !!python/object/apply:os.system ['true']", "not valid YAML"),
    "an alias bomb": ("a.yaml", "a: &a [1]\nb: [*a, *a]", "aliases are not allowed"),
    "deep nesting": ("a.json", "[" * 100_000, "not valid JSON"),
}


@pytest.mark.parametrize("name", FILES)
def test_file_without_a_configuration_is_refused(tmp_path: Path, name: str) -> None:
    file, text, message = FILES[name]
    with pytest.raises(ConfigError, match=message):
        load_settings(write(tmp_path / file, text))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.yaml does not exist"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mlp.hidden=512", ("mlp.hidden", 512)),
        ("labels.file=null", ("labels.file", None)),
        ("images.pattern={sample_id}.png", ("images.pattern", "{sample_id}.png")),
        ("x.y=a=b", ("x.y", "a=b")),
    ],
)
def test_assignments_are_read_as_yaml(text: str, expected: tuple[str, Any]) -> None:
    assert parse_assignment(text) == expected


def test_assignment_without_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_assignment("views")


@pytest.mark.parametrize(
    ("text", "words"),
    [("NA", ("NA",)), ("[NA, unknown]", ("NA", "unknown")), ("[]", ()), ("null", ()), ("[1, 2]", ("1", "2"))],
)
def test_lists_of_words_may_be_written_in_short(text, words):
    key, value = parse_assignment(f"labels.missing={text}")
    assert load_settings(overrides={key: value}).labels.missing == words


def test_null_among_words_needs_quotes():
    key, value = parse_assignment("labels.missing=[NA, null]")
    with pytest.raises(ConfigError, match=r"labels\.missing.*quotes"):
        load_settings(overrides={key: value})


def test_one_part_needs_no_brackets():
    key, value = parse_assignment("comparison.parts=val")
    assert load_settings(overrides={key: value}).comparison.parts == ("val",)
    with pytest.raises(ConfigError, match=r"comparison\.parts.*'tset'"):
        load_settings(overrides={"comparison.parts": ["tset"]})


def test_values_in_the_place_of_a_file_are_refused():
    with pytest.raises(ConfigError, match=r"dict.*overrides="):
        load_settings({"extraction.views": 8})


def test_settings_of_version_0_1_load() -> None:
    settings = load_settings(Path(__file__).parent / "settings_of_0.1.yaml")
    assert settings.comparison.output == Path("results/cells")
    assert settings.images.channels == ["blue", "red", "yellow"]


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "1.0e-3", "0.001"])
def test_numbers_with_an_exponent_are_numbers_of_a_head(written: str) -> None:
    assert load_settings(overrides=dict([parse_assignment(f"heads.logreg.C={written}")])).heads["logreg"]["C"] == 0.001


def test_classes_that_look_like_numbers_stay_as_they_are() -> None:
    assert load_settings(overrides=dict([parse_assignment("comparison.leave_out=[1E5]")])).comparison.leave_out == (
        "1E5",
    )
