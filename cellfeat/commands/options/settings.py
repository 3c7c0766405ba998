"""Settings of a command: files, ``--set`` and options combined, and ``cellfeat.yaml`` found in the current folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.output.lines import say

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.config_sources import Source
    from cellfeat.storage.url import Location

OWN_CONFIG = Path("cellfeat.yaml")
"""The file of settings that ``cellfeat init`` writes, and that commands find in the current folder."""

_NEAR = 3
"""How many folders above the current one are looked at."""


def resolve_settings(config: Path | None, assignments: Sequence[str], flags: dict[str, Any]) -> "Settings":
    """Combine settings: flags override ``--set``, which overrides ``--config``, which overrides the defaults.

    Parameters
    ----------
    config
        File of settings; None: ``cellfeat.yaml`` in the current folder, if it is there.
    assignments
        ``KEY=VALUE`` of each ``--set``.
    flags
        Values by dotted key; None for a flag that was not given.
    """
    from cellfeat.config_files import read_mapping
    from cellfeat.config_sources import Source, combine

    default = click.get_current_context().find_root().obj
    files = [Source(str(file), read_mapping(file)) for file in (default, config or found_config()) if file is not None]
    options = [Source.of_key("options", key, value) for key, value in flags.items() if value is not None]
    settings = combine([*files, *map(_assigned, assignments), *options])
    if config is not None:
        _tell_other_folder(config, settings)
    return settings


def _tell_other_folder(config: Path, settings: "Settings") -> None:
    """Say that paths do not start from the folder of the settings, where they lead somewhere from there."""
    root = settings.images.root
    if not isinstance(root, Path) or root.is_absolute() or config.parent.resolve() == Path.cwd():
        return
    beside = config.parent / root
    if beside.exists() and beside.resolve() != root.resolve():
        say(
            f"note: paths in {config} start from the current folder, so the images are those in {root}, and not in "
            f"{beside}; if these are meant, run the command in {config.parent}"
        )


def found_config() -> Path | None:
    """The file of settings in the current folder, which is then named on stderr; None where there is none."""
    if not OWN_CONFIG.is_file():
        _tell_config_above()
        return None
    say(f"settings: {OWN_CONFIG} in this folder (--config FILE takes another)")
    return OWN_CONFIG


def _tell_config_above() -> None:
    """Say that a folder above has settings, which are not taken here."""
    above = next((folder for folder in list(Path.cwd().parents)[:_NEAR] if (folder / OWN_CONFIG).is_file()), None)
    if above is not None:
        say(
            f"note: {above / OWN_CONFIG} is not used, since commands take the settings of the folder where they run; "
            "if it is meant, run the command there"
        )


def found_features() -> "Location | None":
    """The feature file that the settings in the current folder name; None where there are no settings."""
    return resolve_settings(None, (), {}).extraction.output if OWN_CONFIG.is_file() else None


def needed_features(argument: str) -> "Location":
    """The feature file that the settings in the current folder name.

    Raises
    ------
    click.UsageError
        If there are no settings; the message asks for `argument`.
    """
    found = found_features()
    if found is None:
        raise click.UsageError(f"Missing argument '{argument}', and there is no {OWN_CONFIG} in this folder.")
    return found


def _assigned(text: str) -> "Source":
    """Read the ``KEY=VALUE`` of one ``--set``."""
    from cellfeat.config_files import parse_assignment
    from cellfeat.config_sources import Source

    key, value = parse_assignment(text)
    return Source.of_key("--set", assigned_key(key), value)


def assigned_key(key: str) -> str:
    """Give the whole key of a setting, as ``heads.mlp.hidden`` for ``mlp.hidden``.

    Raises
    ------
    ConfigError
        If no section and no head has this name.
    """
    from cellfeat.config import Settings
    from cellfeat.errors import ConfigError
    from cellfeat.heads.registry import HEADS, SKLEARN_PREFIX
    from cellfeat.text import near_names

    first = key.partition(".")[0]
    # mlp.hidden is short for heads.mlp.hidden, as people write it.
    if first.startswith(SKLEARN_PREFIX):
        HEADS[first]  # raises, with the nearest name, where scikit-learn has no such classifier
    if first in HEADS:
        return f"heads.{key}"
    if "." in key and first not in Settings.model_fields:
        near = near_names(first, [*Settings.model_fields, *HEADS])
        raise ConfigError(f"--set: unknown key {key!r}: no section or head is called {first!r}; {near}")
    return key
