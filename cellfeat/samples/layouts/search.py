"""Which samples the settings ask for, and which files exist."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cellfeat.config import SPLIT_COLUMN, FieldsSettings, ImagesSettings, LabelsSettings
from cellfeat.errors import ConfigError, ManifestError, MissingFileError
from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.folders.file_kinds import FileKinds, is_archive
from cellfeat.samples.folders.opening import check_location, name_below
from cellfeat.samples.folders.own_files import own_files
from cellfeat.samples.formats.h5sc_names import is_h5sc_name
from cellfeat.samples.labels.table import file_columns
from cellfeat.samples.layouts.base import Found, Layout
from cellfeat.samples.layouts.class_folders import FoldersLayout, SplitFoldersLayout
from cellfeat.samples.layouts.pattern import PatternLayout
from cellfeat.samples.layouts.table import TableLayout, table_file_name
from cellfeat.samples.tables.file import table_exists
from cellfeat.text import first_ten, is_unicode

DEFAULT_PATTERN: str = ImagesSettings.model_fields["pattern"].default
_DEFAULT_ROOT: Path = ImagesSettings.model_fields["root"].default


@dataclass(frozen=True)
class Search:
    """The settings of the images and labels, and what was found in the folder of images.

    Attributes
    ----------
    images, labels
        The settings; ``images.layout`` is settled.
    layout
        How file names and samples correspond.
    folder
        The folder of images.
    on_disk
        Names of the existing files, relative to the root.
    found
        Samples that the layout recognises in these names; empty for a layout that only follows the labels table.
    kinds
        Which of the files are images.
    own
        Names of files in the folder that cellfeat wrote; they are not in `on_disk`.
    """

    images: ImagesSettings
    labels: LabelsSettings
    layout: Layout
    folder: ImageFolder
    on_disk: set[str]
    found: set[Found]
    kinds: FileKinds
    own: frozenset[str] = frozenset()

    @property
    def found_by_id(self) -> dict[str, Found]:
        """The sample that was found on disk, by sample id."""
        return {sample.sample_id: sample for sample in self.found}

    def file_names(self, samples: pd.DataFrame) -> pd.DataFrame:
        """File names of samples, with their index; a sample without a label takes the one found on disk."""
        found = self.found_by_id
        known = [found.get(sample_id, Found(sample_id, "")) for sample_id in samples["sample_id"]]
        labels = zip(known, samples["label"], strict=True)
        names = [self.layout.names(sample._replace(label=label or sample.label)) for sample, label in labels]
        return pd.DataFrame(names, index=samples.index, columns=list(self.layout.file_columns), dtype=str)

    def unlisted(self, samples: pd.DataFrame) -> pd.DataFrame:
        """The samples on disk that are not among `samples`."""
        listed = set(samples["sample_id"])
        return table_of([sample for sample in self.found if sample.sample_id not in listed], self.images)


def table_of(found: Iterable[Found], images: ImagesSettings) -> pd.DataFrame:
    """Make a table of samples, sorted by id, numbers by value; the index describes each sample in messages.

    Parameters
    ----------
    found
        The samples.
    images
        Settings, which say whether their names hold a split.
    """
    ordered = sorted(found, key=lambda sample: (natural_key(sample.sample_id), sample))
    columns: dict[str, list[str] | str] = {
        "sample_id": [sample.sample_id for sample in ordered],
        "label": [sample.label for sample in ordered],
        "group": "",
    }
    if images.names_split:
        columns[SPLIT_COLUMN] = [sample.split for sample in ordered]
    columns |= further_columns(ordered)
    return pd.DataFrame(columns, index=[f"label {sample.label!r}" for sample in ordered], dtype=str)


def further_columns(samples: Sequence[Found]) -> dict[str, list[str]]:
    """Columns that the names of samples give beside id, label and split; ``""`` where a sample has no such name."""
    known = [dict(sample.further) for sample in samples]
    names = dict.fromkeys(name for sample in known for name in sample)
    return {name: [sample.get(name, "") for sample in known] for name in names}


def natural_key(text: str) -> list[str | int]:
    """A sort key that puts ``2`` before ``10``."""
    # Splitting by a group puts digits at odd places, so a number is never compared with text.
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", text))]


def search_images(
    images: ImagesSettings, labels: LabelsSettings, folder: ImageFolder, cells: pd.DataFrame | None
) -> Search:
    """Look for the images that the settings describe.

    Parameters
    ----------
    images, labels
        The settings.
    folder
        The folder of images.
    cells
        The labels table, as `read_labels` returns it; None where there is none.

    Raises
    ------
    ManifestError
        If a folder cannot be listed, or the names of samples are not valid UTF-8.
    ConfigError
        If the settings do not fit each other.
    """
    images = with_layout(images, labels, folder)
    layout = choose_layout(images, labels, cells)
    on_disk = layout.on_disk(folder)
    own = own_files(folder, on_disk)
    on_disk -= own
    kinds = FileKinds(folder)
    # A pattern says itself what files are called; in class folders every image is a sample.
    names = kinds.images(on_disk) if isinstance(layout, FoldersLayout) else on_disk
    found = {sample for sample in map(layout.find, names) if sample}
    _check_names(found, layout)
    return Search(images, labels, layout, folder, on_disk, found, kinds, frozenset(own))


def _check_names(found: Iterable[Found], layout: Layout) -> None:
    """Refuse samples whose names are not UTF-8: neither a table nor a feature file can hold them."""
    names = sorted(name for sample in found for name in layout.names(sample) if not is_unicode(name))
    if names:
        raise ManifestError(
            f"the names of {len(names)} image files are not valid UTF-8: {first_ten(names)}; rename the files or their "
            "folder (the program convmv converts names from older systems)"
        )


def check_settings(images: ImagesSettings, labels: LabelsSettings, folder: ImageFolder) -> None:
    """Check that the settings fit each other and that the folder of images exists.

    Parameters
    ----------
    images, labels
        The settings.
    folder
        The folder of images.

    Raises
    ------
    MissingFileError
        If the folder of images does not exist, or the labels table, and there are class folders in its place.
    ConfigError
        If settings of fields are set for another layout, a channel is listed twice, the number of file columns fits
        neither one file nor one per channel, both a column and the names of folders give a split, or the images are at
        an address and the settings need a disk.
    """
    if len({str(channel) for channel in images.channels}) < len(images.channels):
        raise ConfigError(f"images.channels: {images.channels}: expected every channel once")
    n_columns = len(file_columns(labels))
    if n_columns > 1 and n_columns != len(images.channels):
        raise ConfigError(
            f"labels.files names {n_columns} columns; expected one, or one for each of {len(images.channels)} channels"
        )
    if labels.split and images.names_split:
        raise ConfigError(
            f"labels.split: {labels.split!r} and images.{'layout' if images.layout == 'split_folders' else 'pattern'} "
            "both say which part a sample belongs to; keep one of them"
        )
    if images.fields != FieldsSettings() and images.layout != "fields":
        raise ConfigError(
            f"images.fields is set, and images.layout is {images.layout}; for crops out of whole fields: "
            "--set images.layout=fields"
        )
    check_location(images)
    is_file_of_cells = isinstance(images.root, Path) and is_h5sc_name(images.root.name) and images.root.is_file()
    if not (folder.exists() or is_file_of_cells):
        raise MissingFileError(_no_folder(images))
    if labels.file is not None and not table_exists(labels.file) and _folders_fit(images, labels, folder):
        raise MissingFileError(
            f"the labels {labels.file} do not exist; if the folders in {images.root} are the classes: --labels none; "
            f"otherwise name the CSV with --labels FILE (labels.file)"
        )


def _no_folder(images: ImagesSettings) -> str:
    """Say that the folder of images is none, and what to do."""
    root = images.root
    if isinstance(root, Path) and root.is_file():
        what = "an archive: unpack it, and name the folder" if is_archive(root.name) else "a file: name its folder"
        return f"images.root: {root} is {what} with --images FOLDER"
    if root == _DEFAULT_ROOT:
        return (
            f"no images are named, and the folder {root}, which is the default, does not exist: make settings for your "
            "images with cellfeat init FOLDER, in the folder where you run the commands, or name their folder with "
            "--images FOLDER (images.root)"
        )
    return f"the folder of images {root} does not exist; name it with --images FOLDER (images.root)"


def with_layout(images: ImagesSettings, labels: LabelsSettings, folder: ImageFolder) -> ImagesSettings:
    """Settle ``images.layout: auto``: the table, the pattern, or class folders where no file fits the default pattern.

    Parameters
    ----------
    images, labels
        The settings.
    folder
        The folder of images.

    Returns
    -------
    ImagesSettings
        The same settings with the layout that is taken.
    """
    if images.layout != "auto":
        return images
    kind = "table" if labels.files else "pattern" if images.pattern else "folders"
    is_open = labels.file is None and images.pattern == DEFAULT_PATTERN
    if kind == "pattern" and is_open and _has_class_folders(images, folder):
        kind = "folders"
    return images.model_copy(update={"layout": kind})


def _folders_fit(images: ImagesSettings, labels: LabelsSettings, folder: ImageFolder) -> bool:
    """Whether the folders would be taken as classes if there were no labels table."""
    return with_layout(images, labels.model_copy(update={"file": None}), folder).layout == "folders"


def _has_class_folders(images: ImagesSettings, folder: ImageFolder) -> bool:
    """Whether there are two or more folders of images, and no file fits the default pattern."""
    pattern = PatternLayout(DEFAULT_PATTERN, tuple(images.channels))
    names, kinds = folder.names(), FileKinds(folder)
    names -= own_files(folder, names)
    folders = {name.partition("/")[0] for name in kinds.images(name for name in names if "/" in name)}
    return len(folders) > 1 and not any(map(pattern.find, names))


def choose_layout(images: ImagesSettings, labels: LabelsSettings, cells: pd.DataFrame | None) -> Layout:
    """Make the layout that the settings ask for.

    Parameters
    ----------
    images, labels, cells
        As for `search_images`.

    Raises
    ------
    ConfigError
        If the settings of this layout are incomplete.
    """
    kind = images.layout
    if kind == "auto":
        kind = "table" if labels.files else "pattern" if images.pattern else "folders"
    if kind == "folders":
        return FoldersLayout(keeps_unlabelled=labels.unmatched != "error")
    if kind == "split_folders":
        return SplitFoldersLayout(keeps_unlabelled=labels.unmatched != "error")
    if kind == "pattern":
        if images.pattern is None:
            raise ConfigError("images.layout: pattern needs images.pattern, such as '{sample_id:05d}_{channel}.png'")
        return PatternLayout(images.pattern, tuple(images.channels))
    if cells is None or not labels.files:
        raise ConfigError(
            "images.layout: table needs a CSV that names the files (--labels FILE), "
            "and labels.files to name its columns of file names"
        )
    return _table_layout(cells, labels, images)


def _table_layout(cells: pd.DataFrame, labels: LabelsSettings, images: ImagesSettings) -> TableLayout:
    columns = file_columns(labels)
    names = zip(*([_file_name(cell, images) for cell in cells[column]] for column in columns), strict=True)
    own = ("file",) if len(columns) == 1 else tuple(f"file_{channel}" for channel in images.channels)
    return TableLayout(own, dict(zip(cells[labels.id], names, strict=True)))


def _file_name(cell: str, images: ImagesSettings) -> str:
    return table_file_name(name_below(images.root, cell))
