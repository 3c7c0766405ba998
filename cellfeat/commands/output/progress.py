"""What the user sees while heads are evaluated: the current fold, and the scores of the heads so far."""

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cellfeat.text import clean_lines

if TYPE_CHECKING:
    from cellfeat.evaluation.cross_validation.hooks import Hooks
    from cellfeat.evaluation.results.head_results import HeadResult, Outcome


class ProgressObserver:
    """Shows the heads finished so far above a progress bar; where stderr is no terminal, a line a head."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._progress.add_task("")
        self._live = Live(console=self._console, transient=True, refresh_per_second=4)
        self._results: list[HeadResult] = []
        self._said: set[str] = set()

    def __enter__(self) -> "ProgressObserver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Stopping a display that was never started prints an empty line.
        if self._live.is_started:
            self._live.stop()

    def hooks(self) -> "Hooks":
        """Give the functions that an evaluation calls."""
        from cellfeat.evaluation.cross_validation.hooks import Hooks

        return Hooks(say=self.say, progress=self.fold_begins, outcome=self.head_done)

    def fold_begins(self, head: str, fold: int, n_done: float, n_total: int) -> None:
        """Show the fold that a head has reached.

        Parameters
        ----------
        head, fold, n_done, n_total
            As for `cellfeat.evaluation.cross_validation.progress.Progress`.
        """
        description = clean_lines(f"{head}, fold {fold}" if fold else f"{head}, all samples")
        self._progress.update(self._task, description=description, completed=n_done, total=n_total)
        if self._console.is_terminal:
            self._live.update(self._view())
            self._live.start()

    def head_done(self, outcome: "Outcome") -> None:
        """Add a head's result to the table."""
        from cellfeat.evaluation.results.head_results import HeadFailure

        if isinstance(outcome, HeadFailure):
            self.say(outcome.reason)
            return
        self._results.append(outcome)
        if not self._console.is_terminal:
            self.say(_line(outcome))

    def _view(self) -> RenderableType:
        from cellfeat.reporting.terminal.comparison import render_standings

        return Group(render_standings(self._results), self._progress) if self._results else self._progress

    def say(self, line: str) -> None:
        """Print a line above what is shown."""
        self._console.print(clean_lines(line), markup=False)

    def say_once(self, line: str) -> None:
        """Print a line unless it was printed before, so that remarks about every set of folds appear once."""
        if line not in self._said:
            self._said.add(line)
            self.say(line)


def _line(result: "HeadResult") -> str:
    folds = (
        f"; {result.n_cached} of {len(result.scores.overall.per_fold)} folds from an earlier run"
        if result.n_cached
        else ""
    )
    return f"{result.line()}{folds}"
