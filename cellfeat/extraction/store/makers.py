"""The machines that made the rows of a feature file."""

from collections.abc import Mapping
from typing import Any

from cellfeat.extraction.store.part_file import Part


class Makers:
    """Collects who made which rows, while parts are read in order.

    Attributes
    ----------
    machines
        Each machine once, with the ranges of its rows as ``[first, last + 1]`` under ``rows``.
    """

    def __init__(self) -> None:
        self.machines: list[dict[str, Any]] = []

    def add(self, part: Part) -> None:
        """Add the rows of a part."""
        start, stop = part.rows.start, part.rows.start + len(part.rows)
        ranges = self._ranges_of(part.made_by)
        if ranges and ranges[-1][1] == start:
            ranges[-1][1] = stop
        else:
            ranges.append([start, stop])

    def _ranges_of(self, made_by: Mapping[str, Any]) -> list[list[int]]:
        for machine in self.machines:
            ranges: list[list[int]] = machine["rows"]
            if machine == {**made_by, "rows": ranges}:
                return ranges
        self.machines.append({**made_by, "rows": []})
        return self._ranges_of(made_by)
