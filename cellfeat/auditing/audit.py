"""Audit a data set: find what would make its scores wrong."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from cellfeat.auditing.channels import bad_channels
from cellfeat.auditing.confounding import confounded
from cellfeat.auditing.findings import Audit, Finding
from cellfeat.auditing.labels import label_conflicts, pair_finding, rare_classes, suspicious_labels
from cellfeat.auditing.leak import LEAK_HEADS, LEAK_SETS, Arms, leak_arms, leaks
from cellfeat.config import Settings
from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.cache import FoldCache
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.groups import join_groups
from cellfeat.evaluation.hooks import Say, ignore_line
from cellfeat.evaluation.scoring.score import calibrated
from cellfeat.extraction.store import Features, Samples
from cellfeat.near_copies.overlap import Pair
from cellfeat.near_copies.pictures import SamplePictures, read_folder_pictures, read_pictures
from cellfeat.near_copies.search import NearCopies, near_copies
from cellfeat.types import Float32s, Strings


def audit(
    features: Features,
    *,
    images: Path | None = None,
    design: Design | None = None,
    cache: FoldCache | None = None,
    say: Say = ignore_line,
) -> Audit:
    """Find what would make scores on these samples wrong.

    Parameters
    ----------
    features
        Embeddings, labels and groups.
    images
        Folder of the images that the features were extracted from; None leaves out what needs pixels: near copies,
        constant and saturated channels.
    design
        Number of folds and first seed of the study of leaks; None for the defaults.
    cache
        Stores the predictions of each fold and reuses them. None computes all of them.
    say
        Receives what is being done.

    Raises
    ------
    FingerprintError
        If the images have changed since the features were extracted.
    ManifestError, MissingFileError, ImageError
        If the images cannot be found as the features' settings describe, or read.
    """
    pictures = None
    if images is not None:
        say(f"reading the images in {images}")
        pictures = read_pictures(features, images)
    seen = _without_scores(features.samples, pictures, features.embeddings, say)
    grouped = replace(features, samples=replace(features.samples, groups=seen.group))
    runs = list(_leak_runs(features, grouped, design or Design(), cache, say))
    return replace(seen, findings=(*seen.findings, *_suspicious(runs)), leaks=tuple(leaks(runs)))


def audit_images(settings: Settings, *, say: Say = ignore_line) -> Audit:
    """Find what would make scores wrong, before any features are extracted: everything that needs no backbone.

    Candidates for near copies are found by their spectra alone, without embeddings: on real cells this finds fewer of
    them. There are no scores, and therefore neither suspicious labels nor the price of the leak.

    Parameters
    ----------
    settings
        Where the images and labels are.
    say
        Receives what is being done.

    Raises
    ------
    ManifestError, MissingFileError, ConfigError
        If the images and labels cannot be found, or do not fit each other.
    """
    say(f"reading the images in {settings.images.root}")
    samples, pictures = read_folder_pictures(settings, say)
    return _without_scores(samples, pictures, None, say)


def _without_scores(samples: Samples, pictures: SamplePictures | None, embeddings: Float32s | None, say: Say) -> Audit:
    """Collect the findings that need no head."""
    copies = _copies(samples)
    near: NearCopies = {}
    if pictures is not None:
        say("comparing similar pictures pixel by pixel")
        near = near_copies(pictures, copies, embeddings)
    return Audit(
        sample_id=samples.ids,
        group=_group_names(samples, [samples.digests, samples.groups], near),
        copies=_group_names(samples, [samples.digests], near),
        findings=tuple(chain(_sample_findings(samples, copies, near, pictures), _class_findings(samples))),
        leaks=(),
        saw_pixels=pictures is not None,
    )


def _sample_findings(
    samples: Samples, copies: Sequence[Pair], near: NearCopies, pictures: SamplePictures | None
) -> Iterator[Finding]:
    for row, why in sorted(samples.failures.items()):
        yield Finding(str(samples.ids[row]), "unreadable", "", why)
    for pair in copies:
        yield pair_finding(samples, "copy", pair, "the same pixels")
    for pair, how in near.items():
        yield pair_finding(samples, "near copy", pair, how.describe())
    yield from label_conflicts(samples, [*copies, *near])
    for bad in bad_channels(pictures.ranges if pictures else ()):
        yield Finding(str(samples.ids[bad.row]), bad.finding, "", bad.detail)


def _class_findings(samples: Samples) -> Iterator[Finding]:
    for detail in confounded(samples):
        yield Finding("", "confounded", "", detail)
    yield from rare_classes(samples.labels)


def _leak_runs(
    features: Features, grouped: Features, design: Design, cache: FoldCache | None, say: Say
) -> Iterator[Arms]:
    """Predict several sets of folds; stop at the first that cannot be made."""
    heads = " and ".join(LEAK_HEADS)
    for seed in range(design.random_state, design.random_state + LEAK_SETS):
        say(f"{heads} on random folds, with copies kept together, and with near copies too: seed {seed}")
        try:
            # All parts of a split: a copy in another part is a leak, too.
            yield leak_arms(features, grouped, Design(folds=design.folds, random_state=seed, parts=None), cache)
        except (SplitError, HeadError) as error:
            # The findings are valid without scores, and the sets of folds so far are worth reporting.
            say(f"no scores from seed {seed} on: {error}")
            return


def _suspicious(runs: Sequence[Arms]) -> Iterator[Finding]:
    """Labels that the first leak head contradicts on the first set of folds; none where it failed."""
    if not runs:
        return
    *_, near = runs[0]
    predicted = near.predicted.get(LEAK_HEADS[0])
    if predicted is not None:
        yield from suspicious_labels(near.task, calibrated(near.task, predicted))


def _copies(samples: Samples) -> list[Pair]:
    """Pairs (first sample, later sample) of exact duplicates."""
    # `return_index` gives the first sample with each digest, and so does `first[inverse]` for each sample.
    digests, first, inverse = np.unique(samples.digests, return_index=True, return_inverse=True)
    originals = first[inverse]
    is_later = (digests[inverse] != "") & (originals != np.arange(len(samples)))
    return [(int(originals[row]), int(row)) for row in np.flatnonzero(is_later)]


def _group_names(samples: Samples, keys: Sequence[Strings], near: Iterable[Pair]) -> Strings:
    """Name the joined groups after their first samples."""
    numbers = join_groups(keys, near)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return samples.ids[first[inverse]]
