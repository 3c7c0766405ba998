"""What a script or a package with heads of its own imports as in version 0.1, and heads that were pickled there."""

import pickle
import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import cellfeat
from cellfeat.heads import base, registry, state
from cellfeat.heads.earlier_names import MOVED, PREFIX
from cellfeat.heads.registry import HEADS, make_head

SETTINGS = {"mlp": {"epochs": 1}, "linear_relu": {"epochs": 1}, "lightgbm": {"n_estimators": 2}}


def test_names_that_0_1_documented_for_heads_exist() -> None:
    checks = {"check_class_weight", "check_integer", "check_number", "check_positive"}
    assert {"HeadClassifier", "class_weights", *checks} <= set(vars(base))
    assert {"HEADS", "Head"} <= set(vars(registry))
    assert hasattr(state, "HeadState")


@pytest.mark.parametrize("name", MOVED)
def test_earlier_name_gives_the_module_of_today(name: str) -> None:
    today = import_module(f"{PREFIX}{MOVED[name]}.{name}")
    assert import_module(PREFIX + name) is today
    assert today.__spec__ is not None
    assert today.__name__ == today.__spec__.name == f"{PREFIX}{MOVED[name]}.{name}"
    assert getattr(cellfeat.heads, name) is today


def test_unknown_module_is_still_unknown() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"cellfeat\.heads\.no_such_module"):
        import_module("cellfeat.heads.no_such_module")


@pytest.mark.parametrize("name", [*HEADS, pytest.param("sklearn:LogisticRegression", marks=pytest.mark.slow)])
def test_pickled_head_of_0_1_is_read(name: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = (rng.standard_normal((60, 4)) + y[:, None]).astype(np.float32)
    head = make_head(name, SETTINGS.get(name, {}), random_state=0).fit(X, y)
    packages = "|".join(set(MOVED.values()))
    # Protocol 0 is text without lengths. A head pickled by 0.1 differs in the names of the modules alone.
    earlier = re.sub(rf"({PREFIX})(?:{packages})\.".encode(), rb"\1", pickle.dumps(head, protocol=0))
    assert earlier != pickle.dumps(head, protocol=0)
    np.testing.assert_array_equal(pickle.loads(earlier).predict_proba(X), head.predict_proba(X))


@pytest.mark.slow
def test_pickle_is_read_in_a_new_process() -> None:
    code = "import pickle; print(pickle.loads(b'ccellfeat.heads.knn\\nKNNHead\\n.').__module__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "cellfeat.heads.baselines.knn"
