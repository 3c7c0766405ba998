from dataclasses import replace

import pytest

from cellfeat.config import ComparisonSettings
from cellfeat.config_sources import load_settings
from cellfeat.evaluation.design import Design

NOT_OF_THE_DESIGN = {"figures", "heads", "output"}
RENAMED = {"seed": "random_state"}
OTHERS = {
    "folds": 7,
    "groups": "plate",
    "seed": 11,
    "draws": 300,
    "calibrate": "none",
    "tune": 6,
    "parts": ("val", "test"),
    "leave_out": ("HeLa",),
}
"""A value other than the default for each setting of an evaluation."""


@pytest.mark.parametrize("name", sorted(ComparisonSettings.model_fields.keys() - NOT_OF_THE_DESIGN))
def test_design_takes_every_setting(name):
    settings = load_settings(overrides={f"comparison.{name}": OTHERS[name]})
    expected = replace(Design(), **{RENAMED.get(name, name): OTHERS[name]})
    assert expected != Design()
    assert Design.from_settings(settings) == expected


def test_design_takes_the_column_of_the_split():
    assert Design.from_settings(load_settings(overrides={"labels.split": "part"})) == Design(split="part")


def test_defaults_are_those_of_the_settings():
    assert Design.from_settings(load_settings()) == Design()
