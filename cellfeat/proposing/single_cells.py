"""Settings for single cells of scPortrait: the file says its channels, and its own table or another one the labels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cellfeat.errors import ManifestError
from cellfeat.proposing.candidates import Candidate
from cellfeat.proposing.choice import Choice
from cellfeat.proposing.columns import look_at_columns
from cellfeat.proposing.completing import completed
from cellfeat.proposing.labelling import Listed, label_choices
from cellfeat.proposing.proposal import NONE, Answers, Proposal
from cellfeat.proposing.reading import Reading
from cellfeat.proposing.survey import TABLE_ENDINGS, tables_beside
from cellfeat.proposing.tables import IdMatch, Table, best_id_match, read_tables
from cellfeat.samples.folders.file_kinds import FileKinds
from cellfeat.samples.folders.local import LocalFolder, scan
from cellfeat.samples.formats.h5sc import CELL_ID
from cellfeat.samples.formats.h5sc_names import is_h5sc_name
from cellfeat.samples.formats.microscopes.zarr_folders import is_zarr_name
from cellfeat.samples.image_file.read import read_image
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.reading.images import MAX_PIXELS
from cellfeat.samples.single_cells.layout import ID_COLUMN, H5scLayout
from cellfeat.text import first_ten

LAYOUT = "h5sc"


class _Cells(Candidate):
    """The cells as samples, whose ids are in the files and not in their names."""

    @cached_property
    def found(self) -> set[Found]:
        """The cells."""
        return {Found(name, "") for name in self.names}


@dataclass(frozen=True)
class SingleCells:
    """Files of scPortrait.

    Attributes
    ----------
    path
        The file or folder.
    layout
        Their cells.
    """

    path: Path
    layout: H5scLayout

    @classmethod
    def at(cls, path: Path) -> "SingleCells":
        """Read the tables of a file, or of all files in a folder.

        Raises
        ------
        ManifestError
            If a file is damaged, or none of scPortrait.
        """
        return cls(path, H5scLayout.below(path))

    @property
    def own_table(self) -> Table:
        """The table of the cells that lies in the files."""
        cells = self.layout.cells.drop(columns=["address", CELL_ID], errors="ignore")
        return Table(self.path, cells.astype(str))

    def lines(self) -> Iterator[str]:
        """Say what the files hold."""
        layout = self.layout
        yield f"cells: {len(layout.cells):,} of scPortrait in {self.path} ({first_ten(layout.files)})"
        masks = _masks(layout)
        told = f"; masks: {first_ten(masks)}" if masks else ""
        yield f"channels: {first_ten(map(str, _channels(layout)[0]))}{told}"
        columns = [str(name) for name in self.own_table.cells.columns if name != ID_COLUMN]
        yield f"columns of cells (obs): {first_ten(columns) if columns else 'none'}"


def is_of_single_cells(path: Path, answers: Answers) -> bool:
    """Whether a file is one of scPortrait, or a folder holds such files and no layout says otherwise.

    Parameters
    ----------
    path
        The file or folder.
    answers
        What the user knows.
    """
    layout = answers.settings.get("images.layout", LAYOUT)
    if layout != LAYOUT or "images.pattern" in answers.settings:
        return False
    if path.is_file():
        return is_h5sc_name(path.name)
    return path.is_dir() and _are_main(path)


def _are_main(folder: Path) -> bool:
    """Whether a folder's samples are in files of scPortrait: these lie at its top, or there are no images."""
    names = scan(folder)
    files = [name for name in names if is_h5sc_name(name)]
    kinds = FileKinds(LocalFolder(folder))
    return any("/" not in name for name in files) or (
        bool(files) and not any(kinds.is_image(name) for name in names if not is_zarr_name(name))
    )


