"""Labels and groups that are given in Python: by sample id, by the index of a pandas Series, or one for each sample."""

from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.errors import ManifestError, UnknownNameError
from cellfeat.extraction.store.samples import Samples
from cellfeat.samples.id_matching import match_ids
from cellfeat.text import first_ten, near_names
from cellfeat.types import Strings

Given = str | Mapping[Any, Any] | Sequence[Any] | NDArray[Any] | pd.Series
"""Labels or groups: the name of a column, values by sample id, or one value for each sample."""

What = Literal["labels", "groups"]


def given_texts(what: What, given: Given, samples: Samples, where: Path) -> Strings:
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

    Returns
    -------
    ndarray of shape (n_samples,)
        ``""`` where a value is missing.

    Raises
    ------
    ManifestError
        If there are not as many as samples, ids are unknown or occur twice, or values are no names.
    UnknownNameError
        If there is no such column.
    """
    if isinstance(given, str):
        return _column(what, given, samples)
    ids = samples.ids.tolist()
    by_id = _by_id(what, given, ids)
    if by_id is None:
        return np.array(_texts(what, _in_order(what, given, ids, where), ids), dtype=str)
    names = _known_ids(what, list(by_id), ids, where)
    if what == "groups":
        _check_complete(set(names.values()), ids, where)
    text_of = dict(zip(names.values(), _texts(what, list(by_id.values()), list(names.values())), strict=True))
    return np.array([text_of.get(one, "") for one in ids], dtype=str)


def _column(what: What, name: str, samples: Samples) -> Strings:
    if name not in samples.columns:
        raise UnknownNameError(
            f"{what}: the samples have no column {name!r}; {near_names(name, samples.columns)}. For other {what} "
            "give a dict by sample id, a pandas Series or one value for each sample"
        )
    return samples.columns[name]


def _by_id(what: What, given: Any, ids: Sequence[str]) -> dict[Any, Any] | None:
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


def _has_row_numbers(what: What, index: pd.Index, ids: Sequence[str]) -> bool:
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


def _in_order(what: What, given: Any, ids: Sequence[str], where: Path) -> list[Any]:
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
    if isinstance(given, np.ndarray) and given.dtype.kind == "U" and "nan" in values:
        raise ManifestError(
            f"{what}: {values.count('nan')} values read 'nan', which is how NumPy writes a missing value into an array "
            "of text; give None or '' where a value is missing"
        )
    return values


def _known_ids(what: What, keys: Sequence[Any], ids: Sequence[str], where: Path) -> dict[Any, str]:
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


def _unknown_message(what: What, unknown: Sequence[str], n_given: int, where: Path) -> str:
    if len(unknown) == n_given:
        return (
            f"{what}: none of the {n_given} ids is one of {where}: {first_ten(unknown)}; give ids of "
            "features.samples.ids, or the values in the order of the samples (of a Series: .to_numpy())"
        )
    return (
        f"{what}: expected ids of {where}, got {len(unknown)} that it lacks: {first_ten(unknown)}; "
        "remove them, extract features for them, or leave them out with --set labels.unmatched=ignore"
    )


def _check_complete(named: set[str], ids: Sequence[str], where: Path) -> None:
    absent = [one for one in ids if one not in named]
    if absent:
        raise ManifestError(
            f"groups: {len(absent)} of {len(ids)} samples of {where} have no entry: {first_ten(absent)}; add them ('' "
            "for a group of its own)"
        )


def _texts(what: What, values: Sequence[Any], ids: Sequence[str]) -> list[str]:
    """Write values as text, ``""`` where one is missing."""
    texts = [_text(what, value, one) for value, one in zip(values, ids, strict=True)]
    is_number = [isinstance(value, float | np.floating) for value in values]
    missing = [place for place, text in enumerate(texts) if is_number[place] and not text]
    if missing and any(text and number for text, number in zip(texts, is_number, strict=True)):
        raise ManifestError(
            f"{what}: expected text or whole numbers, got floats of which {len(missing)} are NaN, the first of "
            f"{ids[missing[0]]!r}: pandas makes floats of whole numbers where one is missing; convert them with "
            f".astype('Int64'), which keeps them as they are and leaves samples without {what}"
        )
    return texts


def _text(what: What, value: Any, sample_id: str) -> str:
    if isinstance(value, str):
        return str(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, Integral | np.bool_):
        return str(value)
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        if float(value).is_integer():
            return str(int(value))
    raise ManifestError(
        f"{what}: expected text or whole numbers, which name {'classes' if what == 'labels' else 'groups'}, got "
        f"{value!r} for {sample_id!r}; convert it to text"
    )
