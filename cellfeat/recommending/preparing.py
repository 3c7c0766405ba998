"""From the request of an extraction to the part of its samples that recipes are compared on."""

from dataclasses import replace

import numpy as np

from cellfeat.config import Settings
from cellfeat.evaluation.design import Design
from cellfeat.extraction.context import intensity_policy
from cellfeat.extraction.first_samples import check_readable
from cellfeat.extraction.read_ahead import Decoder
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.recommending.clock import Clock
from cellfeat.recommending.part import Part, group_part
from cellfeat.recommending.reading import read_part
from cellfeat.recommending.sampling import choose_rows, labelled_rows
from cellfeat.samples.reading.file_differences import FileDifferences
from cellfeat.samples.sheets.windows import ChannelValues
from cellfeat.text import counted


def design_of(settings: Settings) -> Design:
    """Say how recipes are scored: as heads are, but folds are drawn, and given folds become groups."""
    design = Design.from_settings(settings)
    if isinstance(design.folds, str) and design.folds.startswith("column:"):
        column = design.folds.removeprefix("column:")
        is_split = column == settings.split_column
        return replace(design, folds=5, groups=design.groups if is_split else column)
    return replace(design, folds=design.n_folds)


def prepared_part(request: ExtractionRequest, design: Design, n_samples: int, clock: Clock) -> Part:
    """Choose samples, read them once, group them and split them.

    Parameters
    ----------
    request
        All samples, and what reads them.
    design
        Groups, folds and seed.
    n_samples
        How many to choose.
    clock
        Ends the reading when its share of the budget is spent.
    """
    say, manifest = request.observer.say, request.manifest
    allowed = labelled_rows(manifest, request.settings, design)
    # The first sample, before anything else: channels that do not fit the files are found at once.
    check_readable(request)
    rows = choose_rows(manifest, allowed, n_samples, design.groups, design.random_state)
    reader = request.reader()
    decoder = Decoder(reader, intensity_policy(request, reader, ChannelValues(), FileDifferences()))
    n_threads = reader.n_threads(2 if request.workers is not None else 1)
    decoded, seconds = read_part(decoder, rows, clock, n_threads=n_threads, say=say)
    part = group_part(manifest, decoded, design, seconds_per_sample=seconds, n_allowed=len(allowed), say=say)
    say(
        f"comparing on {len(part):,} of {len(allowed):,} labelled samples: {counted(len(part.classes), 'class')}, "
        f"{counted(len(np.unique(part.groups)), 'group')}, {part.labels.n_folds} folds; read after {clock.spent:.0f} s"
    )
    return part
