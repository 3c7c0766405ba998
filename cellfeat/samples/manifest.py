"""The table of samples: the id, label, group and files of each, checked as a whole before any image is read."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ConfigError, ManifestError, MissingFileError
from cellfeat.provenance import digest_json, publish
from cellfeat.samples.labels import file_columns, named_columns, read_labels
from cellfeat.samples.layouts import (
    FoldersLayout,
    Found,
    Layout,
    PatternLayout,
    TableLayout,
    is_image_name,
    leads_outside,
    table_file_name,
)
from cellfeat.text import first_ten

OWN_COLUMNS = ("sample_id", "label", "group")
SAVED_COLUMNS = ("root", "channels")


@dataclass(frozen=True)
class Manifest:
    """The samples in their order.

    Attributes
    ----------
    table
        One row per sample, every column str: ``sample_id``, ``label`` and ``group`` (``""`` where there is none), the
        file names relative to `root` (``file``, or ``file_<channel>`` for each channel), and the further columns of
        the labels table.
    root
        The folder that file names are relative to.
    channels
        The channels of a sample, in order.
    remarks
        What was found and left out, in lines for a person; `save` does not keep them.
    """

    table: pd.DataFrame
    root: Path
    channels: tuple[str | int, ...]
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def file_columns(self) -> tuple[str, ...]:
        """The columns of file names: ``file``, or one per channel."""
        if "file" in self.table.columns:
            return ("file",)
        return tuple(f"file_{channel}" for channel in self.channels)

    @property
    def columns(self) -> tuple[str, ...]:
        """The further columns of the labels table."""
        own = {*OWN_COLUMNS, *self.file_columns}
        return tuple(column for column in self.table.columns if column not in own)

    def files(self, row: int) -> tuple[Path, ...]:
        """The files of one sample: one that holds all channels, or one per channel."""
        return tuple(self.root / str(self.table[column].iat[row]) for column in self.file_columns)

    def digest(self) -> str:
        """sha256 of the ids, file names and channels; labels and groups do not enter it."""
        columns = ("sample_id", *self.file_columns)
        samples = {column: self.table[column].tolist() for column in columns}
        return digest_json({"channels": list(self.channels), "samples": samples})

    def save(self, path: Path) -> None:
        """Write the manifest as ``.csv`` or ``.parquet``; `root` and `channels` become columns of their own.

        Raises
        ------
        ManifestError
            If `path` ends in anything else.
        """
        _check_suffix(path)
        channels = json.dumps(self.channels, ensure_ascii=False)
        table = self.table.assign(root=str(self.root), channels=channels)
        with publish(path) as temporary:
            if path.suffix == ".csv":
                table.to_csv(temporary, index=False)
            else:
                table.to_parquet(temporary, index=False)

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read what `save` wrote.

        Raises
        ------
        MissingFileError
            If there is no such file.
        ManifestError
            If it is not a manifest.
        """
        _check_suffix(path)
        table = _read_table(path)
        missing = [column for column in (*OWN_COLUMNS, *SAVED_COLUMNS) if column not in table.columns]
        if missing or table.empty:
            why = f"no column {', '.join(missing)}" if missing else "no samples"
            raise ManifestError(f"{path}: not a manifest: {why}; make it with Manifest.save")
        channels = _saved_channels(str(table["channels"].iat[0]), path)
        manifest = cls(table.drop(columns=list(SAVED_COLUMNS)), Path(str(table["root"].iat[0])), channels)
        lost = [column for column in manifest.file_columns if column not in table.columns]
        if lost:
            raise ManifestError(f"{path}: not a manifest: no column {', '.join(lost)}; make it with Manifest.save")
        return manifest


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise ManifestError(f"{path}: a manifest is a .csv or a .parquet file; expected one of these endings")


def _read_table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False)
        columns = pyarrow.parquet.ParquetFile(path).read()
        # Value by value: what pandas left in the file on how to read it may be damaged, and texts are decoded late.
        cells = {name: list(map(str, columns[name].to_pylist())) for name in columns.column_names}
        return pd.DataFrame(cells, dtype=str)
    except FileNotFoundError:
        raise MissingFileError(f"the manifest {path} does not exist") from None
    except (OSError, ValueError, LookupError, TypeError, pyarrow.ArrowException) as error:
        raise ManifestError(f"{path}: cannot be read as a table: {error}") from None


