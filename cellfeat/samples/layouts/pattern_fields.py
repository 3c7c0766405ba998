"""The fields of ``images.pattern``, and which of them are further columns of the samples."""

from difflib import get_close_matches
from string import Formatter

from cellfeat.config import ImagesSettings
from cellfeat.errors import ConfigError

PATTERN_FIELDS = ("sample_id", "channel", "label", "split")
"""Fields with a meaning of their own; every other field is a further column."""
_RESERVED = ("group", "file")
_ALIKE = 0.75


def pattern_specs(pattern: str) -> dict[str, str]:
    """Give the fields of a pattern, in order, and their formats.

    Raises
    ------
    ConfigError
        If the pattern cannot be parsed.

    Examples
    --------
    >>> pattern_specs("{plate}/{sample_id:03d}_{channel}.tif")
    {'plate': '', 'sample_id': '03d', 'channel': ''}
    """
    try:
        return {field: spec or "" for _, field, spec, _ in Formatter().parse(pattern) if field is not None}
    except ValueError as error:
        raise ConfigError(f"images.pattern: {pattern!r}: {error}") from None


def further_names(pattern: str) -> tuple[str, ...]:
    """The fields of a pattern that are further columns, in order."""
    return tuple(field for field in pattern_specs(pattern) if field not in PATTERN_FIELDS)


def further_fields(images: ImagesSettings) -> tuple[str, ...]:
    """The further columns that the names of images give; none where they follow no pattern."""
    return further_names(images.pattern) if images.pattern and images.follows_pattern else ()


def check_further(pattern: str) -> None:
    """Check the names of the fields that are further columns.

    Raises
    ------
    ConfigError
        If a name is no word, reserved, or a misspelt field.
    """
    for name in further_names(pattern):
        near = get_close_matches(name.lower(), PATTERN_FIELDS, n=1, cutoff=_ALIKE)
        if near:
            raise ConfigError(f"images.pattern: {pattern!r}: unknown field {{{name}}}; did you mean {{{near[0]}}}?")
        if not name.isidentifier():
            raise ConfigError(
                f"images.pattern: {pattern!r}: expected the fields {{sample_id}}, {{channel}}, {{label}}, {{split}}, "
                f"or a word for a further column such as {{plate}}, got {{{name}}}"
            )
        if name in _RESERVED or name.startswith("file_"):
            raise ConfigError(
                f"images.pattern: {pattern!r}: the name {{{name}}} is reserved; call it {{plate}}, {{well}} or "
                "{donor}, for example, and name it in labels.group if it is the group"
            )


def id_pattern(pattern: str) -> str:
    """The pattern of the id of a sample where a pattern has no ``{sample_id}``.

    It is the pattern without its channel, and without what follows the last other field.

    Examples
    --------
    >>> id_pattern("{plate}/{well}_s{site}_w{channel}.tif")
    '{plate}/{well}_s{site}'
    >>> id_pattern("{channel}/{plate}_{well}.tif")
    '{plate}_{well}'
    >>> id_pattern("{plate}_{channel}_{well}.tif")
    '{plate}_{well}'
    """
    kept, text, has_channel = "", "", False
    for literal, field, _, _ in Formatter().parse(pattern):
        text += literal
        if field is None:
            # A brace that is written twice, or the end.
            continue
        if field == "channel":
            # Before the channel comes what belongs to it, such as the w in _w1.
            kept, text, has_channel = kept + _without_mark(text), "", True
            continue
        # A channel at the beginning leaves its separator behind.
        start = text.lstrip("/ _.-") if has_channel and not kept else text
        kept, text, has_channel = f"{kept}{_escaped(start)}{{{field}}}", "", False
    return kept


def _without_mark(literal: str) -> str:
    return _escaped(literal.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ=").rstrip("/ _.-"))


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
