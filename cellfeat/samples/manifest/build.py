"""Build the manifest from the folder of images and the labels table, checked before any image is read."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pandas as pd

from cellfeat.config import SPLIT_COLUMN, ImagesSettings, LabelsSettings
from cellfeat.errors import ManifestError
from cellfeat.samples.fields.build import find_field_samples
from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.folders.file_kinds import FileKinds
from cellfeat.samples.folders.opening import open_folder
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.labels.id_matching import match_ids, matching_remark
from cellfeat.samples.labels.missing import label_remarks, without_missing
from cellfeat.samples.labels.spellings import spelling_problems
from cellfeat.samples.labels.table import LabelsTable, checked_labels, named_columns, read_labels
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.layouts.group_columns import groups_of, without_pattern_groups
from cellfeat.samples.layouts.hints import layout_hint
from cellfeat.samples.layouts.search import (
    Search,
    check_settings,
    choose_layout,
    further_columns,
    search_images,
    table_of,
)
from cellfeat.samples.layouts.table import TableLayout
from cellfeat.samples.manifest.checks import Listing, find_problems, find_remarks
from cellfeat.samples.manifest.manifest import OWN_COLUMNS, Manifest
from cellfeat.samples.manifest.shared_files import shared_file_problems, shared_file_remarks
from cellfeat.samples.manifest.splits import split_problems, split_remarks
from cellfeat.samples.single_cells.layout import H5scLayout, is_single_cells
from cellfeat.samples.tables.file import RawTable
from cellfeat.storage.url import Location
from cellfeat.text import first_ten


def build_manifest(images: ImagesSettings, labels: LabelsSettings) -> Manifest:
    """Find the samples that the settings describe, and check all of them.

    Samples are in the order of the labels table. Samples that are not in the table are sorted by id, numbers by value,
    and come last. A label comes from the labels table where `LabelsSettings.label` names its column, and otherwise from
    the ``{label}`` of the pattern or from the class folder.

    Parameters
    ----------
    images
        Where the images are and how they are named.
    labels
        The labels table and its columns.

    Raises
    ------
    MissingFileError
        If the folder of images or the labels table does not exist.
    ManifestError
        If samples and images do not fit each other; the message lists every problem.
    ConfigError
        If the settings do not fit each other.
    """
    folder = open_folder(images.root)
    check_settings(images, labels, folder)
    if images.layout == "fields":
        return _fields_manifest(images, labels, folder)
    if is_single_cells(images, labels, folder):
        return _single_cells_manifest(images, labels)
    table = read_labels(without_pattern_groups(labels, images), labels.file) if labels.file else None
    search = search_images(images, labels, folder, table.cells if table else None)
    matches = match_ids(table.cells[labels.id], search.found_by_id) if table else {}
    samples = _samples_listed(table, search, matches) if table else _samples_found(search)
    remarks = (*table.remarks, *matching_remark(matches, str(labels.file))) if table else ()
    if table is None or labels.label is None:
        # Labels in names are words like those of a table: a program that names folders after labels writes ``nan``.
        missing = without_missing(samples["label"], labels.missing)
        samples = samples.assign(label=missing.values)
        # Names without labels are no news.
        remarks += tuple(label_remarks(replace(missing, n_empty=0), labels.missing, f"the names in {images.root}"))
    return _with_folders_named(_checked(samples, search, remarks), images)


def _fields_manifest(images: ImagesSettings, labels: LabelsSettings, folder: ImageFolder) -> Manifest:
    """Find the cells of whole fields, and check their labels and their split."""
    found = find_field_samples(images, labels)
    # The checks of a split see a layout that follows a table: names of files tell neither class nor part here.
    search = Search(images, labels, TableLayout((), {}), folder, set(), set(), FileKinds(folder))
    problems = [*spelling_problems(found.table["label"]), *split_problems(found.table, search)]
    if problems:
        raise ManifestError("\n".join([f"the cells in {images.root} cannot be used:", *problems]))
    remarks = (*found.remarks, *split_remarks(found.table, search))
    channels, plane = tuple(images.channels), PlaneChoice.from_settings(images.plane)
    return Manifest(found.table, images.root, channels, remarks, images.layout, found.regions, found.crops, plane)


def _single_cells_manifest(images: ImagesSettings, labels: LabelsSettings) -> Manifest:
    """List the cells of scPortrait's files, with the labels of a table, or else with those of the files."""
    layout = H5scLayout.below(images.local_root)
    images = images.model_copy(update={"root": layout.root, "layout": "h5sc"})
    named, table = (labels, read_labels(labels, labels.file)) if labels.file else layout.labels(labels)
    folder = open_folder(layout.root)
    on_disk = layout.on_disk(folder)
    found = {sample for sample in map(layout.find, on_disk) if sample}
    search = Search(images, named, layout, folder, on_disk, found, FileKinds(folder))
    matches = match_ids(table.cells[named.id], search.found_by_id)
    samples = _samples_listed(table, search, matches)
    samples = samples.join(layout.further(samples.columns), on="sample_id").fillna("")
    remarks = (*table.remarks, *matching_remark(matches, str(labels.file or images.root)), *layout.remarks(images))
    return _checked(samples, search, remarks)


def _with_folders_named(manifest: Manifest, images: ImagesSettings) -> Manifest:
    """Say that class folders were taken where no layout was asked for."""
    if not (images.layout == "auto" and manifest.layout == "folders"):
        return manifest
    classes = first_ten(sorted({label for label in manifest.table["label"] if label}))
    remark = f"the folders are taken as classes ({classes}), as with --set images.layout=folders"
    return replace(manifest, remarks=(remark, *manifest.remarks))