def _saved_channels(text: str, path: Path) -> tuple[str | int, ...]:
    try:
        channels = json.loads(text)
    except (ValueError, RecursionError):
        channels = None
    if not isinstance(channels, list) or not all(isinstance(channel, str | int) for channel in channels):
        raise ManifestError(
            f"{path}: not a manifest: channels: expected a JSON list of names or numbers, got {text!r}; "
            "make it with Manifest.save"
        )
    return tuple(channels)


def build_manifest(images: ImagesSettings, labels: LabelsSettings) -> Manifest:
    """Find the samples that the settings describe, and check them as a whole.

    Samples keep the order of the labels table; without one, or behind it, they are sorted by id, numbers by value.
    A label comes from the labels table where `LabelsSettings.label` names its column, and from the pattern's
    ``{label}`` or the class folder otherwise.

    Raises
    ------
    MissingFileError
        If the folder of images or the labels table does not exist.
    ManifestError
        If samples and images do not fit each other; the message lists everything that is wrong.
    ConfigError
        If the settings do not fit each other.
    """
    _check_settings(images, labels)
    cells = read_labels(labels, labels.file) if labels.file else None
    layout = _layout(images, labels, cells)
    on_disk = layout.on_disk(images.root)
    found = {sample for sample in map(layout.find, on_disk) if sample}
    search = _Search(images, labels, layout, on_disk, found)
    samples = _samples_found(found) if cells is None else _samples_listed(cells, search)
    return _checked(samples, search)


@dataclass(frozen=True)
class _Search:
    """What was looked for, and what is there."""

    images: ImagesSettings
    labels: LabelsSettings
    layout: Layout
    on_disk: set[str]
    found: set[Found]

    @property
    def found_labels(self) -> dict[str, str]:
        """What the file names say of each sample's label."""
        return {sample.sample_id: sample.label for sample in self.found}


def _check_settings(images: ImagesSettings, labels: LabelsSettings) -> None:
    if len({str(channel) for channel in images.channels}) < len(images.channels):
        raise ConfigError(f"images.channels: {images.channels}: expected every channel once")
    n_columns = len(file_columns(labels))
    if n_columns > 1 and n_columns != len(images.channels):
        raise ConfigError(
            f"labels.files names {n_columns} columns; expected one, or one for each of {len(images.channels)} channels"
        )
    if not images.root.is_dir():
        raise MissingFileError(
            f"the folder of images {images.root} does not exist; name it with --images FOLDER (images.root)"
        )


def _layout(images: ImagesSettings, labels: LabelsSettings, cells: pd.DataFrame | None) -> Layout:
    kind = images.layout
    if kind == "auto":
        kind = "table" if labels.files else "pattern" if images.pattern else "folders"
    if kind == "folders":
        return FoldersLayout(keeps_unlabelled=labels.unmatched != "error")
    if kind == "pattern":
        if images.pattern is None:
            raise ConfigError("images.layout: pattern needs images.pattern, such as '{sample_id:05d}_{channel}.png'")
        return PatternLayout(images.pattern, tuple(images.channels))
    if cells is None or not labels.files:
        raise ConfigError(
            "images.layout: table needs a CSV that names the files (--labels FILE), "
            "and labels.files to name its columns of file names"
        )
    return _table_layout(cells, labels, images.channels)


def _table_layout(cells: pd.DataFrame, labels: LabelsSettings, channels: Sequence[str | int]) -> TableLayout:
    columns = file_columns(labels)
    names = zip(*(map(table_file_name, cells[column]) for column in columns), strict=True)
    own = ("file",) if len(columns) == 1 else tuple(f"file_{channel}" for channel in channels)
    return TableLayout(own, dict(zip(cells[labels.id], names, strict=True)))


def _samples_found(found: set[Found]) -> pd.DataFrame:
    """Samples without a labels table, indexed by where each was found."""
    ordered = sorted(found, key=lambda sample: (_natural_key(sample.sample_id), sample))
    columns = {
        "sample_id": [sample.sample_id for sample in ordered],
        "label": [sample.label for sample in ordered],
        "group": "",
    }
    return pd.DataFrame(columns, index=[f"label {sample.label!r}" for sample in ordered], dtype=str)


