from dataclasses import replace

import numpy as np
import pytest

from cellfeat.config import ComparisonSettings
from cellfeat.config_sources import load_settings
from cellfeat.errors import ConfigError
from cellfeat.evaluation.design import Design

NOT_OF_THE_DESIGN = {"figures", "heads", "output", "page"}
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
    "standardise": "plate",
    "standardise_from": "training",
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


@pytest.mark.parametrize("name", ["parts", "leave_out"])
def test_one_name_is_a_tuple_of_one(name):
    assert getattr(Design(**{name: "micro"}), name) == getattr(Design(**{name: ["micro"]}), name) == ("micro",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"calibrate": "platt"}, "'platt'"),
        ({"draws": 0}, "draws.*0"),
        ({"tune": 2.5}, "tune.*2.5"),
        ({"random_state": None}, "random_state.*None"),
        ({"random_state": -1}, "random_state.*-1"),
        ({"folds": 5.0}, "folds.*5.0"),
        ({"groups": None}, "groups.*none"),
        ({"split": np.array(["train", "test"])}, "split.*ndarray.*columns="),
        ({"standardise": ["p1", "p2"]}, "standardise.*list.*columns="),
    ],
)
def test_values_that_no_evaluation_knows_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Design(**values)


def test_numbers_of_numpy_are_plain_numbers():
    design = Design(folds=np.int64(3), random_state=np.int64(7), draws=np.int32(500), tune=np.uint8(2))
    assert design == Design(folds=3, random_state=7, draws=500, tune=2)
    assert all(type(value) is int for value in (design.folds, design.random_state, design.draws, design.tune))


@pytest.mark.parametrize("given", [1, [1], np.array([1]), "1"])
def test_classes_that_are_numbers_can_be_left_out(given):
    assert Design(leave_out=given).leave_out == ("1",)
