"""One head in the terminal: its classes, what tuning chose, and what `predict` would give."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from cellfeat.evaluation.results.head_results import HeadResult, ScoredHead
from cellfeat.evaluation.scores.head_scores import Abstaining, PerClass, Tuning
from cellfeat.evaluation.scores.set_scores import SetSizes
from cellfeat.evaluation.tuning.search import describe_settings
from cellfeat.heads.chosen import describe_chosen
from cellfeat.reporting.terminal.style import name_cell, plain_table
from cellfeat.statistics.claims import FITTED_HEAD, WAY_OF_MAKING
from cellfeat.statistics.conformal import groups_needed
from cellfeat.text import clean_text, first_ten, shorten, with_interval

MOST_CLASSES = 15
"""Classes whose recall is printed, the lowest first."""

USUAL_THRESHOLD = 0.8
"""The threshold of `predict --min-probability` whose effect is printed; the others are in ``metrics.json``."""


def score_line(result: HeadResult) -> str:
    """Give one head's balanced accuracy, and the range of the folds."""
    folds = result.scores.overall.per_fold
    spread = f"; folds {min(folds):.3f} to {max(folds):.3f}" if len(folds) > 1 else ""
    return clean_text(f"{result.line()}{spread}")


def claim_line(result: HeadResult) -> str:
    """Say what each of the two intervals of a score is about."""
    low, high = result.scores.overall.interval
    line = f"[{low:.3f}, {high:.3f}] is about {FITTED_HEAD}"
    wide = result.scores.overall.way_of_making
    if wide is not None:
        line = f"{line}; about {WAY_OF_MAKING}: [{wide.low:.3f}, {wide.high:.3f}]"
    full = result.full_size
    if full is not None:
        numbers = with_interval(full.balanced_accuracy, *full.interval)
        line = (
            f"{line}\nthe saved head, fitted on all samples, should score {numbers}, judging by heads on half of them"
        )
    return line


def render_classes(scored: ScoredHead) -> Table:
    """Make the table of the recall of each class, the lowest first, and the class it is most often confused with."""
    per_class = scored.scores.per_class
    table = plain_table()
    table.add_column("class")
    table.add_column("recall", no_wrap=True)
    table.add_column("most often predicted as")
    recall = per_class.recall
    ascending = np.argsort(recall, kind="stable").tolist()
    for number in ascending[:MOST_CLASSES]:
        low, high = per_class.recall_intervals[number]
        value = Text(f"{recall[number]:.3f} [{low:.3f}, {high:.3f}]")
        table.add_row(name_cell(per_class.classes[number]), value, _confused_with(per_class, number))
    left = ascending[MOST_CLASSES:]
    if left:
        table.add_row(f"{len(left)} more", f"{recall[left[0]]:.3f} and above", "")
    return table


def _confused_with(per_class: PerClass, number: int) -> Text:
    counts = per_class.confusion[number].copy()
    n_samples = counts.sum()
    counts[number] = 0
    if not counts.any():
        return Text("")
    name = shorten([*per_class.classes, *per_class.absent][int(counts.argmax())])
    return Text(f"{name} {counts.max() / n_samples:.0%}")


def predict_lines(result: HeadResult) -> list[str]:
    """Describe the predictions with `--min-probability` and with `--coverage`."""
    lines = _abstaining_lines(result.scores.calibration.abstaining)
    sets = result.scores.sets
    if sets is None:
        return lines
    always = always_included(sets.coverage, sets.unlimited)
    within = [] if sets.of_groups is None else [clean_text(sets.of_groups.line())]
    return [*lines, f"predict --coverage {sets.coverage:g}: {sizes_phrase(sets.sizes)}{always}", *within]


def _abstaining_lines(abstaining: Sequence[Abstaining]) -> list[str]:
    rows = [row for row in abstaining if row.kept < 1]
    if not rows:
        return []
    row = next((row for row in rows if row.min_probability >= USUAL_THRESHOLD), rows[-1])
    return [
        f"predict --min-probability {row.min_probability:g}: keeps {row.kept:.0%}, {row.accuracy:.1%} of them right"
    ]


def sizes_phrase(sizes: SetSizes) -> str:
    """Give the sizes of prediction sets in words."""
    return (
        f"{sizes.mean_size:.2f} classes a set; {sizes.one:.0%} hold one, {sizes.several:.0%} several, "
        f"{sizes.none:.0%} none"
    )


def always_included(coverage: float, classes: Sequence[str]) -> str:
    """Name the classes that every prediction set holds, as the end of a line; empty where there are none.

    Parameters
    ----------
    coverage
        The coverage asked for.
    classes
        Classes that have too few groups for it.
    """
    if not classes:
        return ""
    named = first_ten(map(clean_text, classes))
    return f"; always included: {named}, with too few groups ({groups_needed(coverage)} are needed)"


def tuning_lines(results: Sequence[HeadResult]) -> list[str]:
    """Say which settings were chosen for each head that was tuned."""
    return [
        clean_text(line)
        for result in results
        if result.scores.tuning is not None
        for line in _tuning_lines(result.head, result.scores.tuning)
    ]


def choice_lines(results: Sequence[HeadResult]) -> list[str]:
    """Say which settings heads chose themselves, and which ones tuning chose."""
    return [*chosen_lines(results), *tuning_lines(results)]


def chosen_lines(results: Sequence[HeadResult]) -> list[str]:
    """Say which settings heads chose themselves, in the folds and on all samples; empty where they chose none."""
    return [clean_text(line) for result in results for line in _chosen_lines(result)]


def _chosen_lines(result: HeadResult) -> Iterator[str]:
    if result.chosen_per_fold:
        # Where tuning chose a setting, the head did not.
        folds = len(result.scores.overall.per_fold)
        yield f"{result.head} chose {describe_choices(result.chosen_per_fold, folds)}"
    if result.chosen:
        yield f"{result.head}, all samples: {describe_chosen(result.chosen)}"


def _tuning_lines(head: str, tuning: Tuning) -> Iterator[str]:
    settings = [choice.settings for choice in tuning.per_fold]
    yield f"{head}: {describe_choices(settings, len(settings))}"
    if tuning.final is not None:
        yield f"{head}, all samples: {describe_settings(tuning.final)}"
    failures = [failure for choice in tuning.per_fold for failure in choice.failures]
    if failures:
        yield f"{head}: {len(failures)} settings could not be fitted, the first {failures[0]}"


def describe_choices(chosen: Sequence[Mapping[str, Any]], folds: int) -> str:
    """Say which settings were chosen in how many folds, the most frequent first.

    Parameters
    ----------
    chosen
        The settings of each fold in which some were chosen.
    folds
        Number of folds.

    Examples
    --------
    >>> describe_choices([{"C": 0.01}, {}, {"C": 0.01}], 3)
    'C=0.01 in 2 of 3 folds, settings as given in 1'
    """
    counts = Counter(describe_settings(settings) for settings in chosen).most_common()
    parts = [f"{text} in {count}" for text, count in counts]
    first = f"{parts[0]} of {folds} folds"
    between = "; " if any("," in text for text, _ in counts) else ", "
    return between.join([first, *parts[1:]])
