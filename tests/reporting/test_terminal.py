import dataclasses
import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from cellfeat.audit.findings import Audit, Finding
from cellfeat.audit.leak import Leak
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results import HeadFailure
from cellfeat.reporting.terminal.audit import finding_lines, leak_lines, render_counts, render_leaks
from cellfeat.reporting.terminal.comparison import headline, render_table, verdict_lines
from cellfeat.reporting.terminal.head import MOST_CLASSES, predict_lines, render_classes, score_line

NARROW = 80
NOT_LOOKED_FOR = "near copies not looked for (cellfeat audit)"


def rendered(table, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def with_differences(comparison, *adjusted_p):
    """The comparison with other p values for the pairs of its best head."""
    rest = [pair for pair in comparison.differences if pair.better != comparison.best.head]
    pairs = zip(comparison.differences_to_best(), adjusted_p, strict=True)
    changed = [dataclasses.replace(pair, adjusted_p=p) for pair, p in pairs]
    return dataclasses.replace(comparison, differences=(*changed, *rest))


def test_the_headline_says_what_was_compared_on(comparison):
    assert headline(comparison) == "180 samples in 180 groups, 3 classes, 3 folds; no copies; " + NOT_LOOKED_FOR


def test_the_headline_warns_of_copies_that_were_not_kept_together(make_features):
    label = np.tile(["a", "b"], 20)
    features = make_features(label, np.random.default_rng(0).normal(size=(40, 1, 2)), pixel_digest=np.full(40, "x"))
    together = compare(features, ["dummy"], design=Design(groups="none", folds=2, draws=100))
    assert "39 copies of images NOT kept together" in headline(together)


def test_the_headline_counts_what_was_left_out(comparison):
    counts = dataclasses.replace(comparison.counts, n_unlabelled=4, n_failed=3)
    told = headline(dataclasses.replace(comparison, counts=counts))
    assert told.endswith("; 4 without a label left out; 3 that could not be read left out")


def test_the_table_has_a_row_a_head_best_first_with_its_scores_and_its_worst_class(comparison):
    heading, _, *rows = rendered(render_table(comparison, 200), 200)
    assert heading.split("  ")[0] == "head"
    assert len(rows) == 3
    for row, result in zip(rows, comparison.results, strict=True):
        metrics = result.record()
        worst = int(np.argmin(metrics["per_class_recall"]))
        assert row.split()[:6] == [
            result.head,
            f"{metrics['balanced_accuracy']:.3f}",
            f"[{metrics['ci_low']:.3f},",
            f"{metrics['ci_high']:.3f}]",
            metrics["classes"][worst],
            f"{metrics['per_class_recall'][worst]:.3f}",
        ]
    assert rows[0].endswith("  best")
    gap = comparison.differences_to_best()[-1].difference
    assert rows[-1].endswith(f"  worse by {gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}]")


def test_the_table_says_where_there_is_no_evidence(comparison):
    _, _, _, row, _ = rendered(render_table(with_differences(comparison, 0.5, 0.001), 200), 200)
    assert "  no evidence: 0." in row


def test_long_names_are_cut_before_a_number_is_in_a_narrow_terminal(make_clusters):
    names = tuple(f"{'triple-negative breast cancer' * 2} {i}" for i in range(3))
    heads = ["linear_relu", "logreg", "dummy"]
    comparison = compare(make_clusters(classes=names), heads, design=Design(folds=3, draws=200))
    lines = rendered(render_table(comparison, NARROW), NARROW)
    assert max(map(cell_len, lines)) <= NARROW
    text = " ".join(lines)
    for result in comparison.results:
        assert f"{result.balanced_accuracy:.3f} [{result.record()['ci_low']:.3f}, " in text
        assert f" {min(result.record()['per_class_recall']):.3f} " in text
    for pair in comparison.differences_to_best():
        assert f"[{pair.difference.low:.3f}, {pair.difference.high:.3f}]" in text
    assert "triple-" in text
    assert "…" in text


def test_markup_and_escapes_in_names_are_shown_and_not_obeyed(hostile):
    tables = [render_table(hostile, 200), *map(render_classes, hostile.results)]
    text = "\n".join(line for table in tables for line in rendered(table, 200))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]A549[/red]" in text
    assert r"He\x1b[2JLa" in text


def test_the_verdict_names_the_heads_that_are_worse_and_those_without_evidence(comparison):
    best, second, third = (result.head for result in comparison.results)
    assert verdict_lines(with_differences(comparison, 0.001, 0.001)) == [f"{best} is better than {second} and {third}"]
    assert verdict_lines(with_differences(comparison, 0.5, 0.01)) == [
        f"{best} is better than {third}",
        f"no evidence that {best} differs from {second}",
    ]


def test_the_verdict_doubts_an_interval_that_leaves_out_0_only_by_itself(comparison):
    best, second, third = (result.head for result in comparison.results)
    first, last = comparison.differences_to_best()
    pairs = [
        dataclasses.replace(first, adjusted_p=0.5, difference=dataclasses.replace(first.difference, p_value=0.5)),
        dataclasses.replace(last, adjusted_p=0.12, difference=dataclasses.replace(last.difference, p_value=0.04)),
    ]
    (line,) = verdict_lines(dataclasses.replace(comparison, differences=tuple(pairs)))
    assert line == f"no evidence that {best} differs from {second} or {third} (p = 0.12 over all pairs)"


