"""A saved head scored on labelled samples that it was not fitted on, beside what its folds had promised."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import BundleError, FingerprintError, ManifestError
from cellfeat.evaluation.predict import check_recipe
from cellfeat.evaluation.prediction_sets import REPORTED_COVERAGE, set_metrics, sets_of
from cellfeat.evaluation.results import HeadResult
from cellfeat.evaluation.scoring import (
    class_metrics,
    most_probable,
    prediction_table,
    probability_metrics,
    uncalibrated_metrics,
)
from cellfeat.evaluation.task import Design, LabelledSamples, chosen_labels, labelled_samples
from cellfeat.extraction.store import Features, Status
from cellfeat.heads.bundle import Bundle, settings_of
from cellfeat.near_copies.pictures import look_at
from cellfeat.near_copies.search import near_copies_of
from cellfeat.statistics.intervals import Interval, independent_difference
from cellfeat.statistics.scores import balanced_accuracy
from cellfeat.text import first_ten, near_names
from cellfeat.types import Bools, Floats, Strings


@dataclass(frozen=True)
class HeldOut:
    """What a saved head does on samples that it was not fitted on.

    Parameters
    ----------
    result
        Its predictions, without a fold, and those scores of `cellfeat.evaluation.fit` that need none.
    n_seen
        Samples that were left out because the head was fitted on their very pixels; None where it was saved without
        word of what it was fitted on.
    n_near_copies
        Samples that were left out because they are near copies of some that the head was fitted on; None where these
        were not looked for.
    with_all
        The balanced accuracy of all samples, those included; None where `n_seen` is.
    out_of_fold
        The balanced accuracy that the head had when it was fitted.
    out_of_fold_interval
        Of that, at the same level.
    """

    result: HeadResult
    n_seen: int | None
    n_near_copies: int | None
    with_all: float | None
    out_of_fold: float
    out_of_fold_interval: Interval

    @property
    def difference(self) -> float:
        """By how much the balanced accuracy is higher here than out of fold."""
        return self.result.balanced_accuracy - self.out_of_fold

    @property
    def difference_interval(self) -> Interval:
        """Interval of `difference`: the two scores are of other samples, and err independently."""
        metrics = self.result.metrics
        interval = Interval(metrics["ci_low"], metrics["ci_high"])
        return independent_difference(
            self.result.balanced_accuracy, interval, self.out_of_fold, self.out_of_fold_interval
        )

    def verdict(self) -> str:
        """Say whether the folds had promised as much, and what may be behind it where they had not."""
        low, high = self.difference_interval
        promised_low, promised_high = self.out_of_fold_interval
        promised = f"out of fold it had {self.out_of_fold:.3f} [{promised_low:.3f}, {promised_high:.3f}]"
        if low <= 0 <= high:
            return (
                f"{promised}: no evidence that it does otherwise here, {self.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
            )
        if high < 0:
            return (
                f"{promised}: here it is worse by {-self.difference:.3f} [{-high:.3f}, {-low:.3f}]; these samples are "
                "of another kind (plate, stain, laboratory), or the folds tore apart what belongs together (see audit)"
            )
        return f"{promised}: here it is better by {self.difference:.3f} [{low:.3f}, {high:.3f}]; {self._why_better()}"

    def _why_better(self) -> str:
        causes = ["it was fitted on more samples than in the folds", "these samples are easier"]
        if self.n_near_copies is None:
            causes.append("they are near copies of what it was fitted on")
        if self.n_seen is None:
            causes.append("it was fitted on some of them")
        return f"{', '.join(causes[:-1])}, or {causes[-1]}"

    def record(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON values."""
        return self.result.metrics | {
            "n_seen": self.n_seen,
            "n_near_copies": self.n_near_copies,
            "balanced_accuracy_with_all": self.with_all,
            "out_of_fold": {
                "balanced_accuracy": self.out_of_fold,
                **_ends(self.out_of_fold_interval),
                "difference": self.difference,
                **{f"difference_{name}": end for name, end in _ends(self.difference_interval).items()},
                "verdict": self.verdict(),
            },
        }


def _ends(interval: Interval) -> dict[str, float]:
    return {"ci_low": interval.low, "ci_high": interval.high}


