"""A recommendation in the terminal: the best recipes and the front, with what they score and cost."""

from rich.console import RenderableType
from rich.table import Table

from cellfeat.recommending.recommendation import Candidate, Recommendation, duration
from cellfeat.reporting.terminal.style import name_cell, plain_table
from cellfeat.text import with_interval

MOST_ROWS = 12
"""Finalists that are shown besides those on the front: the table on disk has all recipes."""


def render_finalists(found: Recommendation) -> Table:
    """Make a table of the best finalists, those on the front, the baseline and the chosen recipe."""
    table = plain_table()
    for column in ("backbone", "pool", "px", "channels", "views", "crop"):
        table.add_column(column)
    for column in ("balanced accuracy", "against your settings", "all samples"):
        table.add_column(column, justify="right")
    table.add_column("")
    for one in _shown(found):
        table.add_row(*_cells(one, found))
    return table


def _shown(found: Recommendation) -> list[Candidate]:
    named = {found.chosen, found.baseline}
    return [
        one for place, one in enumerate(found.finalists) if place < MOST_ROWS or one.is_on_front or one.recipe in named
    ]


def _cells(one: Candidate, found: Recommendation) -> list[RenderableType]:
    recipe, gap = one.recipe, one.difference
    marks = [
        "recommended" if recipe == found.chosen else "",
        "your settings" if recipe == found.baseline else "",
        "front" if one.is_on_front else "",
    ]
    return [
        name_cell(recipe.source.backbone),
        recipe.pool,
        str(recipe.source.input_size),
        recipe.channels_as,
        str(recipe.views),
        recipe.source.crop,
        f"{one.score:.3f}" if one.interval is None else with_interval(one.score, *one.interval),
        "" if gap is None else with_interval(gap.estimate, gap.low, gap.high, plus=True),
        duration(one.seconds),
        ", ".join(filter(None, marks)),
    ]
