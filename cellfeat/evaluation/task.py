"""What every head of a comparison is given: the same samples, the same folds and the same bootstrap draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from cellfeat.errors import ManifestError, SplitError
from cellfeat.evaluation.folds import Fold, grouped_folds
from cellfeat.evaluation.groups import TABLE_SUFFIX, count_copies, sample_groups, takes_audited
from cellfeat.extraction.store import Features, Status
from cellfeat.near_copies.duplicate_record import audited_groups, audited_path
from cellfeat.provenance import canonical_json, digest_bytes, digest_file, digest_json, versions
from cellfeat.statistics.bootstrap import GroupBootstrap
from cellfeat.text import first_ten
from cellfeat.types import Bools, Floats, Integers, Strings


@dataclass(frozen=True)
class Design:
    """How heads are evaluated.

    Parameters
    ----------
    folds
        Number of folds, at least 2.
    groups
        What must not straddle a fold: see `sample_groups`.
    random_state
        Seed of the folds, of the heads and of the bootstrap.
    draws
        Bootstrap draws behind each interval.
    calibrate
        ``"temperature"`` or ``"none"``: what is done to the heads' probabilities.
    tune
        Settings tried inside the training part of each fold, those given among them; 0 keeps those given.
    """

    folds: int = 5
    groups: str = "auto"
    random_state: int = 0
    draws: int = 2000
    calibrate: Literal["temperature", "none"] = "temperature"
    tune: int = 0


@dataclass(frozen=True)
class Counts:
    """How many samples there are, of which kinds.

    Parameters
    ----------
    n_samples
        Samples used: read, and labelled.
    n_groups
        Their groups.
    n_copies
        Samples used whose pixels an earlier one has already.
    n_unlabelled, n_failed
        Samples left out for want of a label, or of an embedding.
    near_copies_joined
        Whether near copies are kept together, as an audit of these samples found them; None where that was not asked
        for, or a table says what belongs together.
    """

    n_samples: int
    n_groups: int
    n_copies: int
    n_unlabelled: int
    n_failed: int
    near_copies_joined: bool | None


@dataclass(frozen=True)
class Provenance:
    """What results are of: it stands in each of their files, so that none passes for another's.

    Parameters
    ----------
    features
        Name of the feature file.
    fingerprint
        Its fingerprint.
    n_samples
        Samples used.
    samples_digest
        sha256 of their ids, pixels and labels, in order: the fingerprint says nothing of these.
    groups
        ``"auto"``, ``"copies"``, ``"none"``, the column of groups or the name of their table.
    groups_digest
        sha256 of that table, or of the record of the audit that was taken; None where there is neither.
    random_state
        Seed of the folds, of the heads and of the bootstrap.
    cellfeat
        Version that computed them.
    """

    features: str
    fingerprint: str
    n_samples: int
    samples_digest: str
    groups: str
    groups_digest: str | None
    random_state: int
    cellfeat: str


@dataclass(frozen=True)
class LabelledSamples:
    """Samples that were read and are labelled, with what must not be torn apart.

    Parameters
    ----------
    rows
        Their row numbers in the features, shape ``(n_samples,)``.
    sample_id, y, groups
        Of these samples, shape ``(n_samples,)``.
    classes
        All classes, in the order of the columns of probabilities: sorted, where no saved head has another.
    """

    rows: Integers
    sample_id: Strings
    y: Strings
    groups: Integers
    classes: tuple[str, ...]
    counts: Counts
    provenance: Provenance

    def bootstrap_of(self, design: Design) -> GroupBootstrap:
        """Draw intervals over `y` and `groups`."""
        return GroupBootstrap(self.y, self.groups, self.classes, n_draws=design.draws, random_state=design.random_state)


@dataclass(frozen=True)
class Task(LabelledSamples):
    """What every head is given: the same samples, the same folds and the same bootstrap draws.

    Parameters
    ----------
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``.
    folds
        One split a fold.
    bootstrap
        Intervals over `y` and `groups`.
    """

    embeddings: Floats
    folds: tuple[Fold, ...]
    bootstrap: GroupBootstrap
    design: Design

    @cached_property
    def digest(self) -> str:
        """Digest of the samples' embeddings and labels."""
        embeddings, y = np.ascontiguousarray(self.embeddings), self.y.tolist()
        return digest_bytes(canonical_json([embeddings.shape, self.classes, y]).encode(), embeddings.data)


