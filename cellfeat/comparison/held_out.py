"""A saved head scored on labelled samples that it was not fitted on, beside what its folds had promised."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.comparison.bootstrap import Interval, independent_difference
from cellfeat.comparison.conformal import REPORTED_COVERAGE, set_metrics, sets_of
from cellfeat.comparison.metrics import (
    class_metrics,
    most_probable,
    prediction_table,
    probability_metrics,
    uncalibrated_metrics,
)
from cellfeat.comparison.predict import check_recipe
from cellfeat.comparison.result import HeadResult
from cellfeat.comparison.scores import balanced_accuracy
from cellfeat.comparison.task import Design, LabelledSamples, chosen_labels, labelled_samples
from cellfeat.errors import BundleError, ManifestError, first_ten, near_names
from cellfeat.extraction.store import Features, Status
from cellfeat.heads.bundle import Bundle

Strings = NDArray[np.str_]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class HeldOut:
    """What a saved head does on samples that it was not fitted on.

    Parameters
    ----------
    result
        Its predictions, without a fold, and those scores of `cellfeat.comparison.fit` that need none.
    n_seen
        Samples that were left out because the head was fitted on their very pixels; None where it was saved without
        word of what it was fitted on.
    with_seen
        The balanced accuracy that these would have made.
    out_of_fold
        The balanced accuracy that the head had when it was fitted.
    out_of_fold_interval
        Of that, at the same level.
    """

    result: HeadResult
    n_seen: int | None
    with_seen: float
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
        return (
            f"{promised}: here it is better by {self.difference:.3f} [{low:.3f}, {high:.3f}]; these samples "
            "are easier, or near copies of what it was fitted on, which are not looked for"
        )

    def record(self) -> dict[str, Any]:
        """Everything but the predictions, as plain JSON values."""
        return self.result.metrics | {
            "n_seen": self.n_seen,
            "balanced_accuracy_with_seen": self.with_seen,
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
    groups: str = "auto",
    random_state: int = 0,
    draws: int = 2000,
    labels: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> HeldOut:
    """Score a saved head on labelled samples, without those that it was fitted on.

    A sample with the very pixels of one that the head was fitted on is left out: it is no test. Near copies of these
    (crops that overlap, turned ones) are not known again, and neither are cells of the same plate or donor.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples, made by the recipe that it was fitted on.
    groups
        Which of the samples err together, for the interval: as for `compare`.
    random_state
        Seed of the bootstrap.
    draws
        Bootstrap draws behind each interval.
    labels
        As for `compare`.
    say
        Told what is strange about the groups.

    Raises
    ------
    FingerprintError
        If the features were made by another recipe than those the head was fitted on.
    ManifestError
        If the samples have classes that the head does not know, or none of a class that it knows.
    SplitError, UnknownNameError
        If the samples cannot be grouped as asked, or a class has a single group: nothing tells how that would vary.
    BundleError
        If the head's own scores are not as cellfeat writes them.
    """
    check_recipe(bundle, features)
    out_of_fold, out_of_fold_interval = _out_of_fold(bundle)
    label = chosen_labels(features, labels)
    is_seen = np.zeros(len(features), dtype=bool) if bundle.seen is None else bundle.seen.holds(features.pixel_digest)
    is_scored = (features.status == Status.OK) & (label != "")
    _check_not_all_seen(features, is_seen[is_scored])
    check_classes_known(bundle, features.path, label[is_scored & ~is_seen])
    design = Design(groups=groups, random_state=random_state, draws=draws)
    samples = labelled_samples(features, design, labels=labels, is_left_out=is_seen, say=say)
    # The same classes, in the order of the head's probabilities.
    result = _scored(bundle, replace(samples, classes=tuple(bundle.classes)))
    n_seen = int(np.count_nonzero(is_seen & is_scored))
    with_seen = result.balanced_accuracy
    if n_seen:
        predicted = bundle.predict(features.embeddings[is_scored])
        with_seen = balanced_accuracy(label[is_scored], predicted, bundle.classes)
    return HeldOut(result, None if bundle.seen is None else n_seen, with_seen, out_of_fold, out_of_fold_interval)


def _out_of_fold(bundle: Bundle) -> tuple[float, Interval]:
    try:
        score, low, high = (float(bundle.scores[name]) for name in ("balanced_accuracy", "ci_low", "ci_high"))
    except (KeyError, TypeError, ValueError):
        raise BundleError(
            f"the saved head {bundle.head_name!r} lacks the out-of-fold score that this one is to stand beside; "
            "fit it again"
        ) from None
    return score, Interval(low, high)


def check_classes_known(bundle: Bundle, where: Path, label: Strings) -> None:
    """Check that these labels let every class of the head be scored, and no other.

    Parameters
    ----------
    where
        The file or folder of the samples, for messages.
    label
        Of the samples, shape ``(n_samples,)``; ``""`` where there is none.

    Raises
    ------
    ManifestError
        If they do not.
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


def _check_not_all_seen(features: Features, is_seen: Bools) -> None:
    if is_seen.size and is_seen.all():
        raise ManifestError(
            f"{features.path}: the head was fitted on all of these {len(is_seen)} samples: a score on them would say "
            "nothing about others; name samples that were held out"
        )


def _scored(bundle: Bundle, samples: LabelledSamples) -> HeadResult:
    probabilities = bundle.predict_proba(samples.embeddings)
    metrics = {
        "head": bundle.head_name,
        **class_metrics(samples, most_probable(samples, probabilities)),
        **asdict(samples.counts),
        "groups": samples.design.groups,
        "random_state": samples.design.random_state,
        "draws": samples.design.draws,
        "provenance": asdict(samples.provenance),
        "fitted": bundle.provenance.get("fitted"),
        "calibrate": "none" if bundle.temperature == 1 else "temperature",
        "temperature": bundle.temperature,
        **probability_metrics(samples, probabilities),
        **uncalibrated_metrics(samples, bundle.uncalibrated_proba(samples.embeddings)),
    }
    if bundle.class_scores is not None:
        metrics["prediction_sets"] = set_metrics(samples, sets_of(bundle, probabilities, REPORTED_COVERAGE))
    return HeadResult(bundle.head_name, prediction_table(samples, bundle.head_name, probabilities), metrics)
