"""Which samples a result was computed on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """Which samples a result was computed on. Every result file holds it.

    Attributes
    ----------
    features
        Name of the feature file.
    fingerprint
        Its fingerprint.
    n_samples
        Samples in use.
    samples_digest
        sha256 of their ids, pixel digests and labels, in order. The fingerprint does not cover these.
    groups
        ``"auto"``, ``"copies"``, ``"none"``, the column of groups, or the file name of their table.
    groups_digest
        sha256 of that table, of the audit record in use, or of groups given in Python; None where there are none.
    random_state
        Seed of the folds, the heads and the bootstrap.
    cellfeat
        Version that computed the result.
    relabelled
        How many labels a table of changes has changed, and how; None where there was none.
    """

    features: str
    fingerprint: str
    n_samples: int
    samples_digest: str
    groups: str
    groups_digest: str | None
    random_state: int
    cellfeat: str
    relabelled: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """Plain JSON values; `relabelled` only where labels were changed."""
        record = asdict(self)
        if self.relabelled is None:
            del record["relabelled"]
        return record
