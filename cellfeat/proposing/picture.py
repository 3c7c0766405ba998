"""The samples of the picture: three of different classes, with values as the network gets them."""

from typing import NamedTuple

import numpy as np

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.proposing.proposal import Proposal
from cellfeat.proposing.survey import spread
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.reading.worker_pool import sample_reader

N_PICTURED = 3
_TRIED = 12
_MEASURED = 64


class Pictured(NamedTuple):
    """One sample of the picture.

    Attributes
    ----------
    name
        Its id and label.
    planes
        Its channels in [0, 1], shape ``(C, H, W)``.
    """

    name: str
    planes: np.ndarray


def pictured_samples(proposal: Proposal) -> list[Pictured]:
    """Read the samples of the picture; fewer where images cannot be read."""
    manifest, images = proposal.manifest, proposal.settings.images
    reader = sample_reader(manifest, None, max_pixels=images.max_pixels)
    policy = IntensityPolicy.from_settings(images.intensity, len(images.channels))
    try:
        policy = policy.resolved(reader, spread(len(manifest), _MEASURED))
    except ImageError:
        return []
    found: list[Pictured] = []
    for row in _rows(proposal):
        try:
            sample = reader.read_sample(row)
            limits = policy.limits(sample.pixels, sample.bits)
        except (ImageError, MissingFileError):
            continue
        lo, hi = limits.T[:, :, np.newaxis, np.newaxis]
        scaled = np.clip((sample.pixels.astype(np.float32) - lo) / (hi - lo), 0, 1)
        sample_id, label = (str(manifest.table[name].iat[row]) for name in ("sample_id", "label"))
        found.append(Pictured(f"{sample_id}: {label}" if label else sample_id, scaled))
        if len(found) == N_PICTURED:
            break
    return found


def _rows(proposal: Proposal) -> list[int]:
    """Rows to try: the middle sample of each class first, then samples spread over all."""
    labels = proposal.manifest.table["label"]
    by_class = labels[labels != ""].groupby(labels).apply(lambda rows: rows.index[len(rows) // 2])
    middles = [int(row) for row in by_class]
    chosen = [middles[place] for place in spread(len(middles), N_PICTURED)] if middles else []
    return list(dict.fromkeys([*chosen, *spread(len(labels), _TRIED)]))
