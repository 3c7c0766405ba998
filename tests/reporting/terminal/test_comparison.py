from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len

from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.comparison.repeats import RepeatedFailure, summarise
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.learning_curves.learning_curves import learning_curves_on
from cellfeat.evaluation.results.head_results import HeadFailure
from cellfeat.evaluation.task.task import prepare
from cellfeat.heads.registry import HEADS
from cellfeat.reporting.terminal.comparison import (
    curve_lines,
    headline,
    render_standings,
    render_table,
    repeats_lines,
    verdict_lines,
)
from cellfeat.reporting.terminal.head import render_classes
from tests.feature_fixtures import SMALL
from tests.reporting.rendering import NARROW, rendered

BROKEN = HeadFailure("mlp", "mlp failed in fold 1 of 3: out\nof memory\x1b[2J")
BROKEN_LINE = r"mlp failed in fold 1 of 3: out of memory\x1b[2J"


def with_lows(comparison, *lows):
    """The comparison with other low ends of the intervals of the pairs of its best head."""
    rest = [pair for pair in comparison.differences if pair.better != comparison.best.head]
    pairs = [
        replace(pair, difference=replace(pair.difference, low=low))
        for pair, low in zip(comparison.differences_to_best(), lows, strict=True)
    ]
    return replace(comparison, differences=(*pairs, *rest))


def test_headline_counts_samples_groups_classes_and_folds(comparison):
    told = headline(comparison)
    for noun in ("180 samples", "180 groups", "3 classes", "3 folds", "no copies", "cellfeat audit"):
        assert noun in told
    assert "excluded" not in told


def test_headline_warns_of_copies_that_are_not_kept_together(make_features):
    label = np.tile(["a", "b"], 20)
    features = make_features(label, np.random.default_rng(0).normal(size=(40, 1, 2)), pixel_digest=np.full(40, "x"))
    apart = compare(features, ["dummy"], design=Design(groups="none", folds=2, draws=100))
    assert "39 copies of images NOT kept together" in headline(apart)


def test_headline_counts_excluded_samples(comparison):
    counts = replace(comparison.counts, n_unlabelled=4, n_failed=3)
    _, unlabelled, failed = headline(replace(comparison, counts=counts)).rsplit("; ", 2)
    assert all(noun in unlabelled for noun in ("4", "label", "excluded"))
    assert all(noun in failed for noun in ("3", "read", "excluded"))


def test_table_has_a_row_a_head_with_scores_and_worst_class(comparison):
    heading, _, *rows = rendered(render_table(comparison, 200), 200)
    assert heading.split("  ")[0] == "head"
    assert len(rows) == 3
    for row, result in zip(rows, comparison.results, strict=True):
        overall, per_class = result.scores.overall, result.scores.per_class
        worst = int(np.argmin(per_class.recall))
        assert row.split()[:6] == [
            result.head,
            f"{overall.balanced_accuracy:.3f}",
            f"[{overall.interval.low:.3f},",
            f"{overall.interval.high:.3f}]",
            per_class.classes[worst],
            f"{per_class.recall[worst]:.3f}",
        ]
    assert rows[0].endswith("  best")
    gap = comparison.differences_to_best()[-1].difference
    assert rows[-1].endswith(f"  worse by {gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]")


def test_table_says_where_there_is_no_evidence(comparison):
    _, _, _, row, _ = rendered(render_table(with_lows(comparison, -0.02, 0.01), 200), 200)
    assert "  no evidence: 0." in row


def test_table_agrees_with_the_interval_that_it_shows(comparison):
    """Also where three decimals would read 0.000."""
    _, _, _, second, third = rendered(render_table(with_lows(comparison, -0.0004, 0.0004), 200), 200)
    assert "  no evidence: " in second
    assert "[-0.0004, " in second
    assert "  worse by " in third
    assert "[0.0004, " in third


