"""Predictions of a saved head, to export beside the features."""

from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.extraction.store import Features
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.saved_results.predictions import Results

_MOST_TOLD = 3


def predicted_by(bundle: Bundle, features: Features, standardise: str | None = None) -> tuple[Results, list[str]]:
    """Predict samples with a saved head, and say what should be known of the predictions.

    Parameters
    ----------
    bundle
        The saved head.
    features
        The samples, with or without labels.
    standardise
        As for `cellfeat.predict`.

    Raises
    ------
    FingerprintError
        If the features were extracted with another recipe than those the head was fitted on.
    """
    remarks: list[str] = []
    predictions = predict(bundle, features, standardise=standardise, say=remarks.append)
    table = predictions.table().drop(columns="abstained").reset_index()
    table = table.assign(head=bundle.head_name, label=features.samples.labels)[predictions.is_read]
    remarks += [
        f"warning: unlike the training samples: {one}" for one in (predictions.unlike_fitted or ())[:_MOST_TOLD]
    ]
    n_unlike = len(predictions.unlike_fitted or ())
    remarks += [f"warning: {n_unlike} such differences: the predictions may be wrong"] if n_unlike > _MOST_TOLD else []
    n_seen = int(bundle.has_seen(features.samples.digests).sum())
    if n_seen:
        remarks.append(
            f"warning: {n_seen} of {len(features)} samples are exact duplicates of training samples, whose labels the "
            "head knows; --results has predictions out of fold"
        )
    return Results(f"the saved head {bundle.head_name!r}", table), remarks
