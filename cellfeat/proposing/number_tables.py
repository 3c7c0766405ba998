"""Tables of numbers that were measured already: these need no images, and `cellfeat import` reads them."""

import csv
import gzip
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cellfeat.errors import CellfeatError
from cellfeat.proposing.array_files import shape_of_images
from cellfeat.samples.tables.file import read_table_file
from cellfeat.samples.tables.numpy_headers import NUMPY_ENDINGS, SAVE_IMAGES

_ARRAYS = (".h5ad", *NUMPY_ENDINGS)
_TEXTS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
_TABLES = (".parquet", ".xlsx")
TABLE_ENDINGS = (*_ARRAYS, *_TEXTS, *_TABLES)
_FEWEST_COLUMNS = 4
"""Columns of numbers. A table of labels may have an id, a plate and a position as numbers."""
_LARGEST = 100_000_000
_ROWS = 50


def is_table_name(name: str) -> bool:
    """Whether a file is called like a table."""
    return name.lower().endswith(TABLE_ENDINGS)


def holds_numbers(file: Path) -> bool:
    """Whether a file is a table of several columns of numbers, or an array."""
    if file.name.lower().endswith(_ARRAYS):
        return True
    with suppress(CellfeatError, OSError, csv.Error, EOFError):
        return _n_numeric(_rows(file)) >= _FEWEST_COLUMNS
    return False


def import_advice(file: Path) -> str:
    """Say which command takes a table of numbers, or what has to be done with an array of images."""
    shape = shape_of_images(file) if file.name.lower().endswith(NUMPY_ENDINGS) else None
    if shape is not None:
        return f"an array of images (its shape is {shape}), which are not read from NumPy's files: {SAVE_IMAGES}"
    return f"a table of numbers, which needs no images and no settings: cellfeat import {shlex.quote(str(file))}"


def first_with_numbers(files: Iterable[Path]) -> Path | None:
    """The first table of numbers; None where there is none."""
    return next((file for file in files if holds_numbers(file)), None)


def _rows(file: Path) -> list[list[str]]:
    """The first rows, without the names of the columns."""
    name = file.name.lower()
    if not name.endswith(_TEXTS):
        if not name.endswith(_TABLES) or file.stat().st_size > _LARGEST:
            return []
        cells = read_table_file(file).cells
        return [list(row) for row in cells.head(_ROWS).itertuples(index=False)]
    # Lines are taken out of a long file without reading the rest. Numbers are ASCII in every encoding of a name.
    open_text = gzip.open if name.endswith(".gz") else open
    with open_text(file, "rt", encoding="utf-8-sig", errors="replace") as text:
        lines = [line for line, _ in zip(text, range(_ROWS + 1), strict=False)]
    if not lines:
        return []
    separator = max("\t;,", key=lines[0].count)
    return list(csv.reader(lines, delimiter=separator))[1:]


def _n_numeric(rows: Sequence[Sequence[str]]) -> int:
    """Number of columns that hold numbers, some of them with decimals in the table."""
    columns = list(zip(*rows, strict=False))
    numeric = [column for column in columns if any(column) and all(map(_is_number, filter(None, column)))]
    has_decimals = any("." in value or "," in value for column in numeric for value in column)
    return len(numeric) if has_decimals or len(numeric) > 10 else 0


def _is_number(value: str) -> bool:
    try:
        float(value.strip().replace(",", "."))
    except ValueError:
        return value.strip().lower() in ("na", "nan", "n/a", "null")
    return True
