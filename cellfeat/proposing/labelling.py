"""Labels: of a table, of folders, or of names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellfeat.proposing.candidates import Candidate
from cellfeat.proposing.columns import (
    Columns,
    channel_of_column,
    is_id_word,
    look_at_columns,
    one_for_each_class,
)
from cellfeat.proposing.proposal import NONE, Answers, Choice, Question
from cellfeat.proposing.survey import Survey
from cellfeat.proposing.tables import Table, file_base
from cellfeat.samples.layouts.table import table_file_name
from cellfeat.samples.splits import part_of
from cellfeat.text import first_ten

ALL = 0.999


@dataclass(frozen=True)
class Listed:
    """The table that describes the samples.

    Attributes
    ----------
    table
        The table.
    id_column
        Its column of ids.
    columns
        What its other columns hold.
    share
        Share of its ids that belong to images.
    files
        Its columns of file names, where these say which file a sample has.
    root
        The folder that these names start from.
    remarks
        Lines about what is left out.
    rivals
        Other tables that describe images of the folder; the user chose among them, or nobody was asked.
    """

    table: Table
    id_column: str
    columns: Columns
    share: float
    files: tuple[str, ...] = ()
    root: Path | None = None
    remarks: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()

    @property
    def channels(self) -> list[str]:
        """Names of the channels of several columns of files."""
        named = [channel_of_column(name) for name in self.files]
        return named if len(set(named)) == len(named) else list(self.files)

    def label(self, answers: Answers) -> str | None:
        """The column of labels: the one that is called so, or the likeliest."""
        if answers.given("labels.label"):
            return answers.settings["labels.label"]
        return self.columns.labels[0] if self.columns.labels else None


def listed_in_table(survey: Survey, tables: Sequence[Table], answers: Answers) -> Listed | None:
    """Find a table whose columns name the files of the samples.

    Parameters
    ----------
    survey
        What the folder holds.
    tables
        The tables.
    answers
        What the user knows.
    """
    if answers.given("images.layout") and answers.settings["images.layout"] != "table":
        return None
    names = set(survey.names)
    found: list[Listed] = []
    for table in tables:
        columns = look_at_columns(table.cells, None)
        bases = {column: file_base(table, column, names, _folders(survey, table)) for column in columns.files}
        files = tuple(column for column, base in bases.items() if base is not None)
        roots = {base for base in bases.values() if base is not None}
        if files and len(roots) == 1 and all(table.cells[column].is_unique for column in files):
            id_column = _id_column(table, columns, files)
            kept = look_at_columns(table.cells, id_column)
            found.append(Listed(table, id_column, kept, 1.0, files, roots.pop()))
    # Where one table lists the training images and another those of the test, the larger is rather the first.
    found.sort(key=lambda listed: (-len(listed.table.cells), listed.table.is_held_out))
    chosen = chosen_table([one.table for one in found], answers)
    rest = tuple(str(one.table.file) for one in found if one.table is not chosen)
    return next((replace(one, rivals=rest) for one in found if one.table is chosen), None)


def chosen_table(tables: Sequence[Table], answers: Answers) -> Table | None:
    """Choose the table that describes the samples: where several do, the user is asked.

    Parameters
    ----------
    tables
        The tables that do, the likeliest first.
    answers
        What the user knows, and how to ask.
    """
    if len(tables) < 2:
        return tables[0] if tables else None
    names = tuple(str(table.file) for table in tables)
    answer = answers.ask(Question("labels.file", "Which table describes the samples?", (*names, NONE), names[0]))
    return None if answer == NONE else tables[names.index(answer)]


def _folders(survey: Survey, table: Table) -> list[tuple[Path, str]]:
    """Folders that file names in a table may start from, and the path from each to the images."""
    root = survey.root.resolve()
    folders: list[tuple[Path, str]] = []
    for folder in (survey.root, *survey.root.parents, survey.folder, table.file.parent):
        if root.is_relative_to(folder.resolve()) and folder.resolve().is_relative_to(
            min(survey.folder.resolve(), table.file.parent.resolve(), key=lambda path: len(path.parts))
        ):
            below = root.relative_to(folder.resolve()).as_posix()
            folders.append((folder, "" if below == "." else f"{below}/"))
    return folders


def _id_column(table: Table, columns: Columns, files: Sequence[str]) -> str:
    """A column of ids: unique, and called so if possible; else the file names."""
    taken = {*columns.files, *columns.labels[: columns.n_named], *columns.groups.values()}
    unique = [str(name) for name in table.cells.columns if name not in taken and _is_unique(table, str(name))]
    return next((name for name in unique if is_id_word(name)), files[0])


def _is_unique(table: Table, column: str) -> bool:
    values = table.cells[column]
    return bool(values.is_unique and (values != "").all())


def label_choices(listed: Listed | None, candidate: Candidate, answers: Answers) -> list[Choice]:
    """Choose the settings of the labels.

    Parameters
    ----------
    listed
        The table that describes the samples; None where there is none.
    candidate
        The layout.
    answers
        What the user knows.
    """
    if listed is None:
        return _choices_of_names(candidate)
    choices = [
        _file_choice(listed, answers),
        _id_choice(listed),
    ]
    if listed.files:
        files = listed.files[0] if len(listed.files) == 1 else list(listed.files)
        choices.append(Choice("labels.files", files, "names of images that exist"))
    choices.append(_label_choice(listed, candidate, answers))
    if listed.columns.split and "{split}" not in (candidate.pattern or "") and candidate.layout != "split_folders":
        values = sorted(set(listed.table.cells[listed.columns.split]) - {""})
        reason = f"its values are parts of a split: {first_ten(values)}"
        choices.append(Choice("labels.split", listed.columns.split, reason, is_guess=True))
    return [*choices, *_unmatched(listed, candidate)]


def _file_choice(listed: Listed, answers: Answers) -> Choice:
    rows = f"{len(listed.table.cells):,} rows"
    if not listed.rivals or answers.asks:
        return Choice("labels.file", str(listed.table.file), rows)
    told = f"{rows}; other tables that fit: {first_ten(listed.rivals)}"
    if listed.table.part and any(part_of(Path(rival).name.partition(".")[0]) for rival in listed.rivals):
        told += "; to use all parts, put them into one table, with a column that says train, val or test (labels.split)"
    return Choice("labels.file", str(listed.table.file), told, is_guess=True)


def _id_choice(listed: Listed) -> Choice:
    if listed.files:
        return Choice("labels.id", listed.id_column, "each row has a value of its own", is_guess=True)
    is_sure = listed.share >= ALL
    return Choice("labels.id", listed.id_column, f"{listed.share:.0%} of its values are ids of images", not is_sure)


def _label_choice(listed: Listed, candidate: Candidate, answers: Answers) -> Choice:
    columns = listed.columns
    in_names = candidate.reading.label_from and not listed.files
    options = (*columns.labels, NONE)
    default = columns.labels[0] if columns.labels and not (in_names and not columns.n_named) else NONE
    is_answered = False
    is_clear = columns.n_named == 1 or (len(columns.labels) == 1 and not in_names)
    if not is_clear and columns.labels and not answers.given("labels.label"):
        default = answers.ask(Question("labels.label", "Which column is the label (the class)?", options, default))
        is_answered = answers.asks
    if default == NONE and not in_names and "label" in listed.table.cells and listed.id_column != "label":
        # New samples often have one class, or none: the name alone says what the column is.
        return Choice(
            "labels.label", "label", "the column is called so, and holds fewer than two classes", is_guess=True
        )
    if default == NONE:
        why = "the names of the folders or files are the labels" if in_names else "no column looks like a label"
        return Choice("labels.label", None, why, is_guess=True)
    classes = sorted(set(listed.table.cells[default]) - {""})
    others = [name for name in columns.labels if name != default]
    beside = f"; other columns that might be: {first_ten(others)}" if others else ""
    reason = f"{len(classes)} classes: {first_ten(classes)}"
    flags = one_for_each_class(listed.table.cells, columns.labels)
    if default in flags:
        beside = (
            f"; the columns {first_ten(flags)} hold a single 1 in each row, so each is a class: to compare them all, "
            "write "
            "one column with the name of the class (in pandas: table[columns].idxmax(axis=1))"
        )
    return Choice("labels.label", default, reason if is_answered else reason + beside, is_guess=not is_answered)


def _choices_of_names(candidate: Candidate) -> list[Choice]:
    choices = [Choice("labels.file", None, "no table describes these images")]
    labels = sorted({sample.label for sample in candidate.found} - {""})
    if labels:
        where = {"folder": "the folders", "name": "a word of the file names"}.get(
            candidate.reading.label_from, "folders"
        )
        reason = f"{where}: {len(labels)} classes, {first_ten(labels)}"
        return [*choices, Choice("labels.label", None, f"the label is in {reason}", is_guess=True)]
    return [*choices, Choice("labels.label", None, "no labels were found", is_guess=True)]


def _unmatched(listed: Listed, candidate: Candidate) -> list[Choice]:
    """What becomes of rows without images, and of images without rows."""
    if listed.files:
        n_missing = _n_missing(listed)
        return (
            [Choice("labels.unmatched", "ignore", f"the files of {n_missing:,} rows do not exist", True)]
            if n_missing
            else []
        )
    ids = candidate.ids
    written = [value for value in listed.table.cells[listed.id_column] if value]
    matches = ids.match(written)
    known = {matches.get(value, value) for value in written} & ids.exact
    n_rows = len(set(written)) - len({value for value in written if value in ids.exact or value in matches})
    n_images = len(ids.exact) - len(known)
    if n_rows:
        also = f", and {n_images:,} images have no row and stay without a label" if n_images else ""
        return [Choice("labels.unmatched", "ignore", f"{n_rows:,} rows have no image and are left out{also}", True)]
    if n_images:
        return [Choice("labels.unmatched", "listed", f"{n_images:,} images have no row and are left out", True)]
    return []


def _n_missing(listed: Listed) -> int:
    """Number of rows of which no file exists."""
    root = listed.root or Path()
    cells = listed.table.cells[list(listed.files)]
    return sum(
        not any(value and (root / table_file_name(value)).is_file() for value in row) for row in cells.to_numpy()
    )
