"""What a head predicted of a fold, and the settings chosen for it, kept on disk: one more head computes only itself.

An entry is found by the digest of all that decides its numbers: embeddings, labels, fold, the head with all its
parameters, its source and the versions of the libraries. Whatever is not exactly what was asked for (another format, a
damaged file, somebody else's file) counts as absent and is computed again. Entries are JSON: nothing in them is run.
"""

import inspect
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import cellfeat.heads
from cellfeat.evaluation.folds import Fold
from cellfeat.evaluation.task import Task
from cellfeat.heads.state import plain_params
from cellfeat.provenance import digest_bytes, digest_file, digest_json, publish, versions

FORMAT = 1
MAX_ENTRY_BYTES = 1_000_000_000
MAX_ENTRIES = 5_000
MAX_BYTES = 2_000_000_000
CACHE_FOLDER = ".cache"


class FoldOutcome(NamedTuple):
    """What a head predicts of a fold's test part, and the seconds that took.

    Attributes
    ----------
    probabilities
        Shape ``(n_test, n_classes)``, columns in the order of the task's classes.
    fit_seconds, predict_seconds
        Wall-clock time, measured when it was computed.
    """

    probabilities: NDArray[np.float64]
    fit_seconds: float
    predict_seconds: float


@dataclass(frozen=True)
class FoldCache:
    """Outcomes of folds in a folder, one file each; the folder can be deleted at any time.

    Attributes
    ----------
    folder
        Where the files are; made when the first is written.
    is_fresh
        Whether what is there is ignored, and replaced.
    max_entries, max_bytes
        What the folder may hold; what was used longest ago goes first.
    """

    folder: Path
    is_fresh: bool = False
    max_entries: int = MAX_ENTRIES
    max_bytes: int = MAX_BYTES

    def load(self, key: str, shape: tuple[int, int]) -> FoldOutcome | None:
        """Read the outcome kept under `key`; None where there is none that is whole and of this `shape`."""
        try:
            return _decoded(self.load_record(key), shape)
        except (ValueError, TypeError, KeyError):
            return None

    def save(self, key: str, outcome: FoldOutcome) -> None:
        """Keep an outcome under `key`."""
        self.save_record(key, _encoded(outcome))

    def load_record(self, key: str) -> dict[str, Any] | None:
        """Read what `save_record` kept under `key`; None where there is nothing that is whole."""
        if self.is_fresh:
            return None
        try:
            path = self._path(key)
            if path.stat().st_size > MAX_ENTRY_BYTES:
                return None
            record = _unsealed(json.loads(path.read_bytes()), key)
            with suppress(OSError):  # a folder that can only be read
                path.touch()  # the time of its last use, by which entries are kept
            return record
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def save_record(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep plain JSON values under `key`."""
        with publish(self._path(key)) as temporary:
            temporary.write_text(json.dumps(_sealed(key, record)), encoding="utf-8")
        self._prune()

    def _prune(self) -> None:
        """Remove what was used longest ago, until the rest is within the bounds; the newest entry always stays."""
        n_bytes = 0
        for n_newer, (_, size, path) in enumerate(sorted(self._entries(), reverse=True)):
            n_bytes += size
            if n_newer and (n_newer >= self.max_entries or n_bytes > self.max_bytes):
                path.unlink(missing_ok=True)

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """When each entry was used last, its size and its file."""
        for path in self.folder.glob("*.json"):
            with suppress(FileNotFoundError):  # another comparison may have removed it
                found = path.stat()
                yield found.st_mtime_ns, found.st_size, path

    def _path(self, key: str) -> Path:
        return self.folder / f"{key.removeprefix('sha256:')}.json"


@dataclass(frozen=True)
class HeadKeys:
    """Names the folds of one head on one task.

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
        """Whether the head's source is known; without it, an edited head would be given its old results."""
        return self._source is not None

    def key(self, fold: Fold) -> str:
        """Digest of all that decides what this head predicts of the fold."""
        return self.key_of({"train": array_digest(fold.train), "test": array_digest(fold.test)})

    def key_of(self, question: Mapping[str, Any]) -> str:
        """Digest of anything else that is asked of this head, and of all that decides the answer."""
        return digest_json({**self._common, **question})

    @cached_property
    def _common(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "samples": self.task.digest,
            "head": self.name,
            "params": plain_params(self.classifier.get_params(deep=False)),
            "source": self._source,
            "versions": versions(),
        }

    @cached_property
    def _source(self) -> str | None:
        """Digest of the head's module and of everything beside our own heads."""
        try:
            own = Path(inspect.getfile(type(self.classifier)))
            files = {own, *(file for folder in cellfeat.heads.__path__ for file in Path(folder).glob("*.py"))}
            return digest_json(sorted(digest_file(file) for file in files))
        except (OSError, TypeError):
            return None


def array_digest(array: NDArray[Any]) -> str:
    """Digest of an array with its type and shape."""
    plain = np.ascontiguousarray(array)
    return digest_bytes(f"{plain.dtype.str}{plain.shape}".encode(), plain.tobytes())


def _sealed(key: str, record: Mapping[str, Any]) -> dict[str, Any]:
    content = {**record, "key": key}
    return content | {"digest": digest_json(content)}


def _unsealed(sealed: dict[str, Any], key: str) -> dict[str, Any] | None:
    content = {name: value for name, value in sealed.items() if name != "digest"}
    if (sealed["digest"], sealed["key"]) != (digest_json(content), key):
        return None
    return {name: value for name, value in content.items() if name != "key"}


def _encoded(outcome: FoldOutcome) -> dict[str, Any]:
    probabilities = np.ascontiguousarray(outcome.probabilities, dtype="<f8")
    return {
        "shape": list(probabilities.shape),
        "probabilities": b64encode(probabilities.tobytes()).decode(),
        "seconds": [outcome.fit_seconds, outcome.predict_seconds],
    }


def _decoded(record: dict[str, Any] | None, shape: tuple[int, int]) -> FoldOutcome | None:
    if record is None or record["shape"] != list(shape):
        return None
    raw = b64decode(record["probabilities"], validate=True)
    fit_seconds, predict_seconds = record["seconds"]
    return FoldOutcome(np.frombuffer(raw, dtype="<f8").reshape(shape).copy(), fit_seconds, predict_seconds)
