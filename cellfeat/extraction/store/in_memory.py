"""Features from arrays: numbers that are in memory already, such as a DataFrame of measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import scipy.sparse

from cellfeat.errors import ConfigError, FingerprintError, ManifestError
from cellfeat.extraction.store.given import further_texts, given_texts, plain_texts
from cellfeat.extraction.store.imported import (
    ImportedColumns,
    ImportedParts,
    ImportedSamples,
    Kind,
    imported_parts,
    is_imported,
)
from cellfeat.text import first_ten
from cellfeat.types import Float32s, Strings

IN_MEMORY = Path("<in memory>")
"""The path of features that are in no file yet: a name that no file has, shown in messages and results."""


class HasColumns(Protocol):
    """Features, or a saved head: both say which columns they have."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """How the numbers were made."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where they come from."""
        ...


LARGEST = float(np.finfo(np.float32).max)
SCALINGS = ("robust", "none")


def parts_of_arrays(
    X: Any,
    ids: Any = None,
    labels: Any = None,
    groups: Any = None,
    columns: Any = None,
    names: Sequence[str] | None = None,
    *,
    scaling: str = "robust",
    like: HasColumns | None = None,
) -> ImportedParts:
    """Make the parts of features of arrays: see `cellfeat.extraction.store.features.Features.from_arrays`.

    Parameters
    ----------
    X, ids, labels, groups, columns, names, scaling, like
        As there.

    Raises
    ------
    ManifestError, ConfigError
        As there.
    """
    if scaling not in SCALINGS:
        raise ConfigError(f"scaling: expected {' or '.join(SCALINGS)}, got {scaling!r}")
    kind: Kind = "table" if names is not None or isinstance(X, pd.DataFrame) else "array"
    further = {} if columns is None else dict(columns)
    X, (ids, labels, groups) = without_columns(X, {"ids": ids, "labels": labels, "groups": groups}, further)
    if like is not None:
        X, names, scaling = columns_like(X, names, like), None, str(like.recipe["scaling"])
        kind = like.recipe["source"]
    numbers = as_numbers(X)
    index = X.index if isinstance(X, pd.DataFrame) else None
    index_holds_ids = ids is None and index is not None and not isinstance(index, pd.RangeIndex)
    _check_alignment({"labels": labels, "groups": groups, **further}, index, index_holds_ids)
    sample_ids = _ids(index if index_holds_ids else ids, labels, len(numbers))
    none = np.full(len(sample_ids), "")
    samples = ImportedSamples(
        ids=sample_ids,
        labels=none,
        groups=none,
        columns={str(name): further_texts(str(name), one, sample_ids, IN_MEMORY) for name, one in further.items()},
        settings={"id": "id", "label": None if labels is None else "label"},
    )
    if labels is not None:
        samples = replace(samples, labels=given_texts("labels", labels, samples, IN_MEMORY))
    if groups is not None:
        samples = replace(samples, groups=given_texts("groups", groups, samples, IN_MEMORY))
    wanted = _names(names, X, numbers.shape[2])
    return imported_parts(IN_MEMORY, numbers, ImportedColumns(wanted, kind, scaling), samples, {"source": "arrays"})


def columns_like(X: Any, names: Sequence[str] | None, like: HasColumns) -> Any:
    """Choose the columns of earlier features, in their order.

    Parameters
    ----------
    X
        A DataFrame; or an array, where the earlier columns had no names.
    names
        Names of the columns of an array.
    like
        The features, or the saved head.

    Raises
    ------
    ManifestError
        If X lacks columns or names.
    FingerprintError
        If the earlier features do not come from a table or an array.
    """
    wanted = like.provenance.get("imported", {}).get("columns")
    if not is_imported(like.recipe) or not isinstance(wanted, list):
        raise FingerprintError("like: these features were extracted from images, so a table cannot have the same")
    if like.recipe["source"] == "array":
        if np.shape(X)[-1] != len(wanted):
            raise ManifestError(f"X: expected the {len(wanted)} columns of the earlier features, got {np.shape(X)[-1]}")
        # Its columns have no names in these features; its index still holds ids.
        return X.set_axis(wanted, axis=1) if isinstance(X, pd.DataFrame) else X
    if names is not None:
        X = pd.DataFrame(np.asarray(X), columns=list(names))
    if not isinstance(X, pd.DataFrame):
        raise ManifestError(
            f"X: the {len(wanted)} columns of the earlier features have names: expected a DataFrame with these "
            f"columns, got {type(X).__name__}"
        )
    table = X.set_axis(list(map(str, X.columns)), axis=1)
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise ManifestError(f"X: lacks {len(missing)} of {len(wanted)} columns: {first_ten(missing)}")
    return table.loc[:, wanted]


