"""The parts that an unfinished run still has to extract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from cellfeat.errors import ImageError
from cellfeat.extraction.read_ahead import Decoder
from cellfeat.extraction.store import PartStore, Rows, hex_digests
from cellfeat.extraction.survey import changed_rows
from cellfeat.extraction.writer import PartDone


@dataclass(frozen=True)
class MissingParts:
    """Parts to extract, and the first rows of them that an interrupted run has finished.

    Attributes
    ----------
    parts
        Rows of each missing part.
    begun
        The finished first rows of a part, by the row where the part starts.
    there
        The other parts, which need not be made.
    """

    parts: Sequence[range]
    begun: Mapping[int, Rows] = field(default_factory=dict)
    there: Sequence[PartDone] = ()

    @classmethod
    def find(cls, store: PartStore, decoder: Decoder, wanted: Sequence[range], *, made_on: str | None = None) -> Self:
        """Find the parts that are absent or damaged, or whose images have changed; the latter are removed.

        Parameters
        ----------
        store
            The unfinished run.
        decoder
            Reads the images, to compare them with the finished rows.
        wanted
            The rows of the parts to look at.
        made_on
            The only machine whose parts are removed where their images have changed; None: those of every machine.

        Raises
        ------
        ImageError
            If the images of a part of another machine are others here.
        """
        there = {part: done for part in wanted if (done := _finished(store, decoder, part, made_on)) is not None}
        parts = [part for part in wanted if part not in there]
        begun = {part.start: rows for part in parts if (rows := store.read_begun(part)) is not None}
        current = {start: rows for start, rows in begun.items() if not _changed(decoder, rows)}
        return cls(parts, current, tuple(there.values()))

    @property
    def n_samples(self) -> int:
        """Number of samples to extract."""
        return sum(map(len, self.parts)) - sum(map(len, self.begun.values()))

    def rest_of(self, part: range) -> range:
        """Rows of a part that are not begun."""
        return part[len(self.begun[part.start]) :] if part.start in self.begun else part


def _finished(store: PartStore, decoder: Decoder, rows: range, made_on: str | None) -> PartDone | None:
    """Find a part that need not be made; one whose images have changed since is removed."""
    part = store.read_part(rows)
    if part is None:
        return None
    changed = _changed(decoder, part.rows)
    if not changed:
        return PartDone.of(part.rows, was_there=True)
    if made_on not in (None, part.host):
        # Otherwise two machines that see different images would remove each other's parts.
        raise ImageError(
            f"row {changed[0]}: {part.host} and {made_on} have read different pixels ({len(changed)} samples of this "
            f"part differ): check that both see the same images. If the images were changed on purpose: cellfeat "
            f"extract makes such parts again. The part that is there was kept"
        )
    store.discard(rows)
    return None


def _changed(decoder: Decoder, rows: Rows) -> list[int]:
    """List the rows whose images have changed."""
    numbers = range(rows.start, rows.start + len(rows))
    return changed_rows(decoder, numbers, hex_digests(rows.pixel_digest, rows.status).tolist())
