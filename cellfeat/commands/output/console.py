"""Lines and progress bars on stderr while a command runs, and tables on stdout."""

from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from cellfeat.text import clean_lines

UNBOUNDED = 10_000
"""Width of a table in a file or a pipe: every row is one line, however long."""


def table_width() -> int:
    """Number of columns of a table on stdout."""
    console = Console()
    return console.width if console.is_terminal else UNBOUNDED


def print_table(table: Table) -> None:
    """Print a table to stdout; if that is not a terminal, without colours and without spaces at the ends of lines."""
    console = Console(width=table_width())
    with console.capture() as captured:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


class ConsoleObserver:
    """Prints lines, and shows a progress bar with its speed and the remaining time.

    Parameters
    ----------
    name
        What the progress bar is of.
    unit
        What it counts.
    """

    def __init__(self, name: str = "extract", *, unit: str = "samples") -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._n_before = 0
        self._name, self._unit = name, unit

    def __enter__(self) -> "ConsoleObserver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def say(self, line: str) -> None:
        """Print a line above the progress bar."""
        self._console.print(clean_lines(line), markup=False)

    def show_workers(self, n_workers: int) -> None:
        """Show how many workers there are, beside the progress bar."""
        self._name = f"extract, {n_workers} worker{'' if n_workers == 1 else 's'}"
        if self._task is not None:
            self._progress.update(self._task, description=self._name)

    def advance(self, n_done: int, n_samples: int) -> None:
        """Show how many samples are done.

        Parameters
        ----------
        n_done, n_samples
            Number of samples that are done, and of all.
        """
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task(self._name, total=n_samples, completed=n_done, rate="")
            self._n_before = n_done
            return
        seconds = self._progress.tasks[self._task].elapsed or 0.0
        rate = f"{(n_done - self._n_before) / seconds:.1f} {self._unit}/s" if seconds else ""
        self._progress.update(self._task, completed=n_done, rate=rate)
        if n_done == n_samples:
            self._stop()

    def _stop(self) -> None:
        # Stopping a progress bar that was not started prints an empty line.
        if self._progress.live.is_started:
            self._progress.stop()
