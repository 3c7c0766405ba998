"""Features from numbers that cellfeat has not computed: their recipe, and the digest of each row."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellfeat.config_sources import load_settings
from cellfeat.errors import ManifestError
from cellfeat.extraction.store.samples import Samples, Status
from cellfeat.provenance import digest_json, utc_now, versions
from cellfeat.text import first_ten
from cellfeat.types import Float32s, Strings

IMPORTED = "imported"
"""The name of the backbone of features that cellfeat has not computed."""

Kind = Literal["table", "array"]
"""``table`` where the columns have names, ``array`` where their numbers alone tell them apart."""

NO_NUMBERS = "every feature is missing"
"""Why a row without a single number has failed."""


@dataclass(frozen=True)
class ImportedColumns:
    """The columns that became features.

    Attributes
    ----------
    names
        Their names, in the order of the features.
    kind
        Whether the source named them.
    scaling
        ``robust``: scaled inside the training part of each fold before any head, with missing values filled by the
        median. ``none``: used as they are.
    """

    names: Sequence[str]
    kind: Kind = "table"
    scaling: str = "robust"

    def recipe(self, n_views: int) -> dict[str, Any]:
        """Give the recipe: what two sets of features must share for a head of one to accept the other.

        Parameters
        ----------
        n_views
            Views of a sample.
        """
        return {
            "backbone": {"name": IMPORTED},
            "channels": [],
            "columns": {"number": len(self.names), "sha256": digest_json(list(self.names))},
            "scaling": self.scaling,
            "source": self.kind,
            "views": n_views,
        }


@dataclass(frozen=True)
class ImportedSamples:
    """Samples of a table, with text in every array, shape ``(n_samples,)``; ``""`` where a value is missing."""

    ids: Strings
    labels: Strings
    groups: Strings
    columns: Mapping[str, Strings] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Names of their columns, by the keys of the section ``labels`` of the configuration."""


@dataclass(frozen=True)
class ImportedParts:
    """What `cellfeat.extraction.store.features.Features` is made of."""

    path: Path
    samples: Samples
    embeddings: Float32s
    fingerprint: str
    recipe: Mapping[str, Any]
    provenance: Mapping[str, Any]


def imported_parts(
    path: Path,
    numbers: Float32s,
    columns: ImportedColumns,
    samples: ImportedSamples,
    notes: Mapping[str, Any],
) -> ImportedParts:
    """Make the parts of features of numbers.

    Parameters
    ----------
    path
        What they are called: the feature file to write, or `IN_MEMORY`.
    numbers
        Shape ``(n_samples, n_views, embedding_dim)``, float32; NaN where a number is missing.
    columns
        The names of the numbers, and how they are scaled.
    samples
        Ids, labels, groups and further columns.
    notes
        Where the numbers come from, as plain JSON values.

    Raises
    ------
    ManifestError
        If an id is missing or occurs more than once, or numbers are missing although they are not scaled.
    """
    check_ids(samples.ids, str(path))
    numbers = np.ascontiguousarray(numbers, dtype=np.float32)
    if columns.scaling == "none":
        _check_none_missing(numbers, samples.ids, path)
    is_missing = np.isnan(numbers).all(axis=(1, 2))
    status = np.where(is_missing, Status.FAILED, Status.OK).astype(np.uint8)
    recipe = columns.recipe(numbers.shape[1])
    return ImportedParts(
        path=path,
        samples=Samples(
            ids=samples.ids,
            labels=samples.labels,
            groups=samples.groups,
            status=status,
            digests=np.where(is_missing, "", row_digests(numbers)),
            columns=samples.columns,
            failures={int(row): NO_NUMBERS for row in np.flatnonzero(is_missing)},
        ),
        embeddings=numbers,
        fingerprint=digest_json(recipe),
        recipe=recipe,
        provenance=_provenance(path, columns, samples, notes),
    )


def _provenance(
    path: Path, columns: ImportedColumns, samples: ImportedSamples, notes: Mapping[str, Any]
) -> dict[str, Any]:
    # A pattern of the id alone: ids of later tables of labels are taken as they are written.
    images = {"layout": "pattern", "pattern": "{sample_id}", "channels": [0]}
    labels = {"file": None, "label": None, "group": None} | dict(samples.settings)
    settings = load_settings(overrides={"images": images, "labels": labels, "extraction.output": str(path)})
    return {
        "imported": {"columns": list(columns.names), **notes},
        "settings": settings.record(),
        "times": {"finished": utc_now()},
        "versions": versions(),
    }


def row_digests(numbers: Float32s) -> Strings:
    """Digest the numbers of each row, so that equal rows count as copies of one sample.

    Parameters
    ----------
    numbers
        Shape ``(n_samples, n_views, embedding_dim)``, float32.

    Returns
    -------
    ndarray of shape (n_samples,)
        sha256 in hex.
    """
    digests = np.empty(len(numbers), dtype="<U64")
    for row, one in enumerate(numbers):
        # One spelling of zero and of a missing number: -0.0 equals 0.0, and NaN has many bit patterns.
        plain = np.where(np.isnan(one), np.float32(np.nan), one + np.float32(0)).astype("<f4")
        digests[row] = hashlib.sha256(plain.tobytes()).hexdigest()
    return digests


def check_ids(ids: Strings, where: str, *, first_row: int = 1) -> None:
    """Refuse ids that are missing or occur more than once.

    Parameters
    ----------
    ids
        Shape ``(n_samples,)``.
    where
        What they are from, for messages.
    first_row
        The number of the first row there.

    Raises
    ------
    ManifestError
        If there are such ids.
    """
    empty = np.flatnonzero(ids == "") + first_row
    if len(empty):
        raise ManifestError(f"{where}: no id in row {first_ten(empty)}; every sample needs its own id")
    _, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    if (counts > 1).any():
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(counts[inverse] > 1):
            rows.setdefault(str(ids[row]), []).append(int(row) + first_row)
        told = first_ten(f"{name!r} (rows {first_ten(places)})" for name, places in rows.items())
        raise ManifestError(
            f"{where}: {len(rows)} ids occur more than once: {told}; keep one row of each, or name another column of "
            "ids"
        )


def _check_none_missing(numbers: NDArray[np.float32], ids: Strings, path: Path) -> None:
    rows = np.flatnonzero(~np.isfinite(numbers).all(axis=(1, 2)))
    if len(rows):
        raise ManifestError(
            f"{path}: {len(rows)} samples have missing or infinite numbers, the first {str(ids[rows[0]])!r} (row "
            f"{rows[0] + 1}), and scaling 'none' uses numbers as they are; fill them in, or use the scaling 'robust'"
        )


def is_imported(recipe: Mapping[str, Any]) -> bool:
    """Whether a recipe is that of imported numbers."""
    backbone = recipe.get("backbone")
    return isinstance(backbone, Mapping) and backbone.get("name") == IMPORTED
