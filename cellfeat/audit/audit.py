"""What would make scores on a data set untrue: copies, conflicts, bad channels, confounding, odd labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from cellfeat.audit.confounding import confounded
from cellfeat.config import Settings
from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.groups import join_groups
from cellfeat.evaluation.results import PROBABILITY_PREFIX, Comparison
from cellfeat.extraction.store import Features, Samples
from cellfeat.near_copies.overlap import Pair
from cellfeat.near_copies.pictures import BadChannel, Look, look_at, look_at_folder
from cellfeat.near_copies.search import NearCopies, near_copies
from cellfeat.types import Float32s, Strings

SURE, IMPOSSIBLE = 0.9, 0.01
"""A label is suspicious where a head that never saw the sample gives another class at least 0.9 and this one 0.01."""

RARE = 0.1
"""A class with fewer samples than this share of the largest one is rare."""

LEAK_HEADS = ("logreg", "knn")

LEAK_SETS = 5
"""Sets of folds that the price of the leak is averaged over: one set scatters as much as a small leak is worth."""


@dataclass(frozen=True)
class Finding:
    """One thing that a person should look at.

    Attributes
    ----------
    sample_id
        The sample; ``""`` where the finding is about a class.
    finding
        ``unreadable``, ``copy``, ``near copy``, ``label conflict``, ``constant channel``, ``saturated channel``,
        ``confounded``, ``suspicious label`` or ``rare class``.
    partner
        The other sample of a pair; ``""`` where there is none.
    detail
        What was measured.
    """

    sample_id: str
    finding: str
    partner: str
    detail: str


@dataclass(frozen=True)
class Leak:
    """What one head scores when copies may straddle folds, and when they may not.

    Attributes
    ----------
    head
        Its name.
    scores
        Balanced accuracies, a row a set of folds: on random folds; with exact copies, and the manifest's groups, kept
        together; with near copies kept together as well.
    """

    head: str
    scores: tuple[tuple[float, float, float], ...]

    @property
    def means(self) -> tuple[float, float, float]:
        """The three scores, over the sets of folds."""
        random, copies, near_copies = np.mean(self.scores, axis=0).tolist()
        return random, copies, near_copies

    @property
    def claimed(self) -> float:
        """By how much random folds would have claimed too much."""
        return float(np.mean(self._claims))

    @property
    def deviation(self) -> float:
        """Standard deviation of that over the sets of folds; 0 for a single set."""
        return float(np.std(self._claims, ddof=1)) if len(self.scores) > 1 else 0.0

    @property
    def is_scatter(self) -> bool:
        """Whether the claim is no larger than what the choice of folds alone brings about.

        It is a mean over sets of folds, and is held against the 95 % interval of such a mean, by Student's t.
        """
        n_sets = len(self.scores)
        quantile = stats.t.ppf(0.975, max(n_sets - 1, 1))
        return bool(abs(self.claimed) <= quantile * self.deviation / np.sqrt(n_sets))

    @property
    def _claims(self) -> list[float]:
        return [random - near_copies for random, _, near_copies in self.scores]


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes
    ----------
    sample_id
        Shape ``(n_samples,)``.
    group
        Name of each sample's group, shape ``(n_samples,)``: copies, near copies and the manifest's groups joined, named
        after their first sample.
    copies
        The same of copies and near copies alone: what is true of the pixels, whatever else is to be kept together.
    findings
        Kind by kind.
    leaks
        What random folds would have claimed, head by head; none where the samples cannot be split into folds.
    saw_pixels
        Whether the images were looked at, and so near copies looked for.
    """

    sample_id: Strings
    group: Strings
    copies: Strings
    findings: tuple[Finding, ...]
    leaks: tuple[Leak, ...]
    saw_pixels: bool

    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        return dict(Counter(finding.finding for finding in self.findings))


