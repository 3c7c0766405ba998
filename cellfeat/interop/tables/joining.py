"""Join a table of labels to a table of features: by ids, by shared columns such as the well, or row by row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.misread import transposed_by_ids
from cellfeat.interop.tables.naming import choose_ids, find, is_group_name
from cellfeat.interop.tables.source import Source
from cellfeat.samples.column_names.profiles import plain_name
from cellfeat.samples.labels.id_matching import match_ids, matching_remark
from cellfeat.samples.labels.numbering import check_numbering
from cellfeat.text import first_ten
from cellfeat.types import Strings


@dataclass(frozen=True)
class Joined:
    """A table with the columns of another.

    Attributes
    ----------
    source
        The table.
    remarks
        How it was joined, and what found no partner.
    """

    source: Source
    remarks: tuple[str, ...]


def with_table(source: Source, labels: Source, *, id_column: str | None) -> Joined:
    """Give a table the columns of another.

    They are joined by the column of ids that both have, otherwise by the columns that both have, such as plate and
    well, otherwise by their ids. An array without ids takes the rows of the other table in order.

    Parameters
    ----------
    source
        The features.
    labels
        The table with labels.
    id_column
        The column of ids; None: guessed.

    Raises
    ------
    ManifestError, UnknownNameError
        If the two do not fit each other.
    """
    if labels.array is not None:
        raise ManifestError(f"{labels.path}: holds an array; expected a table with columns of ids and labels")
    labels = _with_names_of(source, labels)
    shared = [name for name in labels.columns if name in source.columns]
    own = id_column.split(",")[0] if id_column else None
    if own in shared:
        return _by_keys(source, labels, [str(own)])
    for keys in ([shared] if shared else []) + [[name] for name in shared]:
        if len(set(_keys(labels, keys))) == len(labels) and set(_keys(labels, keys)) & set(_keys(source, keys)):
            return _by_keys(source, labels, keys)
    if not source.columns:
        return _row_by_row(source, labels, id_column)
    try:
        return _by_ids(source, labels, id_column)
    except ManifestError as error:
        raise ManifestError(transposed_by_ids(source, labels) or str(error)) from None


def _with_names_of(source: Source, labels: Source) -> Source:
    """Give columns of plates, wells and sites the names of the other table: ``well`` becomes ``Metadata_Well``."""
    names = list(labels.columns)
    for place, name in enumerate(names):
        alike = [one for one in source.columns if plain_name(one) == plain_name(name)]
        if is_group_name(name) and name not in source.columns and len(alike) == 1 and alike[0] not in names:
            names[place] = alike[0]
    return replace(labels, table=labels.table.rename_columns(names))


def _keys(source: Source, names: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(*(source.texts(name).tolist() for name in names), strict=True))


def _by_keys(source: Source, labels: Source, names: Sequence[str]) -> Joined:
    row_of = _rows(labels, _keys(labels, names), "+".join(names))
    keys, matches = _keys(source, names), dict[str, str]()
    if len(names) == 1:
        # One table may have lost the zeros that the other one has, and some numbers have none to lose.
        matches = match_ids((key[0] for key in keys), {key[0] for key in row_of})
        keys = [(matches.get(key[0], key[0]),) for key in keys]
    rows = [row_of.get(key) for key in keys]
    if None in rows:
        for name in names:
            what = f"{labels.path}: the numbers of column {name}"
            check_numbering(what, labels.texts(name).tolist(), str(source.path), source.texts(name).tolist())
    joined = _joined(source, labels, rows, f"by {'+'.join(names)}", names)
    return replace(joined, remarks=(*joined.remarks, *matching_remark(matches, str(source.path))))


def _by_ids(source: Source, labels: Source, id_column: str | None) -> Joined:
    mine = choose_ids(source, id_column if id_column and _has_columns(source, id_column) else None)
    # The column may be that of either table: what the other one calls its ids, its values say.
    own = id_column if mine.is_guess or not id_column or _has_columns(labels, id_column) else None
    theirs = choose_ids(labels, find(labels, own, "--id") if own else _with_most(labels, mine.values))
    if not theirs.columns or not mine.columns:
        raise ManifestError(
            f"{labels.path}: shares no column with {source.path}, and has none of ids: name the column of ids with --id"
        )
    row_of = _rows(labels, [(value,) for value in theirs.values.tolist()], theirs.name)
    matches = match_ids(mine.values.tolist(), {key[0] for key in row_of})
    rows = [row_of.get((matches.get(one, one),)) for one in mine.values.tolist()]
    if None in rows:
        ids = (key[0] for key in row_of)
        check_numbering(f"{labels.path}: the ids in {theirs.name}", ids, str(source.path), mine.values.tolist())
    joined = _joined(source, labels, rows, f"by {mine.name} and {theirs.name}", [])
    return replace(joined, remarks=(*joined.remarks, *matching_remark(matches, str(source.path))))


def _has_columns(source: Source, names: str) -> bool:
    """Whether a table has all of some columns, whose names are separated by commas."""
    known = {plain_name(column) for column in source.columns}
    return names in source.columns or all(plain_name(part) in known for part in names.split(","))


def _with_most(labels: Source, ids: Strings) -> str | None:
    """The column that holds the most of some ids; None where none holds any."""
    shares = {name: int(np.isin(ids, labels.texts(name)).sum()) for name in labels.columns}
    best = max(shares, key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] else None


def _row_by_row(source: Source, labels: Source, id_column: str | None) -> Joined:
    if len(labels) != len(source):
        raise ManifestError(
            f"{source.path}: holds {len(source)} rows and no ids, and {labels.path} {len(labels)} rows; expected "
            "one row for each, in the same order"
        )
    names = choose_ids(labels, id_column)
    own = names.name if len(names.columns) == 1 else ""
    remark = f"{source.path} has no ids: its rows are taken to be in the order of {labels.path}"
    return Joined(replace(source, table=labels.table, own_id=own), (remark,))


def _rows(labels: Source, keys: Sequence[tuple[str, ...]], name: str) -> dict[tuple[str, ...], int]:
    rows: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(keys):
        if not all(key):
            continue
        if key in rows:
            raise ManifestError(
                f"{labels.path}: column {name}: {'+'.join(key)!r} occurs more than once: {labels.row(rows[key])} and "
                f"{labels.row(row)}; keep one row of each"
            )
        rows[key] = row
    return rows


def _joined(source: Source, labels: Source, rows: Sequence[int | None], how: str, shared: Sequence[str]) -> Joined:
    n_found = sum(row is not None for row in rows)
    if not n_found:
        raise ManifestError(
            f"{labels.path}: none of its rows fits a row of {source.path} {how}; name the column of ids with --id"
        )
    table, places = source.table, pa.array(rows, pa.int64())
    for name in labels.columns:
        if name in shared:
            continue
        column = labels.table.column(name).take(places)
        if name in source.columns:
            # The table of labels says what holds: it was named for that.
            table = table.set_column(source.columns.index(name), name, column)
        else:
            table = table.append_column(name, column)
    n_unused = len(labels) - len({row for row in rows if row is not None})
    remarks = [f"{labels.path} is joined {how}: {n_found} of {len(source)} rows have an entry there"]
    if n_unused:
        used = {row for row in rows if row is not None}
        told = first_ten(labels.row(row) for row in range(len(labels)) if row not in used)
        remarks.append(f"{labels.path}: {n_unused} rows fit no row of {source.path}: {told}")
    return Joined(replace(source, table=table), tuple(remarks))
