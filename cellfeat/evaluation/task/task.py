"""The samples, folds and bootstrap draws that all heads share."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np

from cellfeat.errors import SplitError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.folds.given_folds import (
    Places,
    checked_folds,
    few_groups_remarks,
    fold_remarks,
    given_folds,
    rare_class_remarks,
)
from cellfeat.evaluation.folds.grouped_folds import grouped_folds
from cellfeat.evaluation.groups.sample_groups import join_groups, sample_groups
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.task.arguments import resolved
from cellfeat.evaluation.task.chosen_embeddings import ChosenEmbeddings
from cellfeat.evaluation.task.labelled_samples import LabelledSamples, labelled_samples
from cellfeat.evaluation.task.standardised_plates import Plates, check_plates, task_embeddings
from cellfeat.extraction.store import Features, Given
from cellfeat.near_copies.duplicate_record import audited_path
from cellfeat.provenance import canonical_json, digest_chunks
from cellfeat.statistics.claims import widening
from cellfeat.statistics.intervals import GroupBootstrap
from cellfeat.types import Integers


@dataclass(frozen=True, repr=False)
class Task(LabelledSamples):
    """Samples with embeddings, folds and bootstrap draws.

    Attributes
    ----------
    embeddings
        Shape ``(n_samples, n_views, embedding_dim)``; rows are copied out of the features when they are needed.
    folds
        One split a fold.
    design
        How heads are evaluated on them.
    scaling
        How the embeddings are scaled before any head, inside the training part: the ``scaling`` of the recipe.
    units
        Number of the unit of each sample that counts as independent within a given fold, shape ``(n_samples,)``; None:
        its group.
    plates
        How the samples are standardised within plates; None for not at all.
    """

    embeddings: ChosenEmbeddings
    folds: tuple[Fold, ...]
    design: Design
    scaling: str = "none"
    units: Integers | None = None
    plates: Plates | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Not what is computed when it is first used: draws of the bootstrap would be sent with every piece of work.
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def bootstrap(self) -> GroupBootstrap:
        """Intervals over `y` and `groups`. Drawn when first used, because some studies need no interval."""
        return self.bootstrap_of(self.design)

    @property
    def shared_bytes(self) -> int:
        """Size of the arrays that other processes need: the embeddings, and their mean over several views."""
        n_samples, n_views, embedding_dim = self.embeddings.shape
        return 4 * n_samples * embedding_dim * (n_views + (1 if n_views > 1 else 0))

    @property
    def widening(self) -> float:
        """Factor of a standard error that covers other training samples, too; not for `tested`, without training."""
        return widening([len(fold.test) for fold in self.folds], [len(fold.train) for fold in self.folds])

    @cached_property
    def digest(self) -> str:
        """Digest of the samples' embeddings and labels."""
        known = canonical_json([self.embeddings.shape, self.classes, self.y.tolist()]).encode()
        return digest_chunks(chain([known], (np.ascontiguousarray(one).data for one in self.embeddings.blocks())))

    def with_folds(self, folds: tuple[Fold, ...]) -> Self:
        """Give the same samples other folds. The bootstrap does not depend on the folds and is drawn once for both."""
        other = replace(self, folds=folds)
        # Into the dict, where `cached_property` looks: a frozen dataclass refuses an assignment.
        vars(other.tested)["bootstrap"] = self.tested.bootstrap
        return other

    @cached_property
    def tested(self) -> "Task":
        """The samples that a fold tests, which are all of them unless the folds are a single split.

        Its folds have no training parts where it differs from the task.
        """
        rows = np.sort(np.concatenate([fold.test for fold in self.folds]))
        if len(rows) == len(self.y):
            return self
        place = np.full(len(self.y), -1)
        place[rows] = np.arange(len(rows))
        nothing = np.empty(0, dtype=np.intp)
        groups = self.groups[rows]
        counts = replace(
            self.counts,
            n_samples=len(rows),
            n_groups=len(np.unique(groups)),
            n_only_fitted=len(self.rows_to_fit),
        )
        return replace(
            self,
            rows=self.rows[rows],
            sample_id=self.sample_id[rows],
            y=self.y[rows],
            groups=groups,
            counts=counts,
            embeddings=self.embeddings.take(rows),
            folds=tuple(replace(fold, train=nothing, test=place[fold.test]) for fold in self.folds),
            units=None if self.units is None else self.units[rows],
            plates=None if self.plates is None else self.plates.take(rows),
        )

    @property
    def rows_to_fit(self) -> Integers:
        """Samples that a head to keep is fitted on: all, or those of a single split's training part, shape ``(n,)``."""
        return self.folds[0].train if len(self.folds) == 1 else np.arange(len(self.y))