def audit(
    features: Features,
    *,
    images: Path | None = None,
    folds: int = 5,
    random_state: int = 0,
    cache: FoldCache | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Audit:
    """Look for what would make scores on this data set untrue.

    Parameters
    ----------
    features
        Embeddings, labels and groups.
    images
        Folder of the images that the features were made from; None leaves out what needs pixels: near copies, constant
        and saturated channels.
    folds, random_state, cache
        As for `compare`.
    say
        Told what is being done.

    Raises
    ------
    FingerprintError
        If the images are not those that the features were made from.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    look = None
    if images is not None:
        say(f"reading the images in {images}")
        look = look_at(features, images)
    seen = _seen(features.samples, look, features.embeddings, say)
    grouped = replace(features, samples=replace(features.samples, groups=seen.group))
    runs = []
    for seed in range(random_state, random_state + LEAK_SETS):
        try:
            runs.append(_leak_runs(features, grouped, folds=folds, random_state=seed, cache=cache, say=say))
        except (SplitError, HeadError) as error:
            # What the pixels show stands without any score, and scores of some sets of folds are worth having.
            say(f"no scores from seed {seed} on: {error}")
            break
    suspicious = _suspicious(runs[0][-1]) if runs else ()
    return replace(seen, findings=(*seen.findings, *suspicious), leaks=tuple(_leaks(runs)))


def audit_images(settings: Settings, *, say: Callable[[str], None] = lambda _line: None) -> Audit:
    """Look for what would make scores untrue before any features are made: all that needs no backbone.

    Look-alikes are found by their spectra alone, without embeddings: on real cells they find fewer near copies. There
    are no scores, and so neither suspicious labels nor the price of the leak.

    Parameters
    ----------
    settings
        Where the images and labels are.
    say
        Told what is being done.

    Raises
    ------
    ManifestError, MissingFileError, ConfigError
        If the images and labels cannot be found, or do not fit each other.
    """
    say(f"reading the images in {settings.images.root}")
    samples, look = look_at_folder(settings)
    return _seen(samples, look, None, say)


def _seen(samples: Samples, look: Look | None, embeddings: Float32s | None, say: Callable[[str], None]) -> Audit:
    """Collect what is seen without any scores."""
    copies = _copies(samples)
    near: NearCopies = {}
    if look is not None:
        say("comparing look-alikes pixel by pixel")
        near = near_copies(look, copies, embeddings)
    findings = chain(
        (Finding(str(samples.ids[row]), "unreadable", "", why) for row, why in sorted(samples.failures.items())),
        (_pair_finding(samples, "copy", pair, "the same pixels") for pair in copies),
        (_pair_finding(samples, "near copy", pair, how.describe()) for pair, how in near.items()),
        _conflicts(samples, [*copies, *near]),
        (Finding(str(samples.ids[bad.row]), bad.finding, "", bad.detail) for bad in _bad_channels(look)),
        (Finding("", "confounded", "", detail) for detail in confounded(samples)),
        _rare(samples.labels),
    )
    return Audit(
        sample_id=samples.ids,
        group=_group_names(samples, [samples.digests, samples.groups], near),
        copies=_group_names(samples, [samples.digests], near),
        findings=tuple(findings),
        leaks=(),
        saw_pixels=look is not None,
    )


def _bad_channels(look: Look | None) -> Iterable[BadChannel]:
    return look.bad_channels() if look else ()


def _leak_runs(
    features: Features,
    grouped: Features,
    *,
    folds: int,
    random_state: int,
    cache: FoldCache | None,
    say: Callable[[str], None],
) -> tuple[Comparison, Comparison, Comparison]:
    """Evaluate the leak's heads on one set of folds: random, with copies together, with near copies together too."""
    heads = " and ".join(LEAK_HEADS)
    say(f"{heads} on random folds, with copies kept together, and with near copies too: seed {random_state}")
    options: dict[str, Any] = {"folds": folds, "random_state": random_state, "draws": 100, "cache": cache}
    random, copies, near_copies = (
        _completed(compare(data, heads=LEAK_HEADS, groups=groups, **options))
        for data, groups in ((features, "none"), (features, "copies"), (grouped, "copies"))
    )
    return random, copies, near_copies


def _completed(run: Comparison) -> Comparison:
    # A comparison keeps what it has on Ctrl-C; an audit of half of the heads would pass for a whole one.
    if not run.is_complete:
        raise KeyboardInterrupt
    return run


def _copies(samples: Samples) -> list[Pair]:
    """Pairs (first sample, later sample) of equal pixels."""
    digests, first, inverse = np.unique(samples.digests, return_index=True, return_inverse=True)
    originals = first[inverse]
    is_later = (digests[inverse] != "") & (originals != np.arange(len(samples)))
    return [(int(originals[row]), int(row)) for row in np.flatnonzero(is_later)]


def _group_names(samples: Samples, keys: Sequence[Strings], near: Iterable[Pair]) -> Strings:
    """Name the joined groups after their first samples."""
    numbers = join_groups(keys, near)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return samples.ids[first[inverse]]


def _pair_finding(samples: Samples, finding: str, pair: Pair, detail: str) -> Finding:
    first, later = pair
    return Finding(str(samples.ids[later]), finding, str(samples.ids[first]), detail)


def _conflicts(samples: Samples, pairs: Sequence[Pair]) -> Iterator[Finding]:
    for first, later in pairs:
        labels = samples.labels[first], samples.labels[later]
        if "" not in labels and labels[0] != labels[1]:
            yield _pair_finding(samples, "label conflict", (first, later), f"{labels[1]} here, {labels[0]} there")


def _suspicious(run: Comparison) -> Iterator[Finding]:
    """Labels that a head which never saw the sample is sure are wrong, the surest first; none if that head failed."""
    table = next((result.predictions for result in run.results if result.head == LEAK_HEADS[0]), None)
    if table is None:
        return
    probabilities = table[[f"{PROBABILITY_PREFIX}{name}" for name in run.classes]].to_numpy()
    given = probabilities[np.arange(len(table)), np.searchsorted(run.classes, table["label"])]
    highest = probabilities.max(axis=1)
    for row in np.argsort(-highest, kind="stable"):
        if highest[row] >= SURE and given[row] <= IMPOSSIBLE:
            sample_id, label, predicted = (str(table[name].iloc[row]) for name in ("sample_id", "label", "predicted"))
            detail = f"labelled {label} ({given[row]:.3f}), looks like {predicted} ({highest[row]:.3f})"
            yield Finding(sample_id, "suspicious label", "", detail)


def _rare(label: Strings) -> Iterator[Finding]:
    classes, counts = np.unique(label[label != ""], return_counts=True)
    for name, count in zip(classes, counts, strict=True):
        if count < RARE * counts.max():
            yield Finding("", "rare class", "", f"{name}: {count} samples, the largest class has {counts.max()}")


def _leaks(runs: Sequence[tuple[Comparison, Comparison, Comparison]]) -> Iterator[Leak]:
    for head in LEAK_HEADS:
        scores = [[_score_of(head, run) for run in of_one_set] for of_one_set in runs]
        whole = tuple((random, copies, near) for random, copies, near in scores if not np.isnan(random + copies + near))
        if whole:
            yield Leak(head, whole)


def _score_of(head: str, run: Comparison) -> float:
    """Balanced accuracy of a head; NaN where it failed."""
    return next((result.balanced_accuracy for result in run.results if result.head == head), np.nan)
