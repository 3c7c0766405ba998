"""Audit a data set: find what would make its scores wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from cellfeat.auditing.channels import bad_channels
from cellfeat.auditing.confounding import confounded
from cellfeat.auditing.findings import Audit, ChanceOfNearCopies, Finding
from cellfeat.auditing.labels import label_conflicts, pair_finding, rare_classes, suspicious_labels
from cellfeat.auditing.large_groups import large_groups
from cellfeat.auditing.leak import LEAK_HEADS, LEAK_SETS, Arms, classes_to_leave_out, leak_arms, leaks
from cellfeat.auditing.overlapping_crops import OverlappingCrops, overlapping_crops
from cellfeat.auditing.probe_results import Probes
from cellfeat.auditing.probes import probe_shortcuts, split_samples
from cellfeat.config import Settings
from cellfeat.errors import HeadError, SplitError
from cellfeat.evaluation.cross_validation.out_of_fold import OutOfFold
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.groups.sample_groups import group_keys, join_groups, keeps_near_copies
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.scoring.score import calibrated
from cellfeat.evaluation.task.arguments import resolved
from cellfeat.extraction.store import Features, Samples
from cellfeat.near_copies.exact_duplicates import exact_duplicates
from cellfeat.near_copies.joining import Joining, declared, join
from cellfeat.near_copies.overlap import Pair, Shape
from cellfeat.near_copies.pictures import SamplePictures, read_folder_pictures, read_pictures
from cellfeat.near_copies.placement import Placement
from cellfeat.near_copies.search import near_copies
from cellfeat.storage.url import Location, as_location
from cellfeat.text import first_ten
from cellfeat.types import Strings


def audit(
    features: Features | Path | str,
    *,
    images: Location | str | None = None,
    design: Design | None = None,
    cache: FoldCache | None = None,
    say: Say = ignore_line,
) -> Audit:
    """Find what would make scores on these samples wrong.

    Parameters
    ----------
    features
        Embeddings, labels and groups, or the path of a feature file. Other labels: `Features.with_labels`.
    images
        Folder of the images that the features were extracted from; None leaves out what needs pixels: near copies,
        constant and saturated channels.
    design
        Number of folds and first seed of the study of leaks, and the groups that the audit keeps together: see
        `cellfeat.evaluation.groups.sample_groups.sample_groups`. None for the defaults.
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
    features, design = resolved(features, design)
    pictures = None
    if images is not None and features.is_imported:
        say("the features were imported from a table: no images are read")
    elif images is not None:
        say(f"reading the images in {images}")
        pictures = read_pictures(features, as_location(images))
    design = replace(design, parts=None)
    grouping = _Grouping.of(features.samples, design.groups, features.path, say)
    seen = _without_scores(features.samples, pictures, grouping, say)
    grouped = replace(features, samples=replace(features.samples, groups=seen.group))
    design = _without_rare_classes(features, grouped, design, say)
    runs = list(_leak_runs(features, grouped, design, cache, say))
    probed = _with_probes(seen, grouped.samples, pictures, design, say, head=_first_head(runs))
    return replace(probed, findings=(*probed.findings, *_suspicious(runs)), leaks=tuple(leaks(runs)))


def audit_images(settings: Settings, *, say: Say = ignore_line) -> Audit:
    """Find what would make scores wrong, before any features are extracted: everything that needs no backbone.

    No head sees the samples, so there are neither suspicious labels nor the price of the leak.

    Parameters
    ----------
    settings
        Where the images and labels are, the groups that the audit keeps together, and how many folds the shortcut
        probes are scored on.
    say
        Receives what is being done.

    Raises
    ------
    ManifestError, MissingFileError, ConfigError
        If the images and labels cannot be found, or do not fit each other.
    """
    say(f"reading the images in {settings.images.root}")
    samples, pictures = read_folder_pictures(settings, say)
    grouping = _Grouping.of(samples, settings.comparison.groups, settings.images.root, say)
    seen = _without_scores(samples, pictures, grouping, say)
    design = replace(Design.from_settings(settings), parts=None, leave_out=())
    return _with_probes(seen, replace(samples, groups=seen.group), pictures, design, say)


@dataclass(frozen=True)
class _Grouping:
    """What the audit keeps together: samples of equal keys, and near copies if they are kept."""

    keys: Sequence[Strings]
    keeps_near_copies: bool

    @classmethod
    def of(cls, samples: Samples, groups: str, where: Location, say: Say) -> "_Grouping":
        return cls(group_keys(samples, groups, where, say=say), keeps_near_copies(groups))


def _without_scores(samples: Samples, pictures: SamplePictures | None, grouping: _Grouping, say: Say) -> Audit:
    """Collect the findings that need no head."""
    copies, crops = exact_duplicates(samples.digests), overlapping_crops(samples)
    near, shapes = Joining({}, {}, {}), {}
    if pictures is not None:
        say("comparing the pictures pixel by pixel")
        shapes = dict(zip(pictures.rows.tolist(), pictures.shapes, strict=True))
        found = near_copies(pictures, copies, samples.regions)
        near = join(found, declared(samples.groups, samples.columns, samples.regions), shapes)
        for remark in near.remarks:
            say(remark)
    group = _group_names(samples, grouping.keys, near.joined if grouping.keeps_near_copies else ())
    return Audit(
        sample_id=samples.ids,
        group=group,
        copies=_group_names(samples, [samples.digests], near.joined),
        findings=tuple(
            chain(
                _sample_findings(samples, copies, near, crops, shapes),
                _bad_channels(samples, pictures),
                _class_findings(samples),
                large_groups(group),
            )
        ),
        leaks=(),
        saw_pixels=pictures is not None,
        chance=ChanceOfNearCopies(near.expected_false, near.n_controls) if pictures is not None else None,
        samples_digest=samples.digest,
    )


