"""What the columns of a table hold: labels, groups, a split, names of files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cellfeat.proposing.words import COARSE, role_of_word
from cellfeat.samples.folders.file_kinds import IMAGE_ENDINGS
from cellfeat.samples.splits import looks_like_split

MOST_CLASSES = 200
IMAGE_SHARE = 0.9
_YES, _NO = ("1", "1.0", "True", "TRUE", "true"), ("0", "0.0", "False", "FALSE", "false")
_LABEL_WORDS = (
    "label", "labels", "class", "classname", "target", "y", "cell line", "cellline", "cell type",
    "celltype", "phenotype", "diagnosis", "genotype", "treatment", "condition", "stage", "phase", "category",
    "annotation", "moa", "compound", "drug", "perturbation", "gene", "line", "type", "state", "disease", "response",
    "truth", "ground truth", "tissue", "strain", "population", "marker", "outcome",
    "klasse", "zelllinie", "zelltyp", "behandlung", "diagnose", "kategorie",
)  # fmt: skip
_ID_WORD = re.compile(
    r"(.*[ _])?(id|ids|index|key|name|file|filename|image|img|cell|sample|path|no|nr|number)s?", re.IGNORECASE
)
_MEASURE_WORD = re.compile(
    r"(.*[ _])?([xyzt]|row|col|column|left|top|right|bottom|width|height|area|time|size|score|count|center [xy])",
    re.IGNORECASE,
)
_SPLIT_WORD = re.compile(r"(.*[ _])?(split|set|subset|partition|part|fold|usage|dataset)", re.IGNORECASE)
_FILE_WORDS = re.compile(
    r"(^|[ _.-])(file[ _]?names?|files?|path[ _]?names?|paths?|images?|img|url|tiff?|png)(?=$|[ _.-])", re.IGNORECASE
)


def plain(name: str) -> str:
    """A column's name in lower case, with single spaces, without ``Metadata_``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    return re.sub(r"^((metadata|image metadata|meta) )+(?=.)", "", re.sub(r"[ _.\-]+", " ", spaced).lower())


def _label_word(name: str) -> str:
    """A column's name without what follows a word for a class, as in ``class_id``."""
    return re.sub(r" (id|name|code|index)$", "", plain(name))


@dataclass(frozen=True)
class Columns:
    """The columns of a table by what they hold.

    Attributes
    ----------
    labels
        Columns that may be the label, the likeliest first; `n_named` of them are called like a label.
    n_named
        Number of columns of `labels` that are called like a label.
    groups
        Column of each role of a group, such as ``plate``.
    split
        The column of a split; None where there is none.
    files
        Columns of names of image files.
    """

    labels: tuple[str, ...]
    n_named: int
    groups: dict[str, str]
    split: str | None
    files: tuple[str, ...]


def look_at_columns(cells: pd.DataFrame, id_column: str | None) -> Columns:
    """Say what the columns of a table hold.

    Parameters
    ----------
    cells
        The table, all str.
    id_column
        The column of ids; None where it is unknown.
    """
    files = tuple(name for name in cells.columns if _are_images(cells[name]))
    rest = [name for name in cells.columns if name != id_column and name not in files]
    split = _split_column(cells, rest)
    groups = _group_columns(cells, [name for name in rest if name != split])
    others = [name for name in rest if name != split and name not in groups.values()]
    # y is the label beside X, and a coordinate beside x.
    words = [word for word in _LABEL_WORDS if word != "y" or "x" not in map(plain, others)]
    named = sorted(
        (name for name in others if _label_word(name) in words and _n_values(cells[name]) > 1),
        key=lambda name: _LABEL_WORDS.index(_label_word(name)),
    )
    unnamed = [name for name in others if name not in named and _may_be_label(name, cells[name])]
    are_numbers = {name: _are_numbers(cells[name]) for name in unnamed}
    unnamed.sort(key=are_numbers.__getitem__)
    return Columns((*named, *unnamed), len(named), groups, split, files)


def one_for_each_class(cells: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns that hold one class each, with a single yes (1) in each row; empty where there are none.

    Parameters
    ----------
    cells
        The table, all str.
    names
        Columns that may be the label.
    """
    flags = [name for name in names if set(cells[name]) <= set(_YES) | set(_NO)]
    yes = cells[flags].isin(_YES).sum(axis=1) if len(flags) > 1 else pd.Series(dtype=int)
    return flags if len(yes) and (yes == 1).all() else []


def _n_values(column: pd.Series) -> int:
    return len(set(column) - {""})


def _are_images(column: pd.Series) -> bool:
    values = [value.lower() for value in column if value]
    n_images = sum(value.endswith(tuple(IMAGE_ENDINGS)) for value in values)
    return bool(values) and n_images >= IMAGE_SHARE * len(values)


def _split_column(cells: pd.DataFrame, names: Sequence[str]) -> str | None:
    splits = [name for name in names if looks_like_split(cells[name])]
    return min(splits, key=lambda name: (not _SPLIT_WORD.fullmatch(plain(name)), names.index(name)), default=None)


def _group_columns(cells: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    groups: dict[str, str] = {}
    # Beside "well", "well_id" is rather an id of its own, with the plate in it.
    for name in sorted(names, key=lambda name: plain(name) != role_of_word(name)):
        role = role_of_word(name)
        if role in COARSE and role not in groups and plain(name) not in _LABEL_WORDS and _n_values(cells[name]) > 1:
            groups[role] = name
    return groups


def _may_be_label(name: str, column: pd.Series) -> bool:
    """Whether values are a few words, or a few numbers, that repeat."""
    n_values, n_rows = _n_values(column), int((column != "").sum())
    if not 2 <= n_values <= min(MOST_CLASSES, max(2, n_rows // 2)) or _ID_WORD.fullmatch(plain(name)):
        return False
    if _MEASURE_WORD.fullmatch(plain(name)):
        return False
    return n_values <= 10 if _are_numbers(column) else True


def _are_numbers(column: pd.Series) -> bool:
    return all(re.fullmatch(r"-?\d+([.,]\d+)?", value) for value in set(column) - {""})


def channel_of_column(name: str) -> str:
    """The channel that a column of file names is called after: ``dapi`` for ``dapi_file`` or ``FileName_OrigDAPI``."""
    bare = _FILE_WORDS.sub(" ", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())).strip(" _.-")
    bare = re.sub(r"^(Metadata|Orig(inal)?)[ _]*(?=.)", "", bare, flags=re.IGNORECASE).strip(" _.-")
    return bare or name


def is_id_word(name: str) -> bool:
    """Whether a column is called like one of ids."""
    return _ID_WORD.fullmatch(plain(name)) is not None
