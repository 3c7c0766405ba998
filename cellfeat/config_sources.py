"""Settings combined from several sources: files, ``--set``, options."""

import copy
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ValidationError

from cellfeat.config import Settings
from cellfeat.config_files import read_mapping
from cellfeat.errors import ConfigError
from cellfeat.storage.url import without_credentials
from cellfeat.text import is_url, near_names


class Source(NamedTuple):
    """Values of some settings, and where they come from.

    Attributes
    ----------
    name
        For messages: a file, or ``--set``.
    values
        The values, in sections.
    """

    name: str
    values: Mapping[str, Any]

    @classmethod
    def of_key(cls, name: str, key: str, value: Any) -> Self:
        """Make the source of one value.

        Parameters
        ----------
        name
            As in `Source`.
        key
            Dotted key of the setting.
        value
            Its value.
        """
        for part in reversed(key.split(".")):
            value = {part: value}
        return cls(name, value)

    def sets(self, location: Sequence[str]) -> bool:
        """Whether it sets the value at `location`, the names of its sections and its key, or one above it."""
        values: Any = self.values
        for part in location:
            if not isinstance(values, Mapping):
                return True
            if part not in values:
                return False
            values = values[part]
        return True


def load_settings(*files: Path | str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read settings from files. Later files override earlier ones, and `overrides` override all files.

    Parameters
    ----------
    *files
        YAML (``.yaml``, ``.yml``) or JSON (``.json``) files.
    overrides
        Values by dotted key, such as ``{"extraction.views": 8}``.

    Raises
    ------
    MissingFileError
        If a file does not exist.
    ConfigError
        If a file cannot be parsed, or a setting is unknown, of the wrong type or out of range.
    """
    for file in files:
        if not isinstance(file, str | Path):
            raise ConfigError(
                f"settings: expected paths of files, got {type(file).__name__}; values are given as overrides="
                "{'extraction.views': 8}"
            )
    given = [Source.of_key("overrides", key, value) for key, value in (overrides or {}).items()]
    return combine([*(Source(str(file), read_mapping(Path(file))) for file in files), *given])


def combine(sources: Sequence[Source]) -> Settings:
    """Combine settings; later sources override earlier ones.

    Raises
    ------
    ConfigError
        If a setting is unknown, of the wrong type or out of range; the message names its source.
    """
    merged: dict[str, Any] = {}
    for source in sources:
        _merge(merged, source.values)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from None


def override_settings(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Give settings with other values.

    Parameters
    ----------
    settings
        The settings.
    overrides
        Values by dotted key, such as ``{"images.layout": "folders"}``.

    Raises
    ------
    ConfigError
        If a setting is unknown, of the wrong type or out of range.
    """
    given = [Source.of_key("--set", key, value) for key, value in overrides.items()]
    return combine([Source("settings", settings.record()), *given])


def settings_of_record(record: Mapping[str, Any]) -> Settings:
    """Make settings from what `Settings.record` gave, perhaps changed.

    Raises
    ------
    ConfigError
        If a setting is unknown, of the wrong type or out of range.
    """
    return combine([Source("settings", record)])


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            # A copy at every level, because later files and overrides are merged into it.
            into[key] = copy.deepcopy(dict(value)) if isinstance(value, Mapping) else value


def _explain(error: ValidationError, sources: Sequence[Source]) -> str:
    """Name what is wrong, each with the source that set it."""
    lines: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        location = [str(part) for part in problem["loc"]]
        source = next((source.name for source in reversed(sources) if source.sets(location)), "settings")
        lines.setdefault(source, []).append(_explain_one(problem, location))
    return "; ".join(f"{source}: {'; '.join(dict.fromkeys(found))}" for source, found in lines.items())


def _explain_one(problem: Any, location: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key {'.'.join(location)!r}; {_nearest(location)}"
    message = problem["msg"].removeprefix("Value error, ")
    # For a setting with several types, pydantic adds the type that it tried.
    keys = [part for part in location if part not in ("int", "str", "float") and not set(part) & set("-[")]
    return f"{'.'.join(keys)}: {message}, got {_shown(problem['input'])}"


def _shown(value: Any) -> str:
    """A value as it was given, without a password that an address may hold."""
    return reprlib.repr(without_credentials(value) if isinstance(value, str) and is_url(value) else value)


def _nearest(location: list[str]) -> str:
    """Suggest keys for an unknown one: of its own section, or else of other sections."""
    key, beside = location[-1], _keys_beside(location)
    everywhere = {name for keys in _sections().values() for name in keys}
    near = [] if get_close_matches(key, beside) else get_close_matches(key, everywhere, n=1, cutoff=0.75)
    if near:
        elsewhere = [f"{section}.{near[0]}" for section, keys in _sections().items() if near[0] in keys]
        return f"did you mean {' or '.join(map(repr, elsewhere))}?"
    return near_names(key, beside, section=".".join(location[:-1]))


def _sections() -> dict[str, list[str]]:
    """The keys of each section."""
    fields = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: list(section.model_fields)
        for name, section in fields.items()
        if isinstance(section, type) and issubclass(section, BaseModel)
    }


def _keys_beside(location: list[str]) -> list[str]:
    section: type[BaseModel] = Settings
    for part in location[:-1]:
        field = section.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        section = annotation
    return list(section.model_fields)
