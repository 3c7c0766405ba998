"""A fitted head in a folder of plain files, saved and loaded without executing code.

``bundle.json`` says what the head is and holds the digest of every other file and of itself; ``arrays.safetensors``
holds its arrays, one ``.txt`` file each of its texts, ``scores.safetensors`` what prediction sets need, and
``samples.safetensors`` what it was fitted on. No format that can run code (pickle, joblib) is read.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from cellfeat.config import Settings
from cellfeat.errors import BundleError, HeadError, MissingFileError
from cellfeat.heads.base import HeadClassifier
from cellfeat.heads.registry import HEADS, head_class, head_inputs
from cellfeat.heads.state import HeadState, plain_params
from cellfeat.heads.training_digests import SeenSamples
from cellfeat.provenance import digest_bytes, digest_json, publish_folder
from cellfeat.statistics.conformal import ClassScores
from cellfeat.statistics.temperature import COLDEST, HOTTEST, tempered
from cellfeat.text import first_line

FORMAT = 1
RECORD_FILE = "bundle.json"
ARRAYS_FILE = "arrays.safetensors"
CLASS_SCORES_FILE = "scores.safetensors"
SEEN_FILE = "samples.safetensors"
MAX_RECORD_BYTES = 16_000_000
MAX_FILE_BYTES = 4_000_000_000
SUM_TOLERANCE = 1e-3
"""How far from 1 the probabilities of a sample may add up: far more than rounding, in float32 too."""
_PARTS = {CLASS_SCORES_FILE: "class_scores", SEEN_FILE: "seen"}
"""Files of arrays that a head may do without, and what they hold."""
_ARRAYS_FILES = (ARRAYS_FILE, *_PARTS)
_TEXT_FILE = re.compile(r"[A-Za-z0-9_]+\.txt")
_FIELDS: dict[str, type] = {
    "head_name": str,
    "params": dict,
    "classes": list,
    "fingerprint": str,
    "recipe": dict,
    "settings": dict,
    "scores": dict,
    "provenance": dict,
    "temperature": float,
    "n_views": int,
    "embedding_dim": int,
    "files": dict,
}
_REPORT_FILES = {"metrics.json", "predictions.parquet", "confusion.png", "reliability.png"}
_SAVE_AGAIN = "fit and save the head again, or copy the whole folder again"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A fitted head, and all that is needed to use and to judge it.

    Attributes
    ----------
    head
        The fitted head.
    head_name
        Its name in `HEADS`.
    classes
        Class names in the order of the probability columns; the head's own classes, as text, are among them.
    fingerprint
        Fingerprint of the features it was fitted on.
    recipe
        How those features were extracted.
    settings
        What the user set for this head.
    scores
        Its out-of-fold scores.
    provenance
        When, with which versions and on what it was fitted.
    temperature
        What its probabilities are tempered by: see `cellfeat.statistics.temperature`; 1 leaves them as they are.
    n_views
        Views a sample at fitting.
    embedding_dim
        Length of an embedding.
    class_scores
        Out-of-fold probabilities of the true classes, tempered by `temperature`; None in heads saved before there were
        prediction sets.
    seen
        The samples that it was fitted on; None in heads saved before they were kept.

    Raises
    ------
    BundleError
        If the head does not fit these classes, views or embeddings.
    """

    head: HeadClassifier
    head_name: str
    classes: list[str]
    fingerprint: str
    recipe: dict[str, Any]
    settings: dict[str, Any]
    scores: dict[str, Any]
    provenance: dict[str, Any]
    n_views: int
    embedding_dim: int
    temperature: float = 1.0
    class_scores: ClassScores | None = None
    seen: SeenSamples | None = None

    def __post_init__(self) -> None:
        unnamed = sorted({str(label) for label in self.head.classes_} - set(self.classes))
        if unnamed:
            raise BundleError(f"the head knows classes that the bundle does not name: {unnamed}; got {self.classes}")
        if len(set(self.classes)) < len(self.classes):
            raise BundleError(f"expected each class once, got {self.classes}")
        if not COLDEST <= self.temperature <= HOTTEST:
            raise BundleError(f"temperature: expected {COLDEST} to {HOTTEST}, got {self.temperature}")
        n_views = self.n_views if HEADS[self.head_name].views == "own" else 1
        if self.head.n_features_in_ != n_views * self.embedding_dim:
            raise BundleError(
                f"the head {self.head_name!r} takes {self.head.n_features_in_} columns, and {n_views} views of "
                f"{self.embedding_dim} are {n_views * self.embedding_dim}"
            )

    @property
    def params(self) -> dict[str, Any]:
        """The head's constructor parameters as plain JSON values."""
        return plain_params(self.head.get_params(deep=False))

    def predict_proba(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict class probabilities from any number of views.

        A head that takes the mean over views takes it over the views that there are. One that makes its own use of
        views, and was fitted with another number of them, is shown each view as if all views were that one, and the
        probabilities are averaged over the views.

        Parameters
        ----------
        embeddings
            Array of shape (n_samples, n_views, embedding_dim).

        Returns
        -------
        Array of shape (n_samples, n_classes), columns in the order of `classes`; 0 for a class that the head was not
        shown at fitting.

        Raises
        ------
        HeadError
            If the embeddings have another length, no view, or hold NaN, or what the head says of them are no
            probabilities.
        """
        return self.calibrated(self.uncalibrated_proba(embeddings))

    def uncalibrated_proba(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict class probabilities as the head gives them, without the temperature; else as `predict_proba`."""
        self._check_embeddings(embeddings)
        probabilities = np.zeros((len(embeddings), len(self.classes)))
        raw = np.mean([self.head.predict_proba(X) for X in self._inputs(embeddings)], axis=0)
        probabilities[:, self._shown] = raw
        if not np.allclose(probabilities.sum(axis=1), 1, atol=SUM_TOLERANCE):  # NaN is not close to anything
            raise HeadError(f"the head {self.head_name!r} gives no probabilities that add up to 1; fit it again")
        return probabilities

    def calibrated(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Temper what `uncalibrated_proba` gave; which class is the most probable stays."""
        out = np.zeros(probabilities.shape)
        out[:, self._shown] = tempered(probabilities[:, self._shown], self.temperature)
        return out

    @property
    def _shown(self) -> list[int]:
        """Columns of the classes that the head was shown at fitting."""
        return [self.classes.index(str(label)) for label in self.head.classes_]

    def predict(self, embeddings: NDArray[np.float32]) -> list[str]:
        """Predict the most probable class of each sample from embeddings of shape (n_samples, n_views, dim)."""
        return [self.classes[column] for column in self.predict_proba(embeddings).argmax(axis=1)]

    def has_seen(self, pixel_digest: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Tell of samples, by their digests in hex, whether the head was fitted on these pixels; False if unknown."""
        return np.zeros(len(pixel_digest), dtype=bool) if self.seen is None else self.seen.holds(pixel_digest)

    def _inputs(self, embeddings: NDArray[np.float32]) -> Iterable[NDArray[np.float32]]:
        if HEADS[self.head_name].views == "mean" or embeddings.shape[1] == self.n_views:
            return [head_inputs(self.head_name, embeddings)]
        return (np.tile(view, (1, self.n_views)) for view in embeddings.swapaxes(0, 1))

    def _check_embeddings(self, embeddings: NDArray[np.float32]) -> None:
        if embeddings.ndim != 3 or embeddings.shape[1] == 0 or embeddings.shape[2] != self.embedding_dim:
            raise HeadError(
                f"expected embeddings of shape (n_samples, n_views, {self.embedding_dim}), got {embeddings.shape}; "
                "extract them with the recipe that the head was fitted on"
            )


def settings_of(bundle: Bundle) -> Settings:
    """The settings of the extraction and the labels that a head was fitted on.

    Raises
    ------
    BundleError
        If its provenance holds none.
    """
    try:
        return Settings.model_validate(bundle.provenance["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the saved head {bundle.head_name!r} does not tell the settings that it was fitted with "
            f"({first_line(error)}); {_SAVE_AGAIN}"
        ) from None


def describe_bundle(bundle: Bundle) -> str:
    """Tell in lines what a saved head is.

    Raises
    ------
    BundleError
        If its recipe or scores are not as cellfeat writes them.
    """
    try:
        return _describe(bundle)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"the recipe or the scores of the saved head {bundle.head_name!r} are not as cellfeat writes them "
            f"({error!r}); {_SAVE_AGAIN}"
        ) from None


def _describe(bundle: Bundle) -> str:
    scores, backbone = bundle.scores, bundle.recipe.get("backbone", {})
    rows = {
        "head": bundle.head_name,
        "parameters": ", ".join(f"{name} {value}" for name, value in bundle.params.items()),
        "classes": ", ".join(bundle.classes),
        "takes": f"{bundle.n_views} views x {bundle.embedding_dim} numbers of {backbone.get('name', 'unknown')}",
        "fingerprint": bundle.fingerprint,
    }
    if "balanced_accuracy" in scores:
        rows["scores"] = (
            f"balanced accuracy {scores['balanced_accuracy']:.3f} [{scores['ci_low']:.3f}, {scores['ci_high']:.3f}] "
            f"out of fold, on {scores['n_samples']} samples in {scores['n_groups']} groups"
        )
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())


def save_bundle(bundle: Bundle, folder: Path | str) -> None:
    """Write a bundle so that it appears whole or not at all; an earlier one in `folder` is replaced.

    Raises
    ------
    HeadError
        If a constructor parameter of the head cannot be written as JSON.
    BundleError
        If `folder` holds anything but an earlier bundle.
    """
    check_bundle_folder(folder)
    state = bundle.head.get_state()
    files = {f"{name}.txt": text.encode() for name, text in state.texts.items()}
    files[ARRAYS_FILE] = _arrays_content(state.arrays)
    parts = {name: getattr(bundle, field) for name, field in _PARTS.items()}
    files |= {name: _arrays_content(part.arrays()) for name, part in parts.items() if part is not None}
    record = {**_record(bundle), "files": {name: digest_bytes(content) for name, content in sorted(files.items())}}
    record["digest"] = digest_json(record)
    files[RECORD_FILE] = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False).encode()
    with publish_folder(Path(folder)) as temporary:
        for name, content in files.items():
            (temporary / name).write_bytes(content)


