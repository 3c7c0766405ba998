"""Write features that are in memory to a feature file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import WriteError
from cellfeat.extraction.store.format import DIGEST_BYTES, Rows, RowShape
from cellfeat.extraction.store.lock import held_output
from cellfeat.extraction.store.sample_table import SampleTable
from cellfeat.extraction.store.samples import Samples, no_intensities, no_properties
from cellfeat.extraction.store.stored_type import exactly, stored_type
from cellfeat.extraction.store.writing import Content as FileContent
from cellfeat.extraction.store.writing import write_features
from cellfeat.storage.opening import is_there
from cellfeat.storage.url import Location
from cellfeat.types import Float32s, Strings

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Content:
    """What is written; see `cellfeat.extraction.store.features.Features`."""

    samples: Samples
    embeddings: Float32s
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def shape(self) -> RowShape:
        """The shape of a row."""
        _, n_views, embedding_dim = self.embeddings.shape
        known = self.samples.intensities
        n_channels = 0 if known is None else known.records.shape[1]
        return RowShape(n_views, embedding_dim, n_channels, stored_type(self.recipe))

    @property
    def table(self) -> SampleTable:
        """Ids, labels, groups, further columns and geometry."""
        samples = self.samples
        return SampleTable(
            sample_id=samples.ids.tolist(),
            label=samples.labels.tolist(),
            group=samples.groups.tolist(),
            columns={name: values.tolist() for name, values in samples.columns.items()},
            regions=samples.regions,
        )

    def rows(self) -> Iterator[Rows]:
        """The rows, some at a time."""
        samples, n = self.samples, len(self.samples)
        properties = no_properties(n) if samples.properties is None else samples.properties.records
        known = samples.intensities
        intensities = no_intensities(n, self.shape.n_channels) if known is None else known.records
        digests = _digest_bytes(samples.digests)
        for start in range(0, n, _ROWS_AT_ONCE):
            here = slice(start, min(start + _ROWS_AT_ONCE, n))
            yield Rows(
                start=start,
                embeddings=exactly(self.embeddings[here], self.shape.stored, "features"),
                status=samples.status[here],
                pixel_digest=digests[here],
                properties=properties[here],
                intensities=intensities[here],
                failures={row: why for row, why in samples.failures.items() if start <= row < here.stop},
            )


def save_content(content: Content, path: Location, *, replaces: bool = False) -> None:
    """Write a feature file, so that it appears whole or not at all.

    Parameters
    ----------
    content
        What to write.
    path
        The feature file, or its address.
    replaces
        Whether an existing file is replaced.

    Raises
    ------
    WriteError
        If there is a file of this name, or it cannot be written.
    BusyError
        If an extraction is writing it.
    """
    with held_output(path, _ignore):
        if is_there(path) and not replaces:
            raise WriteError(
                f"{path}: exists already; choose another name, or replace it with replace=True (--replace)"
            )
        written = FileContent(content.rows(), content.table, content.recipe, content.samples.digest, content.provenance)
        write_features(path, len(content.samples), content.shape, written)


def _ignore(_line: str) -> None:
    """Drop what is said of another host's run."""


def _digest_bytes(digests: Strings) -> NDArray[np.uint8]:
    """Digests in hex as bytes, shape ``(n, 32)``; zeros where there is none."""
    none = "0" * (2 * DIGEST_BYTES)
    text = "".join(one or none for one in digests.tolist())
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(len(digests), DIGEST_BYTES)
