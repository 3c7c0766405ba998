"""A fitted head with everything that is needed to use it and to judge it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellfeat.config import Settings
from cellfeat.errors import BundleError, HeadError
from cellfeat.heads.base import HeadClassifier
from cellfeat.heads.chosen import describe_chosen
from cellfeat.heads.preprocessing.group_standards import GroupStandards
from cellfeat.heads.preprocessing.scaling import RobustScaling, scaled
from cellfeat.heads.registry import mean_over_views
from cellfeat.heads.rows import SUM_TOLERANCE
from cellfeat.heads.saved.neighbourhood import Neighbourhood
from cellfeat.heads.saved.samples_summary import SamplesSummary
from cellfeat.heads.saved.training_digests import TrainingDigests
from cellfeat.heads.state import recorded_params
from cellfeat.html_text import html_block
from cellfeat.statistics.conformal import ClassScores
from cellfeat.statistics.temperature import COLDEST, HOTTEST, tempered
from cellfeat.text import clean_lines, first_line, first_ten, shorten
from cellfeat.types import Bools, Float32s, Floats, Strings

SAVE_AGAIN = "fit and save the head again, or copy the whole folder again"


@dataclass(frozen=True, kw_only=True, repr=False)
class Bundle:
    """A fitted head, and all that is needed to use it and to judge it.

    Attributes
    ----------
    head
        The fitted head.
    head_name
        Its name in `HEADS`, or that of an estimator object.
    classes
        Class names in the order of the probability columns. They include the head's own classes, as text.
    fingerprint
        Fingerprint of the features that the head was fitted on.
    recipe
        How those features were extracted.
    settings
        The user's settings of this head.
    scores
        Its out-of-fold scores.
    provenance
        When, with which versions and on which data it was fitted.
    temperature
        Temperature of its probabilities, see `cellfeat.statistics.temperature`; 1 leaves them unchanged.
    n_views
        Views per sample at fitting.
    embedding_dim
        Length of an embedding.
    class_scores
        Out-of-fold probabilities of the true classes, after the temperature, for prediction sets. None in heads that
        were saved before prediction sets existed.
    training_digests
        Digests of the training samples. None in heads that were saved without them.
    fitted_on
        What the files of the training samples are, and how bright. None in heads that were saved without it.
    scaling
        Scaling of the embeddings before the head, fitted on the training samples. None for embeddings of networks.
    neighbourhood
        Some training samples, to find out whether new ones lie apart from them. None in heads that were saved without.
    standards
        How samples are standardised within plates before the scaling. None where they are not.

    Raises
    ------
    BundleError
        If the head does not fit these classes, views or embeddings.
    """

    head: HeadClassifier
    head_name: str
    classes: list[str]
    fingerprint: str
    recipe: dict[str, Any]
    settings: dict[str, Any]
    scores: dict[str, Any]
    provenance: dict[str, Any]
    n_views: int
    embedding_dim: int
    temperature: float = 1.0
    class_scores: ClassScores | None = None
    training_digests: TrainingDigests | None = None
    fitted_on: SamplesSummary | None = None
    scaling: RobustScaling | None = None
    neighbourhood: Neighbourhood | None = None
    standards: GroupStandards | None = None

    def __repr__(self) -> str:
        shape = f"{self.n_views} x {self.embedding_dim}"
        return f"<Bundle {self.head_name}: {len(self.classes)} classes, takes {shape} numbers{self._score(', ')}>"

    def __str__(self) -> str:
        try:
            return clean_lines(describe_bundle(self))
        except BundleError:  # scores or recipe of a form that only a reader of the file would name
            return repr(self)

    def _repr_html_(self) -> str:
        verdict = self._score() or "no score on record"
        lines = [line.split(maxsplit=1) for line in str(self).splitlines()[1:]]
        rows = [line for line in lines if len(line) == 2]
        return html_block([f"{self.head_name}: {verdict}"], ["saved head", self.head_name], rows)

    def _score(self, before: str = "") -> str:
        """The balanced accuracy out of fold; nothing where it is not on record."""
        score, low, high = (self.scores.get(name) for name in ("balanced_accuracy", "ci_low", "ci_high"))
        if not (isinstance(score, float) and isinstance(low, float) and isinstance(high, float)):
            return ""
        return f"{before}balanced accuracy {score:.3f} [{low:.3f}, {high:.3f}] out of fold"

    def __post_init__(self) -> None:
        self._check_classes()
        if not COLDEST <= self.temperature <= HOTTEST:
            raise BundleError(f"temperature: expected {COLDEST} to {HOTTEST}, got {self.temperature}")
        n_views = self.n_views if self._has_own_views else 1
        if self.head.n_features_in_ != n_views * self.embedding_dim:
            raise BundleError(
                f"the head {self.head_name!r} expects {self.head.n_features_in_} columns, but {n_views} views of "
                f"{self.embedding_dim} are {n_views * self.embedding_dim}"
            )

        needs_scaling = self.recipe.get("scaling", "none") != "none"
        if needs_scaling != (self.scaling is not None) or (self.scaling and len(self.scaling) != self.embedding_dim):
            raise BundleError(
                f"the scaling of the features does not fit the head {self.head_name!r}: expected "
                f"{self.embedding_dim if needs_scaling else 'no'} columns, got "
                f"{'none' if self.scaling is None else len(self.scaling)}; {SAVE_AGAIN}"
            )

    def _check_classes(self) -> None:
        unnamed = sorted({str(label) for label in self.head.classes_} - set(self.classes))
        if unnamed:
            raise BundleError(f"classes: the head was fitted on {unnamed}, which are not in {self.classes}")
        if len(set(self.classes)) < len(self.classes):
            raise BundleError(f"classes: expected each class once, got {self.classes}")

    @property
    def params(self) -> dict[str, Any]:
        """The head's parameters as plain JSON values."""
        return recorded_params(self.head)

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The settings that the head chose itself, by name: the value, and the values that it compared."""
        chosen: Mapping[str, Any] = self.scores.get("chosen", {})
        return chosen

    @property
    def _has_own_views(self) -> bool:
        """Whether the head makes its own use of views; the head of an estimator object is in no table."""
        return "n_views" in self.head.get_params(deep=False)

    def predict_proba(self, embeddings: Float32s, *, is_standardised: bool = False) -> NDArray[np.float64]:
        """Predict class probabilities from any number of views.

        A head that takes the mean over views takes it over the given views. A head with its own use of views that was
        fitted with another number of views predicts from each view alone, repeated as often as at fitting; the
        probabilities are then averaged over the views.

        Parameters
        ----------
        embeddings
            Array of shape (n_samples, n_views, embedding_dim).
        is_standardised
            Whether they are standardised within plates already, where the head needs that.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes`; 0 for a class that was absent at fitting.

        Raises
        ------
        HeadError
            If the embeddings have another length, no view or NaN, or the head's output is not a probability
            distribution; or if the head needs embeddings that are standardised within plates.
        """
        return self.calibrated(self.uncalibrated_proba(embeddings, is_standardised=is_standardised))

    def uncalibrated_proba(self, embeddings: Float32s, *, is_standardised: bool = False) -> NDArray[np.float64]:
        """Predict class probabilities without the temperature.

        Parameters
        ----------
        embeddings, is_standardised
            As for `predict_proba`, as are the result and the errors.
        """
        self._check_embeddings(embeddings)
        if self.standards is not None and not is_standardised:
            raise HeadError(
                f"the head {self.head_name!r} was fitted on samples that were standardised within plates; use "
                "cellfeat.predict, which standardises new ones, or standardise them and say is_standardised=True"
            )
        probabilities = np.zeros((len(embeddings), len(self.classes)))
        inputs = self._inputs(scaled(self.scaling, embeddings))
        raw = np.mean([self.head.predict_proba(X) for X in inputs], axis=0)
        # Classes that the head was not fitted on keep the probability 0.
        probabilities[:, self._fitted_columns] = raw
        if not np.allclose(probabilities.sum(axis=1), 1, atol=SUM_TOLERANCE):  # NaN is not close to anything
            raise HeadError(
                f"the head {self.head_name!r} predicts probabilities that do not sum to 1; fit and save it again"
            )
        return probabilities

    def calibrated(self, probabilities: Floats) -> NDArray[np.float64]:
        """Apply the temperature to the result of `uncalibrated_proba`; the most probable classes stay the same.

        Parameters
        ----------
        probabilities
            Array of shape (n_samples, n_classes).

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        out = np.zeros(probabilities.shape)
        # Only these columns: `tempered` would make small numbers of the zeros in the others.
        out[:, self._fitted_columns] = tempered(probabilities[:, self._fitted_columns], self.temperature)
        return out

    @property
    def _fitted_columns(self) -> list[int]:
        """Columns of the classes that were present at fitting."""
        return [self.classes.index(str(label)) for label in self.head.classes_]

    def has_seen(self, pixel_digest: Strings) -> Bools:
        """Whether the head was fitted on samples with these pixels; False if that is unknown.

        Parameters
        ----------
        pixel_digest
            Digests of the samples' pixels in hex, shape (n_samples,).

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        if self.training_digests is None:
            return np.zeros(len(pixel_digest), dtype=bool)
        return self.training_digests.contains(pixel_digest)

    def _inputs(self, embeddings: Float32s) -> Iterable[Float32s]:
        if not self._has_own_views:
            return [mean_over_views(embeddings)]
        if embeddings.shape[1] == self.n_views:
            return [embeddings.reshape(len(embeddings), -1)]
        return (np.tile(view, (1, self.n_views)) for view in embeddings.swapaxes(0, 1))

    def _check_embeddings(self, embeddings: Float32s) -> None:
        if embeddings.ndim != 3 or embeddings.shape[1] == 0 or embeddings.shape[2] != self.embedding_dim:
            raise HeadError(
                f"expected embeddings of shape (n_samples, n_views, {self.embedding_dim}), got {embeddings.shape}; "
                "extract them with the recipe that the head was fitted on"
            )


def settings_of(bundle: Bundle) -> Settings:
    """Settings of the extraction and the labels that a head was fitted on.

    Raises
    ------
    BundleError
        If its provenance contains none.
    """
    try:
        return Settings.model_validate(bundle.provenance["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the saved head {bundle.head_name!r} does not contain the settings that it was fitted with "
            f"({first_line(error)}); {SAVE_AGAIN}"
        ) from None


def describe_bundle(bundle: Bundle) -> str:
    """Describe a saved head in a few lines.

    Raises
    ------
    BundleError
        If its recipe or scores do not have the form in which cellfeat writes them.
    """
    try:
        return _describe(bundle)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"the recipe or the scores of the saved head {bundle.head_name!r} are not as cellfeat writes them "
            f"({error!r}); {SAVE_AGAIN}"
        ) from None


def _describe(bundle: Bundle) -> str:
    scores, backbone = bundle.scores, bundle.recipe.get("backbone", {})
    views = "1 view" if bundle.n_views == 1 else f"{bundle.n_views} views"
    rows = {
        "head": bundle.head_name,
        "parameters": ", ".join(f"{name} {value}" for name, value in bundle.params.items()),
        "classes": f"{len(bundle.classes)} ({first_ten(map(shorten, bundle.classes))})",
        "takes": f"{views} x {bundle.embedding_dim} numbers of {backbone.get('name', 'unknown')}",
        "fingerprint": bundle.fingerprint,
    }
    if bundle.chosen:
        rows["chosen"] = describe_chosen(bundle.chosen)
    if "balanced_accuracy" in scores:
        rows["scores"] = (
            f"balanced accuracy {scores['balanced_accuracy']:.3f} [{scores['ci_low']:.3f}, {scores['ci_high']:.3f}] "
            f"out of fold, on {scores['n_samples']} samples in {scores['n_groups']} groups"
        )
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())
