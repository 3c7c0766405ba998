"""Wide tables of text, read fast; what pyarrow refuses goes through the reader of labels tables, which explains it."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.source import Source, check_unique_names
from cellfeat.samples.tables.encoded_images import image_columns
from cellfeat.samples.tables.file import RawTable, read_table_bytes, read_table_file, unpacked_bytes
from cellfeat.samples.tables.header import FIRST_ROWS, Header, find_header
from cellfeat.samples.tables.separators import separator_of
from cellfeat.text import counted, first_line, first_ten

_COMPARTMENT = re.compile(r"(Image|Cells?|Nuclei|Nucleus|Cytoplasm|Metadata|Experiment)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FIRST_ROWS = 100
_BLOCK_BYTES = 1 << 24
_HEAD_BYTES = 4_000_000


def read_csv(path: Path) -> Source:
    """Read a table of text: CSV, semicolons, tabs or bars, also compressed by gzip.

    Raises
    ------
    MissingFileError, ManifestError
        As `cellfeat.samples.tables.file.read_table_file`.
    """
    content = unpacked_bytes(path)
    # Bytes, and not text: a large table would be in memory twice. UTF-16 and whatever is no text is left to the reader
    # of labels tables, which explains it.
    if b"\0" in content:
        return _slowly(path)
    head = content[:_HEAD_BYTES].decode("utf-8-sig", errors="replace")
    first, _, rest = head.partition("\n")
    if not first.strip() or first.startswith("#") or first.lower().startswith("sep="):
        return _slowly(path)
    separator = separator_of(head)
    if separator == " ":
        return _slowly(path)
    second = rest.partition("\n")[0]
    header = _joined_header(first, second, separator) if _is_double_header(first, second, separator) else None
    if header is None and _begins_otherwise(head, separator):
        return _slowly(path)
    remarks: tuple[str, ...] = (
        () if header is None else (f"{path}: the header has two lines: their names are joined, {header[-1]}",)
    )
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(content),
            read_options=pa.csv.ReadOptions(
                block_size=_BLOCK_BYTES, skip_rows=2 if header else 0, column_names=header, use_threads=True
            ),
            parse_options=pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            # Everything as text: ids keep their zeros, and a type guessed from the first rows may not fit the rest.
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(header or _header(first, separator), pa.string()), strings_can_be_null=False
            ),
        )
        names = [name.strip() for name in table.column_names]
    except (pa.ArrowException, ValueError, csv.Error):
        return _slowly(path)
    if not len(table) or any('"' in name for name in names):
        return _slowly(path)
    _check_header(path, names)
    check_unique_names(path, [name for name in names if name])
    table = _without_empty_rows(table)
    if not len(table):
        return _slowly(path)
    unnamed = [place for place, name in enumerate(names) if place and not name and _has_cells(table.column(place))]
    if unnamed:
        told = f"without a name (number {first_ten(place + 1 for place in unnamed)})"
        remarks = (*remarks, f"{path}: ignored: {counted(len(unnamed), 'column')} {told}")
    table, own = _with_names(table, names)
    return Source(
        path,
        table,
        what="a table of text",
        own_id=own,
        first_row=2 + bool(header),
        remarks=remarks,
        decimal_comma=_has_decimal_commas(table),
    )


def _with_names(table: pa.Table, names: list[str]) -> tuple[pa.Table, str]:
    """Name the columns; the first may be ids without a name, which is given, and others without one are left out."""
    own = "(first column)" if not names[0] else ""
    named = [own or names[0], *names[1:]]
    kept = [place for place, name in enumerate(named) if name]
    return table.rename_columns(named).select(kept), own


def _has_cells(column: pa.ChunkedArray) -> bool:
    """Whether some cells of a column of text are not empty."""
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())


def _without_empty_rows(table: pa.Table) -> pa.Table:
    """Leave out rows without a single cell, as spreadsheets write them below a table."""
    is_empty = pc.equal(pc.utf8_trim_whitespace(table.column(0)), "")
    if not pc.any(is_empty).as_py():
        return table
    for column in table.columns[1:]:
        is_empty = pc.and_(is_empty, pc.equal(pc.utf8_trim_whitespace(column), ""))
    return table.filter(pc.invert(is_empty))


def _begins_otherwise(head: str, separator: str) -> bool:
    """Whether the first line is not the header, or the second holds types or units."""
    lines = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    try:
        rows = list(islice(lines, FIRST_ROWS))
    except csv.Error:
        return True
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    return rows[:1] != filled[:1] or find_header(filled) != Header()


def _has_decimal_commas(table: pa.Table) -> bool:
    """Whether some cells of the first rows are numbers with a decimal comma."""
    head = table.slice(0, _FIRST_ROWS)
    return any(_DECIMAL_COMMA.fullmatch(text or "") for column in head.columns for text in column.to_pylist())


def _header(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _check_header(path: Path, names: Sequence[str]) -> None:
    """Refuse a table without a header, whose first sample would name the columns; wavelengths and counts rise."""
    numbers = [float(name) for name in names if _NUMBER.fullmatch(name)]
    is_rising = all(low < high for low, high in pairwise(numbers))
    if len(numbers) > 1 and len(numbers) > len(names) / 2 and not is_rising:
        raise ManifestError(
            f"{path}: the first line holds numbers ({first_ten(names)}); expected the names of columns: add a "
            "line of names above it, so that the first sample is not taken for them"
        )


def _is_double_header(first: str, second: str, separator: str) -> bool:
    """Whether the first line names the compartment of each column, and the second its measurement."""
    above = [cell.strip().strip('"') for cell in first.split(separator)]
    below = [cell.strip().strip('"') for cell in second.split(separator)]
    return len(above) > 2 and len(above) == len(below) and all(_COMPARTMENT.fullmatch(cell) for cell in above)


def _joined_header(first: str, second: str, separator: str) -> list[str]:
    above = [cell.strip().strip('"') for cell in first.split(separator)]
    below = [cell.strip().strip('"') for cell in second.split(separator)]
    names = [f"{compartment}_{name}" for compartment, name in zip(above, below, strict=True)]
    return [name.removeprefix("Image_") if name.startswith("Image_Metadata_") else name for name in names]


def _slowly(path: Path) -> Source:
    raw = read_table_file(path)
    _check_header(path, list(map(str, raw.cells.columns)))
    return _of_cells(path, raw)


def _of_cells(path: Path, raw: RawTable) -> Source:
    cells = raw.cells.apply(lambda column: column.str.strip())
    table = pa.table({str(name): pa.array(cells[name].tolist(), pa.string()) for name in cells.columns})
    return Source(
        path,
        table,
        what="a table",
        first_row=int(cells.index[0]),
        remarks=raw.remarks,
        decimal_comma=_has_decimal_commas(table),
    )


def read_excel(path: Path) -> Source:
    """Read the first sheet of an Excel file; errors as for `read_csv`."""
    return _slowly(path)


def read_parquet(path: Path) -> Source:
    """Read a Parquet file; a column of lists of one length becomes one column for each place.

    Raises
    ------
    ManifestError
        If it is damaged, empty, or has two columns of one name.
    """
    content = read_table_bytes(path)
    try:
        table = pa.parquet.read_table(io.BytesIO(content))
        images = list(image_columns(table))
        table = _without_lists(table.drop_columns(images))
        table.validate(full=True)
        names = list(table.column_names)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise ManifestError(f"{path}: cannot be read as Parquet: {first_line(error)}; copy or write it again") from None
    if not len(table):
        raise ManifestError(f"{path}: has columns but no rows: {first_ten(names)}")
    check_unique_names(path, names)
    # How pandas names an index that has no name.
    own = next((name for name in names if name.startswith("__index_level_0")), "")
    remarks = (f"{path}: ignored: column {first_ten(images)}, which holds encoded images",) if images else ()
    return Source(path, table, what="a Parquet table", own_id=own, remarks=remarks)


def _without_lists(table: pa.Table) -> pa.Table:
    """Spread columns of lists, as embeddings are often kept, where all lists have one length."""
    columns: dict[str, pa.ChunkedArray] = {}
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        kind = column.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        spread = _spread(column) if is_list and len(column) else None
        if spread is None:
            if name in columns:
                raise ValueError(f"column {name} occurs more than once")
            columns[name] = column
        else:
            columns |= {f"{name}_{number}": values for number, values in enumerate(spread)}
    return pa.table(columns)


def _spread(column: pa.ChunkedArray) -> list[pa.ChunkedArray] | None:
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    values = column.combine_chunks().flatten() if len(lengths) == 1 and lengths[0] else None
    if values is None or not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        return None
    grid = values.to_numpy(zero_copy_only=False).reshape(len(column), lengths[0])
    return [pa.chunked_array([pa.array(grid[:, number])]) for number in range(lengths[0])]
