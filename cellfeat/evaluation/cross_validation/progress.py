"""How far an evaluation is: the folds of all heads that are done."""

from typing import Protocol


class Progress(Protocol):
    """Receives the fold that each head has reached."""

    def __call__(self, head: str, fold: int, n_done: float, n_total: int) -> None:
        """Record that `head` works on `fold`.

        Parameters
        ----------
        head
            Name of the head.
        fold
            Number of the fold, from 1; 0 is the fit on all samples.
        n_done, n_total
            Folds finished so far, and folds of all heads together. A fit on all samples counts as one fold.
        """
        ...


def ignore_progress(head: str, fold: int, n_done: float, n_total: int) -> None:
    """Drop a progress report."""


class FoldProgress:
    """Counts the folds of all heads that are done, in whatever order.

    Parameters
    ----------
    n_total
        Folds of all heads; a fit on all samples is one of them.
    report
        Receives the progress.
    """

    def __init__(self, n_total: int, report: Progress) -> None:
        self._n_total, self._report = n_total, report
        self._shares: dict[tuple[str, int], float] = {}
        self._ended: set[tuple[str, int]] = set()

    def fold(self, head: str, fold: int, share: float) -> None:
        """Report how far a fold is.

        Parameters
        ----------
        head
            Name of the head.
        fold
            Number of the fold, from 1; 0 for the fit on all samples.
        share
            The part of it that is done.
        """
        self._shares[head, fold] = share
        self._report(head, fold, self._n_done, self._n_total)

    def fold_ended(self, head: str, fold: int) -> None:
        """Report the folds that still run beside one that has ended.

        Parameters
        ----------
        head, fold
            As for `fold`.
        """
        self._shares[head, fold] = 1
        self._ended.add((head, fold))
        still_open = next((one for one in self._shares if one not in self._ended), None)
        if still_open is not None:
            self._report(*still_open, self._n_done, self._n_total)

    def head_ended(self, head: str, n_folds: int) -> None:
        """Count all folds of a head as done, also those that a failure has made useless.

        Parameters
        ----------
        head
            Name of the head.
        n_folds
            Its folds.
        """
        ended = [(head, fold) for fold in range(1, n_folds + 1)]
        self._shares |= dict.fromkeys(ended, 1.0)
        self._ended.update(ended)

    @property
    def _n_done(self) -> float:
        return sum(self._shares.values())
