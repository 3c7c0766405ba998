"""Columns and shards of what heads predict, in the order of the classes of the page."""

from collections.abc import Sequence

import numpy as np

from cellfeat.page.content import Columns, probability_shards
from cellfeat.page.samples.sample_columns import coded
from cellfeat.saved_results.predictions import HeadPredictions, Results
from cellfeat.types import Floats, Strings


def add_predictions(columns: Columns, results: Results, ids: Strings, classes: Sequence[str]) -> dict[str, str]:
    """Add what each head predicts, how sure it is, and its probabilities.

    Parameters
    ----------
    columns
        Collects the columns and their shards.
    results
        The predictions: their probabilities are calibrated unless the results say otherwise.
    ids
        Ids of the samples of the page, shape ``(n_samples,)``.
    classes
        Names of the classes of the page.

    Returns
    -------
    dict
        Name of the shards of probabilities, by head.
    """
    names: dict[str, str] = {}
    for number, (head, predictions) in enumerate(results.heads(ids)):
        names[head] = f"probabilities-{number}"
        codes, categories = coded(predictions.predicted, classes)
        columns.add_category(f"predicted by {head}", codes, categories, role="predicted", head=head)
        probabilities = in_order(predictions, classes)
        columns.add_number(f"confidence of {head}", _highest(probabilities), role="confidence", head=head)
        columns.shards |= probability_shards(names[head], probabilities)
    return names


def add_folds(columns: Columns, results: Results, ids: Strings) -> None:
    """Add the fold of each sample; nothing where there are no folds.

    Parameters
    ----------
    columns
        Collects the columns.
    results
        The predictions.
    ids
        Ids of the samples of the page, shape ``(n_samples,)``.
    """
    folds = results.folds(ids)
    if folds is None or not folds.any():
        return
    names = [str(number + 1) for number in range(int(folds.max()))]
    if "fold_name" in results.table:
        named = results.table.drop_duplicates("fold").set_index("fold")["fold_name"]
        names = [str(named.get(number + 1, "") or number + 1) for number in range(len(names))]
    columns.add_category("fold", folds - 1, names, role="fold")


def in_order(predictions: HeadPredictions, classes: Sequence[str]) -> Floats:
    """Put the columns of probabilities in the order of `classes`.

    Parameters
    ----------
    predictions
        Predictions of one head.
    classes
        Names of classes; one that the head does not know has the probability 0.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        NaN where a sample has no prediction.
    """
    if tuple(classes) == predictions.classes:
        return predictions.probabilities
    place = {name: number for number, name in enumerate(predictions.classes)}
    found = np.where(np.isnan(predictions.probabilities).all(axis=1, keepdims=True), np.nan, 0.0)
    ordered = np.repeat(found, len(classes), axis=1)
    for number, name in enumerate(classes):
        if name in place:
            ordered[:, number] = predictions.probabilities[:, place[name]]
    return ordered


def _highest(probabilities: Floats) -> Floats:
    if not probabilities.shape[1]:
        return np.full(len(probabilities), np.nan)
    # NaN, of samples without a prediction, stays NaN.
    return probabilities.max(axis=1)