def _with_probes(
    found: Audit,
    grouped: Samples,
    pictures: SamplePictures | None,
    design: Design,
    say: Say,
    head: OutOfFold | None = None,
) -> Audit:
    """Add what the shortcut probes tell, on folds that keep near copies together."""
    say("probing what tells the class without the cells: files, names, positions, borders, intensities")
    try:
        probes = probe_shortcuts(grouped, split_samples(grouped, design), pictures, head)
    except SplitError as error:
        say(f"shortcut probes left out: {error}")
        return found
    return replace(found, probes=probes, findings=(*found.findings, *_shortcuts(probes)))


def _shortcuts(probes: Probes) -> Iterator[Finding]:
    for probe in probes.telling:
        if probe.is_shortcut:
            yield Finding("", "shortcut", "", probes.sentence(probe))


def _first_head(runs: Sequence[Arms]) -> OutOfFold | None:
    """Predictions of the first leak head on the folds that keep near copies together; None where it failed."""
    return runs[0][-1].predicted.get(LEAK_HEADS[0]) if runs else None


def _sample_findings(
    samples: Samples, copies: Sequence[Pair], near: Joining, crops: OverlappingCrops, shapes: Mapping[int, Shape]
) -> Iterator[Finding]:
    for row, why in sorted(samples.failures.items()):
        yield Finding(str(samples.ids[row]), "unreadable", "", why)
    placed = _placements(samples, copies, near, shapes) | _crop_placements(samples, crops)
    for pair in copies:
        yield pair_finding(samples, "copy", pair, "the same pixels", placed[pair])
    for pair, how in near.joined.items():
        yield pair_finding(samples, "near copy", pair, how.describe(), placed[pair])
    for pair, where in near.crossing.items():
        yield pair_finding(samples, "crossing copy", pair, f"equal pixels, but {where}", placed[pair])
    for pair, why in near.apart.items():
        yield pair_finding(samples, "look-alike", pair, f"{why}: not kept together", placed[pair])
    yield from crops.findings
    same_cell = [pair for pair, how in near.joined.items() if how.shows_same_cell]
    alike = dict.fromkeys([*copies, *same_cell, *crops.of_same_cell])
    yield from label_conflicts(samples, {pair: placed[pair] for pair in alike})


def _placements(
    samples: Samples, copies: Sequence[Pair], near: Joining, shapes: Mapping[int, Shape]
) -> dict[Pair, Placement | None]:
    """Where the later sample of each pair lies on the first."""
    found: dict[Pair, Placement | None] = {pair: _copy_placement(samples, pair[0]) for pair in copies}
    for pair, how in near.related.items():
        first, later = (shapes.get(row) for row in pair)
        found[pair] = Placement.of(how, (first, later)) if first and later else None
    return found


def _copy_placement(samples: Samples, row: int) -> Placement | None:
    """An exact duplicate lies on all of its original."""
    if samples.properties is None or not samples.properties.records["height"][row]:
        return None
    width, height = (int(samples.properties.records[name][row]) for name in ("width", "height"))
    return Placement(0, 0, 0, False, width, height)


def _crop_placements(samples: Samples, crops: OverlappingCrops) -> dict[Pair, Placement | None]:
    regions = samples.regions
    return {} if regions is None else {pair: Placement.of_boxes(regions, *pair) for pair in crops.of_same_cell}


def _bad_channels(samples: Samples, pictures: SamplePictures | None) -> Iterator[Finding]:
    for bad in bad_channels(pictures.ranges if pictures else ()):
        yield Finding(str(samples.ids[bad.row]), bad.finding, "", bad.detail)


def _class_findings(samples: Samples) -> Iterator[Finding]:
    for detail in confounded(samples):
        yield Finding("", "confounded", "", detail)
    yield from rare_classes(samples.labels)


def _without_rare_classes(features: Features, grouped: Features, design: Design, say: Say) -> Design:
    """The design of what is scored, without the classes that cannot be split."""
    design = replace(design, leave_out=())
    try:
        rare = classes_to_leave_out(features, grouped, replace(design, groups="copies"))
    except SplitError:  # said where the folds are made
        return design
    if rare:
        say(
            f"classes of fewer groups than {design.n_folds} folds are left out of the price of the leak, the shortcut "
            f"probes and the suspicious labels: {first_ten(rare)}; fewer folds may include them (--folds 2)"
        )
    return replace(design, leave_out=rare)


def _leak_runs(
    features: Features, grouped: Features, design: Design, cache: FoldCache | None, say: Say
) -> Iterator[Arms]:
    """Predict several sets of folds; stop at the first that cannot be made."""
    heads = " and ".join(LEAK_HEADS)
    for seed in range(design.random_state, design.random_state + LEAK_SETS):
        number = seed - design.random_state + 1
        say(f"measuring the price of the leak with {heads}: set of folds {number} of {LEAK_SETS}")
        try:
            # All parts of a split: a copy in another part is a leak, too.
            folds = Design(folds=design.n_folds, random_state=seed, parts=None, leave_out=design.leave_out)
            yield leak_arms(features, grouped, folds, cache)
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


def _group_names(samples: Samples, keys: Sequence[Strings], near: Iterable[Pair]) -> Strings:
    """Name the joined groups after their first samples."""
    numbers = join_groups(keys, near)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return samples.ids[first[inverse]]
