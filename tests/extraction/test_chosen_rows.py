"""Samples that are chosen in Python: by row numbers, masks and ids."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.extraction.store import Features, load_features

IDS = ["a", "b", "c", "d"]
X = pd.DataFrame(np.arange(8.0).reshape(4, 2), index=IDS)


def taken(rows) -> list[str]:
    return Features.from_arrays(X).take(rows).samples.ids.tolist()


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ([2, 0], ["c", "a"]),
        (np.array([-1]), ["d"]),
        (slice(1, 3), ["b", "c"]),
        ([], []),
        (["d", "a"], ["d", "a"]),
        (pd.Index(["b"]), ["b"]),
        ([True, False, False, True], ["a", "d"]),
        (pd.Series([True, False, False, True], index=IDS), ["a", "d"]),
        (pd.Series([True, False, False, True]), ["a", "d"]),
        (pd.Series([True, False, False, False], index=["d", "c", "b", "a"]), ["d"]),
    ],
)
def test_rows_are_chosen_by_number_mask_and_id(rows, ids):
    assert taken(rows) == ids


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([True, False], "mask of 4 .* got 2"),
        (pd.Series([True, False], index=["a", "b"]), "2 values for 4"),
        (pd.Series([True] * 4, index=["a", "b", "c", "x"]), "unknown ids x"),
        (pd.Series([True, None, False, True], index=IDS, dtype="boolean"), "missing"),
        ([4], "below 4, got 4"),
        ([0.5], "got 0.5"),
        (["z"], "'z'"),
        (3, "got int"),
    ],
)
def test_rows_that_do_not_exist_are_refused(rows, message):
    with pytest.raises(ManifestError, match=message):
        taken(rows)


def test_mask_keeps_the_reason_of_a_sample_that_failed():
    numbers = X.to_numpy(copy=True)
    numbers[2] = np.nan
    chosen = Features.from_arrays(numbers).take([False, True, True, True])
    assert list(chosen.samples.failures) == [1]


@pytest.mark.parametrize("rows", [[-2, 0], [2, 1], np.array([2], dtype=np.uint8)])
def test_rows_by_number_keep_the_reasons_of_samples_that_failed(rows, tmp_path: Path):
    numbers = X.to_numpy(copy=True)
    numbers[2] = np.nan
    chosen = Features.from_arrays(numbers, ids=IDS).take(rows)
    failed = np.flatnonzero(~chosen.samples.is_ok).tolist()
    assert failed
    assert sorted(chosen.samples.failures) == failed
    chosen.save(tmp_path / "chosen.h5")
    assert load_features(tmp_path / "chosen.h5").samples.failures == chosen.samples.failures


@pytest.mark.parametrize("rows", [[1, 1], [-1, 3], ["b", "c", "b"]])
def test_row_that_is_asked_for_twice_is_refused(rows):
    with pytest.raises(ManifestError, match="more than once"):
        taken(rows)
