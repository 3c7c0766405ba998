"""The learned part of a head as arrays and text, which is what a bundle saves."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError

CLASS_TYPES = ("str", "object", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
               "float16", "float32", "float64")  # fmt: skip
"""Types of class labels that can be saved."""


@dataclass(frozen=True)
class HeadState:
    """The learned part of a head.

    Attributes
    ----------
    arrays
        Numeric arrays by name.
    texts
        Texts by name.
    estimator
        A fitted estimator of scikit-learn in the format of skops; None for heads that need none.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    estimator: bytes | None = None

    def array(self, name: str, *shape: int) -> NDArray[Any]:
        """Return a finite array of the given shape, in which -1 means any length.

        Parameters
        ----------
        name
            Name of the array.
        *shape
            Expected shape.

        Raises
        ------
        HeadError
            If the array is missing, has another shape, is not numeric, or contains NaN or infinity.
        """
        if name not in self.arrays:
            raise HeadError(f"the head's state lacks the array {name!r}; it contains {sorted(self.arrays)}")
        array = self.arrays[name]
        if array.dtype.kind not in "iuf":
            raise HeadError(f"the head's array {name!r}: expected numbers, got the type {array.dtype}")
        if not _fits(array.shape, shape):
            raise HeadError(f"the head's array {name!r}: expected the shape {shape}, got {array.shape}")
        if not np.isfinite(array).all():
            raise HeadError(f"the head's array {name!r} contains NaN or infinity; fit and save the head again")
        return array

    def text(self, name: str) -> str:
        """Return a text; raise `HeadError` if it is missing."""
        if name not in self.texts:
            raise HeadError(f"the head's state lacks the text {name!r}; it contains {sorted(self.texts)}")
        return self.texts[name]


def _fits(got: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(got) == len(expected) and all(want in (-1, have) for have, want in zip(got, expected, strict=True))


def classes_to_text(classes: NDArray[Any]) -> str:
    """Write class labels, of shape (n_classes,), as JSON.

    Raises
    ------
    HeadError
        If a label is neither text, a number nor a boolean.
    """
    values = classes.tolist()
    if not all(isinstance(value, str | int | float) for value in values):
        raise HeadError(f"expected classes that are text, numbers or booleans, got {values}; fit with plain labels")
    # The name of a text type includes a width, which follows from the values.
    name = "str" if classes.dtype.kind == "U" else classes.dtype.name
    return json.dumps({"dtype": name, "values": values}, ensure_ascii=False)


def classes_from_text(text: str) -> NDArray[Any]:
    """Read the result of `classes_to_text`, of shape (n_classes,).

    Raises
    ------
    HeadError
        If the text is anything else.
    """
    try:
        record = json.loads(text)
        name, values = record["dtype"], record["values"]
        if name not in CLASS_TYPES or not all(isinstance(value, str | int | float) for value in values):
            raise ValueError(f"expected labels of a plain type, got {name!r}: {values!r}")
        return np.array(values, dtype=name)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise HeadError(f"the head's classes cannot be read: {error}; fit and save the head again") from None


def recorded_params(head: Any) -> dict[str, Any]:
    """Give the parameters of a head as plain JSON values: its own account of them, or its constructor parameters.

    Raises
    ------
    HeadError
        As `plain_params`.
    """
    own = getattr(head, "recorded_params", None)
    return plain_params(head.get_params(deep=False) if own is None else own())


def plain_params(params: dict[str, Any]) -> dict[str, Any]:
    """Return constructor parameters as plain JSON values.

    Raises
    ------
    HeadError
        If JSON cannot represent the value of a parameter exactly.
    """
    plain = {name: _plain(value) for name, value in params.items()}
    for name, value in plain.items():
        if not _survives_json(value):
            raise HeadError(
                f"the parameter {name} = {params[name]!r} cannot be saved; "
                "expected numbers, text, lists or None: build the head with such a value and fit it again"
            )
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple) else value


def _survives_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