def _samples_listed(cells: pd.DataFrame, search: _Search) -> pd.DataFrame:
    """Samples of the labels table, indexed by their line in it."""
    labels = search.labels
    ids = _ids(cells, search)
    found_labels = search.found_labels
    columns = {
        "sample_id": ids,
        "label": list(cells[labels.label]) if labels.label else [found_labels.get(i, "") for i in ids],
        "group": list(cells[labels.group]) if labels.group else "",
    }
    samples = pd.DataFrame(columns, index=cells.index, dtype=str)
    further = [column for column in cells.columns if column not in named_columns(labels)]
    _check_names_free(further, search)
    return samples.join(cells[further]).set_axis([f"line {line}" for line in cells.index])


def _ids(cells: pd.DataFrame, search: _Search) -> list[str]:
    ids = {cell: search.layout.sample_id(cell) for cell in cells[search.labels.id]}
    wrong = [repr(cell if len(cell) <= 40 else f"{cell[:40]}…") for cell, found in ids.items() if found is None]
    if wrong:
        raise ManifestError(
            f"{search.labels.file}: column {search.labels.id}: expected whole numbers, as images.pattern "
            f"{search.images.pattern!r} says, got {first_ten(wrong)}; "
            "change the ids, or write {sample_id} without a number format"
        )
    return [str(ids[cell]) for cell in cells[search.labels.id]]


def _check_names_free(columns: Iterable[str], search: _Search) -> None:
    taken = {*OWN_COLUMNS, *search.layout.file_columns, *SAVED_COLUMNS, "file"}
    clashes = [column for column in columns if column in taken]
    if clashes:
        raise ManifestError(
            f"{search.labels.file}: column {', '.join(clashes)} has a name that the manifest needs for itself; "
            "rename it, or name it in the labels settings (labels.id, labels.label, labels.group, labels.files)"
        )


def _checked(samples: pd.DataFrame, search: _Search) -> Manifest:
    unlisted = _unlisted(samples, search)
    if search.labels.unmatched == "ignore":
        samples = pd.concat([samples, unlisted.assign(label="")]).fillna("")
    files = _files(samples, search)
    is_there = files.map(search.on_disk.__contains__)
    problems = _problems(samples, files, is_there, search)
    if search.labels.unmatched == "error":
        problems += _without_labels(unlisted)
    if not is_there.to_numpy().any():
        problems = [*_outside(files, search), *(_other_forms(files, search) or [_nothing_found(files, search)])]
    if problems:
        raise ManifestError("\n".join([f"the samples do not fit the images in {search.images.root}:", *problems]))
    table = pd.concat([samples[list(OWN_COLUMNS)], files, samples.drop(columns=list(OWN_COLUMNS))], axis=1)
    kept = table[is_there.all(axis=1)].reset_index(drop=True)
    remarks = (*_no_images(samples, is_there, search), *_no_row(unlisted, search), *_nobodys(files, unlisted, search))
    return Manifest(kept, search.images.root, tuple(search.images.channels), remarks)


def _unlisted(samples: pd.DataFrame, search: _Search) -> pd.DataFrame:
    """The samples that have images and no row in the labels table."""
    listed = set(samples["sample_id"])
    return _samples_found({sample for sample in search.found if sample.sample_id not in listed})


def _problems(samples: pd.DataFrame, files: pd.DataFrame, is_there: pd.DataFrame, search: _Search) -> list[str]:
    problems = [*_duplicates(samples), *_spellings(samples), *_outside(files, search), *_missing(files, is_there)]
    problems += _other_forms(files, search)
    return problems if search.labels.unmatched == "ignore" else [*problems, *_without_images(samples, is_there, search)]


def _files(samples: pd.DataFrame, search: _Search) -> pd.DataFrame:
    """The file names of samples, with their index; where there is no label, the one found on disk takes its place."""
    found_labels = search.found_labels
    pairs = zip(samples["sample_id"], samples["label"], strict=True)
    names = [search.layout.names(Found(i, label or found_labels.get(i, ""))) for i, label in pairs]
    return pd.DataFrame(names, index=samples.index, columns=list(search.layout.file_columns), dtype=str)


