"""The type in which embeddings are stored: float32, or float16 in half the space."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cellfeat.errors import BackboneError, FeatureFileError
from cellfeat.extraction.forward.tolerances import MIN_COSINE, largest_difference
from cellfeat.types import Float32s

FLOAT32, FLOAT16 = "float32", "float16"
STORED_TYPES = (np.dtype(np.float32), np.dtype(np.float16))
LARGEST_FLOAT16 = float(np.finfo(np.float16).max)
FLOAT16_ROUNDING = 2**-11
"""Largest difference between a number and its rounding, relative to the number."""
FLOAT32_INSTEAD = "store them as float32 (--set extraction.storage=float32), into another --output"


def stored_type(recipe: Mapping[str, Any]) -> str:
    """Name the type that a recipe stores embeddings in; without the key it is float32, as in earlier files."""
    return str(recipe.get("storage", FLOAT32))


def allowed_difference(recipe: Mapping[str, Any]) -> float:
    """Give the largest allowed distance between two embeddings by one recipe, relative to their length.

    It is that of the precision, and where embeddings are stored as float16 that of rounding both.
    """
    return largest_difference(str(recipe["precision"])) + (
        2 * FLOAT16_ROUNDING if stored_type(recipe) == FLOAT16 else 0
    )


def rounded(embeddings: Float32s, stored: str, first_row: int) -> np.ndarray:
    """Round embeddings to the type in which they are stored.

    Parameters
    ----------
    embeddings
        Shape ``(n, n_views, embedding_dim)``, finite.
    stored
        ``float32`` or ``float16``.
    first_row
        Row number of the first one, for messages.

    Returns
    -------
    ndarray of shape (n, n_views, embedding_dim)

    Raises
    ------
    BackboneError
        If a number is beyond the range of the type, or the rounded embedding is further from the original one than the
        tolerance of half precision allows.
    """
    if stored == FLOAT32:
        return embeddings
    with np.errstate(over="ignore"):
        smaller = embeddings.astype(stored)
    beyond = ~np.isfinite(smaller).all(axis=(1, 2))
    if beyond.any():
        row = int(beyond.argmax())
        raise BackboneError(
            f"extraction.storage: the embedding of the sample in row {first_row + row} holds "
            f"{np.abs(embeddings[row]).max():.6g}, and float16 ends at {LARGEST_FLOAT16:g}: {FLOAT32_INSTEAD}"
        )
    cosines = _cosines(embeddings, smaller).min(axis=1, initial=1.0)
    # Not `<`, which NaN would pass.
    unlike = ~(cosines >= MIN_COSINE["fp16"])
    if unlike.any():
        row = int(unlike.argmax())
        raise BackboneError(
            f"extraction.storage: as float16, the embedding of the sample in row {first_row + row} has a cosine of "
            f"{cosines[row]:.6f} to itself, expected at least {MIN_COSINE['fp16']}: its numbers are too small for the "
            f"type: {FLOAT32_INSTEAD}"
        )
    return smaller


def exactly(embeddings: Float32s, stored: str, what: str) -> np.ndarray:
    """Give embeddings in the type in which they are stored, where that loses nothing.

    Parameters
    ----------
    embeddings
        Any shape; NaN where there is none.
    stored
        ``float32`` or ``float16``.
    what
        What they are from, for messages.

    Raises
    ------
    FeatureFileError
        If the type does not hold them.
    """
    if stored == FLOAT32:
        return embeddings
    with np.errstate(over="ignore"):
        smaller = embeddings.astype(stored)
    if not np.array_equal(smaller.astype(np.float32), embeddings, equal_nan=True):
        raise FeatureFileError(
            f"{what}: its recipe says that embeddings are stored as {stored}, and these numbers were changed since "
            f"they were read: keep the numbers of the file, or make features of them with Features.from_arrays"
        )
    return smaller


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    products = (a * b).sum(axis=-1)
    # An embedding of zeros alone is stored as it is.
    return np.where((a == b).all(axis=-1), 1.0, products / np.where(lengths > 0, lengths, 1))
