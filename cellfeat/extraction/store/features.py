"""Features in memory: embeddings with their samples, from a feature file or from arrays."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cellfeat.config import Settings
from cellfeat.errors import ConfigError
from cellfeat.extraction.store.imported import ImportedColumns, ImportedSamples, imported_parts, is_imported
from cellfeat.extraction.store.in_memory import IN_MEMORY, parts_of_arrays
from cellfeat.extraction.store.samples import Samples
from cellfeat.extraction.store.saving import Content, save_content
from cellfeat.samples.splits import rows_of_parts
from cellfeat.types import Float32s, Integers

IMPORTED = "imported"
"""The name of the backbone of features that cellfeat has not computed."""


@dataclass(frozen=True)
class Features:
    """A feature file in memory.

    Attributes
    ----------
    path
        Where it was read from; ``<in memory>`` of features in no file yet.
    samples
        Their ids, labels, groups, file properties and pixel digests.
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``, float32; view 0 is the untouched image; NaN where the sample
        could not be read.
    fingerprint
        Digest of `recipe`.
    recipe
        Everything that can change an embedding.
    provenance
        How the file was made: settings, versions, device, times.
    """

    path: Path
    samples: Samples
    embeddings: Float32s
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, rows: Integers) -> Self:
        """Give the features of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return dataclasses.replace(self, samples=self.samples.take(rows), embeddings=self.embeddings[rows])

    @classmethod
    def from_arrays(
        cls,
        X: Any,
        ids: Any = None,
        labels: Any = None,
        groups: Any = None,
        columns: Any = None,
        names: Sequence[str] | None = None,
        *,
        scaling: str = "robust",
    ) -> "Features":
        """Make features of numbers that are in memory already.

        Rows that are equal in every number count as copies of one sample and stay in one fold. A row without any number
        counts as failed.

        Parameters
        ----------
        X
            Numbers of shape ``(n_samples, n_features)`` or ``(n_samples, n_views, n_features)``: an array, a DataFrame,
            or a sparse matrix. NaN and infinity count as missing.
        ids
            Id of each row. None: the index of a DataFrame unless it counts the rows, otherwise ``row1``, ``row2``
            and so on.
        labels, groups
            Class and group of each sample: values in the order of the rows, a Series with the ids as index, or a dict
            by id; None, NaN and the words for missing values mean that a sample has none.
        columns
            Further columns by name, or a DataFrame, given as labels are; ``groups="plate"`` then names one.
        names
            Names of the features; None: those of a DataFrame, or numbers. A saved head accepts features of equal names
            in the same order.
        scaling
            ``robust`` scales by median and quartiles inside the training part of each fold and fills in missing
            numbers; ``none`` uses the numbers as they are.

        Returns
        -------
        Features
            With the path ``<in memory>``; `save` writes them to a file.

        Raises
        ------
        ManifestError
            If numbers, ids, labels, groups or names do not fit each other.
        ConfigError
            If there is no such scaling.

        Examples
        --------
        >>> features = Features.from_arrays([[0.5, 1.0], [0.7, 2.0]], ids=["a", "b"], labels={"a": "HeLa"})
        >>> len(features), features.samples.labels.tolist()
        (2, ['HeLa', ''])
        """
        return cls(**vars(parts_of_arrays(X, ids, labels, groups, columns, names, scaling=scaling)))

    @classmethod
    def of_numbers(
        cls, numbers: Float32s, columns: ImportedColumns, samples: ImportedSamples, notes: Mapping[str, Any]
    ) -> "Features":
        """Make features of numbers in their final form: see `cellfeat.extraction.store.imported.imported_parts`.

        Parameters
        ----------
        numbers
            Shape ``(n_samples, n_views, n_features)``, float32.
        columns, samples, notes
            As there.
        """
        return cls(**vars(imported_parts(IN_MEMORY, numbers, columns, samples, notes)))

    def save(self, path: Path | str, *, replace: bool = False) -> "Features":
        """Write a feature file that `load_features` reads back equal.

        Parameters
        ----------
        path
            The feature file.
        replace
            Whether an existing file is replaced.

        Returns
        -------
        Features
            The same features under the new path.

        Raises
        ------
        WriteError
            If there is a file of this name, or it cannot be written.
        """
        content = Content(self.samples, self.embeddings, self.recipe, self.provenance)
        save_content(content, Path(path), replaces=replace)
        return dataclasses.replace(self, path=Path(path))

    @property
    def is_imported(self) -> bool:
        """Whether the numbers come from a table or an array: there are no images behind them."""
        return is_imported(self.recipe)

    @property
    def scaling(self) -> str:
        """How heads scale the numbers inside the training part of each fold; ``none`` for embeddings of networks."""
        return str(self.recipe.get("scaling", "none"))

    @property
    def recorded_settings(self) -> Settings | None:
        """The settings of the extraction; None where they are not on record."""
        try:
            return Settings.model_validate(self.provenance["settings"])
        except (KeyError, ValueError):
            return None

    @property
    def split_column(self) -> str | None:
        """The column in `samples.columns` that holds the split of the extraction; None where there is none."""
        settings = self.recorded_settings
        column = None if settings is None else settings.split_column
        return column if column in self.samples.columns else None

    def part(self, *names: str) -> Self:
        """Give the features of some parts of the split, of ``train``, ``val`` and ``test``: a later `compare` uses all.

        Raises
        ------
        ConfigError
            If there is no such part, or the samples have no split.
        """
        column = self.split_column
        if column is None:
            raise ConfigError(
                f"{self.path}: its samples have no split; extract again with labels.split=COLUMN: columns are updated "
                "and embeddings kept"
            )
        chosen = self.take(rows_of_parts(self.samples.columns[column], column, names))
        # Without the column there is no split any more, and nothing of these parts is left out later.
        columns = {name: values for name, values in chosen.samples.columns.items() if name != column}
        return dataclasses.replace(chosen, samples=dataclasses.replace(chosen.samples, columns=columns))
