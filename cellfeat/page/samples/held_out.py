"""Held-out samples beside those that were fitted: on one map, and with a column that says which lie apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellfeat.errors import CellfeatError
from cellfeat.evaluation.saved_heads.groups_as_fitted import shared_groups_sentence
from cellfeat.evaluation.saved_heads.unlike_fitted import Unlike
from cellfeat.extraction.store import Features, Samples
from cellfeat.maps import SampleMap
from cellfeat.page.content import Columns
from cellfeat.page.samples.placing import Places, map_at_hand, place_among, places_of
from cellfeat.statistics.apart import LEVEL, Apart, lying_apart
from cellfeat.text import clean_text, counted
from cellfeat.types import Strings

ORIGINS = ["fitted", "held out"]
PLACES = ["within", "apart"]


@dataclass(frozen=True)
class Beside:
    """Held-out samples, and the fitted ones that follow them on the page.

    Attributes
    ----------
    samples
        The held-out samples, then the fitted ones.
    n_held_out
        Number of held-out samples.
    places
        Where all of them lie on the map.
    apart
        Which held-out samples lie apart from all fitted ones.
    fitted
        The fitted samples.
    """

    samples: Samples
    n_held_out: int
    places: Places
    apart: Apart
    fitted: Features

    def add_to(self, columns: Columns) -> None:
        """Add the columns ``origin`` and ``apart``."""
        is_held_out = np.arange(len(self.samples)) < self.n_held_out
        columns.add_category("origin", is_held_out.astype(np.int64), ORIGINS, role="origin")
        apart = np.full(len(self.samples), -1)
        apart[: self.n_held_out] = self.apart.is_apart
        columns.add_category("apart", apart, PLACES, role="apart")


def beside_fitted(held_out: Features, fitted: Features) -> Beside | None:
    """Put the fitted samples beside held-out ones; None where they cannot be on one map.

    Parameters
    ----------
    held_out
        The held-out samples.
    fitted
        The samples that the head was fitted on.
    """
    if held_out.fingerprint != fitted.fingerprint or not len(held_out):
        return None
    found = map_at_hand(fitted)
    if found is None or found.components is None:
        return None
    try:
        places = place_among(found, held_out)
    except CellfeatError:
        return None
    both = joined(held_out.samples, fitted.samples)
    return Beside(both, len(held_out), places, _apart(found, held_out, fitted), fitted)


def _apart(found: SampleMap, held_out: Features, fitted: Features) -> Apart:
    assert found.components is not None
    points, known = (
        np.where(
            one.samples.is_ok[:, None], found.components(one.embeddings, np.arange(len(one))).astype(float), np.nan
        )
        for one in (held_out, fitted)
    )
    return lying_apart(points, known, fitted.samples.groups)


def joined(first: Samples, second: Samples) -> Samples:
    """Put samples after others; what only their own files say is left out.

    Parameters
    ----------
    first, second
        The samples.
    """
    names = dict.fromkeys([*first.columns, *second.columns])
    return Samples(
        ids=np.concatenate([first.ids, second.ids]),
        labels=np.concatenate([first.labels, second.labels]),
        groups=np.concatenate([first.groups, second.groups]),
        status=np.concatenate([first.status, second.status]),
        digests=np.concatenate([first.digests, second.digests]),
        columns={name: np.concatenate([_column(one, name) for one in (first, second)]) for name in names},
        failures={**first.failures, **{row + len(first): why for row, why in second.failures.items()}},
    )


def _column(samples: Samples, name: str) -> Strings:
    return samples.columns.get(name, np.full(len(samples), "", dtype=np.str_))


def held_out_sentences(record: Mapping[str, Any], beside: Beside | None) -> list[str]:
    """Say how held-out samples differ from those that were fitted, and how many lie apart from all of these.

    Parameters
    ----------
    record
        The record of the held-out scores.
    beside
        The fitted samples beside them; None where they are not at hand.
    """
    unlike = record.get("unlike_fitted")
    if unlike is None:
        lines = ["The saved head does not know what its training samples looked like: fit it again to compare them."]
    elif unlike:
        lines = [f"Unlike the training samples: {clean_text(str(Unlike(**one)))}." for one in unlike]
    else:
        lines = ["Nothing that was compared differs from the training samples: files and intensities, or columns."]
    if beside is None:
        return [*lines, "The training samples are not on the map: score with --fitted-on FEATURES to place them there."]
    is_held_out = np.arange(len(beside.samples)) < beside.n_held_out
    shared = shared_groups_sentence(beside.samples.groups[is_held_out], beside.samples.groups[~is_held_out])
    return [*lines, *([f"{clean_text(shared)}."] if shared else []), _apart_sentence(beside.apart)]


def _apart_sentence(apart: Apart) -> str:
    meaning = f"farther from training samples than {1 - LEVEL:.0%} of these are from those of other groups"
    told = (
        f"{apart.number:,} of {counted(apart.n_points, 'held-out sample')} lie apart: {meaning}"
        if apart.number
        else f"No held-out sample lies apart, {meaning}"
    )
    if apart.is_evidence:
        return f"{told}. As a set they lie apart: scores elsewhere say little about these samples."
    return f"{told}. As a set they do not lie apart."


def own_places(features: Features | None, n_samples: int, beside: Beside | None) -> Places:
    """Give the places of the samples of a page.

    Parameters
    ----------
    features
        The samples.
    n_samples
        Their number.
    beside
        The fitted samples beside them; None without.
    """
    return places_of(features, n_samples) if beside is None else beside.places