def _arrays_content(arrays: dict[str, NDArray[Any]]) -> bytes:
    return safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def check_bundle_folder(folder: Path | str) -> None:
    """Refuse a folder that holds anything but an earlier bundle and its report: saving replaces it whole.

    Raises
    ------
    BundleError
        If there is anything else in it.
    """
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError(f"{folder}: is a file; expected a folder to save a head in: choose another --output")
    present = {path.name for path in folder.iterdir()}
    own = {
        RECORD_FILE,
        *_ARRAYS_FILES,
        *_REPORT_FILES,
        *(name for name in present if _TEXT_FILE.fullmatch(name)),
    }
    foreign = present - own if RECORD_FILE in present else present
    if foreign:
        raise BundleError(
            f"{folder}: holds more than a saved head ({', '.join(sorted(foreign)[:5])}), and saving would replace it; "
            f"choose another --output"
        )


def _record(bundle: Bundle) -> dict[str, Any]:
    fields = {name: getattr(bundle, name) for name in _FIELDS if name != "files"}
    return {"format": FORMAT, **fields}


def load_bundle(folder: Path | str) -> Bundle:
    """Read a bundle that `save_bundle` wrote, and verify every digest.

    Raises
    ------
    MissingFileError
        If there is no bundle in `folder`.
    BundleError
        If a file is missing, damaged, too large or of another format, or does not fit the others.
    UnknownNameError
        If this installation has no head of that name.
    """
    folder = Path(folder)
    record = _read_record(folder / RECORD_FILE)
    contents = _read_files(folder, record["files"])
    arrays = {name: _parse_arrays(folder / name, contents.pop(name)) for name in _ARRAYS_FILES if name in contents}
    texts = {name.removesuffix(".txt"): _decode(folder / name, content) for name, content in contents.items()}
    try:
        state = HeadState(arrays.pop(ARRAYS_FILE, {}), texts)
        head = head_class(record["head_name"])(**record["params"]).set_state(state)
    except (HeadError, TypeError) as error:
        raise BundleError(f"{folder}: not a saved head {record['head_name']!r}: {error}") from None
    fields = {name: record[name] for name in _FIELDS if name not in ("params", "files")}
    parts: dict[str, Any] = {
        _PARTS[name]: _restored(folder / name, arrays[name], len(record["classes"])) for name in arrays
    }
    return Bundle(head=head, **fields, **parts)


