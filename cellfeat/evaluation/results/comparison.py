"""What `compare` returns: the results of several heads on the same samples, and the difference of each pair."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from cellfeat.evaluation.design import Design
from cellfeat.evaluation.relabelling.effect import RelabellingEffect
from cellfeat.evaluation.results.head_results import HeadFailure, HeadResult
from cellfeat.evaluation.results.tables_and_figures import ShowsHeads, chance_lines, heads_table
from cellfeat.evaluation.scores.differences import HeadDifference, to_best_lines
from cellfeat.evaluation.task.provenance import Provenance
from cellfeat.evaluation.task.sample_counts import Counts
from cellfeat.html_text import html_block
from cellfeat.text import clean_lines, shorten


@dataclass(frozen=True, repr=False, eq=False)
class Comparison(ShowsHeads[HeadResult]):
    """Heads in order of balanced accuracy, best first, and the difference of each pair.

    Attributes
    ----------
    classes
        Class names.
    counts
        The samples behind all results.
    design
        How the heads were evaluated.
    provenance
        Which samples and groups the results were computed on.
    results
        The heads that could be evaluated.
    failures
        The others.
    differences
        Every pair of results, the better head first.
    is_complete
        Whether every head was evaluated; False after Ctrl-C.
    relabelling
        What a table of changed labels does to the scores; None where there was none.
    """

    classes: tuple[str, ...]
    counts: Counts
    design: Design
    provenance: Provenance
    results: tuple[HeadResult, ...]
    failures: tuple[HeadFailure, ...]
    differences: tuple[HeadDifference, ...]
    is_complete: bool = True
    relabelling: RelabellingEffect | None = None

    @property
    def best(self) -> HeadResult:
        """The head with the highest balanced accuracy."""
        return self.results[0]

    def summary_lines(self) -> list[str]:
        """Say which heads the best one is better than, by which rule, which are not above chance, and which failed."""
        lines = to_best_lines(self.best.head, self.differences_to_best(), len(self.differences))
        return [*lines, *chance_lines(self.results), *(failure.reason for failure in self.failures)]

    def table(self) -> pd.DataFrame:
        """Table of the heads, best first, one a row.

        The columns are ``head, balanced_accuracy, low, high, worst_class, worst_recall, seconds``, the
        ``difference`` by which the best head exceeds this one, ``difference_low``, ``difference_high`` (NaN for the
        best), and ``verdict``: ``best``, ``worse`` or ``no evidence``.
        """
        return heads_table([(result, result.seconds.total) for result in self.results], self.differences_to_best())

    def __repr__(self) -> str:
        partial = "" if self.is_complete else ", incomplete"
        failed = f", {len(self.failures)} failed" if self.failures else ""
        heads = ", ".join(f"{result.head} {result.balanced_accuracy:.3f}" for result in self.results)
        return f"<Comparison of {self._samples()}: {heads}{failed}{partial}>"

    def __str__(self) -> str:
        lines = [self._samples(), self._short_table().to_string(index=False), *self.summary_lines()]
        return clean_lines("\n".join(lines))

    def _repr_html_(self) -> str:
        summary = self.summary_lines() or [self.best.line()]
        table = self._short_table()
        return html_block([*summary, self._samples()], list(table.columns), table.to_numpy(object).tolist())

    def _short_table(self) -> pd.DataFrame:
        """The table as it is shown: rounded, with each interval in the cell of its number."""
        table, numbers_of = self.table(), {pair.worse: pair.numbers() for pair in self.differences_to_best()}
        return pd.DataFrame(
            {
                "head": table["head"],
                "balanced accuracy": [result.score() for result in self.results],
                "worst class": table["worst_class"].map(shorten),
                "recall": table["worst_recall"].round(3),
                "seconds": table["seconds"].round(1),
                "behind the best": [numbers_of.get(result.head, "") for result in self.results],
                "verdict": table["verdict"],
            }
        )

    def _samples(self) -> str:
        samples = f"{self.counts.n_samples:,} samples in {self.counts.n_groups:,} groups"
        return f"{samples}, {len(self.classes)} classes, {_folds(self.design.folds)}"

    def verdicts(self) -> list[str]:
        """Say for each pair whether there is evidence that one head is better."""
        return [pair.verdict() for pair in self.differences]

    def differences_to_best(self) -> list[HeadDifference]:
        """The pairs of the best head with each other head."""
        return [pair for pair in self.differences if pair.better == self.best.head]

    def predictions(self) -> pd.DataFrame:
        """Every out-of-fold prediction of every head."""
        return pd.concat([result.predictions for result in self.results], ignore_index=True)

    def record(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON values; ``relabelling`` only where labels were changed."""
        record = {
            "provenance": self.provenance.record(),
            "classes": list(self.classes),
            "counts": self.counts.record(),
            "design": self.design.record(),
            "heads": [result.record() for result in self.results],
            "failures": [asdict(failure) for failure in self.failures],
            "differences": [pair.record() for pair in self.differences],
        }
        return record if self.relabelling is None else record | {"relabelling": self.relabelling.record()}


def _folds(folds: int | str) -> str:
    return f"{folds} folds" if isinstance(folds, int) or folds.isdigit() else f"folds: {folds}"
