"""Read the labels table; every cell stays text, exactly as it was written."""

import csv
from pathlib import Path

import pandas as pd

from cellfeat.config import LabelsSettings
from cellfeat.errors import ManifestError, MissingFileError
from cellfeat.text import NO_URLS, first_ten, is_url, near_names

SEPARATORS = ",;\t"


def read_labels(settings: LabelsSettings, file: Path) -> pd.DataFrame:
    """Read a labels table.

    Cells are separated by commas, semicolons or tabs, whichever is most frequent in the header. A byte-order mark,
    white space around cells, blank lines and columns without a name are ignored.

    Parameters
    ----------
    settings
        The names of the columns that must exist.
    file
        The CSV file, in UTF-8.

    Returns
    -------
    DataFrame
        One row per sample with the file's own columns, all str, ``""`` where a cell is empty. The index is the line in
        the file, for messages.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ManifestError
        If it is not a table, lacks a column that the settings name, or has samples without an id.
    """
    table = _parse(_read_text(file), file)
    _check_columns(table, settings, file)
    missing = table.index[table[settings.id] == ""]
    if len(missing):
        raise ManifestError(f"{file}: no {settings.id} in line {first_ten(missing)}; every sample needs its own id")
    return table


def named_columns(settings: LabelsSettings) -> list[str]:
    """The columns of the labels table that the settings name."""
    return [column for column in (settings.id, settings.label, settings.group) if column] + file_columns(settings)


def file_columns(settings: LabelsSettings) -> list[str]:
    """The columns of the labels table that contain file names."""
    if settings.files is None:
        return []
    return [settings.files] if isinstance(settings.files, str) else settings.files


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if is_url(str(file)):
            raise MissingFileError(f"{file}: {NO_URLS}") from None
        raise MissingFileError(
            f"the labels {file} do not exist; name the CSV with --labels FILE (labels.file); "
            "extract without one with --labels none"
        ) from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file}: not UTF-8 text ({error.reason}); save it as CSV UTF-8") from None
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror or error}") from None


def _parse(text: str, file: Path) -> pd.DataFrame:
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ManifestError(
            f"{file}: line {line}: contains a NUL character, so this is not a text table; save it as CSV UTF-8"
        )
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ManifestError(f"{file}: line {reader.line_num}: not a CSV table: {error}") from None
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise ManifestError(f"{file}: is empty; expected a header and one row per sample")
    _, header = rows.pop(0)
    _check_shape(header, rows, file)
    # The index is the line of each row in the file, for messages.
    table = pd.DataFrame([cells for _, cells in rows], index=[line for line, _ in rows], columns=header, dtype=str)
    return table.loc[:, [column for column in header if column]]


def _check_shape(header: list[str], rows: list[tuple[int, list[str]]], file: Path) -> None:
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise ManifestError(f"{file}: column {first_ten(twice)} occurs more than once; rename one")
    ragged = [line for line, cells in rows if len(cells) != len(header)]
    if ragged:
        raise ManifestError(
            f"{file}: line {first_ten(ragged)}: expected {len(header)} cells as in the header; "
            "put quotes around cells that contain separators"
        )
    if not rows:
        raise ManifestError(f"{file}: has a header but no samples")


def _check_columns(table: pd.DataFrame, settings: LabelsSettings, file: Path) -> None:
    named = [("id", settings.id), ("label", settings.label), ("group", settings.group)]
    named += [("files", column) for column in file_columns(settings)]
    lines = [
        f"no column {column!r} (labels.{key}); {near_names(column, table.columns)}"
        for key, column in named
        if column and column not in table.columns
    ]
    if lines:
        raise ManifestError(
            f"{file}: {'; '.join(lines)}: rename the column in the file, "
            "or (extract, run) name the right one with --set labels.COLUMN=NAME"
        )
