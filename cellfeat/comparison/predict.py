"""A saved head on other features: labels for samples that have none."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellfeat.comparison.report import save_predictions_csv
from cellfeat.errors import FingerprintError
from cellfeat.extraction.store import Features, Status
from cellfeat.heads.bundle import Bundle
from cellfeat.provenance import differences


@dataclass(frozen=True)
class Predictions:
    """What a head says of samples, in their order.

    Attributes
    ----------
    sample_id
        ``(n_samples,)`` str.
    predicted
        ``(n_samples,)`` str: the most probable class; ``""`` where the sample could not be read.
    probabilities
        ``(n_samples, n_classes)``; NaN where the sample could not be read.
    classes
        The columns of `probabilities`.
    """

    sample_id: NDArray[np.str_]
    predicted: NDArray[np.str_]
    probabilities: NDArray[np.floating]
    classes: tuple[str, ...]

    @property
    def n_failed(self) -> int:
        """Samples without a prediction."""
        return int((self.predicted == "").sum())


def predict(bundle: Bundle, features: Features) -> Predictions:
    """Predict the class of every sample that could be read.

    Raises
    ------
    FingerprintError
        If the features were made by another recipe than those the head was fitted on; the message lists the
        differences.
    """
    if features.fingerprint != bundle.fingerprint:
        raise FingerprintError(
            f"{features.path}: made by another recipe than the features that this head was fitted on "
            f"({'; '.join(differences(bundle.recipe, features.recipe))}); extract with the settings of the head"
        )
    is_ok = features.status == Status.OK
    probabilities = np.full((len(features), len(bundle.classes)), np.nan)
    if is_ok.any():
        probabilities[is_ok] = bundle.predict_proba(features.embeddings[is_ok])
    classes = np.array(bundle.classes)
    predicted = np.full(len(features), "", dtype=classes.dtype)
    predicted[is_ok] = classes[probabilities[is_ok].argmax(axis=1)]
    return Predictions(features.sample_id, predicted, probabilities, tuple(bundle.classes))


def save_predictions(predictions: Predictions, bundle: Bundle, path: Path, *, with_probabilities: bool = False) -> None:
    """Write predictions as CSV, under the column names that the labels had when the head was fitted."""
    names = bundle.provenance["settings"]["labels"]
    save_predictions_csv(
        path,
        predictions.sample_id.tolist(),
        predictions.predicted.tolist(),
        id_column=names["id"],
        label_column=names["label"] or "label",
        probabilities=predictions.probabilities if with_probabilities else None,
        classes=predictions.classes,
    )
