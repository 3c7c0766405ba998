"""How many labels a person judged, and how."""

from dataclasses import asdict, dataclass
from typing import Any

from cellfeat.text import counted


@dataclass(frozen=True)
class Judged:
    """How many labels were judged, and how.

    Attributes
    ----------
    table
        Name of the table of changes.
    n_changed_seen, n_kept_seen
        Labels changed, and kept, by a person who had seen a prediction.
    n_changed_blind, n_kept_blind
        Labels changed, and kept, while predictions were hidden.
    n_blind_disagreed, n_changed_where_disagreed
        Of those judged blind: samples for which the head had predicted another label, and those of them that were
        changed. None where the table does not say what was predicted.
    """

    table: str
    n_changed_seen: int
    n_kept_seen: int
    n_changed_blind: int
    n_kept_blind: int
    n_blind_disagreed: int | None
    n_changed_where_disagreed: int | None

    @property
    def n_changed(self) -> int:
        """Labels changed in all."""
        return self.n_changed_seen + self.n_changed_blind

    def sentences(self) -> list[str]:
        """Say it in words."""
        lines = [
            f"{counted(self.n_changed, 'label')} changed by {self.table}: {self.n_changed_seen} by a person who had "
            f"seen a prediction, {self.n_changed_blind} judged blind"
        ]
        n_blind = self.n_changed_blind + self.n_kept_blind
        if n_blind and self.n_blind_disagreed is not None:
            n_agreed = n_blind - self.n_blind_disagreed
            changed = self.n_changed_where_disagreed or 0
            lines.append(
                f"judged blind: {self.n_blind_disagreed} where the head had predicted another label ({changed} "
                f"changed), {n_agreed} where it had predicted this one ({self.n_changed_blind - changed} changed)"
            )
        return lines

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
