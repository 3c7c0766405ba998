import dataclasses

import numpy as np
import pytest

from cellfeat.evaluation.saved_heads.held_out import score_held_out
from cellfeat.reporting.terminal.held_out import held_out_details, held_out_lines
from tests.feature_fixtures import part


def score(bundle, features, **options):
    return score_held_out(bundle, features, draws=200, **options)


def lines_with(found, *nouns):
    return [line for line in held_out_lines(found) if all(noun in line for noun in nouns)]


@pytest.fixture
def near():
    is_near = np.zeros(180, dtype=bool)
    is_near[:30] = True
    return is_near


def test_score_comes_first_and_the_verdict_last(bundle, held_out):
    found = score(bundle, held_out)
    first, *_, last = held_out_lines(found)
    assert first.startswith(found.line())
    assert "180 held-out samples" in first
    assert "180 groups" in first
    assert last == found.verdict()
    assert not lines_with(found, "excluded")


def test_training_samples_are_counted_with_the_score_that_includes_them(bundle, samples):
    found = score(bundle, part(samples, slice(180, None)))
    assert lines_with(found, "excluded", "60 exact duplicates", f"{found.with_all:.3f}")


def test_near_copies_are_counted_or_said_not_to_be_searched_for(bundle, held_out, near):
    found, rest = score(bundle, held_out, is_near_copy=near), score(bundle, held_out)
    assert lines_with(found, "30 near copies", f"{found.with_all:.3f}")
    assert not lines_with(found, "--fitted-on")
    assert lines_with(rest, "near copies", "--fitted-on")


def test_head_without_digests_says_so(bundle, held_out):
    found = score(dataclasses.replace(bundle, training_digests=None), held_out)
    assert lines_with(found, "training samples", "fit it again")


def test_unlabelled_and_unreadable_samples_are_counted(bundle, held_out):
    held_out.samples.status[:3] = 1
    held_out.embeddings[:3] = np.nan
    held_out.samples.labels[5:7] = ""
    found = score(bundle, held_out)
    assert lines_with(found, "excluded", "2 without a label")
    assert lines_with(found, "excluded", "3 that could not be read")


def test_details_give_calibration_and_coverage(bundle, held_out):
    found = score(bundle, held_out)
    calibration, coverage = found.scores.calibration, found.scores.sets.per_class_coverage
    error, sets = held_out_details(found)
    assert f"{calibration.calibrated.calibration_error:.3f}" in error
    assert f"{calibration.uncalibrated.calibration_error:.3f}" in error
    assert sets.startswith("predict --coverage 0.9: ")
    assert f"{np.mean(coverage):.1%}" in sets
    assert f"{min(coverage):.1%}" in sets
