"""The samples that have a label and an embedding, with their groups."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.design import Design, leave_out_option
from cellfeat.evaluation.folds.given_folds import Places
from cellfeat.evaluation.groups.sample_groups import TABLE_SUFFIX, all_sample_groups, count_copies, keeps_near_copies
from cellfeat.evaluation.relabelling.changes import Relabelling
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.task.provenance import Provenance
from cellfeat.evaluation.task.sample_counts import Counts
from cellfeat.evaluation.task.selection import Selection
from cellfeat.extraction.store import GIVEN_GROUPS, Features, Given
from cellfeat.near_copies.duplicate_record import audited_groups, audited_path
from cellfeat.near_copies.shared_pixels import shared_pixels
from cellfeat.provenance import digest_json, versions
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.storage.opening import digest_at
from cellfeat.storage.url import Location
from cellfeat.text import first_ten
from cellfeat.types import Bools, Integers, Strings


@dataclass(frozen=True, repr=False)
class LabelledSamples:
    """Samples that could be read and have a label, with their groups.

    Attributes
    ----------
    rows
        Row numbers in the features, shape ``(n_samples,)``.
    sample_id, y, groups
        Ids, labels and group numbers, shape ``(n_samples,)``.
    classes
        All classes, in the order of the columns of probabilities: sorted, unless a saved head has another order.
    counts
        How many samples are in use, and how many are excluded.
    provenance
        Where they come from.
    parts
        Parts of a split that they are from; None where there is no split, or all parts are used.
    """

    rows: Integers
    sample_id: Strings
    y: Strings
    groups: Integers
    classes: tuple[str, ...]
    counts: Counts
    provenance: Provenance
    parts: tuple[str, ...] | None

    def __repr__(self) -> str:
        samples = f"{self.counts.n_samples:,} samples in {self.counts.n_groups:,} groups"
        return f"<{type(self).__name__} {self.provenance.features}: {samples}, {len(self.classes)} classes>"

    def bootstrap_of(self, design: Design) -> GroupBootstrap:
        """Draw the bootstrap over `y` and `groups`."""
        return GroupBootstrap(self.y, self.groups, self.classes, n_draws=design.draws, random_state=design.random_state)


def labelled_samples(
    features: Features,
    design: Design,
    *,
    labels: Given | None = None,
    is_excluded: Bools | None = None,
    places: Places | None = None,
    say: Say = ignore_line,
) -> LabelledSamples:
    """Choose the samples that have both a label and an embedding, and group them.

    Parameters
    ----------
    features, design, labels, say
        As for `prepare`.
    is_excluded
        Whether each sample is excluded although it has both, shape ``(len(features),)``.
    places
        Where each sample belongs; samples without a place are excluded. None for folds that are drawn.

    Raises
    ------
    ManifestError, SplitError, UnknownNameError
        As `prepare`, except for errors of folds.
    """
    label = chosen_labels(features, labels)
    chosen = Selection.of(features, design, label)
    is_placed = np.ones(len(label), dtype=bool) if places is None else places.value != ""
    is_ok, is_labelled = features.samples.is_ok, (label != "") & chosen.is_allowed & is_placed
    is_chosen = is_ok & is_labelled if is_excluded is None else is_ok & is_labelled & ~is_excluded
    rows = np.flatnonzero(is_chosen)
    _check_chosen(features, np.where(is_labelled, label, ""), rows, needs_all=is_excluded is None)
    # All samples, because others may join groups, and because a split may cut them.
    all_groups = all_sample_groups(features, design.groups, rows=rows, say=say)
    y, groups = label[rows], all_groups[rows]
    for line in chosen.remarks(label, all_groups):
        say(line)
    n_in_no_fold = int(np.count_nonzero(is_ok & (label != "") & chosen.is_allowed & ~is_placed))
    if n_in_no_fold and places is not None:
        say(f"folds: {n_in_no_fold} samples have no value in {places.what} and are left out")
    searches = keeps_near_copies(design.groups) and not features.is_imported
    near_copies_joined = audited_groups(features) is not None if searches else None
    provenance = _provenance(features, design, rows, y, is_audited=bool(near_copies_joined))
    if isinstance(labels, Relabelling):
        provenance = replace(provenance, relabelled=labels.judged.record())
    return LabelledSamples(
        rows=rows,
        sample_id=features.samples.ids[rows],
        y=y,
        groups=groups,
        classes=tuple(np.unique(label[is_labelled]).tolist()),
        counts=Counts(
            n_samples=len(rows),
            n_groups=len(np.unique(groups)),
            n_copies=count_copies(features.samples.digests[rows]),
            n_unlabelled=int(np.count_nonzero(is_ok & (label == "") & chosen.is_in_parts)),
            n_failed=int(np.count_nonzero(~is_ok & chosen.is_allowed)),
            near_copies_joined=near_copies_joined,
            n_other_parts=int(np.count_nonzero(~chosen.is_in_parts)),
            n_left_out=int(np.count_nonzero(chosen.is_left_out & chosen.is_in_parts)),
            n_sharing_pixels=_n_sharing_pixels(features, rows),
            n_in_no_fold=n_in_no_fold,
        ),
        provenance=provenance,
        parts=chosen.wanted,
    )


def _n_sharing_pixels(features: Features, rows: Integers) -> int | None:
    regions = features.samples.regions
    return None if regions is None else shared_pixels(regions.take(rows)).n_samples


def _check_chosen(features: Features, label: Strings, rows: Integers, *, needs_all: bool) -> None:
    """Check that there are samples, and where all are needed, of every class that has a label."""
    if not rows.size:
        raise SplitError(
            f"{features.path}: no sample has both a label and an embedding ({np.count_nonzero(label != '')} of "
            f"{len(label)} have a label, {np.count_nonzero(features.samples.is_ok)} could be read); give labels: "
            "--labels TABLE"
        )
    empty = sorted(set(label.tolist()) - {""} - set(label[rows].tolist()))
    if empty and needs_all:
        raise SplitError(
            f"{features.path}: no sample of {first_ten(empty)} could be read, and a score over the other classes would "
            f"not be one over all classes; repair the images, or leave these classes out ({leave_out_option(empty)})"
        )


def _provenance(features: Features, design: Design, rows: Integers, y: Strings, *, is_audited: bool) -> Provenance:
    table = Path(design.groups) if design.groups.endswith(TABLE_SUFFIX) else None
    samples = features.samples
    return Provenance(
        features=features.path.name,
        fingerprint=features.fingerprint,
        n_samples=len(rows),
        samples_digest=digest_json([samples.ids[rows].tolist(), samples.digests[rows].tolist(), y.tolist()]),
        groups=table.name if table else design.groups,
        groups_digest=_groups_digest(features, table or (audited_path(features.path) if is_audited else None)),
        random_state=design.random_state,
        cellfeat=versions().get("cellfeat", "unknown"),
    )


def _groups_digest(features: Features, source: Location | None) -> str | None:
    """Digest of the file of groups and of groups given in Python, as far as there are any."""
    parts = [digest_at(source)] if source else []
    parts += [features.provenance[GIVEN_GROUPS]] if GIVEN_GROUPS in features.provenance else []
    return digest_json(parts) if len(parts) > 1 else next(iter(parts), None)


def chosen_labels(features: Features, labels: Given | None) -> Strings:
    """Give each sample's label: that of `labels` where they are given, the extracted one otherwise.

    Parameters
    ----------
    features
        The samples.
    labels
        As for `Features.with_labels`; None takes the labels of the features.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``""`` where a sample has no label.

    Raises
    ------
    ManifestError, UnknownNameError
        As `Features.with_labels`.
    """
    return features.samples.labels if labels is None else features.with_labels(labels).samples.labels
