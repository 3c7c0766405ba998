"""The table of samples of fields: ids, labels, groups, files and further columns."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cellfeat.config import SPLIT_COLUMN
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.cells import Cell
from cellfeat.samples.fields.field import plain_column, plain_value
from cellfeat.samples.fields.labelling import Joined, join_labels
from cellfeat.samples.fields.listing import Rows
from cellfeat.samples.fields.sources import Sources
from cellfeat.samples.fields.tables import further_columns
from cellfeat.samples.labels.missing import label_remarks, without_missing
from cellfeat.samples.labels.table import file_columns, group_columns
from cellfeat.samples.layouts.group_columns import groups_of
from cellfeat.text import first_ten, near_names


def sample_table(cells: Sequence[Cell], sources: Sources) -> tuple[pd.DataFrame, list[int], list[str]]:
    """Make the table of samples.

    Parameters
    ----------
    cells
        The cells, ordered by field.
    sources
        The tables and settings.

    Returns
    -------
    tuple
        The table as in `Manifest`, with a column ``field``; the numbers of the cells that it holds; and remarks.

    Raises
    ------
    ManifestError
        If labels and cells do not fit each other.
    """
    chosen, values, remarks = _labelled(cells, sources)
    kept = [cells[number] for number in chosen]
    labels, told = _labels(values, sources)
    groups, told_of_groups = _groups(kept, values, sources)
    fields = [cell.field.name for cell in kept]
    ids = [f"{cell.field.name}:{cell.number}" for cell in kept]
    n_files = len(kept[0].field.files)
    files = ["file"] if n_files == 1 else [f"file_{channel}" for channel in sources.images.channels]
    own = {"sample_id": ids, "label": labels, "group": groups}
    own |= {name: [cell.field.files[i] for cell in kept] for i, name in enumerate(files)} | {"field": fields}
    further, reserved = _further(values, set(own), sources)
    if reserved:
        remarks.append(f"columns with reserved names are not kept: {', '.join(reserved)}; rename them to keep them")
    table = pd.DataFrame({**own, **further}, dtype=str)
    return table, chosen, [*remarks, *told, *told_of_groups]


def _labelled(cells: Sequence[Cell], sources: Sources) -> tuple[list[int], list[dict[str, str]], list[str]]:
    """Number, values and remarks of the cells that the labels table leaves."""
    rows = sources.table
    of_cells = [{**cell.field.values, **_own_values(cell, sources)} for cell in cells]
    if rows is None:
        return list(range(len(cells))), of_cells, []
    joined = join_labels(rows, cells, sources.labels)
    remarks = [f"{rows.file}: rows and cells were matched by {joined.by}"]
    without = [number for number in range(len(cells)) if number not in joined.row_of_cell]
    remarks += _unmatched(rows, joined, [_id(cells[number]) for number in without], sources)
    chosen = [n for n in range(len(cells)) if n in joined.row_of_cell or sources.labels.unmatched == "ignore"]
    names = [*further_columns(rows.cells, file_columns(sources.labels))]
    wanted = (sources.labels.label, *group_columns(sources.labels), sources.labels.split)
    named = [name for name in wanted if name in rows.columns]
    kept = list(dict.fromkeys([*names, *[name for name in named if name]]))
    records = rows.cells[kept].to_dict("records")
    empty = dict.fromkeys(kept, "")
    own = [records[joined.row_of_cell[n]] if n in joined.row_of_cell else empty for n in chosen]
    told = [{**of_cells[n], **{str(k): str(v) for k, v in row.items()}} for n, row in zip(chosen, own, strict=True)]
    return chosen, told, remarks


def _own_values(cell: Cell, sources: Sources) -> dict[str, str]:
    """Further columns of a cell; a column ``label`` is a class only where the settings say so."""
    return {name: value for name, value in cell.values.items() if name != "label" or sources.labels.label == "label"}


def _id(cell: Cell) -> str:
    return f"{cell.field.name}:{cell.number}"


def _unmatched(rows: Rows, joined: Joined, without: Sequence[str], sources: Sources) -> list[str]:
    unused = [str(rows.cells.index[number]) for number in joined.unused]
    n_cells = len(without) + len(joined.row_of_cell)
    no_row = f"{len(without)} of {n_cells} cells have no row in {rows.file} (by {joined.by}): {first_ten(without)}"
    no_cell = (
        f"{len(unused)} of {len(rows.cells)} rows of {rows.file} have no cell (by {joined.by}): {first_ten(unused)}"
    )
    if sources.labels.unmatched == "error" and (without or unused):
        problems = [
            *([f"- {no_row}; leave them out with --set labels.unmatched=listed, or keep them unlabelled with "
               "--set labels.unmatched=ignore"] if without else []),
            *([f"- {no_cell}; leave them out with --set labels.unmatched=ignore"] if unused else []),
        ]  # fmt: skip
        raise ManifestError("\n".join(["the cells do not fit the labels:", *problems]))
    if sources.labels.unmatched == "listed" and unused:
        raise ManifestError(f"{no_cell}; leave the rows out with --set labels.unmatched=ignore")
    fate = "kept without a label" if sources.labels.unmatched == "ignore" else "left out"
    return [*([f"{fate}: {no_row}"] if without else []), *([f"left out: {no_cell}"] if unused else [])]


def _labels(values: Sequence[Mapping[str, str]], sources: Sources) -> tuple[list[str], list[str]]:
    column = sources.labels.label
    name = _column(
        column, values, "labels.label", sources, is_needed=bool(sources.labels.file) and not _in_names(values)
    )
    raw = [one.get(name or "label", "") for one in values]
    missing = without_missing(pd.Series(raw, dtype=str), sources.labels.missing)
    where = str(sources.labels.file) if name and sources.labels.file else f"the names in {sources.images.root}"
    told = label_remarks(missing, sources.labels.missing, where) if any(raw) else []
    return missing.values.tolist(), told


def _in_names(values: Sequence[Mapping[str, str]]) -> bool:
    return "label" in values[0]


def _column(
    wanted: str | None, values: Sequence[Mapping[str, str]], setting: str, sources: Sources, *, is_needed: bool
) -> str | None:
    """The column that a setting names, or means without ``Metadata_``; None where there is none."""
    if wanted is None:
        return None
    known = list(dict.fromkeys(name for one in (values[0], values[-1]) for name in one))
    if wanted in known:
        return wanted
    alike = [name for name in known if plain_column(name) == plain_column(wanted)]
    if alike:
        return alike[0]
    if is_needed:
        raise ManifestError(
            f"{sources.labels.file or 'the fields'}: no column {wanted!r} ({setting}); {near_names(wanted, known)}: "
            f"name the right one with --set {setting}=COLUMN"
        )
    return None


def _groups(
    cells: Sequence[Cell], values: Sequence[Mapping[str, str]], sources: Sources
) -> tuple[list[str], list[str]]:
    """The group that the settings name; of other cells, and where they name none, the field."""
    if sources.labels.group == "field":
        return [cell.field.name for cell in cells], []
    names = [_column(name, values, "labels.group", sources, is_needed=True) for name in group_columns(sources.labels)]
    known = [name for name in names if name is not None]
    if not known:
        told = (
            "cells of one field are one group, and stay together in a fold; another column: --set labels.group=COLUMN"
        )
        return [cell.field.name for cell in cells], [told]
    columns = {name: pd.Series([one.get(name, "") for one in values], dtype=str) for name in known}
    without = {name: without_missing(column, sources.labels.missing).values for name, column in columns.items()}
    named = groups_of(pd.DataFrame(without), sources.labels.model_copy(update={"group": known}))
    groups = [group or cell.field.name for group, cell in zip(named, cells, strict=True)]
    n_empty = named.count("")
    remarks = [f"{n_empty} cells have no {' and '.join(known)}: their group is their field"] if n_empty else []
    return groups, remarks


def _further(
    values: Sequence[Mapping[str, str]], own: set[str], sources: Sources
) -> tuple[dict[str, list[str]], list[str]]:
    """Further columns, without those that became the label and the group; and names that are reserved."""
    names = dict.fromkeys(name for one in values for name in one)
    group = sources.labels.group if isinstance(sources.labels.group, str) else None
    used = {sources.labels.label, group, sources.labels.id, "label"}
    reserved = [name for name in names if name in {*own, "file"} and name not in used and name not in ("field",)]
    kept = [name for name in names if name not in {*own, "file"} and name not in used]
    kept = [name for name in kept if name != SPLIT_COLUMN or sources.images.names_split or sources.labels.file]
    columns: dict[str, list[str]] = {}
    for name in kept:
        column = pd.Series([one.get(name, "") for one in values], dtype=str)
        without = without_missing(column, sources.labels.missing).values.tolist()
        if not _is_known(name, without, columns):
            columns[name] = without
    return columns, reserved


def _is_known(name: str, column: Sequence[str], columns: Mapping[str, Sequence[str]]) -> bool:
    """Whether another column says the same under a similar name, as Plate of a labels table and plate of file names."""
    if name.lower().startswith("metadata_"):
        return False
    plain = list(map(plain_value, column))
    alike = [other for known, other in columns.items() if plain_column(known) == plain_column(name)]
    return any(list(map(plain_value, other)) == plain for other in alike)
