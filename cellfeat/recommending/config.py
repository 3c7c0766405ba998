"""The recommended settings as a file that `cellfeat extract --config` takes, with the reason above each choice."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cellfeat.config import Settings
from cellfeat.proposing.choice import Choice
from cellfeat.proposing.config_text import WIDTH, config_text
from cellfeat.recommending.recipes import Recipe
from cellfeat.recommending.recommendation import Candidate, Recommendation, duration
from cellfeat.text import clean_text

_HEAD = """\
# Settings of cellfeat for the images in {root}, with the recipe that `cellfeat recommend` chose.
# Extract with: cellfeat extract --config THIS FILE. Paths start from the folder in which the command runs.
"""
_GIVEN = "as in your settings"


@dataclass(frozen=True)
class _Proposed:
    """What `config_text` writes."""

    choices: tuple[Choice, ...]
    offers: tuple[Choice, ...]
    settings: Settings


def recommended_text(found: Recommendation) -> str:
    """Write the recommended settings as YAML, with reasons as comments."""
    text = config_text(_Proposed(tuple(_choices(found)), (), found.settings), _HEAD)
    lines = chain(*(textwrap.wrap(line, WIDTH, subsequent_indent="  ") for line in found.lines()), _alternatives(found))
    told = "\n".join(f"# {clean_text(line)}" for line in lines)
    head, _, rest = text.partition("\n\n")
    return f"{head}\n#\n{told}\n\n{rest}"


def _choices(found: Recommendation) -> Iterator[Choice]:
    chosen = found.chosen.overrides()
    reasons = dict(_reasons(found))
    for key, value in _changed(found.settings):
        if key not in chosen:
            yield Choice(key, value, _GIVEN)
    for key, value in chosen.items():
        yield Choice(key, value, reasons.get(key, "chosen"))


def _changed(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Settings that are not the defaults, by dotted key."""
    default = Settings().record()
    for section, values in settings.record().items():
        if section == "heads":
            yield from ((f"heads.{head}.{key}", value) for head, own in values.items() for key, value in own.items())
            continue
        for key, value in values.items():
            if value != default[section][key]:
                yield f"{section}.{key}", value


_PARTS = {
    "backbone.name": lambda recipe: recipe.source.backbone,
    "backbone.pool": lambda recipe: recipe.pool,
    "preprocessing.input_size": lambda recipe: recipe.source.input_size,
    "preprocessing.crop": lambda recipe: recipe.source.crop,
    "preprocessing.channels_as": lambda recipe: recipe.channels_as,
    "extraction.views": lambda recipe: recipe.views,
}


def _reasons(found: Recommendation) -> Iterator[tuple[str, str]]:
    """Say for each part of the recipe what the best finalist without it scores."""
    own = found.recommended
    for key, part in _PARTS.items():
        value = part(found.chosen)
        others = [one for one in found.finalists if part(one.recipe) != value]
        if others:
            best = others[0]
            yield key, f"{own.score:.3f}; the best with {part(best.recipe)}: {best.score:.3f}"
        else:
            yield key, "no other value reached the last round"


def _alternatives(found: Recommendation) -> Iterator[str]:
    """List the recipes on the front, the fastest first."""
    front = sorted((one for one in found.finalists if one.is_on_front), key=lambda one: one.seconds)
    if len(front) > 1:
        yield "faster and slower recipes, none of which is both worse and slower than another:"
        yield from (f"  {_line(one, found.chosen)}" for one in front)


def _line(one: Candidate, chosen: Recipe) -> str:
    mark = "  <- chosen" if one.recipe == chosen else ""
    return f"{one.score:.3f}, {duration(one.seconds)}: {one.recipe}{mark}"
