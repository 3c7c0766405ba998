"""Settings that a head chose itself while it was fitted, as `logreg` does where `C` is ``auto``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chosen:
    """The value of a setting that a head chose on training samples.

    Attributes
    ----------
    value
        The value that the head was fitted with.
    candidates
        The values that it compared; none where there were too few samples.
    """

    value: Any
    candidates: Sequence[Any]

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"value": self.value, "candidates": list(self.candidates)}


def chosen_settings(classifier: Any) -> dict[str, Any]:
    """Give the settings that a fitted head chose itself, as plain JSON values by name; empty for most heads.

    A head keeps them in the attribute ``chosen_``, a mapping from names of settings to `Chosen`.
    """
    chosen = getattr(classifier, "chosen_", None)
    if not isinstance(chosen, Mapping):  # a classifier of somebody else may use the name for something else
        return {}
    return {str(name): one.record() for name, one in chosen.items() if isinstance(one, Chosen)}


def chosen_values(classifier: Any) -> dict[str, Any]:
    """Give the values alone of what `chosen_settings` gives."""
    return {name: one["value"] for name, one in chosen_settings(classifier).items()}


def describe_chosen(chosen: Mapping[str, Any]) -> str:
    """Say in a line which values were chosen.

    Parameters
    ----------
    chosen
        The result of `chosen_settings`.

    Examples
    --------
    >>> describe_chosen({"C": {"value": 0.01, "candidates": [0.003, 0.01, 0.03]}})
    'C=0.01 (chosen from 0.003, 0.01, 0.03)'
    >>> describe_chosen({"C": {"value": 0.003, "candidates": []}})
    'C=0.003 (too few samples to choose)'
    """
    return ", ".join(f"{name}={one['value']} ({_compared(one['candidates'])})" for name, one in chosen.items())


def _compared(candidates: Sequence[Any]) -> str:
    return f"chosen from {', '.join(map(str, candidates))}" if candidates else "too few samples to choose"
