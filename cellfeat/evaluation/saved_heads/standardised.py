"""New samples standardised within plates, as those that a saved head was fitted on."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cellfeat.errors import BundleError, ConfigError
from cellfeat.evaluation.groups.plate_names import plate_names
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.extraction.store import Features
from cellfeat.heads.preprocessing.group_standards import LEAST_SAMPLES, GroupStandards, large_groups
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.samples.column_names.words import column_meant
from cellfeat.text import counted, first_ten
from cellfeat.types import Strings

ONE_PLATE = "one"
"""Word for new samples that are all of one plate."""


def standardised_as_fitted(
    bundle: Bundle, features: Features, plates: str | None = None, say: Say = ignore_line
) -> Features:
    """Standardise new samples within plates, if the head was fitted so; otherwise give them as they are.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The new samples, of the recipe that the head was fitted on.
    plates
        Column that names their plates, or ``"one"`` for all being of one plate; None: the column as at fitting.
    say
        Receives how they are standardised.

    Raises
    ------
    BundleError
        If the samples have no such column.
    ConfigError
        If plates are named and the head was fitted without.
    """
    standards = bundle.standards
    if standards is None:
        if plates is not None:
            raise ConfigError(
                "standardise: the head was fitted on samples that were not standardised within plates, so new ones "
                "must not be either; fit it with --standardise COLUMN"
            )
        return features
    names = _names(bundle, features, plates)
    is_ok = features.samples.is_ok
    if not is_ok.any():
        return features
    embeddings = np.full(features.embeddings.shape, np.nan, np.float32)
    readable = features.embeddings[is_ok]
    here = standards.for_new(readable, names[is_ok])
    embeddings[is_ok] = here(readable, names[is_ok])
    for line in _remarks(here, names[is_ok]):
        say(line)
    return replace(features, embeddings=embeddings)


def _names(bundle: Bundle, features: Features, plates: str | None) -> Strings:
    columns = features.samples.columns
    fitted = bundle.scores.get("standardise")
    word = plates or (fitted if isinstance(fitted, str) else "group")
    if word == ONE_PLATE and word not in columns:
        return np.full(len(features), "all samples")
    word = column_meant(word, columns)
    if word not in columns and word != "group" and not word.endswith(".csv") and "+" not in word:
        raise BundleError(
            f"{features.path}: has no column {word!r}, and the head standardises new samples within each of its "
            f"values; name their plates with --standardise COLUMN ({first_ten(columns) or 'there is no column'}), or "
            f"say --standardise {ONE_PLATE} if all are of one plate"
        )
    return plate_names(features, word)


def _remarks(standards: GroupStandards, names: Strings) -> Iterator[str]:
    n_unknown = int(np.count_nonzero(~np.isin(names, list(standards.groups))))
    if standards.is_transductive:
        n_plates = len(large_groups(names))
        yield (
            f"standardised within {counted(n_plates, 'plate')}, by medians of these samples themselves "
            "(transductive): a plate should have about the mixture of classes that training plates had"
        )
        why = f"of no plate, or of one with fewer than {LEAST_SAMPLES} samples,"
    else:
        yield f"standardised by the medians of {counted(len(standards.groups), 'plate')} at fitting"
        why = "of plates that were not there at fitting"
    if n_unknown:
        yield (
            f"warning: {counted(n_unknown, 'sample')} {why} are standardised by the medians of all training samples: "
            "what their plate adds is not removed"
        )
