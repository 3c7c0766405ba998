"""Labels, groups and further columns that are given in Python: by sample id, by a Series' index, or in order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.errors import ManifestError, UnknownNameError
from cellfeat.samples.labels.id_matching import match_ids
from cellfeat.samples.labels.spellings import spelling_problems
from cellfeat.storage.url import Location
from cellfeat.text import first_ten, near_names
from cellfeat.types import Strings

Given = str | Mapping[Any, Any] | Sequence[Any] | NDArray[Any] | pd.Series
"""Labels or groups: the name of a column, values by sample id, or one value for each sample."""

What = Literal["labels", "groups"]

_WRITTEN_AS_TEXT = ("nan", "<NA>")
"""What NumPy and pandas make of a missing value when they convert values to text."""


class WithColumns(Protocol):
    """Samples, as far as values are given for them."""

    @property
    def ids(self) -> Strings:
        """Shape ``(n_samples,)``."""
        ...

    @property
    def columns(self) -> Mapping[str, Strings]:
        """Further columns, shape ``(n_samples,)`` each."""
        ...


def given_texts(
    what: What, given: Given, samples: WithColumns, where: Location, *, rows_are_numbered: bool = False
) -> Strings:
    """Give labels or groups as text, in the order of the samples.

    Parameters
    ----------
    what
        ``"labels"`` or ``"groups"``: groups by id must name every sample.
    given
        As for `Features.with_labels`.
    samples
        The samples.
    where
        What they are from, for messages.
    rows_are_numbered
        Whether the samples were the rows of a DataFrame with pandas' own row numbers, so that ``row1`` is row 0.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``""`` where a value is missing: None, NaN, ``pd.NA`` or ``""``. A word such as ``"None"`` is a name.

    Raises
    ------
    ManifestError
        If there are not as many as samples, ids are unknown or occur twice, values are no names, or labels differ in
        their spelling alone.
    UnknownNameError
        If there is no such column.
    """
    texts = (
        _column(what, given, samples)
        if isinstance(given, str)
        else _by_sample(what, given, samples.ids.tolist(), where, rows_are_numbered=rows_are_numbered)
    )
    problems = spelling_problems(filter(None, texts.tolist())) if what == "labels" else []
    if problems:
        raise ManifestError(
            f"labels given for {where}: {problems[0].removeprefix('- ')}; if they are several, rename them"
        )
    return texts


def _by_sample(what: What, given: Given, ids: Sequence[str], where: Location, *, rows_are_numbered: bool) -> Strings:
    value_of = _value_by_id(what, given, ids, where, rows_are_numbered=rows_are_numbered)
    if what == "groups":
        _check_complete(set(value_of), ids, where)
    text_of = dict(zip(value_of, _texts(what, list(value_of.values()), list(value_of)), strict=True))
    return np.array([text_of.get(one, "") for one in ids], dtype=str)


def further_texts(
    name: str, given: Given, ids: Strings, where: Location, *, rows_are_numbered: bool = False
) -> Strings:
    """Give a further column as text, in the order of the samples; its values may be numbers.

    Parameters
    ----------
    name
        Name of the column.
    given
        Values by sample id, or one for each sample.
    ids
        Shape ``(n_samples,)``.
    where
        What the samples are from, for messages.
    rows_are_numbered
        As for `given_texts`.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``""`` where a value is missing.

    Raises
    ------
    ManifestError
        As `given_texts`.
    """
    what = f"columns[{name!r}]"
    value_of = _value_by_id(what, given, ids.tolist(), where, rows_are_numbered=rows_are_numbered)
    text_of = dict(zip(value_of, plain_texts(value_of.values()).tolist(), strict=True))
    _check_no_text_of_missing(what, list(text_of.values()))
    return np.array([text_of.get(one, "") for one in ids.tolist()], dtype=str)


def plain_texts(values: Iterable[Any]) -> Strings:
    """Give any values as text, ``""`` where one is missing; shape ``(n,)``."""
    return np.array(["" if _is_missing(value) else _plain_text(value) for value in values], dtype=str)


def _value_by_id(
    what: str, given: Any, ids: Sequence[str], where: Location, *, rows_are_numbered: bool
) -> dict[str, Any]:
    """The value of each sample that has one."""
    if rows_are_numbered and isinstance(given, pd.Series):
        _check_order(what, given.index, ids)
    by_id = _by_id(what, given, ids)
    if by_id is None:
        return dict(zip(ids, _in_order(what, given, ids, where), strict=True))
    return {one: by_id[key] for key, one in _known_ids(what, list(by_id), ids, where).items()}


def _column(what: What, name: str, samples: WithColumns) -> Strings:
    if name not in samples.columns:
        raise UnknownNameError(
            f"{what}: the samples have no column {name!r}; {near_names(name, samples.columns)}. For other {what} "
            "give a dict by sample id, a pandas Series or one value for each sample"
        )
    return samples.columns[name]


def _by_id(what: str, given: Any, ids: Sequence[str]) -> dict[Any, Any] | None:
    """Values by id; None where they are given one for each sample."""
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, pd.Series) or _has_row_numbers(what, given.index, ids):
        return None
    if isinstance(given.index, pd.MultiIndex):
        raise ManifestError(
            f"{what}: expected an index of sample ids, got one of several levels; take one of them with "
            "Series.droplevel, or give the values in order with .to_numpy()"
        )
    repeated = given.index[given.index.duplicated()].unique()
    if len(repeated):
        raise ManifestError(
            f"{what}: the index of the Series has {len(repeated)} ids more than once: {first_ten(repeated)}; keep one "
            "row of each"
        )
    return dict(zip(given.index.tolist(), given.tolist(), strict=True))


def _has_row_numbers(what: str, index: pd.Index, ids: Sequence[str]) -> bool:
    """Whether an index holds pandas' own row numbers, also sorted or filtered: whole numbers, no name, and no ids."""
    if index.name is not None or not pd.api.types.is_integer_dtype(index.dtype):
        return False
    texts = index.astype(str).tolist()
    if set(texts) != set(ids) or texts == list(ids):
        return True
    if isinstance(index, pd.RangeIndex):
        raise ManifestError(
            f"{what}: the index of the Series numbers its rows, and the samples have these numbers as ids, in another "
            "order; give the values in the order of the samples with .to_numpy(), or name the index 'sample_id'"
        )
    return False


