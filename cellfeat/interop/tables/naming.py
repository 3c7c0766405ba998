"""Which columns of a table are ids, labels and groups: named by the user, by the file, or guessed and said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellfeat.errors import ManifestError, UnknownNameError
from cellfeat.interop.tables.source import Source, looks_numeric
from cellfeat.samples.column_names.profiles import (
    OBJECT_NAMES,
    PLATE_NAMES,
    SITE_NAMES,
    WELL_NAMES,
    is_metadata,
    plain_name,
    trap,
)
from cellfeat.text import first_ten, near_names, shorten
from cellfeat.types import Strings

NONE = "none"
"""Said in place of a column that a table does not have."""

_ID_NAMES = ("sampleid", "id", "sample", "cell", "cellid", "fileid", "objectid", "imageid", "uuid", "barcode", "name",
             "index", "uniqueid", "filename", "file", "firstcolumn", "unnamed0", "imagename", "imagefile", "zelle",
             "zellid", "zellnr", "zellenr", "zellnummer", "probe", "dateiname", "datei")  # fmt: skip
_LABEL_NAMES = ("label", "labels", "class", "classname", "celltype", "cellline", "target", "y", "category", "phenotype",
                "moa", "treatment", "compound", "perturbation", "pertiname", "pertid", "condition", "genotype",
                "gene", "klasse", "zelllinie", "zelltyp", "behandlung", "bedingung")  # fmt: skip
_GROUP_NAMES = (*PLATE_NAMES, "batch", "donor", "patient", *WELL_NAMES, "position", *SITE_NAMES, "image", "imagenumber",
                "replicate", "spender", "charge", "versuch", "replikat")  # fmt: skip
_FOLD_NAMES = ("fold", "folds", "foldid", "kfold", "cvfold", "cv", "split", "splitid", "partition")
_TABLE, _IMAGE = ("tablenumber",), ("imagenumber",)
_COMBINATIONS = (
    (_IMAGE, OBJECT_NAMES),
    (_TABLE, _IMAGE, OBJECT_NAMES),
    (PLATE_NAMES, WELL_NAMES, SITE_NAMES, OBJECT_NAMES),
    (PLATE_NAMES, _IMAGE, OBJECT_NAMES),
    (PLATE_NAMES, WELL_NAMES, SITE_NAMES, _IMAGE, OBJECT_NAMES),
    (PLATE_NAMES, _TABLE, _IMAGE, OBJECT_NAMES),
    (WELL_NAMES, SITE_NAMES, OBJECT_NAMES),
    (WELL_NAMES, OBJECT_NAMES),
    (PLATE_NAMES, WELL_NAMES, SITE_NAMES),
    (PLATE_NAMES, WELL_NAMES),
    (WELL_NAMES,),
)
"""Columns that together name a cell, a field or a well, the shortest first."""
_MOST_CLASSES = 0.5
"""A column with a different value for more than this share of the samples holds no classes."""
_LEAST_WELLS = 2
"""A class in fewer wells cannot be in training and test parts while wells stay together."""
_FIRST = 50
_MOST_NUMBERS = 50
"""More whole numbers than this are measurements or numbers of objects, and not classes."""


@dataclass(frozen=True)
class Named:
    """A column that was chosen.

    Attributes
    ----------
    values
        Text, shape ``(n_samples,)``.
    columns
        The names of the columns that it was made of; none where the rows were counted.
    is_guess
        Whether neither the user nor the file named it.
    why
        Of guessed groups: what they are.
    warning
        Of guessed groups: why scores on them may be too good.
    """

    values: Strings
    columns: tuple[str, ...] = ()
    is_guess: bool = False
    why: str = ""
    warning: str = ""

    @property
    def name(self) -> str:
        """The name of the column; several are joined by a plus."""
        return "+".join(self.columns)


def find(source: Source, name: str, option: str) -> str:
    """Find a column by its name, also written in another case.

    Parameters
    ----------
    source
        The table.
    name
        As the user wrote it.
    option
        The option, for messages.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    if name in source.columns:
        return name
    alike = [column for column in source.columns if plain_name(column) == plain_name(name)]
    if len(alike) == 1:
        return alike[0]
    raise UnknownNameError(f"{source.path}: {option}: no column is called {name!r}; {near_names(name, source.columns)}")


