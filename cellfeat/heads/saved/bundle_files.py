"""Save a fitted head to a folder of plain files and load it again, without executing code.

``bundle.json`` describes the head and contains the digest of every other file and of itself. ``arrays.safetensors``
contains the arrays of the head and one ``.txt`` file each of its texts, ``scores.safetensors`` the out-of-fold scores
for prediction sets, ``samples.safetensors`` the digests of the training samples, ``neighbours.safetensors`` some of
these samples as points, ``standards.safetensors`` the medians of plates, and ``scaling.safetensors`` the scaling of the
columns of an imported table. ``estimator.skops`` contains the fitted estimator of a head of scikit-learn. Formats that
can run code (pickle, joblib) are never read.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from cellfeat.errors import BundleError, ConfigError, HeadError, MissingFileError, RecordError
from cellfeat.heads.preprocessing.group_standards import GroupStandards
from cellfeat.heads.preprocessing.scaling import RobustScaling
from cellfeat.heads.registry import restore_head
from cellfeat.heads.saved.bundle import SAVE_AGAIN, Bundle
from cellfeat.heads.saved.neighbourhood import Neighbourhood
from cellfeat.heads.saved.samples_summary import SamplesSummary
from cellfeat.heads.saved.training_digests import TrainingDigests
from cellfeat.heads.state import HeadState
from cellfeat.provenance import digest_bytes, publish_folder
from cellfeat.records import check_fields, is_sealed_text, parse_json, seal, unseal
from cellfeat.statistics.conformal import ClassScores
from cellfeat.text import NO_URLS, first_ten, is_url, without_credentials

FORMAT = 1
RECORD_FILE = "bundle.json"
ARRAYS_FILE = "arrays.safetensors"
CLASS_SCORES_FILE = "scores.safetensors"
DIGESTS_FILE = "samples.safetensors"
ESTIMATOR_FILE = "estimator.skops"
SCALING_FILE = "scaling.safetensors"
NEIGHBOURS_FILE = "neighbours.safetensors"
STANDARDS_FILE = "standards.safetensors"
CARD_FILE = "README.md"
PAGE_FILE, PAGE_FOLDER = "page.html", "page"
"""The page beside a saved head, in either form."""
PAGE_PARTS = {"index.html", "page.js", "page.css", "licences.txt", "shards"}
"""What a page that is a folder holds."""
MAX_RECORD_BYTES = 16_000_000
MAX_FILE_BYTES = 4_000_000_000
_OPTIONAL_FILES = {
    CLASS_SCORES_FILE: "class_scores",
    DIGESTS_FILE: "training_digests",
    SCALING_FILE: "scaling",
    NEIGHBOURS_FILE: "neighbourhood",
    STANDARDS_FILE: "standards",
}
"""Files of arrays that may be absent, and the attribute of `Bundle` that each one stores."""
_ARRAYS_FILES = (ARRAYS_FILE, *_OPTIONAL_FILES)
_TEXT_FILE = re.compile(r"[A-Za-z0-9_]+\.txt")
_REPORT_FILES = {"metrics.json", "predictions.parquet", "samples.json"} | {
    f"{figure}.{kind}" for figure in ("confusion", "reliability") for kind in ("png", "svg", "pdf")
}


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What ``bundle.json`` contains. Fields are written in this order."""

    format: int
    head_name: str
    params: dict[str, Any]
    classes: list[str]
    fingerprint: str
    recipe: dict[str, Any]
    settings: dict[str, Any]
    scores: dict[str, Any]
    provenance: dict[str, Any]
    temperature: float = 1.0  # absent in heads that were saved before they were calibrated
    n_views: int
    embedding_dim: int
    fitted_on: SamplesSummary | None = None  # absent in heads of cellfeat 0.1
    files: dict[str, str]


_FIELDS = tuple(field.name for field in fields(_Record))
_BUNDLE_FIELDS = tuple(name for name in _FIELDS if name not in ("format", "files"))
"""Fields that are attributes of a `Bundle` under the same name."""


