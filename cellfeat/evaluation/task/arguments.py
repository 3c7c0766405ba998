"""What public functions take, in any of its forms: features or their path, a design or none, groups given in Python."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cellfeat.config_values import FOLD_COLUMN
from cellfeat.errors import ConfigError
from cellfeat.evaluation.design import Design
from cellfeat.extraction.store import Features, as_features
from cellfeat.extraction.store.given import further_texts

GIVEN_FOLDS = "folds"
"""Name of the column of folds that were given in Python."""


def resolved(features: Features | Path | str, design: Design | None) -> tuple[Features, Design]:
    """Load features that are named by their path, and move groups and folds that the design holds as values into them.

    Parameters
    ----------
    features
        Features, or the path of their file.
    design
        How heads are evaluated; None for the defaults.

    Returns
    -------
    features
        The features, with the design's groups and folds where it holds any.
    design
        The design, whose `groups` are a word, and whose `folds` a number or a word.

    Raises
    ------
    ConfigError, MissingFileError, FeatureFileError
        If there are no such features.
    ManifestError
        If the groups or the folds do not fit the samples.
    """
    check_forms(features, design)
    features, design = as_features(features), design or Design()
    if not isinstance(design.folds, int | str):
        features = _with_column(features, GIVEN_FOLDS, design.folds)
        design = replace(design, folds=f"{FOLD_COLUMN}{GIVEN_FOLDS}")
    if isinstance(design.groups, str):
        return features, design
    return features.with_groups(design.groups), replace(design, groups="auto")


def _with_column(features: Features, name: str, values: Any) -> Features:
    """Give the samples a column of values in any form that `Features.with_labels` takes."""
    if hasattr(values, "split") and hasattr(values, "get_n_splits"):
        raise ConfigError(
            f"{name}: expected the fold of each sample, got {type(values).__name__}; make it with: for number, "
            "(_, test) in enumerate(splitter.split(X, y)): fold[test] = number"
        )
    ids = features.samples.ids
    texts = further_texts(name, values, ids, features.path, rows_are_numbered=features.is_table)
    columns = {**features.samples.columns, name: texts}
    return replace(features, samples=replace(features.samples, columns=columns))


def check_forms(features: Features | Path | str, design: Design | None) -> None:
    """Refuse what is neither features nor a path, and no design, before anything is loaded.

    Parameters
    ----------
    features, design
        As for `resolved`.

    Raises
    ------
    ConfigError
        If they are something else.
    """
    if not isinstance(features, str | Path):
        as_features(features)
    if design is not None and not isinstance(design, Design):
        raise ConfigError(
            f"design: expected a Design, got {type(design).__name__}; write cellfeat.Design(folds=5, groups=...)"
        )
