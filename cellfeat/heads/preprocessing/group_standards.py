"""Robust standardisation within groups, such as plates: what a plate adds to every sample of it is removed.

Each column is centred at its median within the group and divided by its robust width, as `RobustScaling` does over all
samples. What sets whole groups apart is lost with it, also where this is the class.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.heads.preprocessing.scaling import RobustScaling
from cellfeat.types import Float32s, Integers, Strings

LEAST_SAMPLES = 20
"""Groups with fewer samples are standardised by all samples together: medians of few samples are mostly chance."""

MOST_POOLED = 5000
"""Samples behind the medians over all groups: a random choice of this size takes the place of more."""


@dataclass(frozen=True)
class GroupStandards:
    """Medians and widths of each group.

    Attributes
    ----------
    pooled
        Those over all training samples, for samples of unknown or small groups.
    groups
        Those of each group of `LEAST_SAMPLES` or more, by name.
    is_transductive
        Whether new samples are standardised by medians of their own, without labels, and not by those of training.
    """

    pooled: RobustScaling
    groups: Mapping[str, RobustScaling] = field(default_factory=dict)
    is_transductive: bool = True

    @classmethod
    def fitted(cls, embeddings: Any, names: Strings, *, is_transductive: bool) -> Self:
        """Fit on samples.

        Parameters
        ----------
        embeddings
            What gives rows of shape ``(n, n_views, embedding_dim)`` by their numbers, such as an array.
        names
            Group of each sample, ``""`` for none, shape ``(n_samples,)``.
        is_transductive
            As for the class.
        """
        rows = np.arange(len(names))
        if len(rows) > MOST_POOLED:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST_POOLED, replace=False))
        pooled = RobustScaling.fitted(embeddings[rows])
        return cls(pooled, _by_group(embeddings, names), is_transductive)

    def for_new(self, embeddings: Float32s, names: Strings) -> "GroupStandards":
        """Give what new samples are standardised by; unless this is transductive, nothing is read of them.

        Parameters
        ----------
        embeddings
            Shape ``(n_samples, n_views, embedding_dim)``.
        names
            Group of each sample, shape ``(n_samples,)``.
        """
        return replace(self, groups=_by_group(embeddings, names)) if self.is_transductive else self

    def __call__(self, embeddings: Float32s, names: Strings) -> Float32s:
        """Standardise samples.

        Parameters
        ----------
        embeddings
            Shape ``(n_samples, n_views, embedding_dim)``.
        names
            Group of each sample, shape ``(n_samples,)``.

        Returns
        -------
        ndarray of shape (n_samples, n_views, embedding_dim)
            Within 3 of 0, and none missing: see `RobustScaling`.
        """
        out = np.empty(embeddings.shape, np.float32)
        for name, rows in _rows_of(names):
            out[rows] = self.groups.get(name, self.pooled)(embeddings[rows])
        return out

    def without_groups(self) -> "GroupStandards":
        """Give what a saved head needs: groups of training do not serve where new samples have medians of their own."""
        return replace(self, groups={}) if self.is_transductive else self

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved: medians and scales of shape ``(1 + n_groups, n_columns)``, and the names of the groups."""
        names = list(self.groups)
        every = [self.pooled, *self.groups.values()]
        return {
            "median": np.stack([one.median for one in every]),
            "scale": np.stack([one.scale for one in every]),
            "names": np.frombuffer(json.dumps(names).encode(), dtype=np.uint8).copy(),
            "is_transductive": np.array([int(self.is_transductive)]),
        }

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Restore from the result of `arrays`: medians and scales of shape ``(1 + n_groups, n_columns)``.

        Raises
        ------
        HeadError
            If the arrays are not such medians.
        """
        try:
            names = [str(name) for name in json.loads(arrays["names"].astype(np.uint8).tobytes())]
            pairs = zip(arrays["median"], arrays["scale"], strict=True)
            every = [RobustScaling.restored({"median": median, "scale": scale}) for median, scale in pairs]
            groups = dict(zip(names, every[1:], strict=True))
            return cls(every[0], groups, bool(arrays["is_transductive"][0]))
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise HeadError(f"medians of groups: not as they are saved ({error!r})") from None

    def __len__(self) -> int:
        return len(self.pooled)


def large_groups(names: Strings) -> list[str]:
    """Names of the groups of `LEAST_SAMPLES` samples or more, of names of shape ``(n_samples,)``."""
    found, counts = np.unique(names[names != ""], return_counts=True)
    return [str(name) for name in found[counts >= LEAST_SAMPLES]]


def _by_group(embeddings: Any, names: Strings) -> dict[str, RobustScaling]:
    return {name: RobustScaling.fitted(embeddings[np.flatnonzero(names == name)]) for name in large_groups(names)}


def _rows_of(names: Strings) -> Iterator[tuple[str, Integers]]:
    found, numbers = np.unique(names, return_inverse=True)
    for number, name in enumerate(found.tolist()):
        yield name, np.flatnonzero(numbers == number)
