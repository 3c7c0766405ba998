"""Why a worker was lost, in words for the user."""

import re
from dataclasses import dataclass

_IP = re.compile(r"\bip[=:] ?([0-9a-fA-F.:]+)")


@dataclass(frozen=True)
class Loss:
    """Why a worker was lost.

    Attributes
    ----------
    reason
        The reason, without a full stop.
    is_own
        Whether its own work may have caused it, as when memory runs out; False where its machine is gone.
    lacks_package
        Whether cellfeat cannot be imported on its machine, so that another worker would end there, too.
    """

    reason: str
    is_own: bool
    lacks_package: bool = False

    def __str__(self) -> str:
        return self.reason


def loss_of(error: Exception) -> Loss:
    """Explain an error with which Ray answers for a worker that it has lost."""
    text = str(error)
    if "failed to import" in text:
        where = _IP.search(text)
        return Loss(f"{where[1] if where else 'its machine'}: {_last_line(text)}", is_own=True, lacks_package=True)
    if "node has died" in text or "node was terminated" in text:
        return Loss("its machine is gone", is_own=False)
    if "unavailable" in text:
        return Loss("its machine does not answer", is_own=False)
    if "low on memory" in text or "memory monitor" in text or "OutOfMemory" in type(error).__name__:
        return Loss("Ray ended it because its machine ran out of memory", is_own=True)
    if "process has died" in text:
        return Loss("its process was killed or crashed", is_own=True)
    return Loss(_last_line(text), is_own=True)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason is known"])[-1]