def _check_order(what: str, index: pd.Index, ids: Sequence[str]) -> None:
    """Refuse the row numbers of these samples in another order, as after `sample` or `sort_values`."""
    if index.name is not None or not pd.api.types.is_integer_dtype(index.dtype):
        return
    rows = [f"row{number + 1}" for number in index.tolist()]
    if rows != list(ids) and set(rows) == set(ids):
        raise ManifestError(
            f"{what}: the index of the Series has the row numbers of the samples in another order; put it in their "
            "order with .sort_index(), or give the values in the order of the samples with .to_numpy()"
        )


def _in_order(what: str, given: Any, ids: Sequence[str], where: Location) -> list[Any]:
    if isinstance(given, pd.DataFrame):
        raise ManifestError(f"{what}: expected one column, got a DataFrame of {given.shape[1]}; choose one by its name")
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise ManifestError(f"{what}: expected one value for each sample, got an array of shape {given.shape}")
    try:
        values = list(given)
    except TypeError:
        raise ManifestError(
            f"{what}: expected a dict by sample id, a pandas Series, an array or a list, got {type(given).__name__}"
        ) from None
    if len(values) != len(ids):
        some = "; for some of the samples alone, give a dict by sample id" if what == "labels" else ""
        raise ManifestError(
            f"{what}: expected {len(ids)} values, one for each sample of {where}, got {len(values)}{some}"
        )
    return values


