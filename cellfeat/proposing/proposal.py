"""A proposal: settings with the reason of each, and whether it is certain or a guess."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cellfeat.config import Settings
from cellfeat.samples.manifest import Manifest


class Choice(NamedTuple):
    """One setting.

    Attributes
    ----------
    key
        Its dotted key.
    value
        Its value.
    reason
        Why, in a few words.
    is_guess
        Whether it may be wrong, so that the user should check it.
    """

    key: str
    value: Any
    reason: str
    is_guess: bool = False


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

    @property
    def asks(self) -> bool:
        """Whether somebody answers questions."""
        return self.ask is not take_default

    def given(self, key: str) -> bool:
        """Whether the user gave a setting."""
        return key in self.settings


@dataclass(frozen=True)
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
    """

    seen: tuple[str, ...]
    choices: tuple[Choice, ...]
    remarks: tuple[str, ...]
    settings: Settings
    manifest: Manifest

    @property
    def guesses(self) -> list[Choice]:
        """The choices that may be wrong."""
        return [choice for choice in self.choices if choice.is_guess]


def by_key(choices: Sequence[Choice]) -> dict[str, Any]:
    """Give the values of choices by dotted key."""
    return {choice.key: choice.value for choice in choices}