def prepare(
    features: Features,
    design: Design,
    *,
    labels: Given | None = None,
    say: Say = ignore_line,
) -> Task:
    """Choose the samples and split them, once for all heads.

    Parameters
    ----------
    features
        Embeddings, labels and groups.
    design
        How heads are evaluated.
    labels
        As for `cellfeat.compare`.
    say
        Receives remarks about the groups: see `sample_groups`.

    Raises
    ------
    ManifestError
        If `labels` or the groups of the design do not fit the samples.
    SplitError, UnknownNameError, ConfigError
        If the samples cannot be chosen, grouped or split as asked.
    """
    features, design = resolved(features, design)
    design = replace(design, folds=checked_folds(design.folds))
    places = Places.of(features, design)
    if places is not None:
        return _prepare_given(features, design, places, labels, say)
    samples = labelled_samples(features, design, labels=labels, say=say)
    try:
        folds = grouped_folds(samples.y, samples.groups, design.n_folds, random_state=design.random_state)
    except SplitError as error:
        if not samples.counts.near_copies_joined:
            raise
        raise SplitError(
            f"{error}; near copies are kept together, as recorded in {audited_path(features.path)}: use --groups "
            "copies to ignore that record"
        ) from None
    for line in (*few_groups_remarks(samples.groups), *rare_class_remarks(samples.y, samples.groups)):
        say(line)
    # Without a split, the design of the results names no parts.
    design = replace(design, parts=samples.parts)
    plates = _plates(features, design, samples, say)
    return Task(
        **vars(samples),
        embeddings=task_embeddings(features, samples.rows, plates),
        folds=tuple(folds),
        design=design,
        scaling=features.scaling,
        plates=plates,
    )


def _prepare_given(features: Features, design: Design, places: Places, labels: Given | None, say: Say) -> Task:
    """Prepare a task whose folds are given."""
    chosen = places.design_of_samples(design)
    samples = labelled_samples(features, chosen, labels=labels, say=say, places=places)
    folds = given_folds(places, samples.rows, samples.y, samples.groups, design)
    for line in fold_remarks(places, folds, samples.y, samples.groups, design):
        say(line)
    if not places.is_split:
        design = replace(design, parts=samples.parts)
    plates = _plates(features, design, samples, say)
    return Task(
        **vars(samples),
        embeddings=task_embeddings(features, samples.rows, plates),
        folds=folds,
        design=design,
        scaling=features.scaling,
        units=_units(features, samples),
        plates=plates,
    )


def _plates(features: Features, design: Design, samples: LabelledSamples, say: Say) -> Plates | None:
    plates = Plates.of(features, design, samples.rows)
    if plates is not None:
        for line in check_plates(plates, samples.y, str(design.standardise)):
            say(line)
    return plates


def _units(features: Features, samples: LabelledSamples) -> Integers:
    """Units within a fold: the groups of the manifest where they are finer than the groups in use, else copies."""
    finer = sample_groups(features, rows=samples.rows)
    if len(np.unique(finer)) > len(np.unique(samples.groups)):
        return finer
    return join_groups([features.samples.digests])[samples.rows]
