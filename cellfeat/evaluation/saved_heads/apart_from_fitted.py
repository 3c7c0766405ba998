"""Whether new samples lie apart from those that a saved head was fitted on: each by itself, and all as a set."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cellfeat.evaluation.groups.sample_groups import join_groups, sample_groups
from cellfeat.evaluation.saved_heads.groups_as_fitted import groups_as_fitted
from cellfeat.extraction.store import Features
from cellfeat.heads.preprocessing.scaling import scaled
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.statistics.apart import LEVEL, Apart, SetTest, set_test
from cellfeat.text import counted
from cellfeat.types import Bools, Integers

UNKNOWN = (
    "this saved head was fitted by an earlier version and keeps no training samples: whether these samples lie apart "
    "from them is unknown; fit it again"
)
"""What is said of a head that cannot tell."""


@dataclass(frozen=True)
class ApartFromFitted(Apart):
    """Which new samples lie apart from the training samples of a saved head.

    Attributes
    ----------
    p_values
        Share of training samples that lie as far from their neighbours in other groups as this sample does from its
        nearest training samples, shape ``(n_samples,)``; NaN where a sample could not be read.
    test
        The test of the samples as a set, exact duplicates of training samples excluded; None where none is left.
    n_known
        Training samples that were compared with.
    claim
        Whose dependence the test takes into account.
    is_new
        Which samples are counted and tested: those that could be read and are no exact duplicates of training samples,
        shape ``(n_samples,)``.
    """

    n_known: int
    claim: str
    is_new: Bools

    @property
    def n_points(self) -> int:
        """Number of samples that were compared."""
        return int(np.count_nonzero(self.is_new))

    @property
    def number(self) -> int:
        """How many of these lie apart."""
        return int(np.count_nonzero(self.is_apart & self.is_new))

    def line(self) -> str:
        """Say in a line whether the samples lie apart, starting with ``warning:`` where they do."""
        test = self.test
        if test is None:
            return "none of these samples could be compared with the training samples"
        share = self.number / self.n_points
        each = (
            f"{share:.1%} of {counted(self.n_points, 'sample')} lie farther from the training samples than "
            f"{1 - LEVEL:.0%} of these lie from each other ({LEVEL:.0%} is expected)"
        )
        if self.n_known + 1 < 1 / LEVEL:
            # No sample can lie farther than 99 of 100 where there are fewer.
            each = f"{counted(self.n_known, 'training sample')} are too few to say it of single samples"
        found = f"{each}; exchangeability test: p {_told(test)} ({self.claim})"
        if test.is_evidence:
            return f"warning: these samples lie apart from the training samples, and scores may not hold: {found}"
        return f"no evidence that these samples lie apart from the training samples: {found}"

    def record(self) -> dict[str, Any]:
        """Plain JSON values, without the p values of the samples."""
        test = self.test
        return {
            "n_compared": self.n_points,
            "n_training_samples": self.n_known,
            "level": LEVEL,
            "n_apart": self.number,
            "set_p_value": None if test is None else test.p_value,
            "set_is_apart": self.is_evidence,
            "test": None if test is None else ("permuted groups" if test.is_permuted else "twice the median"),
            "claim": self.claim,
        }


def apart_from_fitted(bundle: Bundle, features: Features) -> ApartFromFitted | None:
    """Compare the distances of new samples to the training samples with those among the training samples.

    A p value is calibrated for a sample of another group that is like the training groups: of such samples, 1 % have
    one of 0.01 or less.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The new samples, of the recipe that the head was fitted on, standardised within plates if it needs that; those
        that could not be read are ignored.

    Returns
    -------
    ApartFromFitted or None
        None where the head keeps no training samples, as heads of earlier versions do.
    """
    kept = bundle.neighbourhood
    if kept is None:
        return None
    is_ok = features.samples.is_ok
    p_values = np.full(len(features), np.nan)
    n_known = len(kept.known.points)
    if not is_ok.any():
        return ApartFromFitted(p_values, None, n_known, "", is_ok)
    scores = kept.known.scores_of(kept.points(scaled(bundle.scaling, features.embeddings[is_ok])))
    p_values[is_ok] = kept.known.p_values(scores)
    # A duplicate of a training sample lies at no distance from it, and says nothing about new samples.
    is_new = is_ok & ~bundle.has_seen(features.samples.digests)
    if not is_new.any():
        return ApartFromFitted(p_values, None, n_known, "", is_new)
    groups, claim = _groups(bundle, features)
    test = set_test(kept.known, scores[is_new[is_ok]], groups[is_new])
    if not test.is_permuted:
        claim = f"{_few(test)} to permute: twice the median p value, as if training samples showed how groups differ"
    return ApartFromFitted(p_values, test, n_known, claim, is_new)


def _groups(bundle: Bundle, features: Features) -> tuple[Integers, str]:
    """Which new samples depend on each other, and what this says about the test."""
    copies = join_groups([features.samples.digests])
    if not _had_groups(bundle):
        return copies, "no groups were known at fitting: samples are taken as independent"
    named = sample_groups(features, groups_as_fitted(bundle, features, _ignore))
    if len(np.unique(named)) == len(np.unique(copies)):
        return np.zeros(len(features), dtype=np.intp), "these samples name no groups and count as one"
    return named, f"whole groups permuted: {len(np.unique(named)):,} of these samples"


def _had_groups(bundle: Bundle) -> bool:
    """Whether training samples came in groups, of two or more on average; a few near copies are no plates or fields.

    Where most groups are single samples, one large group could not be told from these by its mean.
    """
    counts = [bundle.scores.get(name) for name in ("n_groups", "n_samples", "n_copies")]
    n_groups, n_samples, n_copies = (count if isinstance(count, int) else 0 for count in counts)
    return 0 < 2 * n_groups <= n_samples - n_copies


def _ignore(_line: str) -> None:
    """Drop a remark about groups: `score` gives it itself."""


def _told(test: SetTest) -> str:
    return "< 0.001" if test.p_value < 0.001 else f"= {test.p_value:.3f}"


def _few(test: SetTest) -> str:
    return f"{counted(test.n_known_groups, 'group')} at fitting and {test.n_groups:,} here are too few"
