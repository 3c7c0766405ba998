"""Whole fields of view: the settings of layout ``fields`` where masks, positions or tables of fields say so."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellfeat.config import FieldsSettings
from cellfeat.errors import ImageError, ManifestError, MissingFileError
from cellfeat.proposing.columns import look_at_columns, plain
from cellfeat.proposing.pieces import fall_apart
from cellfeat.proposing.pixels import channels_of_files
from cellfeat.proposing.proposal import Choice
from cellfeat.proposing.reading import Reading, channel_place, read_names
from cellfeat.proposing.stacks import plane_choices
from cellfeat.proposing.survey import Survey, common_folder, spread
from cellfeat.proposing.tables import Table
from cellfeat.samples.fields.field import plain_column
from cellfeat.samples.fields.label_image import read_label_image
from cellfeat.samples.fields.tables import object_column, position_columns
from cellfeat.samples.reading.images import MAX_PIXELS
from cellfeat.text import first_ten

_CHANNEL_FILE = re.compile(r"(?:image_)?filename_(?:orig)?(.+)", re.IGNORECASE)
_NUCLEI = re.compile(r"nucle(i|us)", re.IGNORECASE)
_PLACES_OF_FIELDS = ("field", "site", "well", "plate")
"""Columns that tell a field together: several rows of equal ones are cells, and not images with their place."""
_TRIED_MASKS = 5
_FEWEST_TABLES = 3


@dataclass(frozen=True)
class FieldTables:
    """Tables by what their rows are.

    Attributes
    ----------
    fields
        The table of fields; None where there is none.
    positions
        The table of cells and their positions; None where there is none.
    rivals
        Other tables of cells and their positions, such as those of other objects.
    pattern
        Names of tables of positions, one for each field; None where there are none.
    others
        All other tables.
    """

    fields: Table | None
    positions: Table | None
    pattern: str | None
    others: tuple[Table, ...]
    rivals: tuple[Table, ...] = ()


def field_choices(survey: Survey, tables: Sequence[Table]) -> Iterator[list[Choice]]:
    """Give the settings that there may be if the images are whole fields, the likeliest first.

    Parameters
    ----------
    survey
        What the folder holds.
    tables
        The tables.
    """
    sorted_out = _sorted_out(survey, tables)
    yield from _of_tables(survey, sorted_out)
    if sorted_out.pattern and "{well}" in sorted_out.pattern and "{site}" not in sorted_out.pattern:
        # DeepProfiler writes B02-1, and the images may say s1.
        site = sorted_out.pattern.replace("{field}", "{site}")
        yield from _of_tables(survey, replace(sorted_out, pattern=site))


def _of_tables(survey: Survey, sorted_out: FieldTables) -> Iterator[list[Choice]]:
    has_masks = _are_label_images(survey)
    if not has_masks and sorted_out.positions is None and sorted_out.pattern is None:
        return
    images = [Choice("images.root", str(survey.root), "where the fields are"), _layout(has_masks, sorted_out)]
    images += plane_choices(survey.examples)
    if sorted_out.fields is not None:
        files = _by_table(sorted_out.fields, survey)
        yield from _with_labels([*images, *files, *_cells(survey, sorted_out, has_masks)], sorted_out)
    files = [*_by_names(survey), *_cells(survey, sorted_out, has_masks)]
    yield from _with_labels([*images, *files], sorted_out)
    masks = _masks_pattern(survey) if has_masks else None
    if masks:
        named = Choice("images.fields.masks", masks, "names of the label images, by the words of the names", True)
        yield from _with_labels([*images, *files, named], sorted_out)


def _layout(has_masks: bool, tables: FieldTables) -> Choice:
    what = "label images beside the images" if has_masks else "a table has several cells, with positions, on an image"
    if has_masks and (tables.positions or tables.pattern):
        what = "label images and tables of positions"
    return Choice("images.layout", "fields", f"{what}: crops are cut out around the cells", is_guess=True)


def _are_label_images(survey: Survey) -> bool:
    """Whether images named like masks hold several cells each; the mask of a single cell has one value."""
    if not survey.masks:
        return False
    n_several = n_read = 0
    for place in spread(len(survey.masks), _TRIED_MASKS):
        try:
            values = read_label_image(survey.folder / survey.masks[place], MAX_PIXELS)
        except (ImageError, MissingFileError):
            continue
        n_read += 1
        n_several += len(np.unique(values)) > 2
    return 2 * n_several > n_read


def _sorted_out(survey: Survey, tables: Sequence[Table]) -> FieldTables:
    fields = None
    positions: list[Table] = []
    others = []
    of_each = _of_each_field(tables)
    pattern = _tables_pattern(survey) if of_each else None
    for table in tables:
        names = list(map(str, table.cells.columns))
        if pattern and table in of_each:
            continue
        if _is_of_cells(table, names):
            positions.append(table)
        elif any(map(_CHANNEL_FILE.fullmatch, names)):
            fields = fields or table
        else:
            others.append(table)
    # Nuclei are found more surely than what is grown around them.
    positions.sort(key=lambda table: not _NUCLEI.search(table.file.name))
    first, rivals = (positions[0], tuple(positions[1:])) if positions and not pattern else (None, ())
    return FieldTables(fields, first, pattern, tuple(others), rivals)


def _of_each_field(tables: Sequence[Table]) -> list[Table]:
    """Tables of positions with the same columns, where there are several: one for each field."""
    by_columns: dict[tuple[str, ...], list[Table]] = {}
    for table in tables:
        if _has_positions(table):
            by_columns.setdefault(tuple(map(str, table.cells.columns)), []).append(table)
    most = max(by_columns.values(), key=len, default=[])
    return most if len(most) >= _FEWEST_TABLES else []


def _has_positions(table: Table) -> bool:
    try:
        return position_columns(list(map(str, table.cells.columns)), FieldsSettings(), str(table.file)) is not None
    except ManifestError:
        return False


def _is_of_cells(table: Table, names: Sequence[str]) -> bool:
    """Whether a table has a position in each row, and several rows on one image."""
    if not _has_positions(table):
        return False
    columns = look_at_columns(table.cells, None)
    files = [
        *columns.files,
        *(name for name in names if re.fullmatch(r"(image_?number|file_?name)", name, re.IGNORECASE)),
    ]
    if files:
        return not table.cells[files[0]].is_unique
    places = [name for name in names if plain_column(name) in _PLACES_OF_FIELDS]
    if places and bool(table.cells[places].duplicated().any()):
        return True
    return object_column(names, FieldsSettings(), str(table.file)) is not None


def _tables_pattern(survey: Survey) -> str | None:
    """Names of tables of positions, one for each field, by the words of their names: ``{plate}/{well}-{site}.csv``."""
    names = [table.relative_to(survey.folder).as_posix() for table in survey.tables]
    found = fall_apart(names)[0]
    if len(found.names) < _FEWEST_TABLES:
        return None
    reading = read_names(found, None)
    pattern = _field_words(reading).pattern
    return f"{survey.folder.as_posix()}/{pattern}" if "{" in pattern else None


def _field_words(reading: Reading) -> Reading:
    pattern = re.sub(r"\{(sample_id|cell)(:\w+)?\}", "{field}", reading.pattern)
    return Reading(pattern, reading.channels, reading.columns, reading.is_channel_known)


def _by_table(table: Table, survey: Survey) -> list[Choice]:
    named = [match[1] for name in table.cells.columns if (match := _CHANNEL_FILE.fullmatch(str(name)))]
    # A single file of a field holds all of its channels, which the column does not number.
    channels = (
        [Choice("images.channels", named, "columns of file names")]
        if len(named) > 1
        else channels_of_files(survey.examples)[0]
    )
    what = "a file for each channel" if len(named) > 1 else "one file for each"
    return [
        Choice("images.pattern", None, "the table of fields names the files"),
        *channels,
        Choice("images.fields.table", str(table.file), f"{len(table.cells):,} fields, with {what}"),
    ]


def _by_names(survey: Survey) -> list[Choice]:
    found = fall_apart(survey.names)[0]
    reading = _field_words(read_names(found, channel_place(found) if survey.one_plane else None))
    is_one_form = len(found.names) == len(survey.names)
    if is_one_form and (reading.channels or set(reading.columns) - {"cell"}):
        words = first_ten(name for name in reading.columns if f"{{{name}}}" in reading.pattern)
        told = f"; the meaning of {words} is read from the names" if words else ""
        choices = [Choice("images.pattern", reading.pattern, f"all images fit{told}", is_guess=True)]
        if reading.channels:
            sure = reading.is_channel_known
            why = "words for channels in the names" if sure else "the ends of the names"
            return [*choices, Choice("images.channels", list(reading.channels), why, is_guess=not sure)]
    else:
        choices = [Choice("images.pattern", None, "each image is a field")]
    return [*choices, *channels_of_files(survey.examples)[0]]


def _masks_pattern(survey: Survey) -> str | None:
    """Names of the label images by the words of their names, where they lie below the folder of images."""
    left_out = survey.left_out
    if not left_out:
        return None
    pattern = _field_words(read_names(fall_apart(left_out)[0], None)).pattern
    return pattern if "{" in pattern else None


def _cells(survey: Survey, tables: FieldTables, has_masks: bool) -> list[Choice]:
    """Where the cells are: in label images, or in tables of positions."""
    choices: list[Choice] = []
    if has_masks:
        below = common_folder(survey.masks)
        folder = survey.folder / below if below else survey.folder
        if folder.resolve() != survey.root.resolve() and not folder.resolve().is_relative_to(survey.root.resolve()):
            choices.append(Choice("images.fields.masks_root", str(folder), f"{len(survey.masks):,} label images"))
    if tables.pattern:
        choices.append(Choice("images.fields.positions", tables.pattern, "a table of positions for each field", True))
    return choices


def _with_labels(images: list[Choice], tables: FieldTables) -> Iterator[list[Choice]]:
    """The settings with each table that may hold labels, and without any."""
    own = tables.positions
    beside = _positions(own, tables.rivals) if own else []
    own_labels = _own_labels(own) if own else []
    for table in tables.others:
        for label in look_at_columns(table.cells, None).labels[:1]:
            yield [*images, *beside, *_labels(table, label)]
            yield [*images, *beside, *_labels(table, label), _left_out()]
    of_fields = look_at_columns(tables.fields.cells, None).labels if tables.fields else ()
    if of_fields:
        no_table = Choice("labels.file", None, "the labels are in the table of fields")
        yield [*images, *beside, no_table, _label(of_fields[0])]
    if own and own_labels:
        yield [*images, *_labels(own, own_labels[0])]
        yield [*images, *_labels(own, own_labels[0]), _left_out()]
    if own and not own_labels:
        yield [*images, *_positions(own, tables.rivals, "labels.file")]
    yield [*images, *beside, Choice("labels.file", None, "no table of labels fits these fields")]


def _positions(table: Table, rivals: Sequence[Table], key: str = "images.fields.positions") -> list[Choice]:
    others = f"; other tables of positions: {first_ten(str(one.file) for one in rivals)}" if rivals else ""
    reason = f"{len(table.cells):,} cells with positions{others}"
    return [Choice(key, str(table.file), reason, is_guess=bool(rivals))]


def _own_labels(table: Table) -> list[str]:
    """Columns of a table of cells that may be the label; the number of a cell is none."""
    number = object_column(list(map(str, table.cells.columns)), FieldsSettings(), str(table.file))
    found = look_at_columns(table.cells, None).labels
    return [name for name in found if name != number and plain(name) not in ("label", "label id", "cell id")] or [
        name for name in found if name != number
    ]


def _left_out() -> Choice:
    return Choice("labels.unmatched", "ignore", "rows and cells that do not fit each other are left out", True)


def _labels(table: Table, label: str) -> list[Choice]:
    return [Choice("labels.file", str(table.file), f"{len(table.cells):,} rows"), _label(label)]


def _label(column: str) -> Choice:
    return Choice("labels.label", column, "the column that looks like the class", is_guess=True)
