"""The parts that an unfinished run still has to extract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from cellfeat.extraction.read_ahead import Decoder
from cellfeat.extraction.store import PartStore, Rows, hex_digests
from cellfeat.extraction.survey import changed_rows


@dataclass(frozen=True)
class MissingParts:
    """Parts to extract, and the first rows of them that an interrupted run has finished.

    Attributes
    ----------
    parts
        Rows of each missing part.
    begun
        The finished first rows of a part, by the row where the part starts.
    """

    parts: Sequence[range]
    begun: Mapping[int, Rows] = field(default_factory=dict)

    @classmethod
    def find(cls, store: PartStore, decoder: Decoder) -> Self:
        """Find the parts that are absent or damaged, or whose images have changed.

        Parameters
        ----------
        store
            The unfinished run.
        decoder
            Reads the images, to compare them with the finished rows.
        """
        parts = [part for part in store.header.part_rows() if not _is_current(decoder, store.read(part))]
        begun = {part.start: rows for part in parts if (rows := store.read_begun(part)) is not None}
        return cls(parts, {start: rows for start, rows in begun.items() if _is_current(decoder, rows)})

    @property
    def n_samples(self) -> int:
        """Number of samples to extract."""
        return sum(map(len, self.parts)) - sum(map(len, self.begun.values()))

    def rest_of(self, part: range) -> range:
        """Rows of a part that are not begun."""
        return part[len(self.begun[part.start]) :] if part.start in self.begun else part


def _is_current(decoder: Decoder, rows: Rows | None) -> bool:
    """Whether there are rows, and their images have not changed."""
    if rows is None:
        return False
    numbers = range(rows.start, rows.start + len(rows))
    return not changed_rows(decoder, numbers, hex_digests(rows.pixel_digest, rows.status).tolist())
