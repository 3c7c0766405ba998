"""A table of files, written where no pattern says which file belongs to which sample, or where labels are by well."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cellfeat.errors import ManifestError
from cellfeat.proposing.candidates import Candidate
from cellfeat.proposing.columns import channel_of_column, look_at_columns
from cellfeat.proposing.survey import Survey
from cellfeat.proposing.tables import LEAST_SHARE, IdMatch, Table
from cellfeat.provenance import publish
from cellfeat.samples.fields.paths import FileFinder
from cellfeat.samples.labels.numbering import check_numbering
from cellfeat.samples.layouts.search import natural_key
from cellfeat.text import first_ten

_KEYS = ("donor", "batch", "day", "plate", "slide", "well", "site")
ID_COLUMN = "sample_id"
RESOLVED_SHARE = 0.9


class WellMatch:
    """A table with a row for each well, donor or other group, and the columns that join it to the samples.

    Parameters
    ----------
    table
        The table.
    columns
        Its column of each role that the names hold as well.
    share
        Share of its rows that belong to images.
    """

    def __init__(self, table: Table, columns: Mapping[str, str], share: float) -> None:
        self.table = table
        self.columns = dict(columns)
        self.share = share


def samples_in_names(candidate: Candidate) -> pd.DataFrame:
    """Give the samples of a layout with the columns in their names, and their files.

    Parameters
    ----------
    candidate
        The layout; samples that lack a channel are left out.

    Returns
    -------
    DataFrame
        One row per sample: its id, columns of the names, and one column of files, or one for each channel.
    """
    incomplete = set(candidate.incomplete)
    whole = (sample for sample in candidate.found if sample.sample_id not in incomplete)
    ordered = sorted(whole, key=lambda sample: natural_key(sample.sample_id))
    rows = []
    for sample in ordered:
        own = {"label": sample.label, "split": sample.split, **dict(sample.further)}
        names = [candidate.files.get(name, name) for name in candidate.names_of(sample)]
        files = zip(_file_columns(candidate), names, strict=True)
        rows.append(
            {ID_COLUMN: sample.sample_id, **{name: value for name, value in own.items() if value}, **dict(files)}
        )
    return pd.DataFrame(rows, dtype=str).fillna("")


def _file_columns(candidate: Candidate) -> list[str]:
    return [f"{channel}_file" for channel in candidate.channels] or ["image_file"]


def match_by_well(tables: Sequence[Table], candidate: Candidate) -> WellMatch | None:
    """Find a table with a row for each well, or for each donor, plate or field, in the names.

    Parameters
    ----------
    tables
        The tables.
    candidate
        The layout whose names hold the wells.
    """
    samples = samples_in_names(candidate)
    with_wells = _with_wells(samples)
    found = [match for table in tables if (match := _match(table, with_wells))]
    best = max(found, key=lambda match: match.share, default=None)
    alike = [match.table.file for match in found if best and _says_otherwise(match, best)]
    if best and alike:
        raise ManifestError(
            f"{first_ten(map(str, [best.table.file, *alike]))}: tables of equal columns say different things "
            f"about the same {first_ten(best.columns)}; put them into one table, with a column that says which rows "
            "are of which images, such as plate, or name one of them with --labels FILE"
        )
    return best


def _says_otherwise(match: WellMatch, best: WellMatch) -> bool:
    """Whether another table has the same columns and keys as the best one, and other values."""
    one, other = match.table.cells, best.table.cells
    is_alike = match is not best and match.columns == best.columns and list(one.columns) == list(other.columns)
    keys = list(best.columns.values())
    return (
        is_alike
        and not set(_keys(_with_wells(one), keys)).isdisjoint(_keys(_with_wells(other), keys))
        and (not one.equals(other))
    )


def _match(table: Table, samples: pd.DataFrame) -> WellMatch | None:
    groups = look_at_columns(table.cells, None).groups
    cells = _with_wells_of_table(table.cells, groups)
    columns = {role: groups.get(role, role) for role in _KEYS if role in samples and (role in groups or role in cells)}
    if not columns:
        return None
    if not _keys(cells, list(columns.values())).is_unique:
        columns |= _shared_words(cells, samples, columns)
    keys = _keys(cells, list(columns.values()))
    known = set(_keys(samples, list(columns)))
    share = sum(key in known for key in keys) / len(keys)
    if share < 1:
        for role, name in columns.items():
            check_numbering(f"{table.file}: the numbers of column {name}", cells[name], "the images", samples[role])
    return WellMatch(table, columns, share) if keys.is_unique and share >= LEAST_SHARE else None


def _shared_words(cells: pd.DataFrame, samples: pd.DataFrame, used: Mapping[str, str]) -> dict[str, str]:
    """Columns of a table, by words of the names that have the same values, such as folders of experiments."""
    found: dict[str, str] = {}
    files = {name for name in samples if str(name).endswith("_file")}
    for word in sorted(set(map(str, samples)) - {ID_COLUMN, "split", *files, *used}):
        values = set(samples[word].map(_plain))
        free = (str(name) for name in cells if name not in {*used.values(), *found.values()})
        column = next((name for name in free if values <= set(cells[name].map(_plain))), None)
        if column is not None and len(values) > 1:
            found[word] = column
    return found


def plate_remarks(by_well: WellMatch | None, candidate: Candidate) -> list[str]:
    """Say where a table of wells names no plate, and the images are of several.

    Parameters
    ----------
    by_well
        The table; None where there is none.
    candidate
        The layout whose names hold the wells.
    """
    plates = candidate.reading.columns.get("plate")
    return without_plates(by_well, plates.distinct if plates else ())


def without_plates(by_well: WellMatch | None, plates: Sequence[str]) -> list[str]:
    """Say where a table of wells names no plate, and there are several.

    Parameters
    ----------
    by_well
        The table; None where there is none.
    plates
        The plates of the samples.
    """
    if by_well is None or "plate" in by_well.columns or "well" not in by_well.columns or len(plates) < 2:
        return []
    return [
        f"{by_well.table.file} names no plate, so its wells are taken for each of {len(plates)} plates "
        f"({first_ten(plates)}); if these have other layouts, add a column of plates to the table"
    ]


def _with_wells(table: pd.DataFrame) -> pd.DataFrame:
    """Make wells of rows and columns, as Opera Phenix numbers them: row 2 and column 3 are ``B03``."""
    if "well" in table or not {"row", "column"} <= set(table.columns):
        return table
    if not all(value.isdecimal() and 1 <= int(value) <= 26 for value in table["row"]):
        return table
    letters = table["row"].map(lambda value: chr(64 + int(value)))
    return table.assign(well=letters + table["column"].str.zfill(2))


def _with_wells_of_table(table: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """Make wells of the rows and columns of a table, which it may call otherwise."""
    if "well" in groups:
        return table
    places = {role: table[groups[role]] for role in ("row", "column") if role in groups}
    wells = _with_wells(pd.DataFrame(places, index=table.index))
    return table.assign(well=wells["well"]) if "well" in wells and "well" not in table else table


def _keys(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    rows = zip(*(table[column].map(_plain) for column in columns), strict=True)
    return pd.Series(["/".join(values) for values in rows], index=table.index, dtype=object)


def _plain(value: str) -> str:
    """A value without case, leading zeros and a word such as Plate before its number."""
    text = re.sub(r"0*(\d+)", r"\1", value.strip().lower())
    return re.sub(r"^(plate|pl|p|well|donor|site|field|f|s)[ _-]*(?=\d+$)", "", text)


def joined(candidate: Candidate, by_well: WellMatch | None, by_id: IdMatch | None) -> pd.DataFrame:
    """Give the samples in names with the columns of a table.

    Parameters
    ----------
    candidate
        The layout.
    by_well, by_id
        The table, by wells or by ids; None for both where there is none.
    """
    samples = samples_in_names(candidate)
    if by_well is not None:
        samples = _with_wells(samples)
        # A word that the table calls otherwise is no class, and none beside the classes of the table.
        has_labels = bool(look_at_columns(by_well.table.cells, None).labels)
        other = "word_in_name" if has_labels else "label"
        named = samples.rename(columns={"label": by_well.columns.get("label", other)})
        return _beside(named, _rows_of(samples, by_well))
    if by_id is not None:
        table = by_id.table.cells
        matches = candidate.ids.match(table[by_id.column])
        right = table[by_id.column].map(lambda value: matches.get(value, value))
        further = table.drop(columns=by_id.column).set_axis(right)
        further = further[~further.index.duplicated()]
        return _beside(samples, further.reindex(samples[ID_COLUMN]))
    return samples


def joined_to_files(table: Table, others: Sequence[Table]) -> tuple[pd.DataFrame, WellMatch] | None:
    """Give a table of files the columns of another table, which has a row for each well, plate or donor.

    Parameters
    ----------
    table
        The table of files.
    others
        The other tables.

    Returns
    -------
    tuple or None
        The table with the further columns, and what it was joined by; None where no table fits.
    """
    groups = look_at_columns(table.cells, None).groups
    samples = _with_wells(table.cells.rename(columns={name: role for role, name in groups.items()}))
    matches = (_match(other, samples) for other in others if other is not table)
    best = max((match for match in matches if match), key=lambda match: match.share, default=None)
    return (_beside(table.cells, _rows_of(samples, best)), best) if best else None


def _rows_of(samples: pd.DataFrame, by_well: WellMatch) -> pd.DataFrame:
    """The further columns of the row of each sample; of those without a row, missing values."""
    table, names = by_well.table.cells, list(by_well.columns.values())
    cells = _with_wells_of_table(table, look_at_columns(table, None).groups)
    further = table.drop(columns=[name for name in names if name in table]).set_axis(_keys(cells, names))
    return further.reindex(_keys(samples, list(by_well.columns)))


def _beside(samples: pd.DataFrame, further: pd.DataFrame) -> pd.DataFrame:
    """Samples with further columns in the same order."""
    renamed = {name: f"{name}_in_table" for name in further.columns if name in samples}
    return pd.concat([samples, further.rename(columns=renamed).fillna("").set_axis(samples.index)], axis=1)


def resolved_files(survey: Survey, tables: Sequence[Table]) -> pd.DataFrame | None:
    """Find files that a table names without their folders, or with folders of another machine.

    Parameters
    ----------
    survey
        The images.
    tables
        The tables; each row of the one that is sought names other files.

    Returns
    -------
    DataFrame or None
        The rows whose files exist, with one column of files, or one for each channel, in place of the names.
    """
    finder = FileFinder(survey.root, survey.names)
    for table in tables:
        columns = [str(name) for name in look_at_columns(table.cells, None).files]
        folders = [_folder_column(name, list(map(str, table.cells.columns))) for name in columns]
        if len(columns) == 1 and not any(folders):
            # Such names are ids: folders of classes and words in the names then keep their meaning.
            continue
        found = {
            name: [finder.find(*pair).name or "" for pair in zip(_cells(table, beside), table.cells[name], strict=True)]
            for name, beside in zip(columns, folders, strict=True)
        }
        files = pd.DataFrame(found, index=table.cells.index, dtype=str)
        whole = (files != "").all(axis=1) if columns else pd.Series(dtype=bool)
        if not len(whole) or whole.mean() < RESOLVED_SHARE or files[whole].duplicated().any():
            continue
        channels = [channel_of_column(name) for name in columns]
        named = [f"{channel}_file" for channel in channels] if len(columns) > 1 else ["image_file"]
        further = table.cells.drop(columns=[*columns, *filter(None, folders)])
        ids = pd.Series([str(number) for number in range(1, len(files) + 1)], index=files.index, name=ID_COLUMN)
        kept = pd.concat([ids, further.drop(columns=ID_COLUMN, errors="ignore"), files.set_axis(named, axis=1)], axis=1)
        return kept[whole]
    return None


def _folder_column(name: str, columns: Sequence[str]) -> str | None:
    """The column of folders beside one of file names, as CellProfiler names it."""
    wanted = re.sub("file ?_?name", "pathname", name, flags=re.IGNORECASE).lower()
    return next((str(one) for one in columns if str(one).lower() == wanted and str(one) != name), None)


def _cells(table: Table, column: str | None) -> list[str]:
    return table.cells[column].tolist() if column else [""] * len(table.cells)


def write_files_table(table: pd.DataFrame, file: Path, *, replaces: bool) -> Table:
    """Write the table of files.

    Parameters
    ----------
    table
        The table.
    file
        Where it goes.
    replaces
        Whether an existing file is replaced.

    Raises
    ------
    ManifestError
        If the file exists and is not to be replaced.
    """
    if file.exists() and not replaces:
        raise ManifestError(f"{file} exists, and a table of the files would be written there; replace it with --force")
    with publish(file) as path:
        table.to_csv(path, index=False)
    return Table(file, table)
