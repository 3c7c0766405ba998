"""Rows that are chosen in Python: by their numbers, a mask, a pandas Series or sample ids."""

from typing import Any

import numpy as np
import pandas as pd

from cellfeat.errors import ManifestError
from cellfeat.text import first_ten
from cellfeat.types import Bools, Integers, Strings


def chosen_rows(rows: Any, ids: Strings) -> Integers:
    """Give the row numbers that are meant.

    Parameters
    ----------
    rows
        Row numbers; a mask of True and False, one for each sample; a mask as a Series whose index holds sample ids, in
        any order; sample ids; or a slice.
    ids
        Ids of the samples, shape ``(n_samples,)``.

    Returns
    -------
    ndarray of shape (n_rows,)

    Raises
    ------
    ManifestError
        If there are no such rows.

    Examples
    --------
    >>> chosen_rows([True, False, True], np.array(["a", "b", "c"]))
    array([0, 2])
    >>> chosen_rows(pd.Series([False, True], index=["b", "a"]), np.array(["a", "b"]))
    array([0])
    """
    n_samples = len(ids)
    if isinstance(rows, slice):
        return np.arange(n_samples)[rows]
    if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows.dtype):
        return np.flatnonzero(_mask_of_series(rows, ids))
    values = np.asarray(rows)
    if values.ndim != 1:
        raise ManifestError(
            f"rows: expected row numbers, a mask of True and False, or sample ids, got {type(rows).__name__}"
            + (f" of shape {values.shape}" if values.ndim else "")
        )
    if not len(values):
        return np.zeros(0, dtype=np.intp)
    if values.dtype.kind == "b":
        _check_length(len(values), n_samples)
        return np.flatnonzero(values)
    if values.dtype.kind in "iu":
        check_rows(values, n_samples)
        from_start = np.arange(n_samples)[values]  # they may be counted from the end
        return _each_once(from_start, ids)
    return _each_once(_rows_of_ids(values.tolist(), ids), ids)


def _each_once(rows: Integers, ids: Strings) -> Integers:
    """Refuse a row that is asked for more than once: two samples would have one id."""
    numbers, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise ManifestError(
            f"rows: {first_ten(ids[numbers[counts > 1]].tolist())} are asked for more than once; every sample needs "
            "its own id: name each row once"
        )
    return rows


def _mask_of_series(mask: "pd.Series[Any]", ids: Strings) -> Bools:
    """A mask in the order of the samples: by its index where that holds their ids."""
    if mask.isna().any():
        raise ManifestError(f"rows: {int(mask.isna().sum())} values of the mask are missing; give True or False")
    values = mask.to_numpy(dtype=bool)
    index = mask.index.astype(str)
    if index.is_unique and set(index) == set(ids.tolist()):
        return values[index.get_indexer(pd.Index(ids))]
    if not pd.api.types.is_integer_dtype(mask.index.dtype):
        unknown = sorted(set(index) - set(ids.tolist()))
        raise ManifestError(
            f"rows: the index of the mask is not that of the samples: {len(mask)} values for {len(ids)} samples"
            + (f", unknown ids {first_ten(unknown)}" if unknown else "")
            + "; for a mask in the order of the samples write .to_numpy()"
        )
    _check_length(len(values), len(ids))
    return values


def _check_length(n_given: int, n_samples: int) -> None:
    if n_given != n_samples:
        raise ManifestError(f"rows: expected a mask of {n_samples} values, one for each sample, got {n_given}")


def check_rows(values: Integers, n_samples: int) -> None:
    """Refuse numbers of rows that there are not; they may be counted from the end.

    Parameters
    ----------
    values
        Row numbers, of any shape.
    n_samples
        How many rows there are.

    Raises
    ------
    ManifestError
        If one is beyond the last or the first row.
    """
    beyond = values[(values >= n_samples) | (values < -n_samples)]
    if len(beyond):
        raise ManifestError(f"rows: expected row numbers below {n_samples}, got {first_ten(beyond.tolist())}")


def _rows_of_ids(wanted: list[Any], ids: Strings) -> Integers:
    if not all(isinstance(one, str) for one in wanted):
        raise ManifestError(f"rows: expected whole numbers, True and False, or sample ids, got {first_ten(wanted)}")
    rows = pd.Index(ids).get_indexer(pd.Index(wanted))
    unknown = [one for one, row in zip(wanted, rows, strict=True) if row < 0]
    if unknown:
        raise ManifestError(f"rows: no sample has the id {first_ten(map(repr, unknown))}; see features.samples.ids")
    return np.asarray(rows)
