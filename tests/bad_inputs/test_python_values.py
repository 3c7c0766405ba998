"""Values given in Python that do not fit: each is refused with what was expected, what was found, and a way out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cellfeat
from cellfeat.errors import CellfeatError
from cellfeat.extraction.store import Features
from tests.bad_inputs.conftest import Cli
from tests.feature_fixtures import SMALL, build_clusters

N = 60


@pytest.fixture(scope="module")
def features() -> Features:
    return build_clusters(n=N)


BAD_LABELS = {
    "too few": (["a"] * 59, "expected 60 values.*features/test.h5.*got 59"),
    "too many": (np.array(["a"] * 61), "expected 60 values.*got 61"),
    "unknown ids": ({"s0": "a", "cell": "b"}, "1 that it lacks: cell"),
    "no id in common": (pd.Series("a", index=[f"x{i}" for i in range(N)]), "none of the 60 ids.*to_numpy"),
    "the same id twice": (pd.Series(["a", "b"], index=["s1", "s1"]), "more than once: s1"),
    "two ids of one sample": ({"s1": "a", "s1.png": "b"}, "several ids mean one sample.*s1.png"),
    "several levels": (pd.Series({("p", "s1"): "a"}), "several levels.*droplevel"),
    "fractions": (np.linspace(0, 1, N), "which name classes.*s1"),
    "a table": (pd.DataFrame({"a": ["x"] * N, "b": ["y"] * N}), "expected one column.*DataFrame of 2"),
    "a matrix": (np.zeros((N, 2), dtype=int), r"shape \(60, 2\)"),
    "a number": (3, "expected a dict.*got int"),
    "nan as text": (np.array(["a", np.nan] * 30), "30 values read 'nan'"),
    "no such column": ("cell_line", "no column 'cell_line'"),
    "keys that are no ids": ({("s", 0): "a"}, "expected sample ids"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_do_not_fit_are_refused(features: Features, case: str) -> None:
    labels, message = BAD_LABELS[case]
    with pytest.raises(CellfeatError, match=f"(?s)labels: .*{message}"):
        cellfeat.compare(features, ["dummy"], design=SMALL, labels=labels)


BAD_GROUPS = {
    "floats with NaN": (pd.Series([1.0, np.nan] * 30), "30 are NaN.*'s1'.*Int64"),
    "ids are missing": ({"s0": "p1"}, "59 of 60 samples.*s1"),
    "too few": ([1, 2], "expected 60 values.*got 2"),
    "lists": ([["p1"]] * N, "which name groups"),
}


@pytest.mark.parametrize("case", BAD_GROUPS)
def test_groups_that_do_not_fit_are_refused(features: Features, case: str) -> None:
    groups, message = BAD_GROUPS[case]
    with pytest.raises(CellfeatError, match=f"(?s)groups: .*{message}"):
        cellfeat.compare(features, ["dummy"], design=cellfeat.Design(folds=3, draws=100, groups=groups))


def test_folder_is_no_feature_file(tmp_path: Path) -> None:
    with pytest.raises(CellfeatError, match="is a folder"):
        cellfeat.compare(tmp_path, ["dummy"])


def test_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.h5 does not exist"):
        cellfeat.fit(str(tmp_path / "gone.h5"), "dummy")


@pytest.mark.parametrize("what", [pd.DataFrame({"f": [1.0]}), np.zeros((3, 4)), None])
def test_tables_and_arrays_are_no_features(what: object) -> None:
    with pytest.raises(CellfeatError, match="expected Features or the path of a feature file, got"):
        cellfeat.compare(what, ["dummy"])  # type: ignore[arg-type]


def test_result_of_fit_is_no_bundle(features: Features) -> None:
    fitted = cellfeat.fit(features, "dummy", design=SMALL)
    with pytest.raises(CellfeatError, match=r"bundle: expected a Bundle.*got tuple.*returns the bundle first"):
        cellfeat.predict(fitted, features)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [("compare",), ("fit", "--head", "knn"), ("run",)])
def test_unknown_file_format_of_figures_is_refused(cli: Cli, inside: Path, command: tuple[str, ...]) -> None:
    cli(*command, "--figures", "svg,gif").is_refusal("comparison.figures.*png.*gif")
    assert list(inside.iterdir()) == []


def test_unknown_head_cannot_be_drawn(features: Features) -> None:
    found = cellfeat.compare(features, ["dummy"], design=SMALL)
    with pytest.raises(CellfeatError, match=r"'mlp'.*Valid: dummy"):
        found.plot_confusion("mlp")


def test_folder_without_a_saved_head_is_refused(features: Features, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"bundle\.json does not exist"):
        cellfeat.predict(tmp_path, features)
