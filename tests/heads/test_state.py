"""The state of a head: labels of every plain type come back, and others are refused."""

import numpy as np
import pytest

from cellfeat.errors import HeadError
from cellfeat.heads.state import HeadState, classes_from_text, classes_to_text, plain_params


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["A-549", "HEK 293 ü", ""]),
        np.array(["b", "a"], dtype=object),
        np.array([-3, 2, 40], dtype=np.int16),
        np.array([0.5, 1.5], dtype=np.float32),
        np.array([False, True]),
        np.array([2**63], dtype=np.uint64),
    ],
    ids=lambda classes: str(classes.dtype),
)
def test_classes_come_back_with_their_type(classes: np.ndarray) -> None:
    found = classes_from_text(classes_to_text(classes))
    assert found.dtype == classes.dtype
    assert found.tolist() == classes.tolist()


def test_labels_that_are_not_plain_are_refused() -> None:
    with pytest.raises(HeadError, match="text, numbers or booleans"):
        classes_to_text(np.array([("a", 1), None], dtype=object))


def test_array_of_another_shape_is_refused() -> None:
    state = HeadState({"coef": np.zeros((3, 4))})
    assert state.array("coef", -1, 4).shape == (3, 4)
    with pytest.raises(HeadError, match=r"'coef': expected the shape \(3, 5\), got \(3, 4\)"):
        state.array("coef", 3, 5)
    with pytest.raises(HeadError, match=r"expected the shape \(12,\)"):
        state.array("coef", 12)


def test_plain_params_are_the_same_after_json() -> None:
    params = {"hidden": (64, np.int64(32)), "C": np.float32(0.5), "class_weight": None, "device": "auto"}
    with pytest.raises(HeadError, match="hidden"):
        plain_params(params)
    assert plain_params(params | {"hidden": (64, 32)}) == params | {"hidden": [64, 32]}


@pytest.mark.parametrize("value", [np.random.RandomState(0), {1: 2.0}, float("nan"), np.zeros(2), print])
def test_parameter_that_json_would_change_is_refused(value: object) -> None:
    with pytest.raises(HeadError, match=r"the parameter odd = .* cannot be saved"):
        plain_params({"odd": value})