def _duplicates(samples: pd.DataFrame) -> list[str]:
    repeated = samples[samples["sample_id"].duplicated(keep=False)]
    groups = [f"{sample_id} ({', '.join(map(str, rows.index))})" for sample_id, rows in repeated.groupby("sample_id")]
    return [f"- ids that stand for more than one sample: {first_ten(groups)}; keep one of each"] if groups else []


def _as_seen(label: str) -> str:
    """A label less what a reader would not tell apart: case, spaces, invisible marks, two ways to write one letter."""
    seen = unicodedata.normalize("NFKC", label)
    return "".join(c for c in seen if not c.isspace() and unicodedata.category(c) != "Cf").casefold()


def _told_apart(labels: list[str]) -> list[str]:
    """Labels in quotes, by their code points where they would look the same."""
    look_the_same = len({unicodedata.normalize("NFKC", label) for label in labels}) < len(labels)
    return [ascii(label) if look_the_same else repr(label) for label in labels]


def _spellings(samples: pd.DataFrame) -> list[str]:
    counts = Counter(samples["label"])
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        spellings[_as_seen(label)].append(label)
    alike = [
        " and ".join(
            f"{written} ({counts[label]} samples)" for label, written in zip(labels, _told_apart(labels), strict=True)
        )
        for labels in spellings.values()
        if len(labels) > 1
    ]
    if not alike:
        return []
    return [
        f"- labels that look alike, but for case, spaces or invisible marks: {first_ten(alike)}; "
        "if they are one class, write it one way"
    ]


def _outside(files: pd.DataFrame, search: _Search) -> list[str]:
    if search.images.allow_outside:
        return []
    names = [f"{name} ({where})" for where, name in _located(files) if leads_outside(name)]
    if not names:
        return []
    return [
        f"- file names that lead out of images.root: {first_ten(names)}; move the files, "
        "or allow it with --set images.allow_outside=true"
    ]


def _other_forms(files: pd.DataFrame, search: _Search) -> list[str]:
    """Names that are missing, and there with other code points for the same letters."""
    there = {unicodedata.normalize("NFC", name): name for name in search.on_disk if not name.isascii()}
    wanted = [name for _, name in _located(files) if not name.isascii() and name not in search.on_disk]
    pairs = [(name, there.get(unicodedata.normalize("NFC", name))) for name in wanted]
    alike = [f"{name!a} is there as {other!a}" for name, other in pairs if other]
    if not alike:
        return []
    return [
        f"- file names that look alike and are other Unicode: {first_ten(alike)}; write both in one normal form (NFC)"
    ]


def _missing(files: pd.DataFrame, is_there: pd.DataFrame) -> list[str]:
    """Files that are missing while others of the same sample are there."""
    incomplete = is_there.any(axis=1) & ~is_there.all(axis=1)
    absent = files[incomplete].where(~is_there[incomplete])
    names = [f"{name or '(empty cell)'} ({where})" for where, name in _located(absent) if isinstance(name, str)]
    if not names:
        return []
    return [f"- {len(names)} of {files.size} files are missing: {first_ten(names)}; copy them, or remove their samples"]


def _located(files: pd.DataFrame) -> list[tuple[str, str]]:
    return [(where, name) for where, *names in files.itertuples() for name in names]


def _bare(samples: pd.DataFrame, is_there: pd.DataFrame) -> list[str]:
    """The samples without any file."""
    return [f"{sample_id} ({where})" for where, sample_id in samples["sample_id"][~is_there.any(axis=1)].items()]


def _without_images(samples: pd.DataFrame, is_there: pd.DataFrame, search: _Search) -> list[str]:
    named = _bare(samples, is_there)
    if not named:
        return []
    if search.labels.unmatched == "listed":
        whose, advice = f"rows of {search.labels.file}", "copy their images, or take the rows out"
    else:
        whose, advice = "labelled samples", "leave them out with --set labels.unmatched=ignore"
    return [f"- {len(named)} of {len(samples)} {whose} have no image: {first_ten(named)}; {advice}"]


def _without_labels(unlisted: pd.DataFrame) -> list[str]:
    if unlisted.empty:
        return []
    return [
        f"- {len(unlisted)} samples have images and no row in the labels: {first_ten(unlisted['sample_id'])}; "
        "keep them unlabelled with --set labels.unmatched=ignore"
    ]