def _restored(path: Path, arrays: dict[str, NDArray[Any]], n_classes: int) -> ClassScores | SeenSamples:
    try:
        if path.name == SEEN_FILE:
            return SeenSamples.restored(arrays)
        return restored_class_scores(arrays, n_classes)
    except HeadError as error:
        raise BundleError(f"{path}: not the file of a saved head: {error}") from None


def restored_class_scores(arrays: dict[str, NDArray[Any]], n_classes: int) -> ClassScores:
    """Take out-of-fold scores out of the arrays that `ClassScores.arrays` gave.

    Raises
    ------
    HeadError
        If the arrays are no such scores.
    """
    state = HeadState(arrays)
    codes = state.array("codes", -1)
    scores = ClassScores(codes, state.array("probability", len(codes)), state.array("weight", len(codes)), n_classes)
    scores.check()
    return scores


def _read_record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist: expected the folder of a saved head")
    content = _read_file(path, MAX_RECORD_BYTES)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not valid JSON: {error}; {_SAVE_AGAIN}") from None
    _check_record(path, record)
    return record


def _check_record(path: Path, record: Any) -> None:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format", "none") if isinstance(record, dict) else type(record).__name__
        raise BundleError(
            f"{path}: expected format {FORMAT} of a saved head, got {found!r}; "
            "load it with the version of cellfeat that saved it"
        )
    _check_digest(path, _own_digest(path, record), record.get("digest"))
    record.setdefault("temperature", 1.0)  # heads saved before they were calibrated
    for name, kind in _FIELDS.items():
        if type(record.get(name)) is not kind:
            raise BundleError(f"{path}: {name}: expected {kind.__name__}, got {record.get(name)!r}; {_SAVE_AGAIN}")
    if not all(isinstance(label, str) for label in record["classes"]):
        raise BundleError(f"{path}: classes: expected texts, got {record['classes']!r}; {_SAVE_AGAIN}")


