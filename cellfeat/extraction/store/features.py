"""Features in memory: embeddings, samples, and how they were made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from cellfeat.config import Settings
from cellfeat.errors import ConfigError
from cellfeat.extraction.store.given import Given, given_texts
from cellfeat.extraction.store.samples import Samples
from cellfeat.html_text import html_block
from cellfeat.provenance import digest_json
from cellfeat.samples.splits import rows_of_parts
from cellfeat.text import shorten
from cellfeat.types import Float32s, Integers

GIVEN_GROUPS = "groups_given"
"""Key of the provenance that holds the digest of groups given in Python."""


@dataclass(frozen=True, repr=False)
class Features:
    """A feature file in memory.

    Attributes
    ----------
    path
        Where it was read from.
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
        return f"{n_samples:,} samples x {n_views} {'view' if n_views == 1 else 'views'} x {dim:,} numbers"

    def take(self, rows: Integers) -> Self:
        """Give the features of some samples, in the order of `rows`, their row numbers, shape ``(n,)``."""
        return replace(self, samples=self.samples.take(rows), embeddings=self.embeddings[rows])

    def with_labels(self, labels: Given) -> Self:
        """Give the features other labels.

        Parameters
        ----------
        labels
            By sample id (a mapping, or a pandas Series whose index holds ids): samples without an entry have no label.
            Or one for each sample, in order (an array, a list, or a Series with row numbers as index). Or the name of
            one of `samples.columns`. None, ``pd.NA``, NaN among text and ``""`` mean: no label.

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
        return replace(
            self, samples=replace(self.samples, labels=given_texts("labels", labels, self.samples, self.path))
        )

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
        texts = given_texts("groups", groups, self.samples, self.path)
        provenance = {**self.provenance, GIVEN_GROUPS: digest_json(texts.tolist())}
        return replace(self, samples=replace(self.samples, groups=texts), provenance=provenance)

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
        return replace(chosen, samples=replace(chosen.samples, columns=columns))
