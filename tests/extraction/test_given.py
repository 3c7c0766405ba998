"""Labels and groups given in Python: by id, by index, by position, by column."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.extraction.store import GIVEN_GROUPS, Features
from tests.feature_fixtures import build_features


@pytest.fixture
def four() -> Features:
    return build_features(
        np.array(["a", "a", "b", ""]), np.zeros((4, 1, 2)), columns={"line": np.array(["w", "x", "y", "z"])}
    )


IDS = ["s0", "s1", "s2", "s3"]
FORMS: dict[str, Callable[[list], object]] = {
    "list": list,
    "tuple": tuple,
    "array": lambda values: np.array(values, dtype=object),
    "dict": lambda values: dict(zip(IDS, values, strict=True)),
    "dict in another order": lambda values: dict(reversed(list(zip(IDS, values, strict=True)))),
    "Series by ids": lambda values: pd.Series(values, index=IDS)[::-1],
    "Series with row numbers": lambda values: pd.Series(values),
    "Series with row numbers of other rows": lambda values: pd.Series(values, index=[7, 3, 0, 9]),
    "categories": lambda values: pd.Series(values, dtype="category"),
    "pandas Index": pd.Index,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_means_the_same(four: Features, form: str) -> None:
    given = FORMS[form](["HeLa", "A549", "HeLa", "U-2 OS"])
    expected = ["HeLa", "A549", "HeLa", "U-2 OS"]
    assert four.with_labels(given).samples.labels.tolist() == expected
    assert four.with_groups(given).samples.groups.tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        ["1", 2, 3.0, True],
        pd.Series([1, 2, 3, 4], dtype="Int64"),
        np.array([1, 2, 3, 4], dtype=np.uint8),
        np.array([1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_numbers_are_written_as_text(four: Features, values: object) -> None:
    assert four.with_groups(values).samples.groups.tolist()[:3] == ["1", "2", "3"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", pd.NaT])
def test_missing_value_is_no_label(four: Features, missing: object) -> None:
    labels = four.with_labels(["x", missing, "y", "y"]).samples.labels
    assert labels.tolist() == ["x", "", "y", "y"]


def test_nullable_integers_keep_their_missing_value(four: Features) -> None:
    assert four.with_groups(pd.Series([1, None, 1, 2], dtype="Int64")).samples.groups.tolist() == ["1", "", "1", "2"]


def test_samples_without_an_entry_have_no_label(four: Features) -> None:
    assert four.with_labels({"s2": "x"}).samples.labels.tolist() == ["", "", "x", ""]
    assert four.with_labels(pd.Series({"s2": "x"})).samples.labels.tolist() == ["", "", "x", ""]


def test_ids_may_be_written_as_in_a_table() -> None:
    features = build_features(np.array(["a", "b"]), np.zeros((2, 1, 2)))
    features.samples.ids[:] = ["01", "02"]
    numbered = pd.Series(["x", "y"], index=pd.Index([2, 1], name="file_id"))
    assert features.with_labels(numbered).samples.labels.tolist() == ["y", "x"]
    assert features.with_labels({1: "y", 2: "x"}).samples.labels.tolist() == ["y", "x"]


def test_column_is_named(four: Features) -> None:
    assert four.with_labels("line").samples.labels.tolist() == ["w", "x", "y", "z"]


def test_given_groups_are_on_record_and_the_features_stay(four: Features) -> None:
    grouped = four.with_groups([1, 1, 2, 2])
    assert grouped.provenance[GIVEN_GROUPS].startswith("sha256:")
    assert grouped.provenance != four.with_groups([1, 1, 2, 3]).provenance
    assert set(four.samples.groups.tolist()) == {""}
    assert four.provenance == {}


def test_row_numbers_that_are_ids_are_read_as_ids() -> None:
    features = build_features(np.array(["a", "b"]), np.zeros((2, 1, 2)))
    features.samples.ids[:] = ["1", "0"]
    by_id = pd.Series(["x", "y"], index=pd.Index(np.array([0, 1])))
    assert features.with_labels(by_id).samples.labels.tolist() == ["y", "x"]
    with pytest.raises(ManifestError, match=r"numbers its rows.*to_numpy"):
        features.with_labels(pd.Series(["x", "y"]))