def score_held_out(
    bundle: Bundle,
    features: Features,
    *,
    groups: str | None = None,
    random_state: int = 0,
    draws: int = 2000,
    labels: Mapping[str, str] | None = None,
    is_near_copy: Bools | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> HeldOut:
    """Score a saved head on labelled samples, without those that it was fitted on.

    A sample with the very pixels of one that the head was fitted on is left out: it is no test. So are near copies
    (crops that overlap, turned ones) where they are named. Cells of the same plate or donor are not known again.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples, made by the recipe that it was fitted on.
    groups
        Which of the samples err together, for the interval: as for `compare`. None: by what they were grouped when the
        head was fitted, where they can be.
    random_state
        Seed of the bootstrap.
    draws
        Bootstrap draws behind each interval.
    labels
        As for `compare`.
    is_near_copy
        Whether each sample is a near copy of one that the head was fitted on, as `near_copies_of_fitted` finds them,
        shape ``(n_samples,)``; None where nobody looked.
    say
        Told what is strange about the groups, and where the samples cannot be grouped as at fitting.

    Raises
    ------
    FingerprintError
        If the features were made by another recipe than those the head was fitted on.
    ManifestError
        If the samples have classes that the head does not know, or of a class that it knows less than two groups:
        nothing tells how that class would vary.
    SplitError, UnknownNameError, MissingFileError
        If the samples cannot be grouped as asked.
    BundleError
        If the head's own scores are not as cellfeat writes them.
    """
    check_recipe(bundle, features)
    out_of_fold, out_of_fold_interval = _out_of_fold(bundle)
    label = chosen_labels(features, labels)
    check_labels(bundle, features.path, label)
    is_scored = (features.samples.status == Status.OK) & (label != "")
    is_seen = bundle.has_seen(features.samples.digests)
    is_left_out = is_seen if is_near_copy is None else is_seen | is_near_copy
    _check_what_is_left(bundle, features.path, label[is_scored], is_left_out[is_scored])
    groups = _groups_as_fitted(bundle, features, say) if groups is None else groups
    design = Design(groups=groups, random_state=random_state, draws=draws)
    samples = labelled_samples(features, design, labels=labels, is_left_out=is_left_out, say=say)
    _check_groups(samples, features.path)
    raw = bundle.uncalibrated_proba(features.embeddings[is_scored])
    # The same classes, in the order of the head's probabilities.
    samples = replace(samples, classes=tuple(bundle.classes))
    return HeldOut(
        result=_scored(bundle, samples, design, raw[~is_left_out[is_scored]]),
        n_seen=None if bundle.training_digests is None else int(np.count_nonzero(is_seen & is_scored)),
        n_near_copies=None if is_near_copy is None else int(np.count_nonzero(is_near_copy & ~is_seen & is_scored)),
        with_all=None if bundle.training_digests is None else _balanced_accuracy(bundle, label[is_scored], raw),
        out_of_fold=out_of_fold,
        out_of_fold_interval=out_of_fold_interval,
    )


def _balanced_accuracy(bundle: Bundle, label: Strings, probabilities: Floats) -> float:
    return balanced_accuracy(label, np.array(bundle.classes)[probabilities.argmax(axis=1)], bundle.classes)


def near_copies_of_fitted(
    bundle: Bundle,
    fitted: Features,
    features: Features,
    *,
    fitted_images: Path,
    images: Path,
    say: Callable[[str], None] = lambda _line: None,
) -> Bools:
    """Find the samples that show a part of the same place as some that a head was fitted on, or are one turned.

    Parameters
    ----------
    bundle
        The saved head.
    fitted
        The features that it was fitted on; samples of them that it was not fitted on count for nothing.
    features
        The samples that are asked about.
    fitted_images, images
        Folders of the images that the two were made from.
    say
        Told what is being done.

    Returns
    -------
    ndarray of shape (n_samples,)
        Of equal pixels, too.

    Raises
    ------
    FingerprintError
        If either of the features were made by another recipe than those the head was fitted on, some of these are not
        among `fitted`, or the images are others.
    BundleError
        If the saved head does not tell what it was fitted on.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    for either in (fitted, features):
        check_recipe(bundle, either)
    if bundle.training_digests is None:
        raise BundleError(
            f"the saved head {bundle.head_name!r} does not tell what it was fitted on: fit it again to have near "
            "copies of that looked for"
        )
    n_missing = np.count_nonzero(~np.isin(bundle.training_digests.hex(), fitted.samples.digests))
    if n_missing:
        raise FingerprintError(
            f"{fitted.path}: lacks {n_missing} of the {len(bundle.training_digests)} samples that the head was fitted "
            "on; name the feature file that it was fitted on"
        )
    is_fitted = bundle.has_seen(fitted.samples.digests)
    say(f"reading the images in {fitted_images} and {images}")
    look_at_fitted = look_at(fitted, fitted_images)
    look = look_at(features, images, scale=look_at_fitted.scale)
    say("comparing look-alikes pixel by pixel")
    found = near_copies_of(fitted, look_at_fitted, features, look)
    is_near_copy = np.zeros(len(features), dtype=bool)
    is_near_copy[[row for fitted_row, row in found if is_fitted[fitted_row]]] = True
    return is_near_copy


def _out_of_fold(bundle: Bundle) -> tuple[float, Interval]:
    low, score, high = (bundle.scores.get(name, np.nan) for name in ("ci_low", "balanced_accuracy", "ci_high"))
    are_numbers = all(type(value) in (int, float) for value in (low, score, high))
    if not (are_numbers and 0 <= low <= score <= high <= 1):
        raise BundleError(
            f"the saved head {bundle.head_name!r} lacks the out-of-fold score that this one is to stand beside, with "
            "its interval; fit it again"
        )
    return float(score), Interval(float(low), float(high))


def check_labels(bundle: Bundle, where: Path, label: Strings) -> None:
    """Check that there are labels, of all classes that the head knows and of no others.

    Parameters
    ----------
    where
        The file or folder of the samples, for messages.
    label
        Of the samples, shape ``(n_samples,)``; ``""`` where there is none.

    Raises
    ------
    ManifestError
        If it is otherwise.
    """
    found = set(label.tolist()) - {""}
    if not found:
        raise ManifestError(f"{where}: no sample is labelled, and a score is made of labels; give --labels CSV")
    strange = sorted(found - set(bundle.classes))
    if strange:
        raise ManifestError(
            f"{where}: labels that the head does not know: {first_ten(strange)}; "
            f"{near_names(strange[0], bundle.classes)}: rename them in the CSV of --labels, or leave these rows out"
        )
    absent = sorted(set(bundle.classes) - found)
    if absent:
        raise ManifestError(
            f"{where}: no held-out sample of {first_ten(absent)}: a score over the other {len(found)} classes would "
            f"not be one over all {len(bundle.classes)}; add samples of these (predict tells the class of each sample)"
        )


def _check_what_is_left(bundle: Bundle, where: Path, label: Strings, is_left_out: Bools) -> None:
    """Check that samples of each class are left, of those that were read and are labelled."""
    if not len(label):
        raise ManifestError(f"{where}: none of the labelled samples could be read; mend the images")
    if is_left_out.all():
        raise ManifestError(
            f"{where}: the head was fitted on all of these {len(label)} samples, or near copies of them: a score on "
            "them would say nothing about others; name samples that were held out"
        )
    absent = sorted(set(bundle.classes) - set(label[~is_left_out].tolist()))
    if absent:
        raise ManifestError(
            f"{where}: no sample of {first_ten(absent)} is left: the head was fitted on them, or on near copies, or "
            "they could not be read; add others of these classes"
        )


def _check_groups(samples: LabelledSamples, where: Path) -> None:
    n_groups = [len(np.unique(samples.groups[samples.y == name])) for name in samples.classes]
    few = [name for name, n in zip(samples.classes, n_groups, strict=True) if n < 2]
    if few:
        raise ManifestError(
            f"{where}: a single group is left of {first_ten(few)}, and it does not tell how far another sample of the "
            "class would lie; add samples of other groups, or see --groups"
        )


def _groups_as_fitted(bundle: Bundle, features: Features, say: Callable[[str], None]) -> str:
    """By what the samples were grouped when the head was fitted; where these cannot be, ``"auto"``, and it is told."""
    fitted = bundle.scores.get("groups", "auto")
    if isinstance(fitted, str) and fitted in features.samples.columns:
        return fitted
    column = _group_column(bundle) if fitted in ("auto", "group") else fitted
    has_groups = (features.samples.groups != "").any()
    if column and fitted not in ("copies", "none") and not has_groups:
        say(
            f"the head was fitted with the groups of {column}, which these samples do not tell: each is a group of its "
            "own, with its copies, and if they err together the interval is too narrow (--groups)"
        )
    return "auto"


def _group_column(bundle: Bundle) -> str | None:
    """The column of the labels that named groups at the extraction; None where there was none, or nothing is known."""
    try:
        return settings_of(bundle).labels.group
    except BundleError:
        return None


def _scored(bundle: Bundle, samples: LabelledSamples, design: Design, raw: Floats) -> HeadResult:
    """Score what the head gives, not calibrated yet: shape ``(n_samples, n_classes)``."""
    probabilities = bundle.calibrated(raw)
    metrics = {
        "head": bundle.head_name,
        **class_metrics(samples, most_probable(samples, probabilities), samples.bootstrap_of(design)),
        **asdict(samples.counts),
        "groups": design.groups,
        "random_state": design.random_state,
        "draws": design.draws,
        "provenance": asdict(samples.provenance),
        "fitted": bundle.provenance.get("fitted"),
        "calibrate": "none" if bundle.temperature == 1 else "temperature",
        "temperature": bundle.temperature,
        **probability_metrics(samples, probabilities),
        **uncalibrated_metrics(samples, raw),
    }
    if bundle.class_scores is not None:
        metrics["prediction_sets"] = set_metrics(samples, sets_of(bundle, probabilities, REPORTED_COVERAGE))
    return HeadResult(bundle.head_name, prediction_table(samples, bundle.head_name, probabilities), metrics)
