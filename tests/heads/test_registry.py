"""The table of heads: its entries, building heads from it, and that reading it stays light."""

import subprocess
import sys

import numpy as np
import pytest

from cellfeat.errors import DuplicateNameError, HeadError, UnknownNameError
from cellfeat.heads.registry import HEADS, Head, head_inputs, make_head


def test_heads_that_take_views_or_a_seed_receive_them() -> None:
    params = {name: make_head(name, {}, n_views=4, random_state=7).get_params() for name in HEADS}
    own_views = {name for name in HEADS if HEADS[name].views == "own"}
    assert own_views == {"mlp", "lightgbm"}
    assert {name: values["n_views"] for name, values in params.items() if "n_views" in values} == dict.fromkeys(
        own_views, 4
    )
    assert {
        name: values["random_state"] for name, values in params.items() if "random_state" in values
    } == dict.fromkeys(["mlp", "linear_relu", "lightgbm"], 7)


def test_settings_reach_the_head() -> None:
    assert make_head("knn", {"n_neighbors": 3}).get_params()["n_neighbors"] == 3


@pytest.mark.parametrize("name", HEADS)
def test_unknown_setting_is_refused(name: str) -> None:
    for setting in ("hiden", "random_state", "n_views"):
        with pytest.raises(HeadError, match=f"'{name}' has no setting '{setting}'; .*Valid: "):
            make_head(name, {setting: 1})


def test_near_setting_is_named() -> None:
    with pytest.raises(HeadError, match="did you mean 'hidden'"):
        make_head("mlp", {"hiden": 64})


def test_near_head_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lightgbm'"):
        make_head("lihgtgbm", {})


def test_second_head_of_a_name_is_refused() -> None:
    with pytest.raises(DuplicateNameError, match="'mlp'"):
        HEADS.add(Head("mlp", "elsewhere:Other", "mean", "another"))


@pytest.mark.parametrize("name", HEADS)
def test_inputs_are_all_views_or_their_mean(name: str) -> None:
    embeddings = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    X = head_inputs(name, embeddings)
    if HEADS[name].views == "own":
        assert np.array_equal(X, [np.arange(12), np.arange(12, 24)])
    else:
        assert np.array_equal(X, [[4, 5, 6, 7], [16, 17, 18, 19]])
    assert X.dtype == np.float32


@pytest.mark.parametrize("name", HEADS)
def test_single_view_is_unchanged(name: str) -> None:
    embeddings = np.arange(8, dtype=np.float32).reshape(2, 1, 4)
    assert np.array_equal(head_inputs(name, embeddings), embeddings[:, 0])


def test_embeddings_without_a_view_axis_are_refused() -> None:
    with pytest.raises(HeadError, match=r"n_views.* got \(2, 4\)"):
        head_inputs("mlp", np.zeros((2, 4), np.float32))


def test_reading_the_table_imports_no_heavy_package() -> None:
    code = (
        "import sys; from cellfeat.heads.registry import HEADS; list(HEADS.values()); "
        "print(sorted({'torch', 'sklearn', 'lightgbm', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "[]"