def prepare(
    features: Features,
    design: Design,
    *,
    labels: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Task:
    """Choose the samples, split them and draw the bootstrap, once for all heads.

    Parameters
    ----------
    labels
        As for `compare`.
    say
        Told what is strange about the groups: see `sample_groups`.

    Raises
    ------
    ManifestError
        If `labels` has an id that the features lack.
    SplitError, UnknownNameError
        If the samples cannot be grouped or split as asked.
    """
    samples = labelled_samples(features, design, labels=labels, say=say)
    try:
        folds = grouped_folds(samples.y, samples.groups, design.folds, random_state=design.random_state)
    except SplitError as error:
        if not samples.counts.near_copies_joined:
            raise
        raise SplitError(
            f"{error}; near copies are kept together, as {audited_path(features.path)} has them: --groups copies does "
            "without"
        ) from None
    return Task(
        **vars(samples),
        embeddings=features.embeddings[samples.rows],
        folds=tuple(folds),
        bootstrap=samples.bootstrap_of(design),
        design=design,
    )


def labelled_samples(
    features: Features,
    design: Design,
    *,
    labels: Mapping[str, str] | None = None,
    is_left_out: Bools | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> LabelledSamples:
    """Choose the samples that have both a label and an embedding, and group them.

    Parameters
    ----------
    labels, say
        As for `prepare`.
    is_left_out
        Which samples are none of them all the same, shape ``(len(features),)``.

    Raises
    ------
    ManifestError, SplitError, UnknownNameError
        As for `prepare`, where no fold has a part in it.
    """
    label = chosen_labels(features, labels)
    is_ok, is_labelled = features.samples.status == Status.OK, label != ""
    is_chosen = is_ok & is_labelled if is_left_out is None else is_ok & is_labelled & ~is_left_out
    rows = np.flatnonzero(is_chosen)
    if not rows.size:
        raise SplitError(
            f"{features.path}: no sample has both a label and an embedding ({np.count_nonzero(is_labelled)} of "
            f"{len(label)} are labelled, {np.count_nonzero(is_ok)} were read); give labels"
        )
    y, groups = label[rows], sample_groups(features, design.groups, rows=rows, say=say)
    classes = tuple(np.unique(label[is_labelled]).tolist())
    empty = sorted(set(classes) - set(y.tolist()))
    if empty:
        raise SplitError(
            f"{features.path}: no sample of {first_ten(empty)} could be read, and a score over the other classes would "
            f"not be one over all; mend the images, or leave these classes out of the labels"
        )
    near_copies_joined = audited_groups(features) is not None if takes_audited(design.groups) else None
    return LabelledSamples(
        rows=rows,
        sample_id=features.samples.ids[rows],
        y=y,
        groups=groups,
        classes=classes,
        counts=Counts(
            n_samples=len(rows),
            n_groups=len(np.unique(groups)),
            n_copies=count_copies(features.samples.digests[rows]),
            n_unlabelled=int(np.count_nonzero(is_ok & ~is_labelled)),
            n_failed=int(np.count_nonzero(~is_ok)),
            near_copies_joined=near_copies_joined,
        ),
        provenance=_provenance(features, design, rows, y, is_audited=bool(near_copies_joined)),
    )


def _provenance(features: Features, design: Design, rows: Integers, y: Strings, *, is_audited: bool) -> Provenance:
    table = Path(design.groups) if design.groups.endswith(TABLE_SUFFIX) else None
    source = table or (audited_path(features.path) if is_audited else None)
    return Provenance(
        features=features.path.name,
        fingerprint=features.fingerprint,
        n_samples=len(rows),
        samples_digest=digest_json(
            [features.samples.ids[rows].tolist(), features.samples.digests[rows].tolist(), y.tolist()]
        ),
        groups=table.name if table else design.groups,
        groups_digest=digest_file(source) if source else None,
        random_state=design.random_state,
        cellfeat=versions().get("cellfeat", "unknown"),
    )


def chosen_labels(features: Features, labels: Mapping[str, str] | None) -> Strings:
    """Each sample's label, shape ``(n_samples,)``: that of `labels` where there are any, else the extracted one.

    Raises
    ------
    ManifestError
        If `labels` has an id that the features lack.
    """
    if labels is None:
        return features.samples.labels
    strange = sorted(labels.keys() - set(features.samples.ids.tolist()))
    if strange:
        raise ManifestError(
            f"labels: expected ids of {features.path}, got {len(strange)} that it lacks: {first_ten(strange)}; "
            "leave them out, or extract features for them"
        )
    return np.array([labels.get(sample_id, "") for sample_id in features.samples.ids.tolist()], dtype=str)
