"""Fitted estimators as bytes, in the format of skops: nothing in it is executed, and only known types are built.

A file may contain types of scikit-learn, numpy and scipy. Anything else is refused by name. Functions are refused,
except the universal functions of numpy and scipy that skops itself trusts.
"""

import io
import zipfile
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from cellfeat.errors import HeadError, MissingExtraError
from cellfeat.text import first_line, first_ten

PACKAGES = ("sklearn.", "numpy.", "scipy.")
MAX_ESTIMATOR_BYTES = 4_000_000_000

# What skops raises on files that are damaged or not its own.
_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError,
    RecursionError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile,
)  # fmt: skip


def _skops() -> ModuleType:
    try:
        return import_module("skops.io")
    except ImportError as error:
        raise MissingExtraError(
            "heads of scikit-learn are saved and loaded with skops, which is not installed; install it with: "
            "pip install 'cellfeat[skops]'"
        ) from error


def estimator_to_bytes(estimator: Any) -> bytes:
    """Write a fitted estimator.

    Raises
    ------
    MissingExtraError
        If skops is not installed.
    HeadError
        If skops cannot write the estimator, or it contains types that would not be loaded again.
    """
    skops = _skops()
    try:
        content: bytes = skops.dumps(estimator)
    except _FAULTS as error:
        raise HeadError(
            f"{type(estimator).__name__} cannot be saved by skops: {type(error).__name__}: {first_line(error)}"
        ) from error
    foreign = _foreign_types(content)
    if foreign:
        raise HeadError(
            f"{type(estimator).__name__} cannot be saved: it contains {first_ten(foreign)}, and only types of "
            "scikit-learn, numpy and scipy are loaded again"
        )
    return content


def estimator_from_bytes(content: bytes) -> Any:
    """Read what `estimator_to_bytes` wrote.

    Raises
    ------
    MissingExtraError
        If skops is not installed.
    HeadError
        If the content is damaged, contains other types than those of scikit-learn, numpy and scipy, or is not a
        classifier.
    """
    skops = _skops()
    try:
        _check_size(content)
        foreign = _foreign_types(content)
        if foreign:
            raise HeadError(
                f"the saved estimator contains {first_ten(foreign)}; expected types of scikit-learn, numpy and scipy "
                "only: do not use this head"
            )
        estimator = skops.loads(content, trusted=skops.get_untrusted_types(data=content))
    except HeadError:
        raise
    except _FAULTS as error:
        raise HeadError(
            f"the saved estimator cannot be read: {type(error).__name__}: {first_line(error)}; fit and save the head "
            "again"
        ) from None
    if not is_classifier(estimator):
        raise HeadError(f"the saved estimator is a {type(estimator).__name__}; expected a classifier")
    _check_trees(estimator)
    return estimator


def _check_size(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_ESTIMATOR_BYTES:
        raise HeadError(f"the saved estimator would take {size} bytes; expected at most {MAX_ESTIMATOR_BYTES}")


def _foreign_types(content: bytes) -> list[str]:
    """Types that skops does not trust and we do not either."""
    return [name for name in _skops().get_untrusted_types(data=content) if not _is_known_type(name)]


def _is_known_type(name: str) -> bool:
    if not name.startswith(PACKAGES):
        return False
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    # A function could be called by what is loaded; a class is only filled with values.
    return isinstance(found, type)


def _check_trees(estimator: Any) -> None:
    """Check that trees refer to nodes and columns that exist: scikit-learn follows the numbers without a check."""
    n_columns = getattr(estimator, "n_features_in_", None)
    for left, right, column, n_nodes in _trees(estimator):
        inner = (left >= 0) & (right >= 0)
        too_high = np.maximum(left, right)[inner].max(initial=-1) >= n_nodes
        if too_high or (n_columns is not None and column[inner].max(initial=-1) >= n_columns):
            raise HeadError("the saved estimator has a tree with nodes or columns that do not exist; do not use it")


def _trees(estimator: Any) -> Iterator[tuple[Any, Any, Any, int]]:
    """Children, columns and number of nodes of each tree in an estimator or an ensemble."""
    for member in [estimator, *np.ravel(getattr(estimator, "estimators_", []))]:
        tree = getattr(member, "tree_", None)
        if tree is not None:
            yield tree.children_left, tree.children_right, tree.feature, tree.node_count
    for predictor in (one for row in getattr(estimator, "_predictors", []) for one in row):
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        left, right = (np.where(is_leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
        yield left, right, nodes["feature_idx"].astype(np.int64), len(nodes)