def _samples_listed(table: LabelsTable, search: Search, matches: Mapping[str, str]) -> pd.DataFrame:
    """Samples of the labels table, indexed by their place in it; `matches` has ids that are written in another way."""
    labels, cells = search.labels, table.cells
    ids = _ids(cells, search, matches)
    found = search.found_by_id
    known = [found.get(sample_id, Found(sample_id, "")) for sample_id in ids]
    columns = {
        "sample_id": ids,
        "label": list(cells[labels.label]) if labels.label else [sample.label for sample in known],
        "group": "",
    }
    if search.images.names_split:
        columns[SPLIT_COLUMN] = [sample.split for sample in known]
    from_names = further_columns(known)
    samples = pd.DataFrame(columns | from_names, index=cells.index, dtype=str)
    samples["group"] = groups_of(pd.concat([cells, samples[list(from_names)]], axis=1), labels)
    further = [column for column in cells.columns if column not in named_columns(labels)]
    _check_names_free(further, search, from_names)
    # The rows are joined by line before the index becomes text for messages.
    return samples.join(cells[further]).set_axis(table.places)


def _samples_found(search: Search) -> pd.DataFrame:
    """Samples on disk, where there is no labels table."""
    samples = table_of(search.found, search.images)
    return samples.assign(group=groups_of(samples, search.labels))


def _ids(cells: pd.DataFrame, search: Search, matches: Mapping[str, str]) -> list[str]:
    ids = {cell: matches.get(cell, search.layout.sample_id(cell)) for cell in cells[search.labels.id]}
    wrong = [repr(cell if len(cell) <= 40 else f"{cell[:40]}…") for cell, found in ids.items() if found is None]
    if wrong:
        fits = "the ids have to be whole numbers, as in the names of the images"
        raise ManifestError(
            f"{search.labels.file}: column {search.labels.id}: expected whole numbers, as images.pattern "
            f"{search.images.pattern!r} requires, got {first_ten(wrong)}; "
            f"{fits if search.found else layout_hint(search, list(cells[search.labels.id]))}"
        )
    return [str(ids[cell]) for cell in cells[search.labels.id]]


def _check_names_free(columns: Iterable[str], search: Search, from_names: Iterable[str]) -> None:
    taken = {*OWN_COLUMNS, *search.layout.file_columns, "file", *from_names}
    if search.images.names_split:
        taken.add(SPLIT_COLUMN)
    clashes = [column for column in columns if column in taken]
    if clashes:
        raise ManifestError(
            f"{search.labels.file}: column {', '.join(clashes)} has a reserved name; "
            "rename it, or name it in the labels settings (labels.id, labels.label, labels.group, labels.files)"
            f"{', or call it otherwise in images.pattern' if set(clashes) & set(from_names) else ''}"
        )


def _checked(samples: pd.DataFrame, search: Search, remarks: tuple[str, ...]) -> Manifest:
    unlisted = search.unlisted(samples)
    if search.labels.unmatched == "ignore":
        # Samples that are not in the table lack its further columns.
        samples = pd.concat([samples, unlisted.assign(label="")]).fillna("")
    files = search.file_names(samples)
    listing = Listing(samples, files, files.map(search.on_disk.__contains__), unlisted, search)
    problems = find_problems(listing) or shared_file_problems(listing)
    if problems:
        raise ManifestError("\n".join([f"the samples do not fit the images in {search.images.root}:", *problems]))
    table = pd.concat([samples[list(OWN_COLUMNS)], files, samples.drop(columns=list(OWN_COLUMNS))], axis=1)
    kept = table[listing.exists.all(axis=1)].reset_index(drop=True)
    remarks = (*remarks, *find_remarks(listing), *shared_file_remarks(listing), *split_remarks(kept, search))
    images = search.images
    plane = PlaneChoice.from_settings(images.plane)
    return Manifest(kept, images.root, tuple(images.channels), remarks, images.layout, plane=plane)


def _ignore(_line: str) -> None:
    """Ignore a remark."""


def label_by_id(
    images: ImagesSettings,
    labels: LabelsSettings,
    file: Location,
    *,
    raw: RawTable | None = None,
    say: Callable[[str], None] = _ignore,
) -> dict[str, str]:
    """Read labels that replace those of a feature file, by sample id.

    Ids are converted as extraction converts them: with a whole-number pattern ``00001`` is ``1``.

    Parameters
    ----------
    images, labels
        Settings of the extraction.
    file
        The table of the new labels.
    raw
        The table as it stands in its file, where it was read already.
    say
        Receives how the table was read, and which labels were taken as missing.

    Raises
    ------
    MissingFileError, ManifestError
        As for `read_labels`; also if the settings name no column of labels, or an id occurs more than once.
    """
    if labels.label is None:
        raise ManifestError(f"{file}: labels.label names no column; say which with --set labels.label=COLUMN")
    named = labels.model_copy(update={"files": None, "group": None, "split": None})
    table = read_labels(named, file) if raw is None else checked_labels(raw, named, file)
    for line in table.remarks:
        say(line)
    cells = table.cells
    ids = _ids_of_samples(cells[labels.id], images, named)
    repeated = [sample_id for sample_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ManifestError(f"{file}: ids that occur more than once: {first_ten(repeated)}; keep one row of each")
    return dict(zip(ids, cells[labels.label], strict=True))


def _ids_of_samples(cells: Iterable[str], images: ImagesSettings, labels: LabelsSettings) -> list[str]:
    if images.layout == "fields":
        return list(cells)
    # The layout `table` would need columns of file names, which this table may lack.
    layout = choose_layout(images.model_copy(update={"layout": "auto"}), labels, None)
    return [layout.sample_id(cell) or cell for cell in cells]
