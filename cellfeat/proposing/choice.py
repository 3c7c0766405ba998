"""One proposed setting."""

from typing import Any, NamedTuple


class Choice(NamedTuple):
    """One setting.

    Attributes
    ----------
    key
        Its dotted key.
    value
        Its value.
    reason
        Why, in a few words.
    is_guess
        Whether it may be wrong, so that the user should check it.
    """

    key: str
    value: Any
    reason: str
    is_guess: bool = False
