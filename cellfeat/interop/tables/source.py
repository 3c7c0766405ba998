"""What a reader of tables gives: named columns, or one array with columns beside it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cellfeat.config import MISSING_WORDS
from cellfeat.errors import ManifestError
from cellfeat.interop.tables.digit_grouping import find_grouping, is_ambiguous
from cellfeat.text import first_ten
from cellfeat.types import Floats, Strings


@dataclass(frozen=True)
class Source:
    """A table as it stands in its file.

    Attributes
    ----------
    path
        The file, for messages.
    table
        Named columns of any type, one row a sample.
    array
        Numbers beside the table, shape ``(n_samples, n_features)`` or ``(n_samples, n_views, n_features)``; None where
        the features are columns of the table.
    names
        Names of the columns of `array`; None where they have none.
    what
        What was read, in words: ``a Parquet table``, ``X of an AnnData file``.
    own_id, own_label, own_group
        The column that the file itself says holds the ids, labels or groups; "" where it says none.
    first_row
        The number of the first row in the file, as its users count: 2 in a CSV with a header.
    remarks
        Messages for the user about how the file was read.
    decimal_comma
        Whether some numbers of the text have a decimal comma, so that ``1.234`` may be a thousand.
    """

    path: Path
    table: pa.Table
    array: NDArray[Any] | None = None
    names: Sequence[str] | None = None
    what: str = "a table"
    own_id: str = ""
    own_label: str = ""
    own_group: str = ""
    first_row: int = 1
    remarks: tuple[str, ...] = field(default=())
    decimal_comma: bool = False

    def __len__(self) -> int:
        return len(self.table) if self.array is None else len(self.array)

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the table."""
        return list(self.table.column_names)

    def texts(self, name: str) -> Strings:
        """Give a column as text, shape ``(n_samples,)``: ``""`` where a value is missing."""
        return texts_of(self.table.column(name))

    def numbers(self, name: str) -> "Numbers":
        """Give a column as numbers, or why it is none."""
        return numbers_of(self.table.column(name), decimal_comma=self.decimal_comma)

    def row(self, place: int) -> str:
        """Name a row as the users of the file count: ``row 12``."""
        return f"row {place + self.first_row}"


def texts_of(column: pa.ChunkedArray) -> Strings:
    """Give a column as text, shape ``(n,)``: whole numbers without a point, ``""`` where a value is missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return np.array(["" if value is None else _number(value) for value in column.to_pylist()], dtype=str)
    if pa.types.is_timestamp(column.type) and column.type.tz is None and _are_dates(column):
        # As CSV files of the same table have them.
        column = column.cast(pa.date32())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        values = pc.utf8_trim_whitespace(column).to_pylist()
    else:
        values = [None if value is None else _plain(value) for value in column.to_pylist()]
    return np.array(["" if value is None or value in MISSING_WORDS else value for value in values], dtype=str)


def _are_dates(times: pa.ChunkedArray) -> bool:
    """Whether all times are midnight."""
    is_midnight = pc.equal(pc.floor_temporal(times, unit="day"), times)
    return bool(pc.all(is_midnight, min_count=0).as_py())


def _number(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def _plain(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class Numbers:
    """A column as numbers, or why it is none.

    Attributes
    ----------
    values
        float64, shape ``(n_samples,)``, NaN where a value is missing; None where the column is not numeric.
    strange
        Places of cells that are not numbers in a column that mostly has some.
    """

    values: Floats | None
    strange: tuple[int, ...] = ()


MOSTLY = 0.9
"""A text column is meant as numbers where this share of its cells are some."""


def numbers_of(column: pa.ChunkedArray, *, decimal_comma: bool = False) -> Numbers:
    """Read a column as numbers.

    Parameters
    ----------
    column
        Of any type.
    decimal_comma
        As for `Source`.
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_null(kind):
        return Numbers(np.full(len(column), np.nan))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _parsed(column, decimal_comma)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return Numbers(None)
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    return Numbers(np.asarray(column.to_numpy(), dtype=np.float64))


