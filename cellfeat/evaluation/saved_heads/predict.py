"""A saved head on other features: predicted classes for samples without labels."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellfeat.errors import ConfigError, FingerprintError
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.evaluation.results.head_results import PROBABILITY_PREFIX
from cellfeat.evaluation.saved_heads.apart_from_fitted import ApartFromFitted, apart_from_fitted
from cellfeat.evaluation.saved_heads.standardised import standardised_as_fitted
from cellfeat.evaluation.saved_heads.unlike_fitted import Unlike, unlike_fitted
from cellfeat.evaluation.scoring.prediction_sets import PredictionSets, sets_of
from cellfeat.extraction.store import Features, as_features, is_imported
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import as_bundle
from cellfeat.html_text import html_block
from cellfeat.provenance import differences
from cellfeat.text import clean_lines, shorten


@dataclass(frozen=True, repr=False, eq=False)
class Predictions:
    """Predictions for samples, in their order.

    Attributes
    ----------
    sample_id
        Ids, shape ``(n_samples,)``.
    predicted
        The most probable class, shape ``(n_samples,)``; ``""`` where the sample could not be read, and the word for
        "not sure" where the head abstained.
    probabilities
        Shape ``(n_samples, n_classes)``; NaN where the sample could not be read.
    classes
        The columns of `probabilities`.
    abstained
        Whether no class was probable enough, shape ``(n_samples,)``.
    sets
        The classes that cannot be ruled out; None where no coverage was asked for.
    unlike_fitted
        How the samples differ from those that the head was fitted on; None where the head does not know.
    apart
        Which samples lie apart from those that the head was fitted on; None where the head keeps none of these.
    """

    sample_id: NDArray[np.str_]
    predicted: NDArray[np.str_]
    probabilities: NDArray[np.floating]
    classes: tuple[str, ...]
    abstained: NDArray[np.bool_]
    sets: PredictionSets | None = None
    unlike_fitted: tuple[Unlike, ...] | None = None
    apart: ApartFromFitted | None = None

    def table(self) -> pd.DataFrame:
        """Table of the samples, with ``sample_id`` as index.

        The columns are ``predicted``, ``abstained`` and ``probability``, that of the most probable class; ``set`` and
        ``set_size`` where a coverage was asked for; ``apart_p`` where the head knows its training samples; and
        ``probability_<class>`` for each class.
        """
        index = pd.Index(self.sample_id, name="sample_id")
        columns = {"predicted": self.predicted, "abstained": self.abstained, "probability": self.probability}
        first = pd.DataFrame(columns, index=index)
        if self.sets is not None:
            first = first.assign(set=self.sets.names(), set_size=self.sets.sizes)
        if self.apart is not None:
            first = first.assign(apart_p=self.apart.p_values)
        by_class = [f"{PROBABILITY_PREFIX}{name}" for name in self.classes]
        return first.join(pd.DataFrame(self.probabilities, index=index, columns=by_class))

    def __repr__(self) -> str:
        abstained = f", {self.n_abstained:,} abstained" if self.n_abstained else ""
        failed = f", {self.n_failed:,} could not be read" if self.n_failed else ""
        return f"<Predictions of {len(self.sample_id):,} samples, {len(self.classes)} classes{abstained}{failed}>"

    def _repr_html_(self) -> str:
        return html_block([repr(self)[1:-1]], ["predicted", "samples"], self.counts())

    def __str__(self) -> str:
        return clean_lines("\n".join([repr(self)[1:-1], *(f"{shorten(name)}: {n:,}" for name, n in self.counts())]))

    def counts(self) -> list[tuple[str, int]]:
        """Number of samples by predicted class; those without a prediction last."""
        found = Counter(self.predicted[self.is_read & ~self.abstained].tolist())
        without = [("(abstained)", self.n_abstained), ("(could not be read)", self.n_failed)]
        return [*((name, found[name]) for name in self.classes), *(one for one in without if one[1])]

    @property
    def probability(self) -> NDArray[np.floating]:
        """Probability of the most probable class, shape ``(n_samples,)``; NaN where the sample could not be read."""
        return self.probabilities.max(axis=1)

    @property
    def is_read(self) -> NDArray[np.bool_]:
        """Whether each sample could be read, shape ``(n_samples,)``."""
        return ~np.isnan(self.probabilities).all(axis=1)

    @property
    def n_failed(self) -> int:
        """Samples that could not be read."""
        return int((~self.is_read).sum())

    @property
    def n_abstained(self) -> int:
        """Samples that could be read, for which no class was probable enough."""
        return int(self.abstained.sum())


def predict(
    bundle: Bundle | Path | str,
    features: Features | pd.DataFrame | Path | str,
    *,
    min_probability: float = 0.0,
    abstain_word: str = "",
    coverage: float | None = None,
    standardise: str | None = None,
    say: Say = ignore_line,
) -> Predictions:
    """Predict the class of every sample that could be read.

    Parameters
    ----------
    bundle
        The saved head, or its folder.
    features
        The samples, or the path of their feature file, extracted with the recipe that it was fitted on. For a head that
        was fitted on a table, also a DataFrame with its columns, among others and in any order.
    min_probability
        The head abstains where the most probable class has a lower probability, in [0, 1].
    abstain_word
        Written instead of a class where the head abstains; no class may have this name.
    coverage
        How often a sample's set should hold the true class, for each class, between 0 and 1: see
        `cellfeat.evaluation.scoring.prediction_sets`.
    standardise
        For a head that standardises within plates: the column of the samples' plates, or ``"one"`` for a single
        plate; None: the column as at fitting.
    say
        Receives how samples are standardised within plates.

    Raises
    ------
    ConfigError
        If `min_probability` or `coverage` is out of range, `abstain_word` is a class, or `standardise` is given and the
        head does not standardise.
    ManifestError
        If a DataFrame lacks columns.
    BundleError
        If sets are asked for and the saved head lacks what they need, or the samples name no plates that it needs.
    FingerprintError
        If the features were extracted with another recipe than those the head was fitted on; the message lists the
        differences.
    """
    bundle = as_bundle(bundle)
    features = features_for(bundle, features)
    _check_abstention(bundle, min_probability, abstain_word)
    check_recipe(bundle, features)
    unlike = unlike_fitted(bundle, features)
    features = standardised_as_fitted(bundle, features, standardise, say)
    is_ok = features.samples.is_ok
    probabilities = np.full((len(features), len(bundle.classes)), np.nan)
    if is_ok.any():
        probabilities[is_ok] = bundle.predict_proba(features.embeddings[is_ok], is_standardised=True)
    # Two names more than classes, so that one lookup serves abstentions and failed samples as well.
    classes = np.array([*bundle.classes, abstain_word, ""])
    abstain, failed = len(bundle.classes), len(bundle.classes) + 1
    column = np.full(len(features), failed)
    column[is_ok] = probabilities[is_ok].argmax(axis=1)
    abstained = np.zeros(len(features), dtype=bool)
    abstained[is_ok] = probabilities[is_ok].max(axis=1) < min_probability
    predicted = classes[np.where(abstained, abstain, column)]
    # NaN reaches no threshold, so the set of a sample that could not be read is empty.
    sets = None if coverage is None else sets_of(bundle, probabilities, coverage)
    return Predictions(
        features.samples.ids,
        predicted,
        probabilities,
        tuple(bundle.classes),
        abstained,
        sets,
        unlike,
        apart_from_fitted(bundle, features),
    )


def features_for(bundle: Bundle, features: Features | pd.DataFrame | Path | str) -> Features:
    """Give features; of a DataFrame, the columns that a head was fitted on.

    Parameters
    ----------
    bundle
        The saved head.
    features
        As for `predict`.
    """
    if isinstance(features, pd.DataFrame):
        return Features.from_arrays(features, like=bundle)
    return as_features(features)


def check_recipe(bundle: Bundle, features: Features) -> None:
    """Check that features were extracted with the recipe that a head was fitted on.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The features in question.

    Raises
    ------
    FingerprintError
        If the recipes differ; the message lists the differences.
    """
    if features.fingerprint == bundle.fingerprint or _differs_in_white_alone(bundle, features):
        return
    if is_imported(bundle.recipe):
        raise FingerprintError(
            f"{features.path}: does not hold the {bundle.embedding_dim} columns that this head was fitted on, in their "
            f"order ({'; '.join(differences(bundle.recipe, features.recipe))}); import the table with --like the saved "
            "head, or the feature file that it was fitted on; in Python: Features.from_arrays(X, like=bundle)"
        )
    raise FingerprintError(
        f"{features.path}: extracted with another recipe than the features that this head was fitted on "
        f"({'; '.join(differences(bundle.recipe, features.recipe))}); extract with the settings of the head"
    )


def _differs_in_white_alone(bundle: Bundle, features: Features) -> bool:
    """Whether cellfeat 0.1, which took the range of the type as white, would have made the same features.

    It would, unless a file states fewer bits than its type has.
    """
    intensity = features.recipe.get("intensity")
    if not isinstance(intensity, dict):
        return False
    properties = features.samples.properties
    without = {name: value for name, value in intensity.items() if name != "white"}
    is_like_0_1 = {**features.recipe, "intensity": without} == bundle.recipe
    return is_like_0_1 and properties is not None and not properties.states_fewer_bits.any()


def _check_abstention(bundle: Bundle, min_probability: float, abstain_word: str) -> None:
    if not 0 <= min_probability <= 1:
        raise ConfigError(f"min_probability: expected 0 to 1, got {min_probability}")
    if abstain_word in bundle.classes:
        raise ConfigError(
            f"abstain_word: {abstain_word!r} is a class and would look like a prediction; choose another word"
        )
