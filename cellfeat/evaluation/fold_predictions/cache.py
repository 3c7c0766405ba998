"""Predictions of folds and choices of settings, kept on disk: with one more head, only that head is computed.

An entry is found by the digest of everything that decides its numbers: embeddings, labels, fold, the head with all its
parameters, its source code and the versions of the libraries. An entry that does not match exactly (another format, a
damaged file, a foreign file) counts as absent and is computed again. Entries are JSON: nothing in them is executed.
"""

import inspect
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cellfeat.heads
import cellfeat.statistics
from cellfeat.errors import RecordError
from cellfeat.evaluation.folds.fold import Fold, FoldOutcome
from cellfeat.evaluation.task.task import Task
from cellfeat.heads.state import recorded_params
from cellfeat.provenance import digest_bytes, digest_file, digest_json, publish, versions
from cellfeat.records import parse_json, seal, unseal

FORMAT = 1
MAX_ENTRY_BYTES = 1_000_000_000
MAX_ENTRIES = 5_000
MAX_BYTES = 2_000_000_000
CACHE_FOLDER = ".cache"
# A head may use any of this code, so a change of any file makes all entries useless: the safe side.
_CODE = (*cellfeat.heads.__path__, *cellfeat.statistics.__path__)


@dataclass(frozen=True)
class FoldCache:
    """A folder of entries, one file each. It can be deleted at any time.

    Attributes
    ----------
    folder
        Where the files are; created with the first entry.
    is_fresh
        Whether existing entries are ignored and replaced.
    max_entries, max_bytes
        Limits of the folder; the least recently used entries are removed first.
    """

    folder: Path
    is_fresh: bool = False
    max_entries: int = MAX_ENTRIES
    max_bytes: int = MAX_BYTES

    def load(self, key: str, shape: tuple[int, int]) -> FoldOutcome | None:
        """Read the predictions of a fold.

        Parameters
        ----------
        key
            Key of the entry.
        shape
            Expected shape of the probabilities.

        Returns
        -------
        FoldOutcome or None
            None where there is no intact entry of this shape.
        """
        try:
            return _decoded(self.load_record(key), shape)
        except (ValueError, TypeError, KeyError):
            return None

    def save(self, key: str, outcome: FoldOutcome) -> None:
        """Save the predictions of a fold.

        Parameters
        ----------
        key
            Key of the entry.
        outcome
            The predictions.
        """
        self.save_record(key, _encoded(outcome))

    def load_record(self, key: str) -> dict[str, Any] | None:
        """Read what `save_record` saved under `key`; None where there is no intact entry."""
        if self.is_fresh:
            return None
        try:
            path = self._path(key)
            if path.stat().st_size > MAX_ENTRY_BYTES:
                return None
            record = unseal(parse_json(path.read_bytes()))
            # The name of a file proves nothing: it may have been copied or renamed.
            if record.pop("key", None) != key:
                return None
            with suppress(OSError):  # the folder may be read-only
                path.touch()  # marks the time of the last use
            return record
        except (OSError, RecordError):
            return None

    def save_record(self, key: str, record: Mapping[str, Any]) -> None:
        """Save plain JSON values.

        Parameters
        ----------
        key
            Key of the entry.
        record
            The values.
        """
        with publish(self._path(key)) as temporary:
            temporary.write_text(json.dumps(seal({**record, "key": key})), encoding="utf-8")
        self._prune()

    def _prune(self) -> None:
        """Remove the least recently used entries until the rest is within the limits; the newest entry stays."""
        n_bytes = 0
        for n_newer, (_, size, path) in enumerate(sorted(self._entries(), reverse=True)):
            n_bytes += size
            if n_newer and (n_newer >= self.max_entries or n_bytes > self.max_bytes):
                path.unlink(missing_ok=True)

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Time of the last use, size and file of each entry."""
        for path in self.folder.glob("*.json"):
            with suppress(FileNotFoundError):  # another comparison may have removed it
                found = path.stat()
                yield found.st_mtime_ns, found.st_size, path

    def _path(self, key: str) -> Path:
        return self.folder / f"{key.removeprefix('sha256:')}.json"


@dataclass(frozen=True)
class HeadKeys:
    """Keys of one head's predictions on one task.

    Attributes
    ----------
    task
        The samples and folds.
    name
        The head's name in `HEADS`.
    classifier
        The head, unfitted, with all its parameters.
    """

    task: Task
    name: str
    classifier: Any

    @property
    def can_be_cached(self) -> bool:
        """Whether the source of the head is known; without it, an edited head would get its old results.

        An estimator object may contain code of the user, which no parameter describes.
        """
        return getattr(self.classifier, "can_be_cached", True) and self._source is not None

    def key(self, fold: Fold) -> str:
        """Digest of everything that decides what this head predicts for a fold."""
        return self.key_of({"train": array_digest(fold.train), "test": array_digest(fold.test)})

    def key_of(self, question: Mapping[str, Any]) -> str:
        """Digest of another question about this head, and of everything that decides the answer."""
        return digest_json({**self._common, **question})

    @cached_property
    def _common(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "samples": self.task.digest,
            "scaling": self.task.scaling,
            **self._standardised,
            "head": self.name,
            "params": recorded_params(self.classifier),
            "source": self._source,
            "versions": versions(),
        }

    @property
    def _standardised(self) -> dict[str, Any]:
        """Plates whose medians come from training parts; where they come from all samples, the embeddings have them."""
        plates = self.task.plates
        return {} if plates is None or plates.is_transductive else {"standardised": plates.names.tolist()}

    @cached_property
    def _source(self) -> str | None:
        """Digest of the module of the head, and of the code of our own heads and of the statistics that they use."""
        try:
            own = Path(inspect.getfile(type(self.classifier)))
            files = {own, *(file for folder in _CODE for file in Path(folder).rglob("*.py"))}
            return digest_json(sorted(digest_file(file) for file in files))
        except (OSError, TypeError):
            return None


def array_digest(array: NDArray[Any]) -> str:
    """Digest of an array of any shape, with its type and shape."""
    plain = np.ascontiguousarray(array)
    return digest_bytes(f"{plain.dtype.str}{plain.shape}".encode(), plain.tobytes())


def _encoded(outcome: FoldOutcome) -> dict[str, Any]:
    probabilities = np.ascontiguousarray(outcome.probabilities, dtype="<f8")
    return {
        "shape": list(probabilities.shape),
        "probabilities": b64encode(probabilities.tobytes()).decode(),
        "seconds": [outcome.fit_seconds, outcome.predict_seconds],
        "chosen": outcome.chosen,
    }


def _decoded(record: dict[str, Any] | None, shape: tuple[int, int]) -> FoldOutcome | None:
    if record is None or record["shape"] != list(shape):
        return None
    raw = b64decode(record["probabilities"], validate=True)
    fit_seconds, predict_seconds = record["seconds"]
    # A copy, because `frombuffer` gives an array that cannot be written to.
    probabilities = np.frombuffer(raw, dtype="<f8").reshape(shape).copy()
    chosen = record["chosen"]
    if not isinstance(chosen, dict | None):
        raise TypeError(f"chosen: expected values by name, got {type(chosen).__name__}")
    return FoldOutcome(probabilities, fit_seconds, predict_seconds, chosen)
