"""Layout of scPortrait's files: each cell is a sample, and the file's own table tells its labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ImageError, ManifestError
from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.folders.local import scan
from cellfeat.samples.formats.h5sc import CELL_ID, Channels
from cellfeat.samples.formats.h5sc_names import address, is_h5sc_name
from cellfeat.samples.labels.table import LabelsTable, checked_labels
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.single_cells.table_process import read_in_process
from cellfeat.samples.tables.file import RawTable
from cellfeat.text import first_ten

ID_COLUMN = "sample_id"
_RESERVED = ("sample_id", "label", "group", "file", "split")


@dataclass(frozen=True)
class H5scLayout:
    """Cells of files; a sample's id is the id of the cell, after the name of its file where there are several files.

    Attributes
    ----------
    root
        The folder of the files.
    files
        Names of the files, relative to `root`.
    cells
        One row per cell: its id, its address in `address`, and the columns of the files' own tables.
    channels
        The channels of each file.
    """

    root: Path
    files: tuple[str, ...]
    cells: pd.DataFrame
    channels: tuple[Channels, ...]
    file_columns: tuple[str, ...] = ("file",)
    _by_id: dict[str, str] = field(default_factory=dict)
    _by_address: dict[str, str] = field(default_factory=dict)

    @classmethod
    def below(cls, root: Path) -> "H5scLayout":
        """Read the tables of a file, or of all files in a folder.

        Raises
        ------
        ManifestError
            If there is no file, one is not of scPortrait, or two cells have one id.
        """
        folder = root if root.is_dir() else root.parent
        files = sorted(filter(is_h5sc_name, scan(root))) if root.is_dir() else [root.name]
        if not files:
            raise ManifestError(f"{root}: holds no file of scPortrait (*.h5sc), as images.layout: h5sc expects")
        read = [_read(folder / name) for name in files]
        tables = [
            _table(columns, name, has_prefix=len(files) > 1) for (columns, _), name in zip(read, files, strict=True)
        ]
        cells = pd.concat(tables, ignore_index=True).fillna("")
        _check_ids(cells, files)
        channels = tuple(channels for _, channels in read)
        by_id = dict(zip(cells[ID_COLUMN], cells["address"], strict=True))
        return cls(
            folder, tuple(files), cells, channels, _by_id=by_id, _by_address={at: one for one, at in by_id.items()}
        )

    def sample_id(self, text: str) -> str | None:
        """The cell itself, with ``/`` between folders."""
        return text.replace("\\", "/")

    def names(self, sample: Found) -> tuple[str, ...]:
        """The address of the cell; a name that does not exist for an unknown id."""
        return (self._by_id.get(sample.sample_id, f"cell {sample.sample_id}"),)

    def find(self, name: str) -> Found | None:
        """The cell at an address."""
        sample_id = self._by_address.get(name)
        return None if sample_id is None else Found(sample_id, "")

    def on_disk(self, folder: ImageFolder) -> set[str]:  # noqa: ARG002, required by the protocol
        """The addresses of all cells."""
        return set(self._by_address)

    def labels(self, labels: LabelsSettings) -> tuple[LabelsSettings, LabelsTable]:
        """Take the files' own table for the labels table.

        Parameters
        ----------
        labels
            The settings, whose columns are those of ``obs``.

        Returns
        -------
        tuple
            The settings, with the column of ids and without a column of labels that does not exist; and the table.

        Raises
        ------
        ManifestError
            If the table lacks a column of groups or of the split.
        """
        cells = self.cells.drop(columns="address").rename(columns=lambda name: _own_name(name, labels))
        cells.index = pd.RangeIndex(len(cells), name="row")
        has_label = labels.label in cells.columns
        settings = labels.model_copy(
            update={"id": ID_COLUMN, "files": None, "label": labels.label if has_label else None}
        )
        where = self.root / self.files[0] if len(self.files) == 1 else self.root
        table = checked_labels(RawTable(cells.astype(str)), settings, where)
        if has_label or labels.label is None:
            return settings, table
        told = (
            f"{where}: no column {labels.label!r} in obs, so the cells have no labels; its columns: "
            f"{first_ten(column for column in cells.columns if column != ID_COLUMN)} (--set labels.label=COLUMN)"
        )
        return settings, LabelsTable(table.cells, (*table.remarks, told))

    def further(self, columns: Iterable[str]) -> pd.DataFrame:
        """The columns of the files' own tables that a labels table lacks, with the ids as index; `columns` are its."""
        taken = {*columns, *_RESERVED, "address"}
        return self.cells.set_index(ID_COLUMN)[[name for name in self.cells.columns if name not in taken]]

    def remarks(self, images: ImagesSettings) -> list[str]:
        """Say that crops are masked and normalised, and which of the channels asked for are masks."""
        lines = ["the crops of scPortrait are masked and normalised already, which stands in the recipe"]
        masks = [str(name) for name in images.channels if any(_is_mask(one, name) for one in self.channels)]
        if masks:
            usable = list(dict.fromkeys(name for one in self.channels for name in one.images))
            lines.append(
                f"warning: images.channels names masks, not images: {', '.join(masks)}; images: {first_ten(usable)}"
            )
        return lines


def is_single_cells(images: ImagesSettings, labels: LabelsSettings, folder: ImageFolder) -> bool:
    """Whether the samples are cells of scPortrait's files: as the layout says, or the file that is named.

    Parameters
    ----------
    images, labels
        The settings. A folder is one of such files if it holds any, and no setting says how images are named.
    folder
        The folder of images.
    """
    if images.layout != "auto" or labels.files is not None:
        return images.layout == "h5sc"
    if isinstance(images.root, Path) and images.root.is_file():
        return is_h5sc_name(images.root.name)
    is_named = images.pattern != ImagesSettings.model_fields["pattern"].default
    return not is_named and any(map(is_h5sc_name, folder.names_beside([""])))


def _is_mask(channels: Channels, name: str | int) -> bool:
    number = name if isinstance(name, int) else channels.names.index(name) if name in channels.names else -1
    return number in channels.masks


def _own_name(name: str, labels: LabelsSettings) -> str:
    """A column under another name where the manifest has a column of its name."""
    named = (labels.label, labels.group, labels.split, ID_COLUMN)
    return f"obs_{name}" if name in _RESERVED and name not in named else name


def _table(columns: dict[str, list[str]], name: str, *, has_prefix: bool) -> pd.DataFrame:
    prefix = f"{name[: -len('.h5sc')]}/" if has_prefix else ""
    table = pd.DataFrame(
        {key: values for key, values in columns.items() if key not in ("address", ID_COLUMN)}, dtype=str
    )
    own = pd.DataFrame({
        ID_COLUMN: [f"{prefix}{cell}" for cell in columns[CELL_ID]],
        "address": [address(name, row) for row in range(len(columns[CELL_ID]))],
    })  # fmt: skip
    return pd.concat([own, table], axis=1)


def _read(path: Path) -> tuple[dict[str, list[str]], Channels]:
    try:
        return read_in_process(path)
    except ImageError as error:
        raise ManifestError(f"{path}: {error}") from None


def _check_ids(cells: pd.DataFrame, files: Sequence[str]) -> None:
    repeated = [one for one, count in Counter(cells[ID_COLUMN]).items() if count > 1]
    if repeated:
        raise ManifestError(
            f"{first_ten(files)}: {len(repeated)} values of obs/{CELL_ID} are of several cells: {first_ten(repeated)}"
            "; each cell needs its own: leave out the repeated rows"
        )
