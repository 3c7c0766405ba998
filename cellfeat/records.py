"""JSON records that carry the digest of their own content; reading one checks the digest and every field.

A record is the content with one key more: ``{**content, "digest": "sha256:..."}``. The run of an unfinished
extraction, saved heads, cached folds and the record of near copies all have this form. JSON runs no code.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from cellfeat.errors import RecordError
from cellfeat.provenance import canonical_json, digest_bytes, digest_json

DIGEST = "digest"
_SEAL = "<!-- written by cellfeat, unchanged: "
Model = TypeVar("Model")


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add the digest of a record's content to it.

    Raises
    ------
    ValueError
        If the content has a key ``digest`` already, or holds NaN or infinity, which JSON lacks.

    Examples
    --------
    >>> sorted(seal({"format": 1}))
    ['digest', 'format']
    """
    if DIGEST in content:
        raise ValueError(f"the content of a record has a key {DIGEST!r} already")
    return {**content, DIGEST: digest_json(content)}


def unseal(record: Any) -> dict[str, Any]:
    """Take the digest off a record that was read from JSON, once it matches the content.

    Raises
    ------
    RecordError
        If the record is not a JSON object with a digest, or the digest does not match.

    Examples
    --------
    >>> unseal(seal({"format": 1}))
    {'format': 1}
    """
    if not isinstance(record, dict):
        raise RecordError(f"expected a JSON object, got {type(record).__name__}")
    content = {name: value for name, value in record.items() if name != DIGEST}
    got, expected = _digest(content), record.get(DIGEST)
    if got != expected:
        raise RecordError(f"damaged or changed: expected digest {expected}, got {got}")
    return content


def seal_text(text: str) -> str:
    """Add a line to a Markdown text that tells whether it was changed since: see `is_sealed_text`.

    Examples
    --------
    >>> is_sealed_text(seal_text("# Card")), is_sealed_text(seal_text("# Card") + "my own notes")
    (True, False)
    """
    body = f"{text.rstrip()}\n\n"
    return f"{body}{_SEAL}{digest_bytes(body.encode())} -->\n"


def is_sealed_text(text: str) -> bool:
    """Whether a text is as `seal_text` made it."""
    body, seal_start, _ = text.rpartition(_SEAL)
    return bool(seal_start) and seal_text(body) == text


def check_fields(content: Mapping[str, Any], model: type[Model]) -> Model:
    """Make a dataclass from the content of a record; types are checked strictly, and unknown fields are refused.

    Parameters
    ----------
    content
        What `unseal` gave.
    model
        A dataclass whose annotations say what each field must be.

    Raises
    ------
    RecordError
        If a field is missing, unknown or of the wrong type; the message names the first one.
    """
    # Takes a tenth of a second to import, which light commands need not wait for.
    from pydantic import TypeAdapter, ValidationError

    known = {field.name for field in fields(model)} if is_dataclass(model) else content.keys()
    unknown = sorted(content.keys() - known)
    if unknown:
        raise RecordError(f"{unknown[0]}: unknown field")
    try:
        # As JSON, because strict mode takes no dict for a dataclass.
        checked: Model = TypeAdapter(model).validate_json(canonical_json(content), strict=True)
        return checked
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "record"
        raise RecordError(f"{where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not a valid record: {error}") from None


def parse_record(data: bytes, model: type[Model]) -> Model:
    """Read a record: JSON, then `unseal`, then `check_fields`.

    Parameters
    ----------
    data
        The file's bytes.
    model
        As for `check_fields`.

    Raises
    ------
    RecordError
        If the bytes are not JSON, the digest does not match, or a field is wrong.
    """
    return check_fields(unseal(parse_json(data)), model)


def parse_json(data: bytes) -> Any:
    """Read JSON that may be damaged or hostile.

    Raises
    ------
    RecordError
        If the bytes are not JSON, or are nested too deeply.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not valid JSON: {error}") from None


def _digest(content: Mapping[str, Any]) -> str:
    try:
        return digest_json(content)
    except (ValueError, RecursionError) as error:  # JSON as Python reads it may hold NaN and lone surrogates
        raise RecordError(f"not a valid record: {error}") from None