def choose_ids(source: Source, wanted: str | None) -> Named:
    """Choose the ids.

    Parameters
    ----------
    source
        The table.
    wanted
        The column, or several separated by commas; None: one named so by the file or by its name, or CellProfiler's
        numbers of image and object, or the number of the row.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    if wanted is not None:
        parts = [wanted] if wanted in source.columns else [part.strip() for part in wanted.split(",")]
        return _joined(source, [find(source, part, "--id") for part in parts], is_guess=False)
    own = _joined(source, [source.own_id], is_guess=False) if source.own_id else None
    if own is not None and _is_unique(own.values) and not _counts_rows(own.values):
        return own
    named = _named_ids(source)
    if named is not None and not _counts_rows(named.values):
        return named
    for combination in _COMBINATIONS:
        names = [_first(source, words) for words in combination]
        if all(names) and _is_unique((one := _joined(source, names, is_guess=True)).values):
            return one
    for counting in (own, named):
        if counting is not None and _is_unique(counting.values):
            return counting
    return Named(np.array([f"row{number}" for number in range(1, len(source) + 1)]), is_guess=True)


def _named_ids(source: Source) -> Named | None:
    """The first column that is named as one of ids, and has a value of its own in each row."""
    for word in _ID_NAMES:
        for name in source.columns:
            if plain_name(name) == word and _is_unique(values := source.texts(name)):
                return Named(values, (name,), is_guess=True)
    return None


def _counts_rows(values: Strings) -> bool:
    """Whether ids are the numbers of the rows, as an index without a meaning is."""
    first = values[0] if len(values) else ""
    return first in ("0", "1") and values.tolist() == list(map(str, range(int(first), int(first) + len(values))))


def _first(source: Source, words: Sequence[str]) -> str:
    return next((name for word in words for name in source.columns if plain_name(name) == word), "")


def _joined(source: Source, names: Sequence[str], *, is_guess: bool) -> Named:
    columns = [source.texts(name).tolist() for name in names]
    values = np.array(["_".join(parts) if all(parts) else "" for parts in zip(*columns, strict=True)], dtype=str)
    return Named(values, tuple(names), is_guess)


def _is_unique(values: Strings) -> bool:
    return bool(len(np.unique(values)) == len(values) and (values != "").all())


def choose_labels(source: Source, wanted: str | None, others: Sequence[str]) -> Named | None:
    """Choose the labels; None where there are none.

    Parameters
    ----------
    source
        The table.
    wanted
        The column; ``none``: no labels; None: the one that the file names, or the only one that can be meant.
    others
        Columns that are chosen for something else.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    ManifestError
        If several columns could be meant.
    """
    if wanted == NONE:
        return None
    if wanted is not None:
        name = find(source, wanted, "--label")
        return Named(source.texts(name), (name,))
    if source.own_label:
        return Named(source.texts(source.own_label), (source.own_label,))
    candidates = {
        name: counted for name in source.columns if name not in others and (counted := _n_classes(source, name))
    }
    named = [name for name in candidates if plain_name(name) in _LABEL_NAMES]
    found = named or [name for name in candidates if plain_name(name) not in (*_GROUP_NAMES, *_ID_NAMES)]
    # Names of files are text with few values, too.
    found = [name for name in found if not trap(name)] or found
    if len(found) == 1:
        return Named(source.texts(found[0]), (found[0],), is_guess=True)
    if not found:
        return None
    told = first_ten(f"{shorten(name)} ({candidates[name]} values)" for name in found)
    raise ManifestError(
        f"{source.path}: several columns could be the labels: {told}; say which with --label COLUMN, or --label none"
    )


def _n_classes(source: Source, name: str) -> int:
    """The number of classes that a column may hold; 0 where it holds none."""
    kind = str(source.table.column(name).type)
    is_named = plain_name(name) in _LABEL_NAMES
    if kind in ("float", "double", "halffloat") and not is_named:
        return 0
    is_text = kind.startswith(("string", "large_string"))
    if not (is_named or is_metadata(name) or is_text or kind.startswith(("dictionary", "bool"))):
        return 0
    # Of a table of text, every column of numbers comes here.
    if is_text and not is_named and looks_numeric(source.table.column(name).slice(0, _FIRST)):
        return 0
    values = source.texts(name)
    classes = np.unique(values[values != ""])
    n_numbers = sum(_is_number(value) for value in classes.tolist()[: 2 * _MOST_NUMBERS])
    if n_numbers == len(classes[: 2 * _MOST_NUMBERS]) and (not is_named or len(classes) > _MOST_NUMBERS):
        return 0
    return len(classes) if 2 <= len(classes) <= _MOST_CLASSES * len(values) else 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def choose_groups(source: Source, wanted: str | None, others: Sequence[str]) -> Named | None:
    """Choose the groups: those of CellProfiler's image where none are named; None where there are none.

    Parameters
    ----------
    source
        The table.
    wanted
        The column, or several separated by commas; ``none``: no groups.
    others
        Columns that are chosen for something else.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    if wanted == NONE:
        return None
    if wanted is not None:
        parts = [wanted] if wanted in source.columns else [part.strip() for part in wanted.split(",")]
        return _joined(source, [find(source, part, "--group") for part in parts], is_guess=False)
    if source.own_group:
        return Named(source.texts(source.own_group), (source.own_group,))
    image = [name for words in (_TABLE, _IMAGE) if (name := _first(source, words)) and name not in others]
    if not image or not _first(source, OBJECT_NAMES) or not _first(source, _IMAGE):
        return None
    found = replace(_joined(source, image, is_guess=True), why="the cells of one image")
    return found if 2 <= len(np.unique(found.values)) < len(found.values) else None