def as_numbers(X: Any) -> Float32s:
    """Give numbers as float32, shape ``(n_samples, n_views, embedding_dim)``; NaN where one is missing or infinite.

    A masked number is missing.

    Raises
    ------
    ManifestError
        If they are not numbers, of another shape, or beyond the range of float32.
    """
    if scipy.sparse.issparse(X):
        X = X.toarray()
    if isinstance(X, pd.DataFrame):
        X = X.infer_objects()  # numbers among objects, as some readers and `DataFrame.T` give them
        _check_columns(X)
        X = X.to_numpy(dtype=np.float64, na_value=np.nan)
    try:
        values = np.asarray(X)
    except ValueError:
        raise ManifestError("X: expected the same number of values in each row, got rows of several lengths") from None
    if values.dtype.kind not in "buif":
        raise ManifestError(f"X: expected numbers, got the type {values.dtype}; convert them with X.astype(float)")
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise ManifestError(
            f"X: expected the shape (n_samples, n_features) or (n_samples, n_views, n_features), got {values.shape}"
        )
    if np.ma.is_masked(X):
        values = np.where(np.ma.getmaskarray(X), np.nan, values)
    values = values.reshape(len(values), -1, values.shape[-1])
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    # In the original type: a finite float64 beyond float32 would silently become infinite.
    beyond = np.isinf(numbers) & np.isfinite(values)
    if beyond.any():
        raise ManifestError(
            f"X: {np.count_nonzero(beyond)} numbers are beyond ±{LARGEST:.2g}, the range of float32, the first in row "
            f"{int(np.argwhere(beyond)[0][0]) + 1}; divide that column, or take its logarithm"
        )
    numbers[np.isinf(numbers)] = np.nan
    return numbers


def _check_columns(X: pd.DataFrame) -> None:
    repeated = X.columns[X.columns.duplicated()].unique()
    if len(repeated):
        raise ManifestError(
            f"X: {len(repeated)} names of columns occur more than once: {first_ten(map(str, repeated))}; rename them, "
            "or keep one of each"
        )
    wrong = [str(name) for name, dtype in X.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
    if wrong:
        raise ManifestError(
            f"X: {len(wrong)} of {X.shape[1]} columns are not numbers: {first_ten(wrong)}; name one as labels=, "
            "groups= or ids=, give others as columns=, or leave them out (X.select_dtypes('number'))"
        )


def _names(names: Sequence[str] | None, X: Any, n_columns: int) -> list[str]:
    if names is None:
        return list(map(str, X.columns)) if isinstance(X, pd.DataFrame) else numbered(n_columns)
    found = list(map(str, names))
    if len(found) != n_columns or len(set(found)) < n_columns:
        raise ManifestError(f"names: expected {n_columns} different names, one for each column of X, got {len(found)}")
    return found


def numbered(n_columns: int) -> list[str]:
    """Name the columns of an array without names: ``0``, ``1`` and so on."""
    return list(map(str, range(n_columns)))


def _ids(ids: Any, labels: Any, n: int) -> Strings:
    if ids is None and isinstance(labels, pd.Series) and not pd.api.types.is_integer_dtype(labels.index.dtype):
        raise ManifestError("labels: a Series with an index needs ids; give them, or X as a DataFrame with this index")
    if ids is None:
        return np.array([f"row{number}" for number in range(1, n + 1)], dtype=str)
    found = plain_texts(ids)
    if len(found) != n:
        raise ManifestError(f"ids: expected {n}, one for each row of X, got {len(found)}")
    if len(set(found.tolist())) <= n // 2:
        raise ManifestError(
            f"ids: {n} rows have {len(set(found.tolist()))} different ids: {first_ten(sorted(set(found.tolist())))}; "
            "every sample needs its own id; classes and donors are given by name: labels=..., groups=..."
        )
    return found


def _check_alignment(given: Mapping[str, Any], index: pd.Index | None, index_holds_ids: bool) -> None:
    """Refuse a Series of row numbers other than those of the DataFrame: its order may be another one."""
    if index is None or not pd.api.types.is_integer_dtype(index.dtype):
        return
    for what, values in given.items():
        if not isinstance(values, pd.Series) or not _has_row_numbers(values.index):
            continue
        goes_by_id = index_holds_ids and set(values.index) == set(index)
        is_in_order = values.index.equals(index) or values.index.equals(pd.RangeIndex(len(values)))
        if not (goes_by_id or is_in_order):
            raise ManifestError(
                f"{what}: the index of the Series is not that of X, so that its order may be another one; align it "
                "with .loc[X.index], or give the values in the order of X with .to_numpy()"
            )


def _check_no_feature(what: str, given: Any, table: pd.DataFrame) -> None:
    """Refuse a column of the DataFrame, given as a Series: it would stay a feature, and tell the class."""
    if not isinstance(given, pd.Series) or given.name not in table.columns or table.columns.has_duplicates:
        return
    if given.equals(table[given.name]):
        raise ManifestError(
            f"{what}: this Series is the column {given.name!r} of X, which would be a feature as well; give its name, "
            f"{what}={given.name!r}, which takes it out of X"
        )


def _has_row_numbers(index: pd.Index) -> bool:
    return index.name is None and pd.api.types.is_integer_dtype(index.dtype)


def without_columns(X: Any, given: Mapping[str, Any], further: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """Take columns of a DataFrame that are named as ids, labels or groups out of it.

    Parameters
    ----------
    X
        The numbers; only of a DataFrame can columns be named.
    given
        Ids, labels and groups, by these words; a text is the name of a column.
    further
        Further columns, whose names serve as well.

    Returns
    -------
    X
        Without these columns.
    values
        Those of `given`, in its order, with values in the place of names.

    Raises
    ------
    ManifestError
        If there is no such column, or a Series is one that would stay among the features.
    """
    table = X if isinstance(X, pd.DataFrame) else pd.DataFrame()
    found: list[Any] = []
    named: list[str] = []
    for what, value in given.items():
        if not isinstance(value, str):
            _check_no_feature(what, value, table)
            found.append(value)
        elif value in table.columns:
            named.append(value)
            found.append(table[value].tolist())
        elif value in further:
            found.append(further[value])
        else:
            raise ManifestError(
                f"{what}: X has no column {value!r}; give values, or the name of a column of a DataFrame"
            )
    return (table.drop(columns=named) if named else X), found
