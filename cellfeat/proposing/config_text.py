"""The proposal as a file of settings that people read and edit: YAML with a comment above each setting."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from cellfeat.config import Settings
from cellfeat.config_files import flow_text
from cellfeat.proposing.choice import Choice
from cellfeat.text import clean_text

WIDTH = 110
_HEAD = """\
# Settings of cellfeat for the images in {root}, proposed by `cellfeat init`.
# Commands that run in this folder read this file; paths start from the folder in which the command runs.
# "guess" marks what may be wrong: check it and change it. Every other setting: docs/guide/my-images.md.
"""
_ALWAYS = (
    ("backbone.name", "the network; efficientnet_lite0 is lighter, and needs no download"),
    ("extraction.output", "the feature file that extract writes"),
    ("comparison.heads", "the classifiers that compare evaluates; see: cellfeat list heads"),
)


class Proposed(Protocol):
    """What a file of settings is made of; see `cellfeat.proposing.proposal.Proposal`."""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The settings."""
        ...

    @property
    def offers(self) -> tuple[Choice, ...]:
        """Settings that the user may want."""
        ...

    @property
    def settings(self) -> Settings:
        """All settings together."""
        ...


def config_text(proposal: Proposed, head: str = _HEAD) -> str:
    """Write a proposal as YAML.

    Parameters
    ----------
    proposal
        The settings.
    head
        Comment at the top, in which ``{root}`` stands for the folder of images.
    """
    choices = [*proposal.choices, *_others(proposal)]
    head = head.format(root=clean_text(str(proposal.settings.images.root)))
    sections = ["\n".join([f"{name}:", *_section(choices, name, 1), ""]) for name in _sections(choices)]
    offers = [line for offer in proposal.offers for line in _offered(offer)]
    return "\n".join([head, *sections, *offers])


def _offered(offer: Choice) -> Iterator[str]:
    """A setting that the user may want, as a comment."""
    yield from _comment(offer.reason, "")
    yield f"#   --set {offer.key}={flow_text(offer.value)}"


def _others(proposal: Proposed) -> Iterator[Choice]:
    """Settings that users change most, where the proposal leaves them as they are."""
    given = {choice.key for choice in proposal.choices}
    for key, meaning in _ALWAYS:
        if key not in given:
            yield Choice(key, _value(proposal.settings, key), meaning)


def _value(settings: Settings, key: str) -> Any:
    value: Any = settings.record()
    for part in key.split("."):
        value = value[part]
    return value


def _sections(choices: Sequence[Choice]) -> list[str]:
    """The sections in the order of the settings."""
    present = {choice.key.partition(".")[0] for choice in choices}
    return [name for name in Settings.model_fields if name in present]


def _section(choices: Sequence[Choice], section: str, depth: int) -> Iterator[str]:
    """The lines of a section; its own sections stand where their first setting is."""
    done: set[str] = set()
    for choice in choices:
        if not choice.key.startswith(f"{section}."):
            continue
        name, _, inner = choice.key.removeprefix(f"{section}.").partition(".")
        if not inner:
            yield from _lines(choice, name, "  " * depth)
        elif name not in done:
            done.add(name)
            yield f"{'  ' * depth}{flow_text(name)}:"
            yield from _section(choices, f"{section}.{name}", depth + 1)


def _lines(choice: Choice, name: str, indent: str) -> Iterator[str]:
    reason = clean_text(choice.reason)
    comment = f"guess: {reason}" if choice.is_guess else reason
    yield from _comment(comment, indent)
    yield f"{indent}{flow_text(name)}: {flow_text(choice.value)}"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"{indent}# {line}"