def groups_of_treatments(source: Source, labels: Named | None, groups: Named | None) -> Named | None:
    """Choose wells in place of guessed groups where each well has one label, because treatments were given by well.

    Cells of a well resemble each other whatever was done to them, so images of one well in training and test parts
    make scores too good.

    Parameters
    ----------
    source
        The table.
    labels, groups
        The labels, and the groups as guessed; None where there are none.

    Returns
    -------
    Named or None
        `groups` where wells do not serve; with a warning where a class has too few of them.
    """
    names = [name for words in (PLATE_NAMES, WELL_NAMES) if (name := _first(source, words))]
    if labels is None or not _first(source, WELL_NAMES) or set(names) & set(labels.columns):
        return groups
    is_labelled = labels.values != ""
    wells = _joined(source, names, is_guess=True)
    well, label = wells.values[is_labelled], labels.values[is_labelled]
    n_before = len(np.unique(groups.values)) if groups else len(well)
    if not 2 <= len(np.unique(well)) < n_before or (well == "").any():
        return groups
    pairs = np.unique(np.stack([well, label]), axis=1)
    if pairs.shape[1] > len(np.unique(well)):
        return groups
    classes, n_wells = np.unique(pairs[1], return_counts=True)
    if (n_wells < _LEAST_WELLS).any():
        alone = first_ten(shorten(one) for one in classes[n_wells < _LEAST_WELLS].tolist())
        warning = (
            f"classes in a single well: {alone}; each well has one label, so cells of one well will be in training and "
            "test parts alike, and scores may tell the well and not the class: add wells"
        )
        return replace(groups, warning=warning) if groups else None
    return replace(wells, why="each well has one label, and cells of a well resemble each other")


def is_group_name(name: str) -> bool:
    """Whether a column is named as one of plates, wells, donors or fields."""
    return plain_name(name) in _GROUP_NAMES


def is_label_name(name: str) -> bool:
    """Whether a column is named as one of labels; ``y`` is a position as well."""
    return plain_name(name) in _LABEL_NAMES and plain_name(name) != "y"


def is_fold_name(name: str) -> bool:
    """Whether a column is named as one of folds, or of a split made beforehand."""
    return plain_name(name) in _FOLD_NAMES


def group_candidates(source: Source, others: Sequence[str]) -> list[str]:
    """Columns that hold plates, wells, donors or fields by their names, and are not chosen.

    Parameters
    ----------
    source
        The table.
    others
        Columns that are chosen already.
    """
    found = {plain_name(name): name for name in source.columns if name not in others}
    return [found[word] for word in _GROUP_NAMES if word in found]