def test_the_verdict_tells_of_heads_that_failed_in_a_line_each(comparison):
    failed = HeadFailure("mlp", "mlp failed in fold 1 of 3: out\nof memory\x1b[2J")
    lines = verdict_lines(dataclasses.replace(comparison, failures=(failed,)))
    assert lines[-1] == r"mlp failed in fold 1 of 3: out of memory\x1b[2J"


def test_a_single_head_has_no_verdict(make_clusters):
    assert verdict_lines(compare(make_clusters(), ["dummy"], design=Design(folds=3, draws=100))) == []


def test_the_score_line_says_how_far_the_folds_lie_apart(comparison):
    folds = comparison.best.record()["per_fold"]
    assert score_line(comparison.best).endswith(f"]; folds {min(folds):.3f} to {max(folds):.3f}")


def test_classes_are_told_with_what_they_are_taken_for_the_worst_first(comparison):
    metrics = comparison.best.record()
    heading, _, *rows = rendered(render_classes(comparison.best), 200)
    assert heading.split() == ["class", "recall", "most", "often", "taken", "for"]
    recalls = [float(row.split()[1]) for row in rows]
    assert recalls == sorted(recalls)
    for row in rows:
        number = metrics["classes"].index(row.split()[0])
        counts = np.array(metrics["confusion_matrix"][number])
        n_samples, counts[number] = counts.sum(), 0
        share = f"{counts.max() / n_samples:.0%}"
        assert row.split()[-2:] == [metrics["classes"][counts.argmax()], share]


def test_a_class_without_an_error_is_taken_for_nothing(make_clusters):
    result = compare(make_clusters(separation=9), ["knn"], design=Design(folds=3, draws=100)).best
    _, _, *rows = rendered(render_classes(result), 200)
    assert [row.split()[1] for row in rows] == ["1.000"] * 3
    assert all(row.endswith("]") for row in rows)


def test_of_many_classes_those_of_highest_recall_are_counted(make_clusters):
    names = tuple(f"class {i:02d}" for i in range(MOST_CLASSES + 3))
    result = compare(make_clusters(n=200, classes=names), ["knn"], design=Design(folds=2, draws=100)).best
    _, _, *rows = rendered(render_classes(result), 200)
    assert len(rows) == MOST_CLASSES + 1
    fourth = sorted(result.record()["per_class_recall"])[MOST_CLASSES]
    assert rows[-1] == f"3 more    {fourth:.3f} and above"


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({0.5: 0.9, 0.7: 0.8, 0.8: 0.7, 0.9: 0.6}, "predict --min-probability 0.8: keeps 70%, 99.0% of them right"),
        ({0.5: 1.0, 0.8: 1.0, 0.9: 0.6}, "predict --min-probability 0.9: keeps 60%, 99.0% of them right"),
        ({0.5: 0.3, 0.7: 0.1}, "predict --min-probability 0.7: keeps 10%, 99.0% of them right"),
        ({0.5: 1.0, 0.95: 1.0}, None),
    ],
)
def test_abstaining_is_told_for_a_usual_threshold_that_leaves_something_out(comparison, kept, told):
    rows = [{"min_probability": threshold, "kept": share, "accuracy": 0.99} for threshold, share in kept.items()]
    result = dataclasses.replace(comparison.best, metrics=comparison.best.record() | {"abstaining": rows})
    assert predict_lines(result)[:-1] == ([told] if told else [])


def test_the_sizes_of_sets_are_told_in_a_line(comparison):
    sets = comparison.best.record()["prediction_sets"]
    told = f"predict --coverage 0.9: {sets['mean_size']:.2f} classes a set; {sets['one']:.0%} hold one, "
    assert predict_lines(comparison.best)[-1].startswith(told)


def findings(kind, n):
    return tuple(Finding(f"s{i}", kind, f"t{i}", "a here, b\x1b[2J there") for i in range(n))


def audit_of(*found, leaks=()):
    return Audit(*[np.array(["s0"])] * 3, tuple(found), tuple(leaks), saw_pixels=True)


def test_findings_are_counted_and_those_to_decide_on_told():
    found = audit_of(*findings("copy", 9), *findings("label conflict", 7))
    _, _, *rows = rendered(render_counts(found), NARROW)
    assert [row.split() for row in rows] == [["copy", "9"], ["label", "conflict", "7"]]
    lines = finding_lines(found)
    assert lines[0] == r"label conflict: s0 and t0: a here, b\x1b[2J there"
    assert lines[5:] == ["label conflict: 2 more"]


def test_a_finding_on_a_class_names_no_sample():
    assert finding_lines(audit_of(Finding("", "rare class", "", "RT4: 3 samples"))) == ["rare class: RT4: 3 samples"]


def test_the_price_of_the_leak_fits_a_narrow_terminal():
    leak = Leak("linear_relu", ((0.92, 0.87, 0.81), (0.88, 0.83, 0.79)))
    heading, _, row = rendered(render_leaks(audit_of(leaks=[leak])), NARROW)
    assert heading.endswith("random folds would have claimed")
    assert row.split() == ["linear_relu", "0.900", "0.850", "0.800", "+0.100", "±", "0.014"]


def test_a_leak_that_is_no_more_than_scatter_is_said_to_be_none():
    leaks = [Leak("knn", ((0.9, 0.9, 0.8), (0.9, 0.9, 0.81))), Leak("logreg", ((0.9, 0.9, 0.89), (0.89, 0.9, 0.9)))]
    assert leak_lines(audit_of(leaks=leaks)) == ["logreg: no more than the choice of folds alone brings about"]
    assert leak_lines(audit_of(leaks=leaks[:1])) == []