def save_bundle(bundle: Bundle, folder: Path | str) -> None:
    """Write a bundle so that it appears as a whole or not at all; an earlier bundle in `folder` is replaced.

    Parameters
    ----------
    bundle
        The fitted head.
    folder
        A folder that does not exist yet, is empty, or contains an earlier bundle.

    Raises
    ------
    ConfigError
        If this is no bundle.
    HeadError
        If a constructor parameter of the head cannot be written as JSON.
    BundleError
        If `folder` contains anything but an earlier bundle.
    """
    if not isinstance(bundle, Bundle):
        raise ConfigError(
            f"bundle: expected a Bundle, got {type(bundle).__name__}; cellfeat.fit returns the bundle first, and its "
            "result second"
        )
    check_bundle_folder(folder)
    files = _contents(bundle)
    files[RECORD_FILE] = _record_content(bundle, files)
    with publish_folder(Path(folder)) as temporary:
        for name, content in files.items():
            (temporary / name).write_bytes(content)


def _contents(bundle: Bundle) -> dict[str, bytes]:
    """The content of every file but the record, by name."""
    state = bundle.head.get_state()
    files = {f"{name}.txt": text.encode() for name, text in state.texts.items()}
    files[ARRAYS_FILE] = _arrays_content(state.arrays)
    if state.estimator is not None:
        files[ESTIMATOR_FILE] = state.estimator
    parts = {name: getattr(bundle, attribute) for name, attribute in _OPTIONAL_FILES.items()}
    return files | {name: _arrays_content(part.arrays()) for name, part in parts.items() if part is not None}


def _record_content(bundle: Bundle, files: Mapping[str, bytes]) -> bytes:
    digests = {name: digest_bytes(content) for name, content in sorted(files.items())}
    own = {name: getattr(bundle, name) for name in _BUNDLE_FIELDS}
    own["fitted_on"] = None if bundle.fitted_on is None else asdict(bundle.fitted_on)
    record = seal({"format": FORMAT, **own, "files": digests})
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False).encode()


