"""Names with values in braces, such as ``{plate}/{well}_{site}_{channel}.tif``: of fields, masks and tables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from cellfeat.errors import ConfigError
from cellfeat.samples.fields.field import FieldOfView, without_ending

_NAME = re.compile(r"[^\W\d]\w*")
_CHANNEL = re.compile(r"([ ._-]*)\{channel(?::[^}]*)?\}([ ._-]*)")
_NUMBER_FORMAT = re.compile(r"0?\d*d")


@dataclass(frozen=True)
class NamePattern:
    """File names with values in braces.

    Attributes
    ----------
    text
        The pattern. A value is any text without ``/``; with a format such as ``:03d`` it is digits.
    setting
        The setting that it comes from, for messages.
    channels
        What ``{channel}`` stands for.
    """

    text: str
    setting: str
    channels: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        wrong = [name for name, _ in self._parts if name is not None and not _NAME.fullmatch(name)]
        formats = [spec for name, spec in self._parts if name is not None and spec]
        wrong += [spec for spec in formats if not _NUMBER_FORMAT.fullmatch(spec)]
        if wrong:
            raise ConfigError(
                f"{self.setting}: {self.text!r}: expected names in braces, such as {{plate}}/{{field}}_{{channel}}.tif "
                f"or {{site:02d}}, got {', '.join(map(repr, wrong))}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names in braces, each once."""
        return tuple(dict.fromkeys(name for name, _ in self._parts if name is not None))

    def values(self, name: str) -> dict[str, str] | None:
        """The values in a file name; None if it does not fit."""
        match = self._expression.fullmatch(name)
        return match.groupdict() if match else None

    def filled(self, values: Mapping[str, str]) -> str | None:
        """The file name of some values; None if one is missing."""
        if any(name not in values for name in self.names):
            return None
        parts = []
        for literal, name, spec, _ in Formatter().parse(self.text):
            value = "" if name is None else values[name]
            parts += [literal, format(int(value), spec) if spec and value.isdecimal() else value]
        return "".join(parts)

    @cached_property
    def _parts(self) -> list[tuple[str | None, str]]:
        try:
            return [(name, spec or "") for _, name, spec, _ in Formatter().parse(self.text)]
        except ValueError as error:
            raise ConfigError(f"{self.setting}: {self.text!r}: {error}") from None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        # The longest first, so that a channel is not taken for the beginning of a longer one.
        channels = "|".join(re.escape(str(one)) for one in sorted(self.channels, key=lambda c: -len(str(c))))
        seen: set[str] = set()
        expression = ""
        for literal, name, spec, _ in Formatter().parse(self.text):
            expression += re.escape(literal)
            if name in seen:
                # A name that occurs again must have the same text.
                expression += f"(?P={name})"
            elif name is not None:
                seen.add(name)
                value = channels if name == "channel" else r"\d+" if spec else "[^/]+"
                expression += f"(?P<{name}>{value})"
        return re.compile(expression)


def fields_of_names(pattern: NamePattern, names: Sequence[str]) -> tuple[list[FieldOfView], list[str]]:
    """Group file names into fields.

    Parameters
    ----------
    pattern
        The pattern of images.
    names
        Names of existing files.

    Returns
    -------
    tuple
        The fields of which every file exists, and a line of text for each other one: its missing files.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    values_of: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        values = pattern.values(name)
        if values is not None:
            channel = values.pop("channel", "")
            key = tuple(values.values())
            found.setdefault(key, {})[channel] = name
            values_of[key] = values
    wanted = [str(channel) for channel in pattern.channels] if "channel" in pattern.names else [""]
    fields, incomplete = [], []
    for key, files in found.items():
        name = "/".join(key)
        absent = [channel for channel in wanted if channel not in files]
        if absent:
            incomplete.append(f"{name} (no {', '.join(absent)})")
            continue
        kept = tuple(files[channel] for channel in wanted)
        fields.append(FieldOfView(name, kept, values_of[key], _stems(pattern, kept, values_of[key])))
    return fields, incomplete


def _stems(pattern: NamePattern, files: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Paths without ending that a label image may be named after: of the field without a channel, of each file."""
    plain = NamePattern(_CHANNEL.sub(_joined, pattern.text), pattern.setting)
    bare = plain.filled(values) if "channel" not in plain.names else None
    own = [without_ending(bare.strip("/"))] if bare else []
    return tuple(dict.fromkeys([*own, *map(without_ending, files)]))


def _joined(match: re.Match[str]) -> str:
    """What stays of a channel's place: the dot before an ending, or one separator between two values."""
    before, after = match[1], match[2]
    return after if after.startswith(".") else before if before and after else ""


def fields_of_files(names: Sequence[str]) -> list[FieldOfView]:
    """Make a field of each file, which holds all channels; its id is its path without ending.

    Parameters
    ----------
    names
        Names of existing files.
    """
    stems = [without_ending(name) for name in names]
    # Files that differ in their ending alone keep it.
    ids = [stem if stems.count(stem) == 1 else name for stem, name in zip(stems, names, strict=True)]
    return [FieldOfView(one, (name,), {}, (stem,)) for one, name, stem in zip(ids, names, stems, strict=True)]
