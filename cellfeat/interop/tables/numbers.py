"""Which columns of a table become features, and what is wrong with the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from cellfeat.errors import ManifestError, UnknownNameError
from cellfeat.interop.tables.misread import embedding_remark, strange_cells
from cellfeat.interop.tables.naming import is_fold_name, is_group_name, is_label_name
from cellfeat.interop.tables.source import Source
from cellfeat.samples.column_names.profiles import is_cellprofiler, is_measure, is_metadata, trap
from cellfeat.samples.tables.encoded_images import encoded_images
from cellfeat.samples.tables.foreign import foreign_ending
from cellfeat.text import first_ten, near_names
from cellfeat.types import Bools, Float32s, Floats

MAX_MISSING = 0.05
"""Columns with a larger share of missing values are left out: the default of pycytominer's ``drop_na_columns``."""

_FLOAT32 = float(np.finfo(np.float32).max)
_FEWEST_STEPS = 256
"""A range of fewer steps of float32 keeps less of a measurement than 8 bits."""
CONSTANT, EMPTY, MISSING = "constant", "empty", "more than {share:.0%} missing"
BEYOND, UNRESOLVED = "beyond the range of float32", "varies by less than float32 tells apart"
NOT_CELLPROFILER = "not named as a measurement"
GROUPS, LABELS, FOLDS = "named as groups", "named as labels", "named as folds"


@dataclass(frozen=True)
class Wanted:
    """Which columns are asked for.

    Attributes
    ----------
    features
        Patterns of the columns that are features; empty: all that are recognised.
    keep
        Patterns of columns that are features although their names say coordinates, numbers or processing.
    drop
        Patterns of columns that are no features.
    max_missing
        Largest share of missing values of a column.
    """

    features: Sequence[str] = ()
    keep: Sequence[str] = ()
    drop: Sequence[str] = ()
    max_missing: float = MAX_MISSING