def _known_ids(what: str, keys: Sequence[Any], ids: Sequence[str], where: Location) -> dict[Any, str]:
    """The sample that each key means: 1 may be written for 00001, as in a table of labels."""
    written = {key: str(key) for key in keys if isinstance(key, str | Integral) and not isinstance(key, bool)}
    no_ids = [key for key in keys if key not in written]
    if no_ids:
        raise ManifestError(f"{what}: expected sample ids, got {first_ten(map(repr, no_ids))}")
    matches = match_ids(written.values(), ids)
    meant = {key: matches.get(text, text) for key, text in written.items()}
    unknown = sorted(set(meant.values()) - set(ids))
    if unknown:
        raise ManifestError(_unknown_message(what, unknown, len(keys), where))
    count_of = Counter(meant.values())
    if len(count_of) < len(meant):
        several = [repr(key) for key, one in meant.items() if count_of[one] > 1]
        raise ManifestError(f"{what}: several ids mean one sample: {first_ten(several)}; keep one of each")
    return meant


def _unknown_message(what: str, unknown: Sequence[str], n_given: int, where: Location) -> str:
    if len(unknown) == n_given:
        return (
            f"{what}: none of the {n_given} ids is one of {where}: {first_ten(unknown)}; give ids of "
            "features.samples.ids, or the values in the order of the samples (of a Series: .to_numpy())"
        )
    return (
        f"{what}: expected ids of {where}, got {len(unknown)} that it lacks: {first_ten(unknown)}; "
        "remove them, extract features for them, or leave them out with --set labels.unmatched=ignore"
    )


def _check_complete(named: set[str], ids: Sequence[str], where: Location) -> None:
    absent = [one for one in ids if one not in named]
    if absent:
        raise ManifestError(
            f"groups: {len(absent)} of {len(ids)} samples of {where} have no entry: {first_ten(absent)}; add them ('' "
            "for a group of its own)"
        )


def _texts(what: What, values: Sequence[Any], ids: Sequence[str]) -> list[str]:
    """Write values as text, ``""`` where one is missing."""
    texts = [_text(what, value, one) for value, one in zip(values, ids, strict=True)]
    _check_no_text_of_missing(what, texts)
    is_number = [isinstance(value, float | np.floating) for value in values]
    missing = [place for place, text in enumerate(texts) if is_number[place] and not text]
    if missing and any(text and number for text, number in zip(texts, is_number, strict=True)):
        raise ManifestError(
            f"{what}: expected text or whole numbers, got floats of which {len(missing)} are NaN, the first of "
            f"{ids[missing[0]]!r}: pandas makes floats of whole numbers where one is missing; convert them with "
            f".astype('Int64'), which keeps them as they are and leaves samples without {what}"
        )
    return texts


def _check_no_text_of_missing(what: str, texts: Sequence[str]) -> None:
    for word in _WRITTEN_AS_TEXT:
        if word in texts:
            raise ManifestError(
                f"{what}: {texts.count(word)} values read {word!r}, which is how NumPy and pandas write a missing "
                "value as text; give None or '' where a value is missing, and convert nothing to text yourself"
            )


def _text(what: What, value: Any, sample_id: str) -> str:
    is_float = isinstance(value, float | np.floating)
    if _is_missing(value):
        return ""
    if isinstance(value, str | bytes | Integral | np.bool_) or (is_float and float(value).is_integer()):
        return _plain_text(value)
    raise ManifestError(
        f"{what}: expected text or whole numbers, which name {'classes' if what == 'labels' else 'groups'}, got "
        f"{value!r} for {sample_id!r}; convert it to text"
    )


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float | np.floating) and np.isnan(value)
    return bool(is_nan or value is None or value is pd.NA or value is pd.NaT)


def _plain_text(value: Any) -> str:
    """Write a value as text, a whole number without a point."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
