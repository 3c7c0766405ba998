"""One line of what `cellfeat doctor` says."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """Something that was looked at.

    Attributes
    ----------
    topic
        What was looked at, in one to three words.
    found
        What is there.
    state
        ``ok``; ``note``: it may surprise, or an extra is absent; ``problem``: something will fail.
    advice
        What to do about it; empty where there is nothing to do.
    """

    topic: str
    found: str
    state: State = "ok"
    advice: str = ""

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
