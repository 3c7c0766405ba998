"""Features in memory: embeddings with their samples, from a feature file or from arrays."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from cellfeat.config import Settings
from cellfeat.errors import ConfigError
from cellfeat.extraction.store.chosen_rows import chosen_rows
from cellfeat.extraction.store.frames import as_anndata, as_dataframe
from cellfeat.extraction.store.given import Given, given_texts
from cellfeat.extraction.store.imported import ImportedColumns, ImportedSamples, imported_parts, is_imported
from cellfeat.extraction.store.in_memory import IN_MEMORY, HasColumns, parts_of_arrays
from cellfeat.extraction.store.samples import Samples
from cellfeat.extraction.store.saving import Content, save_content
from cellfeat.html_text import html_block
from cellfeat.provenance import digest_json
from cellfeat.samples.splits import rows_of_parts
from cellfeat.storage.url import Location, as_location
from cellfeat.text import counted, shorten
from cellfeat.types import Bools, Float32s, Integers

if TYPE_CHECKING:
    from anndata import AnnData

GIVEN_GROUPS = "groups_given"
"""Key of the provenance that holds the digest of groups given in Python."""
PIXEL_SIZES = "pixel_sizes"
"""In the provenance: sizes of a pixel in micrometres, and how many of the examined samples state each."""


@dataclass(frozen=True, repr=False, eq=False)  # arrays have no single answer to ==
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

    path: Location
    samples: Samples
    embeddings: Float32s
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"<Features {self.path.name}: {self._shape()}; {self.samples.describe()}>"

    def _repr_html_(self) -> str:
        classes = Counter(self.samples.labels.tolist())
        rows = [(shorten(name) or "(no label)", count) for name, count in sorted(classes.items())]
        return html_block(
            [f"{self.path.name}: {self._shape()}", self.samples.describe(), f"fingerprint {self.fingerprint[:23]}"],
            ["class", "samples"],
            rows,
        )

    def _shape(self) -> str:
        n_samples, n_views, dim = self.embeddings.shape
        return f"{counted(n_samples, 'sample')} x {counted(n_views, 'view')} x {counted(dim, 'number')}"

    def take(self, rows: Integers | Bools | Sequence[Any] | pd.Series | slice) -> Self:
        """Give the features of some samples.

        Parameters
        ----------
        rows
            Row numbers or sample ids, shape ``(n_rows,)``, in the order that is wanted; a mask of True and False, shape
            ``(n_samples,)``; or a mask as a Series whose index holds sample ids, in any order.

        Raises
        ------
        ManifestError
            If there are no such rows, or one is named twice.

        Examples
        --------
        >>> train = features.take(table["donor"] != "donor_7")  # doctest: +SKIP
        """
        numbers = chosen_rows(rows, self.samples.ids)
        return dataclasses.replace(self, samples=self.samples.take(numbers), embeddings=self.embeddings[numbers])

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
        like: HasColumns | None = None,
    ) -> "Features":
        """Make features of numbers that are in memory already.

        Rows that are equal in every number count as copies of one sample and stay in one fold. A row without any number
        counts as failed.

        Parameters
        ----------
        X
            Numbers of shape ``(n_samples, n_features)`` or ``(n_samples, n_views, n_features)``: an array, a DataFrame,
            or a sparse matrix. NaN, infinity and masked numbers count as missing.
        ids
            Id of each row, or the name of a column of the DataFrame. None: the index of a DataFrame unless it counts
            the rows, otherwise ``row1``, ``row2`` and so on.
        labels, groups
            Class and group of each sample, as for `with_labels` and `with_groups`: values in the order of the rows, a
            Series with the ids as index, a dict by id, or the name of a column of the DataFrame, which is no feature
            then, or of one of `columns`. A Series with row numbers as index must have those of the DataFrame, in its
            order, or count from 0.
        columns
            Further columns by name, or a DataFrame, given in order or by id; the values may be numbers.
        names
            Names of the features; None: those of a DataFrame, or numbers. A saved head accepts features of equal names
            in the same order.
        scaling
            ``robust`` scales by median and quartiles inside the training part of each fold and fills in missing
            numbers; ``none`` uses the numbers as they are.
        like
            Earlier features, or a saved head: exactly their columns are taken, whatever others X has and in whatever
            order, with their scaling.

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
        FingerprintError
            If `like` was made of images.

        Examples
        --------
        >>> features = Features.from_arrays([[0.5, 1.0], [0.7, 2.0]], ids=["a", "b"], labels={"a": "HeLa"})
        >>> len(features), features.samples.labels.tolist()
        (2, ['HeLa', ''])
        >>> Features.from_arrays(pd.DataFrame({"area": [3.0, 4.0], "line": ["HeLa", "A549"]}), labels="line")
        <Features <in memory>: 2 samples x 1 view x 1 number; 2 classes, 0 groups>
        """
        return cls(**vars(parts_of_arrays(X, ids, labels, groups, columns, names, scaling=scaling, like=like)))

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

    def save(self, path: Location | str, *, replace: bool = False) -> "Features":
        """Write a feature file that `load_features` reads back equal.

        Parameters
        ----------
        path
            The feature file, or its address, such as ``s3://lab/cells.h5``.
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
        location: Location = as_location(path)
        save_content(content, location, replaces=replace)
        return dataclasses.replace(self, path=location)

    def with_labels(self, labels: Given) -> Self:
        """Give the features other labels.

        Parameters
        ----------
        labels
            By sample id (a mapping, or a pandas Series whose index holds ids): samples without an entry have no label.
            Or one for each sample, in order (an array, a list, or a Series with row numbers as index). Or the name of
            one of `samples.columns`. None, ``pd.NA``, NaN among text and ``""`` mean: no label. Words such
            as ``"None"`` are names here; in the files of tables they mean a missing value.

        Raises
        ------
        ManifestError
            If there are not as many as samples, ids are unknown or occur twice, or values are no names.
        UnknownNameError
            If there is no such column.

        Examples
        --------
        >>> features.with_labels({"cell_1": "HeLa", "cell_2": "A549"})  # doctest: +SKIP
        """
        texts = given_texts("labels", labels, self.samples, self.path, rows_are_numbered=self.is_table)
        return dataclasses.replace(self, samples=dataclasses.replace(self.samples, labels=texts))

    def with_groups(self, groups: Given) -> Self:
        """Give the features other groups: samples of one group stay together in one fold.

        Parameters
        ----------
        groups
            As for `with_labels`, but given by id they must name every sample: a missing group could separate what
            belongs together. ``""`` and None mean: a group of its own.

        Raises
        ------
        ManifestError, UnknownNameError
            As `with_labels`; also ManifestError if a sample has no entry.
        """
        texts = given_texts("groups", groups, self.samples, self.path, rows_are_numbered=self.is_table)
        provenance = {**self.provenance, GIVEN_GROUPS: digest_json(texts.tolist())}
        return dataclasses.replace(self, samples=dataclasses.replace(self.samples, groups=texts), provenance=provenance)

    def to_pandas(self, view: int | None = None) -> pd.DataFrame:
        """Give a table of the samples, with ``sample_id`` as index.

        The columns are ``label``, ``group``, the further columns of the labels table, then the numbers: those of
        imported features under their names, others as ``<pass>_0000``. A missing text is None. A sample that could not
        be read has a row of NaN, so that the rows stay those of the features. A further column that has the name of
        another column gets a number.

        Parameters
        ----------
        view
            Number of a view, 0 for the untouched images. None: the mean over the views, as most heads take it.

        Raises
        ------
        ConfigError
            If there is no such view.
        """
        return as_dataframe(self, view)

    def to_anndata(self) -> "AnnData":
        """Give an AnnData object of the samples that could be read; the package anndata has to be installed.

        ``X`` is the mean over the views, ``layers["view_0"]`` the untouched images where there are several views,
        ``obs`` holds the columns of the samples as categories, ``uns["cellfeat"]`` the recipe as JSON text.

        Raises
        ------
        MissingExtraError
            If anndata is not installed.
        """
        return as_anndata(self)

    @property
    def is_table(self) -> bool:
        """Whether the numbers come from a table with names of columns, such as a DataFrame."""
        return self.is_imported and self.recipe["source"] == "table"

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
    def recorded_images(self) -> Location | None:
        """Folder or address of the images at extraction; None where it is not on record."""
        images = self.provenance.get("settings", {}).get("images", {})
        return as_location(images["root"]) if images.get("root") else None

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