def propose_single_cells(cells: SingleCells, labels: Path | str | None, answers: Answers) -> Proposal:
    """Propose settings for single cells of scPortrait.

    Parameters
    ----------
    cells
        The files.
    labels
        The table of labels, ``"none"`` for that in the files, or None to look for one.
    answers
        What the user knows already, and how to ask.

    Raises
    ------
    MissingFileError, ManifestError
        If the table cannot be read or does not belong to the cells, or files are damaged.
    ConfigError
        If an answer is no valid setting.
    """
    channels, why = _channels(cells.layout)
    choices = [
        Choice("images.root", str(cells.path), "where the cells are"),
        Choice("images.layout", LAYOUT, "single cells of scPortrait"),
        Choice("images.channels", channels, why),
    ]
    listed = _listed(cells, labels)
    is_own = listed.table.file == cells.path
    found = label_choices(listed, _candidate(cells), answers)
    if is_own:
        file = Choice("labels.file", None, "the files' own table of cells (obs) is taken")
        found = [file, *(choice for choice in found if choice.key not in ("labels.file", "labels.id"))]
    proposal = completed([*choices, *found], answers, listed=listed)
    tables = () if is_own else (f"tables: {listed.table.file} ({len(listed.table.cells):,} rows)",)
    return replace(proposal, seen=(*tables, *proposal.seen))


def _candidate(cells: SingleCells) -> Candidate:
    return _Cells(LAYOUT, None, (), tuple(cells.layout.cells[ID_COLUMN]), Reading(""))


def _listed(cells: SingleCells, labels: Path | str | None) -> Listed:
    """The table with labels: the one that is named, or that of the files if a column of it is called like a label."""
    own = _of_obs(cells)
    if labels == NONE:
        return own
    if labels is not None:
        tables, _ = read_tables([Path(labels)], is_given=True)
        match = _match(cells, tables)
        if match is None:
            ids = first_ten(cells.layout.cells[ID_COLUMN][:3])
            raise ManifestError(
                f"{labels}: no column holds the ids of the cells, such as {ids}; its columns are "
                f"{first_ten(tables[0].cells.columns)}; name the table of these cells, or --labels none"
            )
        return _of_match(match)
    if own.columns.n_named:
        return own
    match = _match(cells, read_tables(_tables_near(cells.path), is_given=False)[0])
    return _of_match(match) if match is not None and match.columns.labels else own


def _match(cells: SingleCells, tables: Sequence[Table]) -> IdMatch | None:
    return next(iter(best_id_match(tables, [_candidate(cells).ids])), None)


def _of_match(match: IdMatch) -> Listed:
    return Listed(match.table, match.column, match.columns, match.share)


def _of_obs(cells: SingleCells) -> Listed:
    table = cells.own_table
    return Listed(table, ID_COLUMN, look_at_columns(table.cells, ID_COLUMN), 1.0)


def _tables_near(path: Path) -> list[Path]:
    """Tables in the folder, or else beside the file."""
    if path.is_dir():
        inside = [path / name for name in sorted(scan(path)) if name.lower().endswith(TABLE_ENDINGS)]
        return inside or tables_beside(path)
    return tables_beside(path)


def _channels(layout: H5scLayout) -> tuple[list[str | int], str]:
    """Names of the channels that all files have, without masks; their numbers where names are missing or repeated."""
    named = [list(channels.images) for channels in layout.channels]
    common = [name for name in named[0] if all(name in names for names in named)]
    if common and all(Counter(channels.names)[name] == 1 for channels in layout.channels for name in common):
        return list(common), "the channels that the files name, without masks"
    masks = layout.channels[0].masks
    first = read_image(layout.root / str(layout.cells["address"].iat[0]), MAX_PIXELS)
    numbers = [number for number in range(len(first.pixels)) if number not in masks]
    return list(numbers), "numbers of the channels, whose names differ or are missing; masks are left out"


def _masks(layout: H5scLayout) -> list[str]:
    """Names of the masks in all files."""
    names = [one.names[mask] for one in layout.channels for mask in one.masks if mask < len(one.names)]
    return list(dict.fromkeys(names))