def _own_digest(path: Path, record: dict[str, Any]) -> str:
    try:
        return digest_json({key: value for key, value in record.items() if key != "digest"})
    except ValueError as error:  # JSON as Python reads it may hold NaN
        raise BundleError(f"{path}: not a record that cellfeat wrote: {error}; {_SAVE_AGAIN}") from None


def _check_digest(path: Path, got: str, expected: object) -> None:
    if got != expected:
        raise BundleError(f"{path} is damaged or was changed: expected {expected}, got {got}; {_SAVE_AGAIN}")


def _read_files(folder: Path, digests: dict[str, Any]) -> dict[str, bytes]:
    for name in digests:
        if name not in _ARRAYS_FILES and not _TEXT_FILE.fullmatch(name):
            raise BundleError(
                f"{folder / RECORD_FILE}: files: expected {ARRAYS_FILE} and NAME.txt, got {name!r}; "
                "do not use this bundle"
            )
    return {name: _read_verified(folder / name, digest) for name, digest in digests.items()}


def _read_verified(path: Path, digest: object) -> bytes:
    if not path.is_file():
        raise BundleError(f"{path} is missing; {_SAVE_AGAIN}")
    content = _read_file(path, MAX_FILE_BYTES)
    _check_digest(path, digest_bytes(content), digest)
    return content


def _read_file(path: Path, limit: int) -> bytes:
    size = path.stat().st_size
    if size > limit:
        raise BundleError(f"{path}: expected at most {limit} bytes, got {size}; this is not a saved head")
    return path.read_bytes()


def _parse_arrays(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    try:
        return safetensors.numpy.load(content)
    except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a type that numpy lacks
        raise BundleError(f"{path}: not a safetensors file: {error}; {_SAVE_AGAIN}") from None


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 text: {error}; {_SAVE_AGAIN}") from None