@dataclass
class FeatureTable:
    """The features of a table.

    Attributes
    ----------
    names
        Their names.
    numbers
        Shape ``(n_samples, n_views, n_features)``, float32; NaN where a number is missing.
    left_out
        Names of the other columns of numbers, by reason.
    texts
        Columns that are no numbers.
    n_infinite
        Infinite numbers, which count as missing.
    strange
        Rows of cells that are not numbers, by column; these columns are no features.
    """

    names: list[str]
    numbers: Float32s
    left_out: dict[str, list[str]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    n_infinite: int = 0
    strange: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def n_missing(self) -> int:
        """Missing numbers."""
        return int(np.isnan(self.numbers).sum())


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of some patterns, such as ``Cells_*``.

    Parameters
    ----------
    name
        The name of a column.
    patterns
        The patterns; upper and lower case differ.
    """
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def choose_features(source: Source, wanted: Wanted, taken: Sequence[str]) -> FeatureTable:
    """Choose the features of a table or an array.

    Parameters
    ----------
    source
        The table.
    wanted
        What is asked for.
    taken
        Columns that are ids, labels or groups.

    Raises
    ------
    ManifestError
        If no column is left.
    UnknownNameError
        If a pattern fits no column.
    """
    found = FeatureTable([], np.empty((len(source), 0, 0), np.float32))
    kept: list[Float32s] = []
    names = _array_names(source) if source.array is not None else source.columns
    _check_patterns(source, wanted, names)
    for name, values in _candidates(source, wanted, taken, found):
        is_infinite = np.isinf(values)
        if is_infinite.any():
            found.n_infinite += int(np.count_nonzero(is_infinite))
            values = np.where(is_infinite, np.nan, values)
        why = _why_left_out(values, wanted.max_missing)
        if why:
            found.left_out.setdefault(why, []).append(name)
            continue
        found.names.append(name)
        kept.append(values.astype(np.float32))
    _check_some_left(source, found)
    found.numbers = np.stack(kept, axis=-1).reshape(len(source), -1, len(kept))
    return found


def _candidates(
    source: Source, wanted: Wanted, taken: Sequence[str], found: FeatureTable
) -> Iterator[tuple[str, Floats]]:
    """Columns of numbers that may be features, float64; the others are noted."""
    if source.array is not None:
        found.texts = [name for name in source.columns if name not in taken]
        for number, name in enumerate(_array_names(source)):
            if _is_asked_for(name, wanted):
                yield name, source.array[..., number].astype(np.float64)
        return
    has_measures = is_cellprofiler(source.columns)
    for name in source.columns:
        if name in taken or name == source.own_id:
            continue
        if (is_metadata(name) and not _is_kept(name, wanted)) or matches(name, wanted.drop):
            found.texts.append(name)
            continue
        reason = "" if _is_kept(name, wanted) else _no_feature(name, has_measures)
        # A pattern asks for what has an unusual name, and not for the coordinates that it also fits.
        if reason == NOT_CELLPROFILER and wanted.features and matches(name, wanted.features):
            reason = ""
        if reason or not _is_asked_for(name, wanted):
            found.texts.append(name)
            if reason and _is_asked_for(name, wanted) and source.numbers(name).values is not None:
                found.left_out.setdefault(reason, []).append(name)
            continue
        column = source.numbers(name)
        if column.strange:
            _check_no_header(source, name, column.strange)
            found.strange[name] = column.strange
        if column.values is None:
            found.texts.append(name)
            _check_not_asked_for(source, name, column.strange, wanted)
        else:
            yield name, column.values


def _is_kept(name: str, wanted: Wanted) -> bool:
    """Whether a column is named in full, or by a pattern of ``--keep``: its name says no more about it."""
    return name in wanted.features or matches(name, wanted.keep)


def _array_names(source: Source) -> list[str]:
    assert source.array is not None
    return list(source.names) if source.names is not None else list(map(str, range(source.array.shape[-1])))


def _is_asked_for(name: str, wanted: Wanted) -> bool:
    return (not wanted.features or matches(name, (*wanted.features, *wanted.keep))) and not matches(name, wanted.drop)


def _no_feature(name: str, has_measures: bool) -> str:
    """Why a column is no feature by its name; "" where it may be one."""
    named = {GROUPS: is_group_name, LABELS: is_label_name, FOLDS: is_fold_name}
    for reason, is_named_so in named.items():
        if is_named_so(name):
            return reason
    if not has_measures:
        return trap(name) if name.casefold() in ("imagenumber", "objectnumber", "tablenumber") else ""
    return trap(name) or ("" if is_measure(name) else NOT_CELLPROFILER)


def _check_patterns(source: Source, wanted: Wanted, names: Sequence[str]) -> None:
    for option, patterns in (("--features", wanted.features), ("--keep", wanted.keep), ("--drop", wanted.drop)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise UnknownNameError(
                    f"{source.path}: {option}: no column fits {pattern!r}; {near_names(pattern, names)}"
                )


def _check_not_asked_for(source: Source, name: str, strange: Sequence[int], wanted: Wanted) -> None:
    if not (name in wanted.features or (strange and _is_kept(name, wanted))):
        return
    where = f", such as {str(source.texts(name)[strange[0]])!r} in {source.row(strange[0])}" if strange else ""
    raise ManifestError(
        f"{source.path}: column {name!r} was named as a feature and holds cells that are not numbers{where}"
    )


def _check_no_header(source: Source, name: str, strange: Sequence[int]) -> None:
    texts = source.texts(name)
    repeated = [place for place in strange if str(texts[place]).strip() == name]
    if repeated:
        raise ManifestError(
            f"{source.path}: the header stands again in {first_ten(map(source.row, repeated))}, as where tables are "
            "written one below the other: delete it there"
        )


def _check_some_left(source: Source, found: FeatureTable) -> None:
    if not found.names:
        told = "; ".join(f"{reason}: {first_ten(names)}" for reason, names in found.left_out.items())
        texts = embedding_remark(source, found.texts) or encoded_images(source.path)
        if texts:
            raise ManifestError(f"{source.path}: no column of numbers is left to be a feature; {texts}")
        if found.strange:
            name, places = next(iter(found.strange.items()))
            others = f"; the same holds for {len(found.strange) - 1} more" if len(found.strange) > 1 else ""
            raise ManifestError(
                f"{source.path}: no column of numbers is left to be a feature: {strange_cells(source, name, places)}"
                f"{others}; correct these cells, or remove rows that are no samples, such as units below the header"
            )
        hint = "" if told else foreign_ending(source.path.name)
        raise ManifestError(
            f"{source.path}: no column of numbers is left to be a feature ({told or 'there is none'}); "
            f"{hint or 'name columns with --features or --keep'}"
        )


def _why_left_out(values: Floats, max_missing: float) -> str:
    """Why numbers, of shape ``(n_samples, ...)``, are of no use as a feature; "" where they are."""
    is_missing: Bools = np.isnan(values)
    share = is_missing.mean()
    if share == 1:
        return EMPTY
    if share > max_missing:
        return MISSING.format(share=max_missing)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low == high:
        return CONSTANT
    if max(-low, high) > _FLOAT32:
        return BEYOND
    return UNRESOLVED if _is_unresolved(values, low, high) else ""


def _is_unresolved(values: Floats, low: float, high: float) -> bool:
    """Whether float32 rounds numbers to a few steps, as of times in seconds since 1970; whole ones may be exact."""
    n_steps = (high - low) / float(np.spacing(np.float32(max(-low, high))))
    return n_steps < _FEWEST_STEPS and bool((values.astype(np.float32) != values)[~np.isnan(values)].any())


def features_like(source: Source, names: Sequence[str], *, is_array: bool) -> FeatureTable:
    """Take exactly the columns of earlier features, in their order, whatever they hold.

    Parameters
    ----------
    source
        The table.
    names
        The columns.
    is_array
        Whether the earlier features came from an array without names.

    Raises
    ------
    ManifestError
        If a column is missing, or holds cells that are not numbers.
    """
    here = _array_names(source) if source.array is not None else source.columns
    if is_array != (source.array is not None and source.names is None):
        kinds = ("columns with names", "an array without names")
        raise ManifestError(
            f"{source.path}: has {kinds[not is_array]}, and the earlier features are from {kinds[is_array]}"
        )
    place_of = {name: place for place, name in enumerate(here)}
    missing = [name for name in names if name not in place_of]
    if missing:
        raise ManifestError(
            f"{source.path}: lacks {len(missing)} of the {len(names)} columns of the earlier features: "
            f"{first_ten(missing)}; the head needs all of them"
        )
    n_views = source.array.shape[1] if source.array is not None and source.array.ndim == 3 else 1
    found = FeatureTable(list(names), np.empty((len(source), n_views, len(names)), np.float32))
    for number, name in enumerate(names):
        values = _values_like(source, name, place_of[name])
        is_beyond = np.isinf(values) | (np.abs(values) > _FLOAT32)
        found.n_infinite += int(np.count_nonzero(is_beyond))
        found.numbers[:, :, number] = np.where(is_beyond, np.nan, values).reshape(len(source), n_views)
    found.texts = [name for name in source.columns if name not in set(names)]
    return found


def _values_like(source: Source, name: str, place: int) -> Floats:
    if source.array is not None:
        return source.array[..., place].astype(np.float64)
    column = source.numbers(name)
    if column.values is None:
        where = f": {source.row(column.strange[0])}" if column.strange else ""
        raise ManifestError(f"{source.path}: column {name!r} is a feature and holds cells that are not numbers{where}")
    return column.values
