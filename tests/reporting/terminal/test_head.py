from dataclasses import replace

import numpy as np
import pytest

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.results.tables_and_figures import chance_lines
from cellfeat.evaluation.scores.head_scores import Abstaining, ChosenSettings, Tuning
from cellfeat.reporting.terminal.folds import MOST_HEADS, given_lines
from cellfeat.reporting.terminal.head import (
    MOST_CLASSES,
    always_included,
    chosen_lines,
    describe_choices,
    predict_lines,
    render_classes,
    score_line,
    tuning_lines,
)
from tests.feature_fixtures import SMALL, build_clusters
from tests.reporting.rendering import rendered


def test_score_line_gives_the_range_of_the_folds(comparison):
    folds = comparison.best.scores.overall.per_fold
    line = score_line(comparison.best)
    assert line.startswith(comparison.best.line())
    assert line.endswith(f"{min(folds):.3f} to {max(folds):.3f}")


def test_classes_are_sorted_by_recall_with_their_confusion(comparison):
    per_class = comparison.best.scores.per_class
    heading, _, *rows = rendered(render_classes(comparison.best), 200)
    assert heading.split()[:2] == ["class", "recall"]
    recalls = [float(row.split()[1]) for row in rows]
    assert recalls == sorted(recalls)
    for row in rows:
        number = per_class.classes.index(row.split()[0])
        counts = per_class.confusion[number].copy()
        n_samples, counts[number] = counts.sum(), 0
        share = f"{counts.max() / n_samples:.0%}"
        assert row.split()[-2:] == [per_class.classes[counts.argmax()], share]


def test_class_without_errors_is_confused_with_nothing(make_clusters):
    result = compare(make_clusters(separation=9), ["knn"], design=SMALL).best
    _, _, *rows = rendered(render_classes(result), 200)
    assert [row.split()[1] for row in rows] == ["1.000"] * 3
    assert all(row.endswith("]") for row in rows)


def test_of_many_classes_the_best_are_counted(make_clusters):
    names = tuple(f"class {i:02d}" for i in range(MOST_CLASSES + 3))
    result = compare(make_clusters(n=200, classes=names), ["knn"], design=replace(SMALL, folds=2)).best
    _, _, *rows = rendered(render_classes(result), 200)
    assert len(rows) == MOST_CLASSES + 1
    assert rows[-1].startswith("3 more ")
    assert f"{np.sort(result.scores.per_class.recall)[MOST_CLASSES]:.3f}" in rows[-1]


@pytest.mark.parametrize(
    ("kept", "threshold", "share"),
    [
        ({0.5: 0.9, 0.7: 0.8, 0.8: 0.7, 0.9: 0.6}, "0.8", "70%"),
        ({0.5: 1.0, 0.8: 1.0, 0.9: 0.6}, "0.9", "60%"),
        ({0.5: 0.3, 0.7: 0.1}, "0.7", "10%"),
        ({0.5: 1.0, 0.95: 1.0}, None, None),
    ],
)
def test_abstaining_is_shown_for_a_threshold_that_excludes_something(comparison, kept, threshold, share):
    scores = comparison.best.scores
    rows = tuple(Abstaining(at, kept_share, 0.99) for at, kept_share in kept.items())
    abstaining = replace(scores, calibration=replace(scores.calibration, abstaining=rows))
    *lines, _sets = predict_lines(replace(comparison.best, scores=abstaining))
    assert len(lines) == (threshold is not None)
    for line in lines:
        assert line.startswith(f"predict --min-probability {threshold}: ")
        assert share in line
        assert "99.0%" in line


def test_sizes_of_sets_are_shown(comparison):
    sizes = comparison.best.scores.sets.sizes
    line = predict_lines(comparison.best)[-1]
    assert line.startswith("predict --coverage 0.9: ")
    assert f"{sizes.mean_size:.2f} classes" in line
    assert f"{sizes.one:.0%} hold one" in line


def test_choices_are_sorted_by_frequency():
    assert describe_choices([{"C": 0.1}], 5) == "C=0.1 in 1 of 5 folds"
    told = describe_choices([{}, {"a": 1, "b": 2}, {"a": 1, "b": 2}], 3)
    assert told == "a=1, b=2 in 2 of 3 folds; settings as given in 1"


def test_tuning_shows_choices_failures_and_final_settings(comparison):
    failures = ["C=7: ValueError: singular"]
    choices = tuple(ChosenSettings({"C": 0.1}, 0.9, 0.8, 4, failures) for _ in range(3))
    tuning = Tuning(3, 4, choices, final={"C": 0.5})
    result = comparison.best
    tuned = replace(result, scores=replace(result.scores, tuning=tuning))
    chosen, final, failed = tuning_lines([tuned, result])
    assert chosen == f"{result.head}: C=0.1 in 3 of 3 folds"
    assert all(noun in final for noun in (result.head, "all samples", "C=0.5"))
    assert all(noun in failed for noun in (result.head, "3 settings", failures[0]))


def test_untuned_head_has_no_line(comparison):
    assert tuning_lines(comparison.results) == []


def test_settings_that_the_head_chose_are_shown_with_what_was_compared(comparison):
    result = replace(comparison.best, chosen={"C": {"value": 0.03, "candidates": [0.01, 0.03]}})
    values = ({"C": 0.03}, {"C": 0.01}, {"C": 0.03})
    folds, all_samples = chosen_lines([replace(result, chosen_per_fold=values)])
    assert all(noun in folds for noun in (result.head, "C=0.03 in 2 of 3 folds", "C=0.01 in 1"))
    assert all(noun in all_samples for noun in (result.head, "all samples", "C=0.03", "0.01, 0.03"))
    assert chosen_lines([replace(result, chosen={}, chosen_per_fold=())]) == []


def test_classes_with_too_few_groups_for_a_coverage_are_named():
    assert always_included(0.9, ()) == ""
    line = always_included(0.9, ("DMSO", "taxol"))
    assert "DMSO, taxol" in line
    assert "9" in line


def test_head_that_does_no_better_than_chance_is_named():
    guessing = build_clusters(n=90, separation=0)
    found = compare(guessing, ["logreg", "dummy"], design=SMALL)
    (line,) = chance_lines(found.results)
    assert "logreg" in line
    assert "dummy" not in line
    assert chance_lines(compare(build_clusters(n=90, separation=6), ["logreg"], design=SMALL).results) == []


def test_choices_are_counted_over_all_folds_where_tuning_chose_the_others(comparison):
    result = replace(comparison.best, chosen_per_fold=({"C": 0.03},))
    assert chosen_lines([result]) == [f"{result.head} chose C=0.03 in 1 of {SMALL.folds} folds"]


def test_folds_of_their_own_are_spoken_of_only_where_they_were_given(comparison):
    many = [comparison.best] * (MOST_HEADS + 1)
    assert not comparison.best.scores.overall.given
    assert given_lines(many) == []
