"""Observers: they receive the messages and the progress of an extraction."""

from typing import Protocol, runtime_checkable


class Observer(Protocol):
    """Receives lines for the user, and the progress of an extraction."""

    def say(self, line: str) -> None:
        """Receive a line for the user."""

    def advance(self, n_done: int, n_samples: int) -> None:
        """Receive the progress.

        Parameters
        ----------
        n_done, n_samples
            Number of samples that are done, and of all.
        """


@runtime_checkable
class ShowsWorkers(Protocol):
    """An observer that also shows how many workers there are."""

    def show_workers(self, n_workers: int) -> None:
        """Receive the number of workers, when it changes."""


class SilentObserver:
    """Ignores everything: the default in Python."""

    def say(self, line: str) -> None:
        """Ignore the line."""

    def advance(self, n_done: int, n_samples: int) -> None:
        """Ignore the progress.

        Parameters
        ----------
        n_done, n_samples
            As for `Observer.advance`.
        """
