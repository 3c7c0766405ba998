"""One observer for many workers, which say the same."""

from cellfeat.extraction.observer import Observer, ShowsWorkers


class SaysOnce:
    """Passes on each line once, because many workers say the same; progress is passed on as it comes."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._said: set[str] = set()

    def say(self, line: str) -> None:
        """Pass on a line that is new."""
        if line not in self._said:
            self._said.add(line)
            self._observer.say(line)

    def advance(self, n_done: int, n_samples: int) -> None:
        """Pass on the progress.

        Parameters
        ----------
        n_done, n_samples
            As for `Observer.advance`.
        """
        self._observer.advance(n_done, n_samples)

    def show_workers(self, n_workers: int) -> None:
        """Pass on the number of workers, if the observer shows it."""
        if isinstance(self._observer, ShowsWorkers):
            self._observer.show_workers(n_workers)
