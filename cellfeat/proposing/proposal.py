"""A proposal: settings with the reason of each, and whether it is certain or a guess."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cellfeat.config import Settings
from cellfeat.config_files import flow_text
from cellfeat.config_sources import Source, combine
from cellfeat.errors import ConfigError
from cellfeat.proposing.choice import Choice as Choice
from cellfeat.proposing.config_text import config_text
from cellfeat.provenance import publish
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.text import clean_text


class Question(NamedTuple):
    """What only the user can know.

    Attributes
    ----------
    key
        Dotted key of the setting.
    text
        The question.
    options
        Possible answers.
    default
        The answer that is taken where nobody can be asked.
    """

    key: str
    text: str
    options: tuple[str, ...]
    default: str


Ask = Callable[[Question], str]
NONE = "none"
"""The answer that a setting has no value."""


PLANE = "images.plane"


def _by_leaf(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings with each part of the plane by a key of its own, because each is proposed alone."""
    for key, value in settings.items():
        if key == PLANE and isinstance(value, Mapping):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value


def take_default(question: Question) -> str:
    """Answer a question with its default."""
    return question.default


@dataclass(frozen=True)
class Answers:
    """What the user knows already.

    Attributes
    ----------
    settings
        Values by dotted key; they are kept as they are.
    ask
        Asks the user.
    """

    settings: Mapping[str, Any]
    ask: Ask = take_default

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", dict(_by_leaf(self.settings)))

    @property
    def plane(self) -> PlaneChoice:
        """The plane of a stack that the user chose, as far as it goes."""
        given = [Source.of_key("options", key, value) for key, value in self.settings.items() if key.startswith(PLANE)]
        return PlaneChoice.from_settings(combine(given).images.plane)

    @property
    def asks(self) -> bool:
        """Whether somebody answers questions."""
        return self.ask is not take_default

    def given(self, key: str) -> bool:
        """Whether the user gave a setting."""
        return key in self.settings


@dataclass(frozen=True, repr=False)
class Proposal:
    """Settings for a folder of images.

    Attributes
    ----------
    seen
        Lines on tables and samples.
    choices
        The settings, in the order of the file.
    remarks
        Lines on what is doubtful, or left out.
    settings
        All settings together.
    manifest
        The samples that they give.
    offers
        Settings that the user may want; the file of settings has them as comments.
    """

    seen: tuple[str, ...]
    choices: tuple[Choice, ...]
    remarks: tuple[str, ...]
    settings: Settings
    manifest: Manifest
    offers: tuple[Choice, ...] = ()

    def __repr__(self) -> str:
        images = self.settings.images
        guesses = ", ".join(choice.key for choice in self.guesses) or "none"
        return f"<Proposal for {len(self.manifest):,} samples in {clean_text(str(images.root))}: guesses: {guesses}>"

    def table(self) -> pd.DataFrame:
        """Give one row for each setting: its key, its value, whether it is a guess, and why."""
        rows = [(one.key, flow_text(one.value), one.is_guess, one.reason) for one in self.choices]
        return pd.DataFrame(rows, columns=["setting", "value", "is_guess", "reason"])

    def save(self, file: Path | str = "cellfeat.yaml", *, force: bool = False) -> Path:
        """Write the settings as a file with a comment above each, as ``cellfeat init`` does.

        Parameters
        ----------
        file
            The file.
        force
            Whether an existing file is replaced.

        Raises
        ------
        ConfigError
            If the file exists and is not to be replaced, or its name does not end in ``.yaml`` or ``.yml``.
        WriteError
            If it cannot be written.
        """
        target = Path(file)
        if target.suffix not in (".yaml", ".yml"):
            raise ConfigError(f"{target}: expected a name that ends in .yaml")
        if target.exists() and not force:
            raise ConfigError(f"{target} exists; replace it with force=True, or write another file")
        with publish(target) as path:
            path.write_text(config_text(self), encoding="utf-8")
        return target

    @property
    def guesses(self) -> list[Choice]:
        """The choices that may be wrong."""
        return [choice for choice in self.choices if choice.is_guess]


def by_key(choices: Sequence[Choice]) -> dict[str, Any]:
    """Give the values of choices by dotted key."""
    return {choice.key: choice.value for choice in choices}
