"""A saved head scored on labelled samples that it was not fitted on, compared with its out-of-fold score."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellfeat.evaluation.design import Design, as_names
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.results.head_results import ScoredHead
from cellfeat.evaluation.saved_heads.apart_from_fitted import ApartFromFitted, apart_from_fitted
from cellfeat.evaluation.saved_heads.groups_as_fitted import groups_as_fitted
from cellfeat.evaluation.saved_heads.held_out_checks import (
    ChosenRows,
    check_groups_left,
    check_labels,
    check_samples_left,
    left_out_at_fitting,
)
from cellfeat.evaluation.saved_heads.out_of_fold_score import Expected, expected_score, out_of_fold_score
from cellfeat.evaluation.saved_heads.predict import check_recipe, features_for
from cellfeat.evaluation.saved_heads.scores_of_head import scores_of
from cellfeat.evaluation.saved_heads.standardised import standardised_as_fitted
from cellfeat.evaluation.saved_heads.unlike_fitted import Unlike, unlike_fitted
from cellfeat.evaluation.scoring.score import prediction_table
from cellfeat.evaluation.task.labelled_samples import LabelledSamples, chosen_labels, labelled_samples
from cellfeat.evaluation.task.selection import Selection
from cellfeat.extraction.store import Features, Given
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import as_bundle
from cellfeat.statistics.claims import FITTED_HEAD
from cellfeat.statistics.interval_types import Interval, independent_difference
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.text import clean_lines, counted, with_interval
from cellfeat.types import Bools, Floats, Strings


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class HeldOut(ScoredHead):
    """A saved head's predictions for samples that it was not fitted on, and their scores.

    Attributes
    ----------
    out_of_fold, out_of_fold_interval
        The balanced accuracy that the head had when it was fitted, over the same classes, and its interval at the same
        level.
    expected
        The balanced accuracy to expect of the head here, which is fitted on more samples than those of the folds, with
        the interval for the way of making it: what `difference` is from.
    n_seen
        Samples excluded as exact duplicates of training samples; None where the saved head does not know its training
        samples.
    n_near_copies
        Samples excluded as near copies of training samples; None where these were not searched for.
    with_all
        Balanced accuracy with the excluded samples included; None where `n_seen` is None.
    fitted
        When, where and on what the head was fitted; None where it does not say.
    unlike_fitted
        How the samples differ from those that the head was fitted on; None where the head does not know.
    apart
        Which samples lie apart from those that the head was fitted on; None where the head keeps none of these.
    has_images
        Whether there are images behind the samples, and not a table: only images have near copies.
    """

    out_of_fold: float
    out_of_fold_interval: Interval
    expected: Expected
    n_seen: int | None
    n_near_copies: int | None
    with_all: float | None
    fitted: Mapping[str, Any] | None
    unlike_fitted: tuple[Unlike, ...] | None
    apart: ApartFromFitted | None = None
    has_images: bool = True

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes of the head that no held-out sample has: the scores are over the others."""
        return self.scores.per_class.absent

    @property
    def difference(self) -> float:
        """By how much the balanced accuracy is higher here than expected."""
        return self.balanced_accuracy - self.expected.score

    @property
    def difference_interval(self) -> Interval:
        """Interval of `difference`: the two scores come from different samples and err independently.

        The score here is one of this fitted head; the expected one is one of this way of making a head.
        """
        here, expected = self.scores.overall.interval, self.expected
        return independent_difference(self.balanced_accuracy, here, expected.score, expected.interval)

    def verdict(self) -> str:
        """Say whether the score agrees with the out-of-fold score, and what may explain a difference."""
        low, high = self.difference_interval
        fold_low, fold_high = self.out_of_fold_interval
        over = " over these classes" if self.absent else ""
        earlier = f"out of fold it scored {self.out_of_fold:.3f} [{fold_low:.3f}, {fold_high:.3f}]{over}{self._hope()}"
        if low <= 0 <= high:
            change = with_interval(self.difference, low, high, plus=True)
            return f"{earlier}: no evidence of a difference on these samples, {change}"
        if high < 0:
            worse = with_interval(-self.difference, -high, -low)
            return f"{earlier}: it is worse here by {worse}; possible reasons: {self._why_worse()}"
        return f"{earlier}: it is better here by {with_interval(self.difference, low, high)}; {self._why_better()}"

    def _hope(self) -> str:
        """Say which score was to be expected here, and what its interval is about."""
        expected = self.expected
        if expected.covers == FITTED_HEAD:
            return "" if expected.n_fitted == "all" else "; other training samples are not included (fit it again)"
        numbers = with_interval(expected.score, *expected.interval)
        fitted = "fitted on all samples" if expected.n_fitted == "all" else "fitted on other samples"
        return f"; {fitted}, this way of making a head should score {numbers}"

    def _why_worse(self) -> str:
        is_told = bool(self.unlike_fitted)
        kind = "are unlike those of the training" if is_told else "differ in kind (plate, stain, laboratory)"
        causes = [f"these samples {kind}", "the folds separated samples that belong together (see audit)"]
        n_excluded = (self.n_seen or 0) + (self.n_near_copies or 0)
        if n_excluded:
            # On real cell lines samples without a copy are harder: docs/studies/intervals.md.
            causes.append(f"samples without a copy are harder, and the {n_excluded:,} with one are excluded")
        return ", or ".join(causes)

    def _why_better(self) -> str:
        causes = ["these samples are easier"]
        if self.expected.n_fitted == "folds":
            causes.insert(0, "it was fitted on more samples than in the folds")
        if self.n_near_copies is None and self.has_images:
            causes.append("they are near copies of training samples")
        if self.n_seen is None:
            causes.append("some of them are training samples")
        return f"possible reasons: {'; or '.join(causes)}" if len(causes) > 1 else f"possible reason: {causes[0]}"

    def table(self) -> pd.DataFrame:
        """Table of one row: the score here and out of fold, the difference and its interval, and what was excluded."""
        columns = {
            "head": self.head,
            "balanced_accuracy": self.balanced_accuracy,
            **dict(zip(("low", "high"), self.scores.overall.interval, strict=True)),
            "out_of_fold": self.out_of_fold,
            **dict(zip(("out_of_fold_low", "out_of_fold_high"), self.out_of_fold_interval, strict=True)),
            "expected": self.expected.score,
            **dict(zip(("expected_low", "expected_high"), self.expected.interval, strict=True)),
            "difference": self.difference,
            **dict(zip(("difference_low", "difference_high"), self.difference_interval, strict=True)),
            "n_samples": self.counts.n_samples,
            "n_seen": self.n_seen,
            "n_near_copies": self.n_near_copies,
        }
        return pd.DataFrame([columns])

    def __str__(self) -> str:
        return clean_lines("\n".join([self._on_samples(), self.verdict()]))

    def _repr_html_(self) -> str:
        return self._html([self.verdict(), self._on_samples()])

    def _on_samples(self) -> str:
        near = f", {counted(self.n_near_copies, 'near copy')}" if self.n_near_copies else ""
        seen = f"{counted(self.n_seen, 'exact duplicate')}{near} of training samples excluded" if self.n_seen else ""
        return f"{self.line()} on {counted(self.counts.n_samples, 'held-out sample')}{f'; {seen}' if seen else ''}"

    def record(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON values."""
        scores, design = self.scores, self.design
        return {
            "head": self.head,
            **scores.record(),
            **self.counts.record(),
            **({"parts": list(design.parts)} if design.parts else {}),
            "groups": design.groups,
            "random_state": design.random_state,
            "draws": design.draws,
            "provenance": self.provenance.record(),
            "fitted": self.fitted,
            **({} if scores.sets is None else {"prediction_sets": scores.sets.record()}),
            "unlike_fitted": None if self.unlike_fitted is None else [asdict(one) for one in self.unlike_fitted],
            "apart": None if self.apart is None else self.apart.record(),
            "n_seen": self.n_seen,
            "n_near_copies": self.n_near_copies,
            "balanced_accuracy_with_all": self.with_all,
            "out_of_fold": self._out_of_fold_record(),
        }

    def _out_of_fold_record(self) -> dict[str, Any]:
        low, high = self.difference_interval
        return {
            "balanced_accuracy": self.out_of_fold,
            "ci_low": self.out_of_fold_interval.low,
            "ci_high": self.out_of_fold_interval.high,
            "expected": {
                "balanced_accuracy": self.expected.score,
                "ci_low": self.expected.interval.low,
                "ci_high": self.expected.interval.high,
                "about": self.expected.covers,
            },
            "difference": self.difference,
            "difference_ci_low": low,
            "difference_ci_high": high,
            "verdict": self.verdict(),
        }


def score_held_out(
    bundle: Bundle | Path | str,
    features: Features | pd.DataFrame | Path | str,
    *,
    groups: Given | None = None,
    random_state: int = 0,
    draws: int = 2000,
    labels: Given | None = None,
    is_near_copy: Bools | None = None,
    split: str | None = None,
    parts: Sequence[str] | None = ("test",),
    leave_out: Sequence[str] | None = None,
    standardise: str | None = None,
    say: Say = ignore_line,
) -> HeldOut:
    """Score a saved head on labelled samples, excluding its training samples.

    The score is over the classes of these samples, which may be fewer than the head knows.

    Exact duplicates of training samples are excluded, because the head may remember them. So are near copies
    (overlapping crops, turned pictures) where `is_near_copy` names them. Cells of the same plate or donor are not
    recognised.

    Parameters
    ----------
    bundle
        The saved head, or its folder.
    features
        The samples, or the path of their feature file, extracted with the recipe that the head was fitted on; or a
        DataFrame, as for `cellfeat.predict`, with `labels`.
    groups
        Which samples are statistically dependent, for the interval: as for `Design`. None: grouped as when the head
        was fitted, where possible.
    random_state
        Seed of the bootstrap.
    draws
        Bootstrap draws behind each interval.
    labels
        As for `cellfeat.compare`.
    is_near_copy
        Whether each sample is a near copy of a training sample, as `near_copies_of_fitted` finds them, shape
        ``(n_samples,)``; None where this is unknown.
    split, parts
        As for `Design`.
    leave_out
        As for `Design`; None: the classes that were left out when the head was fitted.
    standardise
        As for `cellfeat.predict`.
    say
        Receives remarks about the split and the groups.

    Raises
    ------
    FingerprintError
        If the features were extracted with another recipe than those the head was fitted on.
    ManifestError
        If the samples have classes that the head does not know, or a single group of a class: it does not show how far
        the class varies.
    SplitError, UnknownNameError, MissingFileError, ConfigError
        If the samples cannot be chosen or grouped as asked.
    BundleError
        If the head's own scores are not as cellfeat writes them.
    """
    bundle = as_bundle(bundle)
    features = features_for(bundle, features)
    if groups is not None and not isinstance(groups, str):
        features, groups = features.with_groups(groups), "auto"
    check_recipe(bundle, features)
    expected_score(bundle)  # a saved head without its own score is refused before any work
    label = chosen_labels(features, labels)
    design = Design(
        groups=groups_as_fitted(bundle, features, say) if groups is None else groups,
        random_state=random_state,
        draws=draws,
        calibrate="none" if bundle.temperature == 1 else "temperature",
        split=split,
        parts=None if parts is None else as_names(parts),
        leave_out=left_out_at_fitting(bundle, label) if leave_out is None else as_names(leave_out),
    )
    label = np.where(Selection.of(features, design, label).is_allowed, label, "")
    check_labels(bundle, features.path, label)
    chosen = ChosenRows(features.samples.is_ok & (label != ""), bundle.has_seen(features.samples.digests), is_near_copy)
    check_samples_left(features.path, chosen.is_excluded[chosen.is_scored])
    samples = labelled_samples(features, design, labels=labels, is_excluded=chosen.is_excluded, say=say)
    check_groups_left(samples, features.path)
    unlike, has_images = unlike_fitted(bundle, features), not features.is_imported
    features = standardised_as_fitted(bundle, features, standardise, say)
    # All classes, in the order of the head's probabilities.
    samples = replace(samples, classes=tuple(bundle.classes))
    raw = bundle.uncalibrated_proba(features.embeddings[chosen.is_scored], is_standardised=True)
    design = replace(design, parts=samples.parts)
    found = _held_out(bundle, samples, design, raw, label, chosen, unlike, has_images=has_images)
    return replace(found, apart=apart_from_fitted(bundle, features.take(samples.rows)))


def _held_out(
    bundle: Bundle,
    samples: LabelledSamples,
    design: Design,
    raw: Floats,
    label: Strings,
    chosen: ChosenRows,
    unlike: tuple[Unlike, ...] | None,
    *,
    has_images: bool,
) -> HeldOut:
    """Score the samples that are left; `raw` holds the head's probabilities for the excluded ones as well."""
    # `raw` has a row for each scored sample, so the mask of all samples is cut to these first.
    kept = raw[~chosen.is_excluded[chosen.is_scored]]
    scores = scores_of(bundle, samples, design, kept)
    out_of_fold, out_of_fold_interval = out_of_fold_score(bundle, scores.per_class.absent)
    is_scored_class = np.isin(label[chosen.is_scored], scores.per_class.classes)
    knows_training_samples = bundle.training_digests is not None
    return HeldOut(
        head=bundle.head_name,
        predictions=prediction_table(samples, bundle.head_name, bundle.calibrated(kept)),
        scores=scores,
        counts=samples.counts,
        design=design,
        provenance=samples.provenance,
        out_of_fold=out_of_fold,
        out_of_fold_interval=out_of_fold_interval,
        expected=expected_score(bundle, scores.per_class.absent),
        n_seen=chosen.n_seen if knows_training_samples else None,
        n_near_copies=chosen.n_near_copies,
        with_all=_balanced_accuracy(bundle, label[chosen.is_scored][is_scored_class], raw[is_scored_class])
        if knows_training_samples
        else None,
        fitted=bundle.provenance.get("fitted"),
        unlike_fitted=unlike,
        has_images=has_images,
    )


def _balanced_accuracy(bundle: Bundle, label: Strings, probabilities: Floats) -> float:
    predicted = np.array(bundle.classes)[probabilities.argmax(axis=1)]
    return balanced_accuracy(label, predicted, np.unique(label).tolist())