def _no_images(samples: pd.DataFrame, is_there: pd.DataFrame, search: _Search) -> list[str]:
    named = _bare(samples, is_there)
    if not named:
        return []
    return [f"left out: {len(named)} samples of {search.labels.file} that have no image: {first_ten(named)}"]


def _no_row(unlisted: pd.DataFrame, search: _Search) -> list[str]:
    if unlisted.empty:
        return []
    fate = "kept without a label" if search.labels.unmatched == "ignore" else "left out"
    which = f"{len(unlisted)} samples that have images and no row in {search.labels.file}"
    return [f"{fate}: {which}: {first_ten(unlisted['sample_id'])}"]


def _nobodys(files: pd.DataFrame, unlisted: pd.DataFrame, search: _Search) -> list[str]:
    """Images that are no file of a sample, listed or not."""
    owned = [files] if unlisted.empty else [files, _files(unlisted, search)]
    rest = search.on_disk.difference(*(names.to_numpy().flat for names in owned))
    names = sorted(filter(is_image_name, rest), key=_natural_key)
    if not names:
        return []
    expected = files.iat[0, 0]
    n_images = sum(map(is_image_name, search.on_disk))
    which = f"{len(names)} of {n_images} images in {search.images.root} that are no sample's file"
    return [f"left out: {which}, such as {expected!s} is: {first_ten(names)}"]


def _nothing_found(files: pd.DataFrame, search: _Search) -> str:
    expected = f"expected files such as {files.iat[0, 0]!s}" if len(files) else "no file fits the layout"
    return f"- no image of any sample is there: {expected}; {_what_is_there(search)}"


def _what_is_there(search: _Search) -> str:
    names = sorted(name for name in search.on_disk if is_image_name(name))
    if not names:
        return "the folder holds no PNG, JPEG or TIFF files: name the right one with --images FOLDER (images.root)"
    folders = sorted({name.partition("/")[0] for name in names if "/" in name})
    if folders and not isinstance(search.layout, FoldersLayout):
        return (
            f"there are folders of images: {first_ten(folders)}; if they are the classes: --set images.layout=folders, "
            "and --set labels.file=null if there is no labels table"
        )
    return (
        f"there are {len(names)} images such as {names[0]}: say how they are named, for example: "
        "--set images.layout=pattern --set 'images.pattern={sample_id:05d}_{channel}.png'"
    )


def _natural_key(text: str) -> list[str | int]:
    """A sort key that puts ``2`` before ``10``."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", text))]


def label_by_id(images: ImagesSettings, labels: LabelsSettings, file: Path) -> dict[str, str]:
    """Read labels that replace those of a feature file, by sample id as extraction writes it: ``00001`` may be ``1``.

    Raises
    ------
    MissingFileError, ManifestError
        As `read_labels`; also where the settings name no column of labels, or an id stands there twice.
    """
    if labels.label is None:
        raise ManifestError(f"{file}: labels.label names no column; say which with --set labels.label=COLUMN")
    named = labels.model_copy(update={"files": None, "group": None})
    cells = read_labels(named, file)
    layout = _layout(images.model_copy(update={"layout": "auto"}), named, None)
    ids = [layout.sample_id(cell) or cell for cell in cells[labels.id]]
    repeated = [sample_id for sample_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise ManifestError(f"{file}: ids that stand there more than once: {first_ten(repeated)}; keep one row of each")
    return dict(zip(ids, cells[labels.label], strict=True))


def check_classes(manifest: Manifest, n_folds: int) -> None:
    """Check that every class can have a sample in each fold.

    Raises
    ------
    ManifestError
        If a class has fewer samples than there are folds, or there are no two classes.
    """
    counts = Counter(label for label in manifest.table["label"] if label)
    if len(counts) < 2:
        raise ManifestError(
            f"the samples have {len(counts)} classes ({first_ten(counts) or 'no sample is labelled'}); "
            "expected two or more: name the column of classes with --set labels.label=COLUMN"
        )
    small = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < n_folds]
    if small:
        raise ManifestError(
            f"{len(small)} of {len(counts)} classes have fewer samples than {n_folds} folds: {first_ten(small)}; "
            "add samples, merge or leave out the classes, ask for fewer folds with --set comparison.folds=N, "
            "or extract without labels (--labels none) and give them later"
        )
