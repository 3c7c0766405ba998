"""The map of a feature file's samples as a figure, coloured by what is known of them."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cellfeat.errors import UnknownNameError
from cellfeat.extraction.store import Features
from cellfeat.figures import FigureWidth
from cellfeat.figures.map import draw_map as draw_points
from cellfeat.maps import SampleMap, default_method, find_map, make_map
from cellfeat.saved_results.predictions import HeadPredictions, Results, results_of
from cellfeat.text import near_names
from cellfeat.types import Strings

OF_SAMPLES = ("label", "group")
OF_RESULTS = ("predicted", "confidence", "correct", "fold")


def draw_map(
    features: Features,
    colour: str = "label",
    *,
    results: Path | str | Results | None = None,
    head: str | None = None,
    found: SampleMap | None = None,
    width: FigureWidth | None = None,
) -> Figure:
    """Draw the map of samples, with a legend outside, and what may be read from it below.

    Parameters
    ----------
    features
        The samples.
    colour
        ``label``, ``group``, a further column of the labels table, or, with results, ``predicted``, ``confidence``,
        ``correct`` or ``fold``.
    results
        Folder of results of these samples.
    head
        The head whose predictions are shown; None: the first of the results, which is the best.
    found
        The map; None: the one that was kept, or a new one.
    width
        Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.

    Raises
    ------
    UnknownNameError
        If there is no such column or head.
    MissingFileError, RecordError, ManifestError, FingerprintError
        If the results cannot be read, or are those of other samples.

    Examples
    --------
    >>> cellfeat.draw_map(features, "plate").savefig("map.pdf")  # doctest: +SKIP
    """
    column, values = map_values(features, colour, results, head)
    if found is None:
        found = find_map(features, default_method(features)) or make_map(features)
    return draw_points(found.x, found.y, values, column=column, method=found.method, note=found.note, width=width)


def map_values(
    features: Features, colour: str, results: Path | str | Results | None, head: str | None
) -> tuple[str, Strings]:
    """Give what a map is coloured by: its title, and the value of each sample, shape ``(n_samples,)``.

    Parameters
    ----------
    features, colour, results, head
        As for `draw_map`, also its errors.
    """
    samples = features.samples
    if colour in samples.columns:
        return colour, samples.columns[colour]
    if colour in OF_SAMPLES:
        return colour, samples.labels if colour == "label" else samples.groups
    if colour not in OF_RESULTS or results is None:
        valid = [*OF_SAMPLES, *samples.columns, *(OF_RESULTS if results is not None else ())]
        needs = f"{colour} needs the results of a comparison; " if colour in OF_RESULTS else ""
        raise UnknownNameError(f"colour {colour!r}: {needs}{near_names(colour, valid)}")
    read = results_of(results, features)
    if colour == "fold":
        folds = read.folds(samples.ids)
        numbers = np.zeros(len(samples), int) if folds is None else folds
        return colour, np.where(numbers > 0, numbers.astype(np.str_), "")
    heads = dict(read.heads(samples.ids))
    name = head if head is not None else next(iter(heads))
    if name not in heads:
        raise UnknownNameError(f"{read.name}: no predictions of a head {name!r}; {near_names(name, heads)}")
    return f"{colour} ({name})", _of_head(heads[name], colour, read.labels(samples.ids))


def _of_head(predictions: HeadPredictions, colour: str, labels: Strings) -> Strings:
    predicted = predictions.predicted
    if colour == "predicted":
        return predicted
    if colour == "correct":
        is_scored = (predicted != "") & (labels != "")
        return np.where(is_scored, np.where(predicted == labels, "correct", "wrong"), "")
    confidence = np.nan_to_num(predictions.probabilities.max(axis=1))
    return np.where(predicted != "", np.char.mod("%.4f", confidence), "")
