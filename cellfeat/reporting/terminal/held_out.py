"""A held-out score in the terminal."""

from collections.abc import Iterator

import numpy as np

from cellfeat.evaluation.saved_heads.held_out import HeldOut
from cellfeat.reporting.terminal.head import always_included, sizes_phrase
from cellfeat.reporting.terminal.style import one_line
from cellfeat.text import first_ten, shorten


def held_out_lines(found: HeldOut) -> list[str]:
    """Give the score on held-out samples, what was excluded, and whether it agrees with the out-of-fold score."""
    counts = found.counts
    lines = [
        f"{found.line()} on {counts.n_samples:,} held-out samples in {counts.n_groups:,} groups",
        *_class_lines(found),
        *_excluded_lines(found),
        found.verdict(),
    ]
    return [one_line(line) for line in lines]


def _class_lines(found: HeldOut) -> Iterator[str]:
    if found.absent:
        classes = found.scores.per_class.classes
        yield (
            f"over the {len(classes)} of {len(classes) + len(found.absent)} classes that these samples have, "
            f"{first_ten(classes)}; without a held-out sample: {first_ten(found.absent)}"
        )


def _excluded_lines(found: HeldOut) -> Iterator[str]:
    if found.n_seen is None:
        yield "this saved head does not know its training samples, so none could be excluded: fit it again"
    elif found.n_seen or found.n_near_copies:
        near = f" and {found.n_near_copies:,} near copies of them" if found.n_near_copies is not None else ""
        yield (
            f"excluded: {found.n_seen:,} exact duplicates of training samples{near}; with these the balanced accuracy "
            f"would be {found.with_all:.3f}"
        )
    if found.n_near_copies is None and found.has_images:
        yield "near copies of training samples were not searched for (--fitted-on FEATURES)"
    if found.counts.n_unlabelled:
        yield f"excluded: {found.counts.n_unlabelled:,} without a label"
    if found.counts.n_failed:
        yield f"excluded: {found.counts.n_failed:,} that could not be read"
    if found.counts.n_left_out:
        yield f"excluded: {found.counts.n_left_out:,} of classes that were left out"


def held_out_details(found: HeldOut) -> list[str]:
    """Say whether probabilities and prediction sets keep their promise on these samples."""
    calibration, sets = found.scores.calibration, found.scores.sets
    error = calibration.uncalibrated.calibration_error
    before = "" if calibration.method == "none" else f"; before calibration {error:.3f}"
    lines = [f"calibration error of the probabilities {calibration.calibrated.calibration_error:.3f}{before}"]
    if sets is not None:
        covered = sets.per_class_coverage
        lowest = shorten(found.scores.per_class.classes[int(np.argmin(covered))])
        lines.append(
            f"predict --coverage {sets.coverage:g}: the true class was in the set {np.mean(covered):.1%} of the "
            f"time (mean over classes), {min(covered):.1%} for {lowest}, the lowest; {sizes_phrase(sets.sizes)}"
            f"{always_included(sets.coverage, sets.unlimited)}"
        )
        if sets.of_groups is not None:
            lines.append(one_line(sets.of_groups.line()))
    return lines
