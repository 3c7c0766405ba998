"""The map of a feature file's samples: made once, kept beside the file, and new samples placed on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cellfeat.errors import ConfigError, FingerprintError, WriteError
from cellfeat.extraction.store import Features
from cellfeat.maps.components import Components
from cellfeat.maps.kept import Content, keep_map, kept_map
from cellfeat.maps.tsne import Progress, embedded, placed
from cellfeat.processors import usable_processors
from cellfeat.text import first_line, near_names
from cellfeat.types import Bools, Float32s

MapMethod = Literal["t-SNE", "PCA"]

FEWEST = 10
"""Samples from which there is a t-SNE: fewer have no neighbourhoods."""

MOST = 200_000
"""Samples up to which t-SNE is taken unless it is asked for."""

MEANS_NOTHING = (
    "Samples that lie close together are alike. Distances between clusters mean nothing, nor do the sizes of clusters."
)

EMPTY = "No sample could be read: the map is empty."

Say = Callable[[str], None]


@dataclass(frozen=True, repr=False, eq=False)  # arrays have no single answer to ==
class SampleMap:
    """Two coordinates for each sample.

    Attributes
    ----------
    x, y
        Shape ``(n_samples,)``, float32; NaN where a sample could not be read.
    method
        ``t-SNE`` or ``PCA``.
    note
        What may be read from the picture, in sentences; it stands beside every map.
    components
        The principal components that new samples are projected on.
    reference
        Principal components of the samples that could be read, shape ``(n_read, n_components)``; None for PCA, which
        needs none to place others.
    """

    x: Float32s
    y: Float32s
    method: MapMethod
    note: str
    components: Components | None
    reference: Float32s | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"<SampleMap of {len(self):,} samples: {self.method}>"

    def place(self, embeddings: Float32s, *, threads: int | None = None) -> Float32s:
        """Place new samples on the map; those that are there stay where they are.

        Parameters
        ----------
        embeddings
            Of the same recipe, shape ``(n_new, n_views, embedding_dim)`` or ``(n_new, embedding_dim)``.
        threads
            Number of threads, which do not change the result; None takes all.

        Returns
        -------
        ndarray of shape (n_new, 2)
            NaN where a sample has no numbers.

        Raises
        ------
        FingerprintError
            If the embeddings have another number of columns than those of the map.
        ConfigError
            If they are no embeddings, or the map has no samples.
        """
        new = np.asarray(embeddings, dtype=np.float32)
        new = new[:, np.newaxis] if new.ndim == 2 else new
        if new.ndim != 3:
            raise ConfigError(
                f"embeddings: expected shape (n_samples, n_views, embedding_dim), got an array of {new.ndim} dimensions"
            )
        if self.components is None:
            raise ConfigError("the map has no samples: others cannot be placed on it")
        expected = len(self.components.mean)
        if new.shape[2] != expected:
            raise FingerprintError(
                f"embeddings: expected {expected:,} numbers for each sample, as those of the map have, got "
                f"{new.shape[2]:,}; extract with the same recipe"
            )
        coordinates = np.full((len(new), 2), np.nan, np.float32)
        rows = np.flatnonzero(_has_numbers(new))
        components = self.components(new, rows)
        if self.reference is None:
            coordinates[rows] = _first_two(components)
        elif len(rows):
            known = np.isfinite(self.x)
            there = np.column_stack([self.x[known], self.y[known]])
            coordinates[rows] = placed(components, self.reference, there, threads or usable_processors())
        return coordinates


def make_map(
    features: Features,
    method: MapMethod | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> SampleMap:
    """Make a map of samples, and keep it beside the feature file.

    The mean over views is standardised and reduced to 50 principal components; t-SNE arranges these. Fewer than ten
    samples are shown by their first two principal components, and so are more than 200,000, unless t-SNE is asked for.

    Parameters
    ----------
    features
        The samples.
    method
        ``t-SNE`` or ``PCA``; None: t-SNE for up to 200,000 samples.
    threads
        Number of threads, which do not change the result; None takes all.
    progress
        Receives the iterations of t-SNE that are done, and their number.
    say
        Receives why a map cannot be kept, or is no t-SNE.

    Raises
    ------
    ConfigError
        If there is no such method.

    Examples
    --------
    >>> found = cellfeat.make_map(features)  # doctest: +SKIP
    >>> found.x, found.y, found.note  # doctest: +SKIP
    """
    if method not in (None, *get_args(MapMethod)):
        raise ConfigError(f"method: got {method!r}; {near_names(str(method), get_args(MapMethod))}")
    say = say or _ignore
    found = _made(features, method, threads or usable_processors(), progress or _ignore, say)
    try:
        keep_map(features, found.method, _content(found))
    except WriteError as error:
        say(f"the map is not kept: {error}")
    return found


def default_method(features: Features) -> MapMethod:
    """Give the method that suits the number of samples: t-SNE, unless there are very few or very many."""
    return "t-SNE" if FEWEST <= np.count_nonzero(features.samples.is_ok) <= MOST else "PCA"


def find_map(features: Features, method: MapMethod | None = None) -> SampleMap | None:
    """Give the map that `make_map` kept of exactly these embeddings; None where there is none.

    Parameters
    ----------
    features
        The samples.
    method
        ``t-SNE`` or ``PCA``; None: t-SNE where it is there, otherwise PCA.
    """
    for name in (method,) if method else get_args(MapMethod):
        content = kept_map(features, name)
        if content is not None:
            return SampleMap(
                content.coordinates[:, 0],
                content.coordinates[:, 1],
                name,
                content.note,
                Components.restored(content.components) if content.components else None,
                content.reference,
            )
    return None


def _content(found: SampleMap) -> Content:
    components = {} if found.components is None else found.components.arrays()
    return Content(np.column_stack([found.x, found.y]), found.note, components, found.reference)


def _made(features: Features, method: MapMethod | None, threads: int, progress: Progress, say: Say) -> SampleMap:
    embeddings = features.embeddings
    rows = np.flatnonzero(features.samples.is_ok)
    # Blocks, so that the mask of a mapped file is not the whole of it.
    rows = rows[np.concatenate([_has_numbers(embeddings[part]) for part in _parts(rows)])] if len(rows) else rows
    coordinates = np.full((len(features), 2), np.nan, np.float32)
    if not len(rows):
        return SampleMap(coordinates[:, 0], coordinates[:, 1], "PCA", EMPTY, None)
    components = Components.fitted(embeddings, rows, features.scaling)
    projected = components(embeddings, rows)
    first = _first_two(projected)
    wanted = method or ("t-SNE" if len(rows) <= MOST else "PCA")
    why = ""
    if wanted == "t-SNE" and len(rows) < FEWEST:
        why = f"Fewer than {FEWEST} samples have no t-SNE."
    elif wanted == "t-SNE":
        try:
            coordinates[rows] = embedded(projected, threads, progress)
            return SampleMap(coordinates[:, 0], coordinates[:, 1], "t-SNE", MEANS_NOTHING, components, projected)
        except (ImportError, ValueError, RuntimeError, MemoryError, FloatingPointError) as error:
            why = f"t-SNE failed ({type(error).__name__}: {first_line(error)})."
            say(f"{why} The map shows principal components.")
    coordinates[rows] = first
    return SampleMap(coordinates[:, 0], coordinates[:, 1], "PCA", components_note(components, why), components)


def components_note(components: Components, why: str = "") -> str:
    """Say what may be read from a map of the first two principal components.

    Parameters
    ----------
    components
        The components.
    why
        A sentence that follows; ``""`` for none.
    """
    share = min(1.0, float(components.shares[:2].sum()))
    note = (
        f"The first two principal components: they show {share:.0%} of the variance, and samples that differ only "
        "in the rest lie on top of each other."
    )
    return f"{note} {why}".strip()


def _first_two(projected: Float32s) -> Float32s:
    """The first two components, shape ``(n, 2)``; zeros where there is only one."""
    coordinates = np.zeros((len(projected), 2), np.float32)
    n_columns = min(2, projected.shape[1])
    coordinates[:, :n_columns] = projected[:, :n_columns]
    return coordinates


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, max(1, len(rows) // 4096))


def _has_numbers(embeddings: Float32s) -> Bools:
    """Whether each sample has any number, shape ``(n,)``."""
    return np.asarray(np.isfinite(embeddings).any(axis=(1, 2)))


def _ignore(*_: object) -> None:
    """Say nothing."""
