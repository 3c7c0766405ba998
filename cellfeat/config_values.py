"""The types of single settings, and what each refuses."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, FiniteFloat, PlainSerializer, PlainValidator

from cellfeat.storage.url import Location, Url, as_location, local_path
from cellfeat.text import NO_URLS, is_url


def not_bool(value: Any) -> Any:
    """Refuse yes and no for a number; Python would convert true to 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def not_url(value: Any) -> Any:
    """Refuse an address for a path; it would become a folder of that name."""
    if isinstance(value, str | Path) and is_url(str(value)):
        raise ValueError(NO_URLS)
    return value


def parsed_location(value: Any) -> Location:
    """Take text for a path, or for an address such as ``s3://lab/images``; ``file://`` is a path.

    Raises
    ------
    ValueError
        If it is neither, or an address holds a password.
    """
    if not isinstance(value, str | Path | Url):
        raise ValueError("expected a path, or an address such as s3://lab/images")
    location: Location = as_location(value)
    path = local_path(location)
    return location if path is None else path


LocalPath = Annotated[Path, BeforeValidator(not_url)]
AnyLocation = Annotated[Path | Url, PlainValidator(parsed_location), PlainSerializer(str, when_used="json")]


def as_words(value: Any) -> Any:
    """Take a single word as a list of one, none as an empty list, and numbers as text."""
    values = [] if value is None else [value] if isinstance(value, str | int | float) else value
    if not isinstance(values, list | tuple):
        return value
    if any(word is None for word in values):
        raise ValueError('expected words; put quotes around null: ["null"]')
    return tuple(str(word) if isinstance(word, int | float) else word for word in values)


LEAVE_ONE_OUT = "leave-one-out"
FOLD_COLUMN = "column:"
"""What ``comparison.folds`` may be besides a number: one fold for each group, or for each value of a column."""


def parsed_folds(value: Any) -> int | str:
    """Check what says how samples are split into folds.

    Parameters
    ----------
    value
        A number, also as text; ``leave-one-out``; or ``column:NAME``.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    expected = f"expected a number of 2 or more, {LEAVE_ONE_OUT}, or {FOLD_COLUMN}NAME"
    if isinstance(value, bool):
        raise ValueError(expected)
    if isinstance(value, str):
        text = value.strip()
        if text.casefold().replace("_", "-") == LEAVE_ONE_OUT:
            return LEAVE_ONE_OUT
        if text.startswith(FOLD_COLUMN) and text.removeprefix(FOLD_COLUMN).strip():
            return f"{FOLD_COLUMN}{text.removeprefix(FOLD_COLUMN).strip()}"
        if not text.isascii() or not text.isdigit():
            raise ValueError(expected)
        value = int(text)
    if not isinstance(value, int) or value < 2:
        raise ValueError(expected)
    return value


_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", re.ASCII)


def with_exponents(value: Any) -> Any:
    """Read numbers such as 1e-3, which YAML takes for text; no setting of a head is text of this form."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    if isinstance(value, list):
        return list(map(with_exponents, value))
    return {key: with_exponents(one) for key, one in value.items()} if isinstance(value, dict) else value


Limits = tuple[FiniteFloat, FiniteFloat]
Count = Annotated[int, Field(gt=0), BeforeValidator(not_bool)]
NotNegative = Annotated[int, Field(ge=0), BeforeValidator(not_bool)]
HeadValues = Annotated[dict[str, Any], BeforeValidator(with_exponents)]
Words = Annotated[tuple[str, ...], BeforeValidator(as_words)]
PositiveFloat = Annotated[FiniteFloat, Field(gt=0)]
