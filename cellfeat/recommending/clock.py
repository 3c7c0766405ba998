"""The time budget of a recommendation."""

import re
import time
from collections.abc import Callable

from cellfeat.errors import ConfigError

LEAST_RESERVE, RESERVED_SHARE = 8.0, 0.05
"""Seconds kept for the end (intervals, the timing of the chosen recipe, files): the larger of the two."""
MOST_RESERVED_SHARE = 0.25
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class OutOfTimeError(Exception):
    """The budget is used up; what is known so far counts."""


class Clock:
    """Measures the time of a recommendation from its creation.

    Parameters
    ----------
    budget
        Seconds that the whole recommendation may take.
    now
        Gives the time in seconds; tests replace it.
    """

    def __init__(self, budget: float, now: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._kept = 0.0
        self._start = 0.0
        self._now = now
        self._began = now()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._began

    @property
    def usable(self) -> float:
        """Seconds of the budget that may be spent on comparing."""
        reserve = max(LEAST_RESERVE, RESERVED_SHARE * self.budget)
        return self.budget - min(reserve, MOST_RESERVED_SHARE * self.budget) - self._kept

    def keep(self, seconds: float) -> None:
        """Keep some of the usable time for later work; 0 releases it."""
        self._kept = seconds

    def has_room(self, seconds: float, share: float = 1.0) -> bool:
        """Whether work fits into a share of the budget.

        Parameters
        ----------
        seconds
            How long the work is expected to take.
        share
            The share of the usable time that may be spent when it is done.
        """
        return seconds <= self.left(share)

    def start_rounds(self) -> None:
        """Count shares of the time from now on: reading may have taken most of a small budget."""
        self._start = self.spent

    def left(self, share: float = 1.0) -> float:
        """Seconds that are left of a share of the usable time."""
        return self._start + share * (self.usable - self._start) - self.spent

    def check(self) -> None:
        """Raise `OutOfTimeError` if only the reserve is left."""
        if self.spent > self.usable:
            raise OutOfTimeError


def parse_budget(text: str) -> float:
    """Read a duration such as ``20m``, ``90s``, ``1.5h`` or ``1h30m``; a plain number counts minutes.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    ConfigError
        If it is not a duration above 0.

    Examples
    --------
    >>> parse_budget("20m"), parse_budget("1h30m"), parse_budget("5")
    (1200.0, 5400.0, 300.0)
    """
    compact = text.replace(" ", "").lower()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        compact += "m"
    seconds = 0.0
    if re.fullmatch(r"(\d+(\.\d+)?[smh])+", compact):
        seconds = sum(float(number) * _UNITS[unit] for number, _, unit in re.findall(r"(\d+(\.\d+)?)([smh])", compact))
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"--budget: expected a duration such as 20m, 90s or 1h30m, got {text!r}")
    return seconds
