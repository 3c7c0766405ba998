"""Features as a pandas DataFrame and as an AnnData object."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from cellfeat.errors import ConfigError, MissingExtraError
from cellfeat.extraction.store.recorded_networks import column_blocks
from cellfeat.extraction.store.samples import Samples
from cellfeat.types import Float32s, Strings

if TYPE_CHECKING:
    from anndata import AnnData


class Embedded(Protocol):
    """Features, as far as tables are made of them."""

    @property
    def samples(self) -> Samples:
        """The samples."""
        ...

    @property
    def embeddings(self) -> Float32s:
        """Shape ``(n_samples, n_views, embedding_dim)``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of the recipe."""
        ...

    @property
    def recipe(self) -> Mapping[str, Any]:
        """How the embeddings were made."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How the file was made."""
        ...


def column_names(features: Embedded) -> list[str]:
    """Name each column of the embeddings: the pass that it comes from, and its number there.

    Columns of several networks side by side have the name of their network between the two.

    Imported features keep the names of their table. Others whose recipe has no passes get ``feature_0000`` and so on.
    """
    n_columns = features.embeddings.shape[2]
    imported = features.provenance.get("imported")
    columns = imported.get("columns") if isinstance(imported, dict) else None
    if isinstance(columns, list) and len(columns) == n_columns:
        return list(map(str, columns))
    return [f"{name}_{number:04d}" for name, n_own in _prefixes(features.recipe, n_columns) for number in range(n_own)]


def _prefixes(recipe: Mapping[str, Any], n_columns: int) -> list[tuple[str, int]]:
    """How the names of columns begin, and how many begin so."""
    passes = [str(name) for name in recipe.get("passes", ())]
    if not passes or n_columns % len(passes):
        passes = ["feature"]
    if "members" not in recipe.get("backbone", {}):
        return [(name, n_columns // len(passes)) for name in passes]
    blocks = column_blocks(recipe, n_columns)
    return [(f"{one.pass_name}_{one.network}", one.columns.stop - one.columns.start) for one in blocks]


def as_dataframe(features: Embedded, view: int | None) -> pd.DataFrame:
    """Make a table of features: see `Features.to_pandas`.

    Parameters
    ----------
    features
        The features.
    view
        Number of a view; None: the mean over the views.
    """
    numbers, names = _numbers(features, view), column_names(features)
    first = _sample_columns(features.samples, names)
    return pd.concat([first, pd.DataFrame(numbers, index=first.index, columns=names)], axis=1)


def as_anndata(features: Embedded) -> "AnnData":
    """Make an AnnData object of features: see `Features.to_anndata`."""
    try:
        from anndata import AnnData
    except ImportError as error:
        raise MissingExtraError(
            f"to_anndata needs the package anndata, and {error.name or 'it'} is not installed: pip install anndata"
        ) from error
    is_ok, names = features.samples.is_ok, column_names(features)
    obs = _sample_columns(features.samples, names)[is_ok]
    obs.index = pd.Index(obs.index.tolist(), dtype=object, name="sample_id")
    n_views = features.embeddings.shape[1]
    return AnnData(
        X=_numbers(features, None)[is_ok],
        obs=obs.astype("category"),
        var=pd.DataFrame(index=pd.Index(names, dtype=object, name="feature")),
        layers={"view_0": features.embeddings[is_ok, 0]} if n_views > 1 else {},
        uns={"cellfeat": json.dumps({"fingerprint": features.fingerprint, "recipe": dict(features.recipe)})},
    )


def _numbers(features: Embedded, view: int | None) -> Float32s:
    embeddings = features.embeddings
    n_views = embeddings.shape[1]
    if view is None:
        return embeddings[:, 0] if n_views == 1 else embeddings.mean(axis=1)
    if not 0 <= view < n_views:
        raise ConfigError(f"view: expected 0 to {n_views - 1}, got {view}; None gives the mean over the views")
    return embeddings[:, view]


def _sample_columns(samples: Samples, taken: Collection[str]) -> pd.DataFrame:
    columns = {"label": samples.labels, "group": samples.groups}
    names = _apart(list(samples.columns), {*columns, "sample_id", *taken})
    columns |= dict(zip(names, samples.columns.values(), strict=True))
    table = pd.DataFrame({name: _with_missing(values) for name, values in columns.items()})
    return table.set_index(pd.Index(samples.ids.tolist(), name="sample_id"))


def _with_missing(values: Strings) -> pd.Series:
    return pd.Series([text or None for text in values.tolist()], dtype=object)


def _apart(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Rename columns that have the name of another: pandas and AnnData would mix them up."""
    found: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in {*taken, *found}:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found
