"""Text of LightGBM models: valid models stay unchanged, and malformed ones are refused."""

import lightgbm
import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.trees.model_text import checked_trees

N_COLUMNS, N_CLASSES = 3, 3
END = "end of trees\n"


def trained(n_samples: int) -> str:
    X = np.random.default_rng(0).normal(size=(n_samples, N_COLUMNS))
    params = {"objective": "multiclass", "num_class": N_CLASSES, "num_leaves": 4, "min_data_in_leaf": 5,
              "verbosity": -1, "num_threads": 1}  # fmt: skip
    return lightgbm.train(params, lightgbm.Dataset(X, np.arange(n_samples) % N_CLASSES), 2).model_to_string()


MODEL = trained(60)


@pytest.mark.parametrize("model", [MODEL, trained(6)], ids=["splits", "lone leaves"])
def test_model_of_lightgbm_is_unchanged(model):
    trees = checked_trees(model, N_COLUMNS, N_CLASSES)
    assert trees == model[: model.index(END) + len(END)]
    X = np.random.default_rng(1).normal(size=(20, N_COLUMNS))
    expected = lightgbm.Booster(model_str=model).predict(X)
    np.testing.assert_array_equal(lightgbm.Booster(model_str=trees).predict(X), expected)


DAMAGES = {
    "no trees": ("\nTree=", "\nBush="),
    "no end": (END, ""),
    "a number too few": ("leaf_weight=4.0000001192092922 ", "leaf_weight="),
    "a number cut in two": ("leaf_weight=4.00", "leaf_weight=4. 0"),
    "words for numbers": ("threshold=-0.64", "threshold=low "),
    "digits without end": ("threshold=-0.64", "threshold=-0." + "6" * 400),
    "a column that is not there": ("split_feature=1 2 0", "split_feature=1 3 0"),
    "a column before the first": ("split_feature=1 2 0", "split_feature=1 -1 0"),
    "a split into categories": ("decision_type=2 2 2", "decision_type=2 3 2"),
    "categories": ("num_cat=0", "num_cat=1"),
    "linear leaves": ("is_linear=0", "is_linear=1"),
    "no leaves": ("num_leaves=4", "num_leaves=0"),
    "more leaves": ("num_leaves=4", "num_leaves=400000000"),
    "a leaf that is not there": ("left_child=-1 2 -2", "left_child=-9 2 -2"),
    "a split that is not there": ("left_child=-1 2 -2", "left_child=-1 9 -2"),
    "the same leaf twice": ("left_child=-1 2 -2", "left_child=-1 2 -1"),
    "a circle": ("left_child=-1 2 -2\nright_child=1 -3 -4", "left_child=-1 1 -2\nright_child=2 -3 -4"),
    "another objective": ("objective=multiclass", "objective=regression"),
    "other columns": ("max_feature_idx=2", "max_feature_idx=5"),
    "another version": ("version=v4", "version=v9"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_malformed_trees_are_refused(name):
    old, new = DAMAGES[name]
    assert old in MODEL
    with pytest.raises(HeadError, match="LightGBM model is damaged"):
        checked_trees(MODEL.replace(old, new), N_COLUMNS, N_CLASSES)


def test_trees_of_other_classes_are_refused():
    with pytest.raises(HeadError, match="num_class: expected '2', got '3'"):
        checked_trees(MODEL, N_COLUMNS, 2)
