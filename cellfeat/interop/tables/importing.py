"""Make features of a table that somebody else made: ``cellfeat import``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import FingerprintError, ManifestError
from cellfeat.extraction.store import Features, is_imported
from cellfeat.extraction.store.imported import ImportedColumns, ImportedSamples, check_ids
from cellfeat.interop.tables.joining import with_table
from cellfeat.interop.tables.naming import (
    NONE,
    choose_groups,
    choose_ids,
    choose_labels,
    groups_of_treatments,
    is_fold_name,
    is_group_name,
    is_label_name,
)
from cellfeat.interop.tables.numbers import FeatureTable, Wanted, choose_features, features_like
from cellfeat.interop.tables.reading import read_source
from cellfeat.interop.tables.remarks import Chosen, import_remarks
from cellfeat.interop.tables.source import Source
from cellfeat.provenance import digest_file
from cellfeat.samples.column_names.profiles import is_metadata, is_place
from cellfeat.samples.labels.spellings import spelling_problems
from cellfeat.types import Strings


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How a table is read.

    Attributes
    ----------
    labels
        A second table, with labels and further columns of the same samples.
    id, label, group
        Columns; several names separated by commas are joined. None: guessed where only one can be meant. ``none``: the
        table has no labels, or no groups.
    wanted
        Which columns are features.
    dataset
        Dataset of an HDF5 file, or matrix of an AnnData file.
    scaling
        How heads scale the numbers: see `cellfeat.extraction.store.features.Features.from_arrays`.
    advice
        Whether remarks name options of ``cellfeat import``, which other commands do not have.
    """

    labels: Path | None = None
    id: str | None = None
    label: str | None = None
    group: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    dataset: str | None = None
    scaling: str = "robust"
    advice: bool = True


@dataclass(frozen=True)
class Like:
    """Features whose columns are taken again.

    Attributes
    ----------
    names
        Their columns, in order.
    recipe
        Their recipe.
    labels
        Names of the columns of ids, labels and groups there.
    """

    names: tuple[str, ...]
    recipe: Mapping[str, Any]
    labels: Mapping[str, Any]

    @classmethod
    def of(cls, recipe: Mapping[str, Any], provenance: Mapping[str, Any], where: str) -> "Like":
        """Take the columns of a feature file or of a saved head.

        Parameters
        ----------
        recipe, provenance
            Theirs.
        where
            What they are, for messages.

        Raises
        ------
        FingerprintError
            If they do not come from a table.
        """
        names = provenance.get("imported", {}).get("columns")
        if not is_imported(recipe) or not isinstance(names, list):
            raise FingerprintError(
                f"{where}: its features were extracted from images, so a table cannot have the same: give images"
            )
        return cls(tuple(map(str, names)), recipe, provenance.get("settings", {}).get("labels", {}))

    @property
    def is_array(self) -> bool:
        """Whether the columns had no names."""
        return self.recipe.get("source") == "array"


@dataclass(frozen=True)
class Imported:
    """Features of a table, and what is to be said of it.

    Attributes
    ----------
    features
        With the path ``<in memory>``.
    remarks
        What was taken, guessed and left out.
    """

    features: Features
    remarks: tuple[str, ...]


