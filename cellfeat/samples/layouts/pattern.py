"""Files named by a pattern, such as ``{sample_id:05d}_{channel}.png``."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from cellfeat.errors import ConfigError
from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.layouts.base import Found
from cellfeat.samples.layouts.pattern_fields import check_further, further_names, id_pattern, pattern_specs

# At most 300 digits: file names are not longer, and int() refuses thousands.
# Programs write whole numbers as ``1.0`` if other cells of the column are empty.
_WHOLE_NUMBER = re.compile(r"0*(\d{1,300})(\.0*)?", re.ASCII)


def _fields_advice(names: Iterable[str]) -> str:
    """Where names stand for whole fields, name the layout that cuts crops out of them."""
    return "; for crops out of whole fields: --set images.layout=fields" if "field" in names else ""


@dataclass(frozen=True)
class PatternLayout:
    """Files named by a pattern such as ``{sample_id:05d}_{channel}.png``.

    With a whole-number format the id of ``00001_blue.png`` is ``1``; the labels table may contain ``1``, ``1.0`` or
    ``00001``. Without ``{sample_id}`` the id is the path without its channel, as `id_pattern` gives it.

    Attributes
    ----------
    pattern
        The file's path below the root, with the fields ``{sample_id}``, ``{channel}``, ``{label}`` and ``{split}``;
        any other word, such as ``{plate}``, becomes a further column of the samples.
    channels
        The channels of a sample, in order.
    """

    pattern: str
    channels: tuple[str | int, ...]

    def __post_init__(self) -> None:
        fields = self._specs.keys()
        # A word for a field of view without an id of a cell: the files are whole fields.
        if "field" in fields or not fields & {"sample_id", *self._further}:
            raise ConfigError(
                f"images.pattern: {self.pattern!r}: expected {{sample_id}}, or words such as {{plate}} and {{well}} "
                "that together tell the samples apart, with {channel}, {label} and {split} if the names contain them, "
                f"got {', '.join(fields) or 'no field'}{_fields_advice(fields)}"
            )
        check_further(self.pattern)
        has_text_format = any(self._specs.get(field) for field in ("label", "split", *self._further))
        if not re.fullmatch(r"(0?\d{0,2}d)?", self._specs.get("sample_id", "")) or has_text_format:
            raise ConfigError(f"images.pattern: {self.pattern!r}: expected {{sample_id}} or a format such as :05d")
        try:
            # Tried once, so that a format that does not fit fails here and not at the first file.
            self.names(Found("0", ""))
        except (ValueError, LookupError, AttributeError) as error:
            raise ConfigError(
                f"images.pattern: {self.pattern!r} does not fit the channels {list(self.channels)}: {error}"
            ) from None

    @property
    def file_columns(self) -> tuple[str, ...]:
        """One column per channel if the pattern contains ``{channel}``, otherwise one for all channels."""
        if self._has_channel:
            return tuple(f"file_{channel}" for channel in self.channels)
        return ("file",)

    def sample_id(self, text: str) -> str | None:
        """The cell itself, or its number if the pattern has a number format."""
        if not self._has_numbers:
            return text
        match = _WHOLE_NUMBER.fullmatch(text)
        return match[1] if match else None

    def names(self, sample: Found) -> tuple[str, ...]:
        """The pattern with the sample and each channel filled in."""
        number = int(sample.sample_id) if self._has_numbers else sample.sample_id
        channels = self.channels if self._has_channel else ("",)
        # Words of samples without files are unknown, and messages name them so; empty ones would make absolute paths.
        unknown = {name: f"{{{name}}}" for name in self._further}
        further: dict[str, str | int] = {**unknown, **dict(sample.further)}
        fields = further | {"sample_id": number, "label": sample.label, "split": sample.split}
        return tuple(self.pattern.format(**fields, channel=channel) for channel in channels)

    def find(self, name: str) -> Found | None:
        """The sample for which the pattern gives this file name."""
        match = self._expression.fullmatch(name)
        if match is None:
            return None
        parts = match.groupdict()
        further = tuple((name, parts[name]) for name in self._further)
        if "sample_id" not in parts:
            return Found(self._id_pattern.format(**parts), parts.get("label", ""), parts.get("split", ""), further)
        sample_id = self.sample_id(parts["sample_id"])
        assert sample_id is not None, "the expression only matches valid ids"
        # {sample_id:05d} does not match 1_blue.png, although 1 is a valid number.
        if self._has_numbers and format(int(sample_id), self._specs["sample_id"]) != parts["sample_id"]:
            return None
        return Found(sample_id, parts.get("label", ""), parts.get("split", ""), further)

    def on_disk(self, folder: ImageFolder) -> set[str]:
        """The paths of all files below the root."""
        return folder.names()

    @cached_property
    def _specs(self) -> dict[str, str]:
        """The pattern's fields and their formats."""
        return pattern_specs(self.pattern)

    @cached_property
    def _further(self) -> tuple[str, ...]:
        """The fields that become further columns."""
        return further_names(self.pattern)

    @cached_property
    def _id_pattern(self) -> str:
        return id_pattern(self.pattern)

    @property
    def _has_channel(self) -> bool:
        return "channel" in self._specs

    @property
    def _has_numbers(self) -> bool:
        return self._specs.get("sample_id", "").endswith("d")

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        # The longest first, so that a channel is not taken for the beginning of a longer one.
        channels = sorted((format(c, self._specs.get("channel", "")) for c in self.channels), key=len, reverse=True)
        parts = {
            "sample_id": r"\d+" if self._has_numbers else "[^/]+",
            "channel": "|".join(map(re.escape, channels)),
            "label": "[^/]+",
            "split": "[^/]+",
            **dict.fromkeys(self._further, "[^/]+"),
        }
        expression = ""
        for literal, field, _, _ in Formatter().parse(self.pattern):
            expression += re.escape(literal)
            if field is not None:
                part = parts.pop(field, None)
                # A field that occurs again must have the same text.
                expression += f"(?P={field})" if part is None else f"(?P<{field}>{part})"
        return re.compile(expression, re.ASCII)
