"""The parts that are to be made, handed out in runs: a faster worker gets more of them."""

from collections.abc import Iterable, Sequence

from cellfeat.extraction.writer import PartDone

LONGEST_RUN = 16
"""Parts that a worker gets at once, so that it reads the images of the next part while it embeds one."""


class PartQueue:
    """The parts of an extraction, and which of them are done.

    Parameters
    ----------
    missing
        Rows of the parts that are to be made.
    there
        Rows of the parts that an earlier run has left; they count as done, and are still to be checked.
    """

    def __init__(self, missing: Sequence[range], there: Sequence[range]) -> None:
        self._missing = list(missing)
        self._unchecked = list(there)
        self._all = {part.start: len(part) for part in (*missing, *there)}
        self._done: set[int] = set()
        self._counted = {part.start for part in there}
        self._deaths: dict[int, int] = {}

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return len(self._all)

    @property
    def n_samples(self) -> int:
        """Number of samples of all parts."""
        return sum(self._all.values())

    @property
    def n_parts_done(self) -> int:
        """Number of parts that are done."""
        return len(self._done | self._counted)

    @property
    def n_samples_done(self) -> int:
        """Number of samples in parts that are done."""
        return sum(self._all[start] for start in self._done | self._counted)

    @property
    def is_complete(self) -> bool:
        """Whether every part is done, those that were there checked."""
        return len(self._done) == len(self._all)

    def take(self, n_workers: int) -> list[range]:
        """Take a run of parts for one of `n_workers`: long ones first, then shorter ones, so that all end together."""
        waiting = self._missing or self._unchecked
        size = max(1, min(LONGEST_RUN, len(waiting) // (2 * max(n_workers, 1))))
        taken = waiting[:size]
        del waiting[:size]
        return [part for part in taken if part.start not in self._done] or (self.take(n_workers) if taken else [])

    def counts(self, part: range) -> bool:
        """Whether a part counts as done."""
        return part.start in self._done or part.start in self._counted

    def done(self, parts: Iterable[PartDone]) -> None:
        """Count parts that were made, or found and checked."""
        self._done.update(part.start for part in parts)

    def give_back(self, parts: Iterable[range]) -> list[range]:
        """Take back the parts that a worker has not done; they are handed out last. Returns these parts."""
        left = [part for part in parts if part.start not in self._done]
        self._missing += [part for part in left if part.start not in self._counted]
        self._unchecked += [part for part in left if part.start in self._counted]
        return left

    def count_death(self, part: range) -> int:
        """Count the death of a worker that was making a part; returns how many there were."""
        self._deaths[part.start] = self._deaths.get(part.start, 0) + 1
        return self._deaths[part.start]
