import io

import numpy as np
from rich.console import Console

from cellfeat.comparison.compare import compare
from cellfeat.comparison.result import HeadFailure
from cellfeat.comparison.terminal import render_table, score_lines, set_lines


def rendered(comparison):
    console = Console(file=io.StringIO(), width=200)
    console.print(render_table(comparison))
    return " ".join(console.file.getvalue().split())  # the heading is wrapped to the width of the table


def test_the_table_names_the_heads_in_order_with_their_scores(comparison):
    text = rendered(comparison)
    places = [text.index(f"{result.balanced_accuracy:.3f} [") for result in comparison.results]
    assert places == sorted(places)
    assert "180 samples in 180 groups, 3 classes, 3 folds; no copies" in text
    assert "] worse" in text


def test_the_table_warns_of_copies_that_were_not_kept_together(make_features):
    label = np.tile(["a", "b"], 20)
    features = make_features(label, np.random.default_rng(0).normal(size=(40, 1, 2)), pixel_digest=np.full(40, "x"))
    assert "39 copies of images NOT kept together" in rendered(
        compare(features, heads=["dummy"], groups="none", folds=2, draws=100)
    )


def test_the_table_tells_of_heads_that_failed(comparison):
    object.__setattr__(comparison, "failures", (HeadFailure("mlp", "mlp failed in fold 1 of 3: out\nof memory"),))
    assert "mlp failed in fold 1 of 3: out of memory" in rendered(comparison)


def test_names_cannot_steer_the_terminal(hostile):
    text = rendered(hostile)
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[red]A549[/red]" in text or any(name in text for name in ("He�[2JLa", "U-2 OS�"))


def test_score_lines_tell_what_abstaining_would_keep(make_clusters):
    result = compare(make_clusters(), heads=["logreg"], folds=3, draws=100).best
    (line,) = (line for line in score_lines(result) if line.startswith("predict --min-probability: "))
    first = next(row for row in result.metrics["abstaining"] if row["kept"] < 1)
    assert f"{first['min_probability']:g} keeps {first['kept']:.0%}, {first['accuracy']:.1%} right" in line


def test_score_lines_tell_what_calibration_did(make_clusters):
    lines = score_lines(compare(make_clusters(), heads=["logreg"], folds=3, draws=100).best)
    assert any(line.startswith("probabilities calibrated by temperature 0.") for line in lines)
    plain = score_lines(compare(make_clusters(), heads=["logreg"], folds=3, draws=100, calibrate="none").best)
    assert any(line.startswith("probabilities as the head gives them") for line in plain)


def test_lines_tell_how_often_sets_hold_the_true_class(comparison):
    sets = comparison.best.metrics["prediction_sets"]
    by_fold = np.array(sets["per_class_coverage_per_fold"])
    heading, best, *_ = set_lines(comparison)
    assert heading == "predict --coverage 0.9, on held-out folds:"
    assert f"{sets['mean_size']:.2f} classes a set" in best
    assert best.endswith(f" {by_fold.min():.3f}")
    table = score_lines(comparison.best)[-3:]
    for line, covered, folds in zip(table, sets["per_class_coverage"], by_fold.T, strict=True):
        assert line.endswith(f"  {covered:.3f}, {folds.min():.3f} to {folds.max():.3f}")