def import_table(table: Path | str, options: ImportOptions | None = None, *, like: Like | None = None) -> Imported:
    """Make features of a table.

    Parameters
    ----------
    table
        CSV, Parquet, Excel, ``.npy``, ``.npz``, ``.h5ad`` or another HDF5 file.
    options
        How it is read; None for the defaults.
    like
        Take exactly the columns of these features.

    Raises
    ------
    MissingFileError, ManifestError, UnknownNameError
        If the table cannot be read as asked.
    """
    if not isinstance(table, str | Path):
        raise ManifestError(
            f"table: expected the path of a table, got {type(table).__name__}; Features.from_arrays takes tables and "
            "arrays in memory"
        )
    path, options = Path(table), options or ImportOptions()
    source = read_source(path, options.dataset)
    remarks = list(source.remarks)
    if options.labels is not None:
        joined = with_table(source, read_source(options.labels), id_column=options.id)
        source, remarks = joined.source, [*remarks, *joined.remarks]
    chosen = _chosen(source, options, like)
    check_ids(chosen.ids.values, str(path), first_row=source.first_row)
    # A saved head knows its classes, and says which others a table holds.
    if (
        options.advice
        and chosen.labels
        and (problems := spelling_problems(filter(None, chosen.labels.values.tolist())))
    ):
        raise ManifestError("\n".join([f"{path}: column {chosen.labels.name}:", *problems]))
    features = _features(source, options, chosen, like)
    made = Features.of_numbers(
        features.numbers,
        ImportedColumns(features.names, _kind(source), options.scaling if like is None else like.recipe["scaling"]),
        _samples(source, chosen, features),
        {"file": str(path), "sha256": digest_file(path), "read": source.what, "left_out": features.left_out},
    )
    if like is not None and made.recipe != like.recipe:
        raise FingerprintError(f"{path}: its features differ from the earlier ones in views or kind of source")
    wanted = options.wanted if options.advice else None
    return Imported(made, (*remarks, *import_remarks(source, chosen, features, made, wanted)))


def _chosen(source: Source, options: ImportOptions, like: Like | None) -> Chosen:
    """Choose ids, labels and groups; those of the earlier features where nothing else is said."""
    wanted = {"id": options.id, "label": options.label, "group": options.group}
    if like is not None:
        earlier = {key: like.labels.get(key) for key in wanted}
        wanted = {key: value or _if_there(source, earlier[key]) for key, value in wanted.items()}
        wanted |= {key: NONE for key in ("label",) if wanted[key] is None}
    ids = choose_ids(source, wanted["id"])
    features = set(like.names if like else ())
    groups = choose_groups(source, wanted["group"], [])
    labels = choose_labels(source, wanted["label"], [*ids.columns, *(groups.columns if groups else ()), *features])
    if wanted["group"] is None and not source.own_group:
        groups = groups_of_treatments(source, labels, groups)
    return Chosen(ids, labels, groups)


def _if_there(source: Source, name: Any) -> str | None:
    """The name of an earlier column; None where it is absent here. Several names are joined by a plus on record."""
    if name in source.columns:
        return str(name)
    names = str(name).split("+") if name else []
    return ",".join(names) if names and set(names) <= set(source.columns) else None


def _features(source: Source, options: ImportOptions, chosen: Chosen, like: Like | None) -> FeatureTable:
    if like is None:
        # Number of image and object are no features; a column that is one and also the group is none either.
        return choose_features(source, options.wanted, chosen.columns)
    return features_like(source, like.names, is_array=like.is_array)


def _kind(source: Source) -> Any:
    return "array" if source.array is not None and source.names is None else "table"


def _samples(source: Source, chosen: Chosen, features: FeatureTable) -> ImportedSamples:
    none = np.full(len(source), "")
    return ImportedSamples(
        ids=chosen.ids.values,
        labels=none if chosen.labels is None else chosen.labels.values,
        groups=none if chosen.groups is None else chosen.groups.values,
        columns=_further(source, chosen, features),
        settings={
            "id": chosen.ids.name or "id",
            "label": chosen.labels.name if chosen.labels else None,
            "group": chosen.groups.name if chosen.groups else None,
        },
    )


def _further(source: Source, chosen: Chosen, features: FeatureTable) -> dict[str, Strings]:
    """Columns that are kept beside the features: metadata, text, and where a cell lies."""
    # The column of groups stays under its name: `--groups plate` and `--across plate` ask for it.
    own = {one.columns[0] for one in (chosen.ids, chosen.labels) if one and len(one.columns) == 1}
    names = [name for name in source.columns if name not in own and name not in set(features.names)]
    groups = chosen.groups.columns if chosen.groups else ()
    kept = [name for name in names if _is_kept(source, name, groups)]
    return {name: source.texts(name) for name in kept}


def _is_kept(source: Source, name: str, groups: Collection[str]) -> bool:
    is_named = any(known(name) for known in (is_metadata, is_place, is_group_name, is_label_name, is_fold_name))
    if is_named or name in groups:
        return True
    return source.numbers(name).values is None or source.array is not None
