"""The table of heads: what it holds, how heads are built from it, and that reading it stays light."""

import subprocess
import sys

import numpy as np
import pytest

from cellfeat.errors import DuplicateNameError, HeadError, UnknownNameError
from cellfeat.heads.registry import HEADS, Head, head_inputs, make_head


@pytest.mark.parametrize("name", HEADS)
def test_an_entry_says_truly_whether_its_head_makes_its_own_use_of_views(name: str) -> None:
    has_n_views = "n_views" in make_head(name, {}).get_params()
    assert has_n_views == (HEADS[name].views == "own")


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_told_the_views_and_the_seed_where_it_has_a_place_for_them(name: str) -> None:
    params = make_head(name, {}, n_views=4, random_state=7).get_params()
    assert params.get("n_views", 4) == 4
    assert params.get("random_state", 7) == 7


def test_settings_reach_the_head() -> None:
    assert make_head("knn", {"n_neighbors": 3}).get_params()["n_neighbors"] == 3


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("setting", ["hiden", "random_state", "n_views"])
def test_a_setting_that_the_head_lacks_is_refused(name: str, setting: str) -> None:
    with pytest.raises(HeadError, match=f"'{name}' has no setting '{setting}'; .*Valid: "):
        make_head(name, {setting: 1})


def test_the_near_setting_is_named() -> None:
    with pytest.raises(HeadError, match="did you mean 'hidden'"):
        make_head("mlp", {"hiden": 64})


def test_the_near_head_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lightgbm'"):
        make_head("lihgtgbm", {})


def test_a_second_head_of_a_name_is_refused() -> None:
    with pytest.raises(DuplicateNameError, match="'mlp' exists already"):
        HEADS.add(Head("mlp", "elsewhere:Other", "mean", "another"))


@pytest.mark.parametrize("name", HEADS)
def test_inputs_keep_own_views_side_by_side_and_average_the_others(name: str) -> None:
    embeddings = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    X = head_inputs(name, embeddings)
    if HEADS[name].views == "own":
        assert np.array_equal(X, [np.arange(12), np.arange(12, 24)])
    else:
        assert np.array_equal(X, [[4, 5, 6, 7], [16, 17, 18, 19]])
    assert X.dtype == np.float32


@pytest.mark.parametrize("name", HEADS)
def test_a_single_view_is_passed_on_as_it_is(name: str) -> None:
    embeddings = np.arange(8, dtype=np.float32).reshape(2, 1, 4)
    assert np.array_equal(head_inputs(name, embeddings), embeddings[:, 0])


def test_embeddings_without_a_view_axis_are_refused() -> None:
    with pytest.raises(HeadError, match=r"got \(2, 4\); for a single view"):
        head_inputs("mlp", np.zeros((2, 4), np.float32))


def test_reading_the_table_loads_no_heavy_package() -> None:
    code = (
        "import sys; from cellfeat.heads.registry import HEADS; list(HEADS.values()); "
        "print(sorted({'torch', 'sklearn', 'lightgbm', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "[]"