def _parsed(column: pa.ChunkedArray, decimal_comma: bool) -> Numbers:
    """Read numbers from text; a decimal comma counts as a point where all cells of the column can be read so."""
    if decimal_comma and (places := _points_of_thousands(column)):
        return Numbers(None, places)
    try:
        # The quick way, for columns without missing cells.
        return Numbers(np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64))
    except pa.ArrowInvalid:
        pass
    cells = pc.utf8_trim_whitespace(column)
    cells = pc.if_else(pc.is_in(cells, value_set=_MISSING), pa.scalar(None, cells.type), cells)
    try:
        return Numbers(np.asarray(pc.cast(cells, pa.float64()).to_numpy(), dtype=np.float64))
    except pa.ArrowInvalid:
        pass
    # A part tells what most of a long column is, before all of it is looked at.
    if not looks_numeric(column.slice(0, 1000)) and not looks_numeric(column.slice(len(column) // 2, 1000)):
        return Numbers(None)
    texts = cells.to_pylist()
    commas = [place for place, text in enumerate(texts) if text and "," in text]
    if commas and all(_THOUSANDS.fullmatch(texts[place]) for place in commas):
        # 1,234 may be a thousand or little more than one: no guess is safe.
        return Numbers(None, tuple(commas))
    read = _reader(texts)
    values = np.array([np.nan if text is None else read(text) for text in texts])
    is_strange = np.isnan(values) & np.array([text is not None and text.lower() != "nan" for text in texts])
    n_known = len(texts) - texts.count(None)
    if not n_known or np.count_nonzero(is_strange) > (1 - MOSTLY) * n_known:
        return Numbers(None)
    strange = tuple(np.flatnonzero(is_strange).tolist())
    return Numbers(None if strange else values, strange)


def _points_of_thousands(column: pa.ChunkedArray) -> tuple[int, ...]:
    """Places of cells such as 1.234, where all cells with a point are such; none where they are certainly decimals."""
    has_point = pc.match_substring(column, ".").to_numpy(zero_copy_only=False)
    places = np.flatnonzero(has_point == True).tolist()  # noqa: E712 - missing cells are None
    texts = (str(column[place]).strip() for place in places)
    return tuple(places) if places and all(is_ambiguous(text) for text in texts) else ()


def _reader(texts: Sequence[str | None]) -> Callable[[str], float]:
    """How the cells of a column are read: by their marks of thousands where they have some."""
    grouping = find_grouping(text for text in texts if text)
    return _float if grouping is None else grouping.read


# No thousands begin with 0: 0,123 has decimals.
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_MISSING = pa.array([*MISSING_WORDS, ""], pa.string())


def looks_numeric(column: pa.ChunkedArray) -> bool:
    """Whether most cells of a column of text that are not missing are numbers; also where all are missing."""
    cells = [text.strip() for text in column.to_pylist() if text is not None]
    known = [text for text in cells if text and text not in MISSING_WORDS]
    read = _reader(known)
    n_numbers = sum(not np.isnan(read(text)) for text in known)
    return n_numbers >= MOSTLY * len(known)


def _float(text: str) -> float:
    # `float` takes underscores between digits, which no table means.
    text = text.strip().replace(",", ".") if text.count(",") == 1 and "." not in text else text.strip()
    try:
        return np.nan if "_" in text else float(text)
    except ValueError:
        return np.nan


def check_same_length(source: Source, n_rows: int, where: str) -> None:
    """Refuse columns that do not have one value for each row of an array.

    Parameters
    ----------
    source
        The array.
    n_rows
        Number of values.
    where
        What they are from, for messages.

    Raises
    ------
    ManifestError
        If the numbers differ.
    """
    if n_rows != len(source):
        raise ManifestError(f"{source.path}: holds {len(source)} rows, and {where} {n_rows}; expected one for each row")


def check_unique_names(path: Path, names: Sequence[str]) -> None:
    """Refuse columns of equal names.

    Parameters
    ----------
    path
        The file, for messages.
    names
        The names.

    Raises
    ------
    ManifestError
        If a name occurs more than once.
    """
    seen: set[str] = set()
    twice = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twice:
        raise ManifestError(
            f"{path}: column {first_ten(twice)} occurs more than once; rename one, or, where two lines name the "
            "columns, make one line of them"
        )
