"""Tables that lie with the images: which of them describes the samples, and by which column."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellfeat.errors import ManifestError, MissingFileError
from cellfeat.proposing.columns import Columns, is_id_word, look_at_columns
from cellfeat.samples.folders.file_kinds import IMAGE_ENDINGS
from cellfeat.samples.labels.id_matching import KnownIds
from cellfeat.samples.layouts.table import table_file_name
from cellfeat.samples.splits import part_of
from cellfeat.samples.tables.file import read_table_file
from cellfeat.text import first_ten

MOST_TRIED = 3_000
"""Ids of a table that are compared with those of the images."""
LEAST_SHARE = 0.3
"""Share of a table's ids that belong to images, where the table describes them."""
LARGEST_TABLE = 300_000_000
_OWN_COLUMNS = ({"apart_p"}, {"sample_id", "label", "group", "file_type"})
"""Columns of predictions, and of a table that `export` wrote."""


@dataclass(frozen=True)
class Table:
    """A table that could be read."""

    file: Path
    cells: pd.DataFrame

    @property
    def part(self) -> str | None:
        """The part of a split that the file is called after; None where it is none."""
        return part_of(self.file.name.partition(".")[0])

    @property
    def is_held_out(self) -> bool:
        """Whether the file is called after a part that heads are not fitted on."""
        return self.part in ("val", "test")


@dataclass(frozen=True)
class IdMatch:
    """A column whose values are ids of samples.

    Attributes
    ----------
    table
        The table.
    column
        Its column of ids.
    form
        Number of the way to read the names, among those that were offered.
    share
        Share of the table's ids that belong to images.
    """

    table: Table
    column: str
    form: int
    share: float

    @property
    def columns(self) -> Columns:
        """What the other columns hold."""
        return look_at_columns(self.table.cells, self.column)


def read_tables(files: Iterable[Path], *, is_given: bool) -> tuple[list[Table], list[str]]:
    """Read tables.

    Parameters
    ----------
    files
        The files.
    is_given
        Whether the user named them; otherwise files that are no tables of two columns, predictions and exported tables
        are left out.

    Returns
    -------
    tuple
        The tables, and messages about files that cannot be read.

    Raises
    ------
    MissingFileError, ManifestError
        If a file that the user named cannot be read.
    """
    tables, problems = [], []
    for file in files:
        try:
            if not is_given and file.stat().st_size > LARGEST_TABLE:
                problems.append(f"{file}: larger than {LARGEST_TABLE // 10**6} MB; not read")
                continue
            cells = read_table_file(file).cells.apply(lambda column: column.str.strip())
        except (ManifestError, MissingFileError, OSError) as error:
            if is_given:
                raise
            # Notes and logs are text files, too.
            if not file.name.lower().endswith(".txt"):
                problems.append(str(error))
            continue
        if headless := _headless(file, cells):
            if is_given:
                raise ManifestError(headless)
            problems.append(headless)
            continue
        if not is_given and any(own <= set(cells.columns) for own in _OWN_COLUMNS):
            # Classes that a head predicted are no labels: a head that is fitted on them scores itself.
            problems.append(f"{file}: was written by cellfeat, and is not taken for labels; --labels {file} takes it")
            continue
        if is_given or cells.shape[1] > 1:
            tables.append(Table(file, cells))
        elif not file.name.lower().endswith(".txt"):
            problems.append(
                f"{file}: is not used: a single column has a name, {first_ten(map(str, cells.columns))}; if a title "
                "stands above the names of the columns, remove it"
            )
    return tables, problems


def _headless(file: Path, cells: pd.DataFrame) -> str | None:
    """Say that a table has no header, where the names of its columns hold one like the names of images below it."""
    for name in map(str, cells.columns):
        ending = Path(name).suffix.lower()
        if ending in IMAGE_ENDINGS and cells[name].str.lower().str.endswith(ending).all():
            first = first_ten(map(str, cells.columns))
            return (
                f"{file}: has no header: its first row is a sample ({first}); add a row with the names of the "
                "columns above "
                "it, such as file,class"
            )
    return None


def check_named_columns(tables: Sequence[Table], named: Mapping[str, str | None]) -> None:
    """Refuse columns that no table has, before any layout is tried with them.

    Parameters
    ----------
    tables
        The tables.
    named
        Columns that the user named, by the option.

    Raises
    ------
    ManifestError
        If no table has such a column.
    """
    known = list(dict.fromkeys(str(column) for table in tables for column in table.cells.columns))
    for option, column in named.items():
        if tables and column is not None and column not in known:
            like = next((one for one in known if one.casefold() == column.casefold()), None)
            hint = f"did you mean {like!r}?" if like else f"its columns are {first_ten(known)}"
            files = ", ".join(str(table.file) for table in tables[:3])
            raise ManifestError(f"{option}: no column {column!r} in {files}; {hint}")


def best_id_match(tables: Sequence[Table], forms: Sequence[KnownIds]) -> list[IdMatch]:
    """Find the column of ids of each table.

    Parameters
    ----------
    tables
        The tables.
    forms
        Ids of the samples, once for each way to read their names.

    Returns
    -------
    list
        The best match of each table that describes the images, the best table first.
    """
    found = [match for table in tables if (match := _best_column(table, forms))]
    return sorted(found, key=lambda match: (-match.share * min(len(match.table.cells), 10**6), match.table.is_held_out))


def has_unique_ids(matches: Sequence[IdMatch]) -> bool:
    """Whether the best column of ids has each once: the wells of a table with a row for each field repeat.

    Parameters
    ----------
    matches
        As `best_id_match` gives them.
    """
    return bool(matches) and matches[0].table.cells[matches[0].column].is_unique


def _best_column(table: Table, forms: Sequence[KnownIds]) -> IdMatch | None:
    matches = []
    for place, column in enumerate(table.cells.columns):
        values = list(dict.fromkeys(value for value in table.cells[column] if value))[:MOST_TRIED]
        if len(values) < 2:
            continue
        for form, ids in enumerate(forms):
            share = _share(values, ids)
            rank = (round(share, 2), is_id_word(str(column)), -place, -form)
            matches.append((rank, IdMatch(table, str(column), form, share)))
    best = max(matches, key=lambda one: one[0], default=None)
    return best[1] if best and best[1].share >= LEAST_SHARE else None


def _share(values: Sequence[str], ids: KnownIds) -> float:
    exact = sum(value in ids.exact for value in values)
    # Matched samples, so that many ids that mean one sample do not count.
    return (exact + len(set(ids.match(values).values()))) / len(values)


def file_base(table: Table, column: str, names: Collection[str], folders: Sequence[tuple[Path, str]]) -> Path | None:
    """Find the folder that a column of file names starts from.

    Parameters
    ----------
    table, column
        The column.
    names
        Images below the root.
    folders
        Folders to try, and the path from each to the root of `names`.

    Returns
    -------
    Path or None
        The folder in which most of the files exist; None where there is none.
    """
    cells = [table_file_name(value) for value in table.cells[column] if value][:MOST_TRIED]
    best: tuple[int, Path] | None = None
    for folder, below in folders:
        n_found = sum(cell.startswith(below) and cell[len(below) :] in names for cell in cells)
        if n_found > (best[0] if best else 0):
            best = n_found, folder
    return best[1] if best and 2 * best[0] >= len(cells) else None
