"""Format `h5ad`: an AnnData file, written by HDF5 alone, so that neither anndata nor its pandas is needed.

``X`` is the mean over views, which most heads take; with several views the untouched image is ``layers["view_0"]``.
"""

import colorsys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.extraction.store.writing import NewFile, new_hdf5
from cellfeat.interop.exports.contents import Contents
from cellfeat.interop.exports.h5ad_encoding import (
    ObsColumn,
    categorical,
    create_array,
    create_group,
    write_array,
    write_frame,
    write_json,
    write_strings,
)
from cellfeat.interop.exports.names import unique_names
from cellfeat.interop.exports.projections import principal_components

_FIRST_COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip
_GOLDEN_ANGLE = 0.618034
_RESERVED = ("sample_id", "_index", "dtype")
"""Names that no other column may have: anndata takes a column called dtype for the type of the whole table."""
_GROUPS = ("layers", "obsm", "obsp", "varm", "varp", "uns")


def write_h5ad(contents: Contents, path: Path) -> None:
    """Write an AnnData file.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    with new_hdf5(path) as new:
        file = new.hdf5
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for name in _GROUPS:
            create_group(file, name, "dict", "0.1.0")
        _write_embeddings(new, contents)
        columns = obs_columns(contents)
        write_frame(file, "obs", "sample_id", contents.samples.ids, columns)
        write_frame(file, "var", "feature", np.array(contents.feature_names), {})
        for name, array in _obsm(contents):
            write_array(file["obsm"], name, array)
        write_strings(file["uns"], "label_colors", np.array(colours(len(columns["label"].categories))))
        write_json(file["uns"], "cellfeat", contents.record())


def _write_embeddings(new: NewFile, contents: Contents) -> None:
    n_samples, n_views, n_columns = contents.embeddings.shape
    X = create_array(new.hdf5, "X", (n_samples, n_columns))
    for rows, block in contents.blocks():
        X[rows] = block
        new.check()
    if n_views > 1:
        untouched = create_array(new.hdf5["layers"], "view_0", (n_samples, n_columns))
        for rows, _ in contents.blocks():
            untouched[rows] = contents.embeddings[rows, 0]
            new.check()


def obs_columns(contents: Contents) -> dict[str, Any]:
    """Collect the columns of ``obs`` by name, each of shape ``(n_samples,)``.

    Texts are categorical, with a missing value where the feature file has an empty one.
    """
    columns: dict[str, ObsColumn] = {
        "label": categorical(contents.labels),
        "group": categorical(contents.samples.groups),
    }
    if contents.folds is not None:
        texts = np.where(contents.folds > 0, contents.folds.astype(np.str_), "")
        # In the order of numbers: as texts, fold 10 would come before fold 2.
        columns["fold"] = categorical(
            texts, order=[str(fold) for fold in np.unique(contents.folds[contents.folds > 0])]
        )
    for (_, found), name in zip(contents.heads.items(), head_names(contents), strict=True):
        columns[f"{name}_predicted"] = categorical(found.predicted)
    further = contents.further_columns
    for name, values in zip(unique_names(further, [*_RESERVED, *columns]), further.values(), strict=True):
        columns[name] = categorical(values) if values.dtype.kind == "U" else values
    return columns


def head_names(contents: Contents) -> list[str]:
    """Names of the heads as they can be used in the names of columns."""
    return unique_names(contents.heads)


def _obsm(contents: Contents) -> Iterator[tuple[str, Any]]:
    """Arrays with a row for each sample, by name."""
    yield "X_pca", principal_components(contents)
    yield from contents.maps.items()
    if contents.samples.regions is not None:
        yield "spatial", contents.samples.regions.centre
    for name, found in zip(head_names(contents), contents.heads.values(), strict=True):
        yield f"{name}_proba", found.probabilities.astype(np.float32)


def colours(n_classes: int) -> list[str]:
    """Give each class a colour, as scanpy reads them from ``uns["label_colors"]``.

    Examples
    --------
    >>> colours(2)
    ['#1f77b4', '#ff7f0e']
    """
    if n_classes <= len(_FIRST_COLOURS):
        return list(_FIRST_COLOURS[:n_classes])
    turns = [number * _GOLDEN_ANGLE % 1 for number in range(n_classes)]
    shades = [colorsys.hls_to_rgb(turn, (0.4, 0.55, 0.7)[number % 3], 0.65) for number, turn in enumerate(turns)]
    return ["#" + "".join(f"{round(255 * part):02x}" for part in shade) for shade in shades]