def _arrays_content(arrays: dict[str, NDArray[Any]]) -> bytes:
    return safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _is_page(folder: Path) -> bool:
    """Whether a folder holds nothing but a page."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= PAGE_PARTS


def check_bundle_folder(folder: Path | str) -> None:
    """Check that saving to `folder` would replace nothing but an earlier bundle and its report.

    Raises
    ------
    BundleError
        If the folder contains anything else.
    """
    folder = Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError(f"{folder}: is a file; expected a folder to save a head in: choose another --output")
    present = {path.name for path in folder.iterdir()}
    texts = {name for name in present if _TEXT_FILE.fullmatch(name)}
    own = {RECORD_FILE, ESTIMATOR_FILE, CARD_FILE, PAGE_FILE, *_ARRAYS_FILES, *_REPORT_FILES, *texts}
    own |= {PAGE_FOLDER} if _is_page(folder / PAGE_FOLDER) else set()
    # Without a record, even files of these names are somebody else's.
    foreign = present - own if RECORD_FILE in present else present
    if foreign:
        raise BundleError(
            f"{folder}: contains files that do not belong to a saved head ({', '.join(sorted(foreign)[:5])}), and "
            f"saving would replace them; choose another --output"
        )
    _check_card(folder / CARD_FILE)


def _check_card(path: Path) -> None:
    """Refuse to replace a model card that its user has changed."""
    if path.is_file() and not is_sealed_text(path.read_bytes().decode(errors="replace")):
        raise BundleError(
            f"{path}: was changed since fit wrote it, and saving would replace it: move it to another folder, or "
            f"choose another --output"
        )


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
    contents = _read_files(folder, record.files)
    arrays = {name: _parse_arrays(folder / name, contents.pop(name)) for name in _ARRAYS_FILES if name in contents}
    estimator = contents.pop(ESTIMATOR_FILE, None)
    # What is left after these are texts: `_read_files` admits no other names.
    texts = {name.removesuffix(".txt"): _decode(folder / name, content) for name, content in contents.items()}
    try:
        state = HeadState(arrays.pop(ARRAYS_FILE, {}), texts, estimator)
        head = restore_head(record.head_name, record.params, state)
    except (HeadError, TypeError) as error:
        raise BundleError(f"{folder}: not a saved head {record.head_name!r}: {error}") from None
    parts = {_OPTIONAL_FILES[name]: _part(folder / name, arrays[name], len(record.classes)) for name in arrays}
    return Bundle(head=head, **{name: getattr(record, name) for name in _BUNDLE_FIELDS if name != "params"}, **parts)


def as_bundle(bundle: Bundle | Path | str) -> Bundle:
    """Give a bundle that may be named by its folder: the form in which public functions take them.

    Raises
    ------
    ConfigError
        If this is neither.
    MissingFileError, BundleError, UnknownNameError
        As `load_bundle`.
    """
    if isinstance(bundle, Bundle):
        return bundle
    if isinstance(bundle, str | os.PathLike):
        return load_bundle(Path(bundle))
    raise ConfigError(
        f"bundle: expected a Bundle or the folder of a saved head, got {type(bundle).__name__}; cellfeat.fit returns "
        "the bundle first, and its result second"
    )


def _part(path: Path, arrays: dict[str, NDArray[Any]], n_classes: int) -> Any:
    """What an optional file stores, such as `ClassScores` or `TrainingDigests`."""
    restored = {
        DIGESTS_FILE: TrainingDigests.restored,
        SCALING_FILE: RobustScaling.restored,
        NEIGHBOURS_FILE: Neighbourhood.restored,
        STANDARDS_FILE: GroupStandards.restored,
    }
    try:
        if path.name in restored:
            return restored[path.name](arrays)
        return restored_class_scores(arrays, n_classes)
    except HeadError as error:
        raise BundleError(f"{path}: not a file of a saved head: {error}") from None


def restored_class_scores(arrays: dict[str, NDArray[Any]], n_classes: int) -> ClassScores:
    """Restore out-of-fold scores from the result of `ClassScores.arrays`.

    Parameters
    ----------
    arrays
        Arrays by name, each of shape (n_samples,).
    n_classes
        Number of classes.

    Raises
    ------
    HeadError
        If the arrays are not such scores.
    """
    state = HeadState(arrays)
    codes = state.array("codes", -1)
    scores = ClassScores(codes, state.array("probability", len(codes)), state.array("weight", len(codes)), n_classes)
    scores.check()
    return scores


def _read_record(path: Path) -> _Record:
    if not path.is_file():
        why = NO_URLS if is_url(str(path)) else "expected the folder of a saved head"
        folder = path.parent if path.parent.is_dir() else path.parent.parent
        inside = sorted(one.parent for one in folder.glob(f"*/{RECORD_FILE}"))
        near = f"; saved heads in {folder}: {first_ten(inside)}" if inside else ""
        raise MissingFileError(f"{without_credentials(str(path))} does not exist: {why}{near}")
    content = _read_file(path, MAX_RECORD_BYTES)
    try:
        record = parse_json(content)
        _check_format(path, record)
        # Later versions may add fields without changing the format.
        return check_fields({name: value for name, value in unseal(record).items() if name in _FIELDS}, _Record)
    except RecordError as error:
        raise BundleError(f"{path}: {error}; {SAVE_AGAIN}") from None


def _check_format(path: Path, record: Any) -> None:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format", "none") if isinstance(record, dict) else type(record).__name__
        raise BundleError(
            f"{path}: expected format {FORMAT} of a saved head, got {found!r}; "
            "load it with the version of cellfeat that saved it"
        )


def _read_files(folder: Path, digests: Mapping[str, str]) -> dict[str, bytes]:
    # The record is not trusted: a name could lead out of the folder.
    for name in digests:
        if name not in (ESTIMATOR_FILE, *_ARRAYS_FILES) and not _TEXT_FILE.fullmatch(name):
            raise BundleError(
                f"{folder / RECORD_FILE}: files: expected {ARRAYS_FILE} and NAME.txt, got {name!r}; "
                "do not use this bundle"
            )
    return {name: _read_verified(folder / name, digest) for name, digest in digests.items()}


def _read_verified(path: Path, expected: str) -> bytes:
    if not path.is_file():
        raise BundleError(f"{path} is missing; {SAVE_AGAIN}")
    content = _read_file(path, MAX_FILE_BYTES)
    got = digest_bytes(content)
    if got != expected:
        raise BundleError(f"{path}: damaged or changed: expected digest {expected}, got {got}; {SAVE_AGAIN}")
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
        raise BundleError(f"{path}: not a safetensors file: {error}; {SAVE_AGAIN}") from None


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 text: {error}; {SAVE_AGAIN}") from None
