"""The samples of a feature file: everything about them but the embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.types import Bools, Integers, Strings


class Status(IntEnum):
    """What became of a sample."""

    OK = 0
    FAILED = 1


@dataclass(frozen=True)
class Samples:
    """Samples in the order of their rows.

    Attributes
    ----------
    ids, labels, groups
        Shape ``(n_samples,)``; ``""`` where a sample has no label or no group.
    status
        A `Status` each, shape ``(n_samples,)``.
    digests
        sha256 of the decoded pixels in hex, shape ``(n_samples,)``; ``""`` where the sample could not be read.
    columns
        Further columns of the labels table by name, shape ``(n_samples,)`` each.
    failures
        Why a sample could not be read, by row.
    """

    ids: Strings
    labels: Strings
    groups: Strings
    status: NDArray[np.uint8]
    digests: Strings
    columns: Mapping[str, Strings] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Integers) -> Self:
        """Give some of the samples, in the order of `rows`, their row numbers."""
        place_of = {int(row): place for place, row in enumerate(rows)}
        return type(self)(
            ids=self.ids[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            status=self.status[rows],
            digests=self.digests[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            failures={place_of[row]: reason for row, reason in self.failures.items() if row in place_of},
        )

    @property
    def is_ok(self) -> Bools:
        """Whether each sample could be read, shape ``(n_samples,)``."""
        return self.status == Status.OK

    @property
    def is_labelled(self) -> Bools:
        """Whether each sample has a label, shape ``(n_samples,)``."""
        return self.labels != ""