def test_standings_are_sorted_and_without_verdicts(comparison):
    heading, _, *rows = rendered(render_standings(comparison.results[::-1]), 200)
    assert sorted(row.split()[0] for row in rows) == sorted(result.head for result in comparison.results)
    scores = [row.split()[1] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert "best" not in heading


def test_long_names_are_cut_before_numbers_in_a_narrow_terminal(make_clusters, monkeypatch):
    monkeypatch.setitem(HEADS._entries, "linear_knn", replace(HEADS["knn"], name="linear_knn"))
    names = tuple(f"{'triple-negative breast cancer' * 2} {i}" for i in range(3))
    comparison = compare(make_clusters(classes=names), ["linear_knn", "logreg", "dummy"], design=SMALL)
    lines = rendered(render_table(comparison, NARROW), NARROW)
    assert max(map(cell_len, lines)) <= NARROW
    text = " ".join(lines)
    for result in comparison.results:
        assert f"{result.balanced_accuracy:.3f} [{result.scores.overall.interval.low:.3f}, " in text
        assert f" {result.scores.per_class.recall.min():.3f} " in text
    for pair in comparison.differences_to_best():
        assert f"[{pair.difference.low:.3f}, {pair.difference.high:.3f}]" in text
    assert "triple-" in text
    assert "…" in text


def test_markup_and_escapes_in_names_are_shown_literally(hostile):
    tables = [render_table(hostile, 200), *map(render_classes, hostile.results)]
    text = "\n".join(line for table in tables for line in rendered(table, 200))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]A549[/red]" in text
    assert r"He\x1b[2JLa" in text


def test_verdict_names_worse_heads_and_those_without_evidence(comparison):
    best, second, third = (result.head for result in comparison.results)
    better, rule, claim = verdict_lines(with_lows(comparison, 0.01, 0.01))
    assert better == f"{best} is better than {second} and {third}"
    assert all(noun in rule for noun in ("95 %", "3 pairs", "excludes 0"))
    assert all(noun in claim for noun in ("other training samples", "fitted head"))
    better, doubtful, *_ = verdict_lines(with_lows(comparison, -0.01, 0.01))
    assert better == f"{best} is better than {third}"
    assert all(noun in doubtful for noun in ("no evidence", best, second))
    assert third not in doubtful


def test_failed_heads_have_a_line_each(comparison):
    assert verdict_lines(replace(comparison, failures=(BROKEN,)))[-1] == BROKEN_LINE


def test_single_head_has_no_verdict(comparison):
    assert verdict_lines(replace(comparison, results=comparison.results[:1], differences=())) == []


@pytest.fixture(scope="module")
def repeats(comparison):
    return summarise([comparison, replace(comparison, design=replace(comparison.design, random_state=1))])


def test_repeats_give_scores_differences_and_failures(repeats):
    failure = RepeatedFailure("mlp", (1, 2), "out\nof memory\x1b[2J")
    heading, *lines, last = repeats_lines(replace(repeats, failures=(failure,)))
    assert all(noun in heading for noun in ("2 sets", "3 folds"))
    assert lines[:3] == [score.line() for score in repeats.scores]
    assert "t-test" in lines[3]
    *pairs, rule, claim = lines[4:]
    assert len(pairs) == 2
    assert all(repeats.scores[0].head in line for line in pairs)
    assert "3 pairs" in rule
    assert "other training samples" in claim
    assert all(noun in last for noun in ("mlp", "seed 1, 2", r"out of memory\x1b[2J"))


def test_repeats_of_one_head_have_no_test(repeats):
    lines = repeats_lines(replace(repeats, scores=repeats.scores[:1], differences=()))
    assert len(lines) == 2


def test_curves_have_a_verdict_a_head_and_the_failures(make_clusters):
    found = learning_curves_on(prepare(make_clusters(), SMALL), ["dummy"], {}, [0.5, 1])
    assert curve_lines(replace(found, failures=(BROKEN,))) == [found.curves[0].verdict(), BROKEN_LINE]
