"""What public functions take, in any of its forms: features or their path, a design or none, groups given in Python."""

from dataclasses import replace
from pathlib import Path

from cellfeat.errors import ConfigError
from cellfeat.evaluation.design import Design
from cellfeat.extraction.store import Features, as_features


def resolved(features: Features | Path | str, design: Design | None) -> tuple[Features, Design]:
    """Load features that are named by their path, and move groups that the design holds as values into them.

    Parameters
    ----------
    features
        Features, or the path of their file.
    design
        How heads are evaluated; None for the defaults.

    Returns
    -------
    features
        The features, with the design's groups where it holds any.
    design
        The design, whose `groups` are a word.

    Raises
    ------
    ConfigError, MissingFileError, FeatureFileError
        If there are no such features.
    ManifestError
        If the groups do not fit the samples.
    """
    check_forms(features, design)
    features, design = as_features(features), design or Design()
    if isinstance(design.groups, str):
        return features, design
    return features.with_groups(design.groups), replace(design, groups="auto")


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
