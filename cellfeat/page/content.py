"""The content of a page: its JSON, and shards, pieces of data that the browser loads when it needs them.

The names and types of the JSON are those of ``web/src/data.ts``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXT_BLOCK = 4096
"""Rows of a shard of texts, and of a shard of probabilities."""

MOST_CATEGORIES_INLINE = 200
"""Categories of a column up to which their names are in the page's JSON; more are a shard of their own."""

ShardMaker = Callable[[], bytes]
"""Makes the bytes of a shard when they are written or asked for."""


@dataclass(frozen=True)
class PageContent:
    """A page: what it says, and its shards.

    Attributes
    ----------
    page
        The JSON: see ``Page`` in ``web/src/data.ts``.
    shards
        What makes each shard, by its name.
    """

    page: Mapping[str, Any]
    shards: Mapping[str, ShardMaker]


@dataclass
class Columns:
    """Collects the columns of a page with their shards.

    Attributes
    ----------
    entries
        The columns as the page's JSON lists them.
    shards
        What makes each of their shards.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    shards: dict[str, ShardMaker] = field(default_factory=dict)

    def add_category(
        self, name: str, codes: NDArray[np.integer], categories: Sequence[str], *, role: str = "other", **more: Any
    ) -> None:
        """Add a column of categories.

        Parameters
        ----------
        name
            Name of the column; also its title, unless `more` has a ``title``.
        codes
            Place of each sample's category, -1 where it has none, shape ``(n_samples,)``.
        categories
            Their names.
        role
            What the column is.
        **more
            Further entries of the JSON, such as ``head``.
        """
        kind = _smallest(len(categories))
        entry = self._entry(name, "category", role, kind, more)
        if len(categories) <= MOST_CATEGORIES_INLINE:
            entry["categories"] = list(categories)
        else:
            entry["categoriesShard"] = f"{entry['shard']}-names"
            self.shards[entry["categoriesShard"]] = partial(_json_bytes, list(categories))
        dtype = _DTYPES[kind]
        # -1 becomes the largest code.
        self.shards[entry["shard"]] = lambda: codes.astype(dtype).tobytes()

    def add_number(self, name: str, numbers: NDArray[Any], *, role: str = "other", **more: Any) -> None:
        """Add a column of numbers.

        Parameters
        ----------
        name, role, **more
            As for `add_category`.
        numbers
            NaN where a sample has none, shape ``(n_samples,)``.
        """
        entry = self._entry(name, "number", role, "f32", more)
        self.shards[entry["shard"]] = lambda: numbers.astype("<f4").tobytes()

    def add_text(self, name: str, texts: Sequence[str] | NDArray[np.str_], *, role: str = "other", **more: Any) -> None:
        """Add a column of texts.

        Parameters
        ----------
        name, role, **more
            As for `add_category`.
        texts
            Shape ``(n_samples,)``.
        """
        entry = self._entry(name, "text", role, "json", more)
        for block, start in enumerate(range(0, len(texts), TEXT_BLOCK)):
            rows = slice(start, start + TEXT_BLOCK)
            self.shards[f"{entry['shard']}-{block}"] = partial(_text_bytes, texts, rows)

    def _entry(self, name: str, kind: str, role: str, type_: str, more: Mapping[str, Any]) -> dict[str, Any]:
        taken = {entry["name"] for entry in self.entries}
        # A table of a user may have a column of any name.
        name = next(one for one in chain([name], (f"{name} ({n})" for n in count(2))) if one not in taken)
        entry = {
            "name": name, "title": name, "kind": kind, "role": role, "type": type_,
            "shard": f"column-{len(self.entries)}", **more,
        }  # fmt: skip
        self.entries.append(entry)
        return entry


def probability_shards(name: str, probabilities: NDArray[np.floating]) -> dict[str, ShardMaker]:
    """Make the shards of a head's probabilities, in sixteen bits.

    Parameters
    ----------
    name
        Name of the shards.
    probabilities
        Shape ``(n_samples, n_classes)``; NaN, of samples without a prediction, becomes 0.
    """

    def block(start: int) -> bytes:
        rows = np.nan_to_num(np.asarray(probabilities[start : start + TEXT_BLOCK], dtype=np.float64))
        return np.rint(rows * 65535).astype("<u2").tobytes()

    starts = range(0, len(probabilities), TEXT_BLOCK)
    return {f"{name}-{number}": partial(block, start) for number, start in enumerate(starts)}


_DTYPES = {"u8": "u1", "u16": "<u2", "u32": "<u4"}


def _smallest(n_categories: int) -> str:
    # The largest code means: no value.
    return next(kind for kind, bits in (("u8", 8), ("u16", 16), ("u32", 32)) if n_categories < 2**bits)


def _text_bytes(texts: Sequence[str] | NDArray[np.str_], rows: slice) -> bytes:
    return _json_bytes(np.asarray(texts[rows]).tolist())


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
