"""Contact sheets of a feature file's samples: mistakes of a head, examples of classes, near copies side by side."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cellfeat.errors import ConfigError, FingerprintError, ImageError, ManifestError, MissingFileError, UnknownNameError
from cellfeat.extraction.sample_images import SampleImages
from cellfeat.extraction.store import Features
from cellfeat.figures import FigureWidth
from cellfeat.figures.contact_sheet import Tile, draw_contact_sheet, scaled_planes, sheet_columns
from cellfeat.figures.samples import PicturedSample
from cellfeat.samples.sheets.windows import ChannelValues
from cellfeat.saved_results.predictions import HeadPredictions, Results, results_of
from cellfeat.storage.url import Location, as_location
from cellfeat.text import counted, near_names, shorten
from cellfeat.types import Integers

ROWS = 4
"""Rows of a sheet, unless another number is asked for."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class SheetOptions:
    """How a sheet looks.

    Attributes
    ----------
    rows
        Rows of pictures at most.
    width
        Width in print, ``one`` or ``two`` columns of a journal; None draws for a screen.
    each_channel
        Whether each sample has a row, with its channels one by one.
    images
        Folder of the images; None: the one that the features were extracted from.
    say
        Receives which samples cannot be shown.
    """

    rows: int = ROWS
    width: FigureWidth | None = None
    each_channel: bool = False
    images: Location | str | None = None
    say: Say = lambda _line: None

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"rows: expected a number of at least 1, got {self.rows}")

    def n_samples(self, n_together: int = 1) -> int:
        """Samples that there is room for, where `n_together` of them stay together."""
        if self.each_channel:
            return self.rows * n_together
        return self.rows * max(n_together, sheet_columns(self.width) // n_together * n_together)


DEFAULT = SheetOptions()


@dataclass(frozen=True)
class _Shown:
    """A sample of the sheet: its row, the lines below it, and the part that is framed."""

    row: int
    lines: tuple[str, ...]
    box: tuple[float, float, float, float] | None = None


def draw_mistakes(
    features: Features,
    results: Path | str | Results,
    head: str | None = None,
    *,
    true: str | None = None,
    predicted: str | None = None,
    options: SheetOptions = DEFAULT,
) -> Figure:
    """Draw the samples that a head mistook, those of which it was most confident first.

    Parameters
    ----------
    features
        The samples.
    results
        Folder of their results.
    head
        Name of the head; None: the first of the results, which is the best.
    true, predicted
        Take mistakes of this class only, and those for this class only.
    options
        How the sheet looks.

    Raises
    ------
    UnknownNameError
        If there is no such head or class.
    ManifestError
        If there are no such mistakes.
    MissingFileError, FingerprintError, ImageError
        If results or images cannot be read, or are those of other samples.

    Examples
    --------
    >>> cellfeat.draw_mistakes(features, "results/cells", "mlp", true="A549")  # doctest: +SKIP
    """
    found = results_of(results, features)
    name, predictions = _predictions_of(found, features, head)
    labels = found.labels(features.samples.ids)
    _check_classes(predictions, labels, true, predicted)
    is_mistake = (labels != "") & (predictions.predicted != "") & (predictions.predicted != labels)
    if true is not None:
        is_mistake &= labels == true
    if predicted is not None:
        is_mistake &= predictions.predicted == predicted
    rows = np.flatnonzero(is_mistake)
    if not len(rows):
        raise ManifestError(f"{name} made no mistakes {_between(true, predicted)}: there is nothing to show")
    confidence = np.nan_to_num(predictions.probabilities.max(axis=1))
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    are_both_given = true is not None and predicted is not None

    def lines(row: int) -> tuple[str, ...]:
        sample = str(features.samples.ids[row])
        pair = f"{shorten(labels[row], 14)} → {shorten(predictions.predicted[row], 14)}"
        return (f"{confidence[row]:.2f}  {sample}",) if are_both_given else (pair, f"{confidence[row]:.2f}  {sample}")

    title = f"{name}: {counted(len(rows), 'mistake')} {_between(true, predicted)}".rstrip()
    foot = "True class → predicted class; probability of the predicted class; sample. Most confident first."
    if are_both_given:
        foot = "Probability of the predicted class; sample. Most confident first."
    return _sheet(features, [_Shown(int(row), lines(int(row))) for row in rows], title, foot, options)


def draw_examples(features: Features, name: str | None = None, *, options: SheetOptions = DEFAULT) -> Figure:
    """Draw samples of a class, or a row of each class; they are spread evenly over the file and not chosen by looks.

    Parameters
    ----------
    features
        The samples.
    name
        The class; None: every class.
    options
        How the sheet looks.

    Raises
    ------
    UnknownNameError
        If there is no such class.
    ManifestError
        If no sample has a label.
    MissingFileError, FingerprintError, ImageError
        If images cannot be read.
    """
    samples = features.samples
    rows_of = {
        str(label): np.flatnonzero(samples.is_ok & (samples.labels == label))
        for label in np.unique(samples.labels[samples.is_ok & samples.is_labelled])
    }
    if not rows_of:
        raise ManifestError(f"{features.path}: no sample that could be read has a label: there are no classes to show")
    if name is not None and name not in rows_of:
        raise UnknownNameError(f"no samples of a class {name!r}; {near_names(name, rows_of)}")
    if name is not None:
        rows = _spread(rows_of[name], options.n_samples())
        shown = [_Shown(row, (str(samples.ids[row]),)) for row in rows]
        title = f"{name}: {len(rows):,} of {counted(len(rows_of[name]), 'sample')}"
        return _sheet(features, shown, title, _SPREAD, options)
    n_each = 1 if options.each_channel else sheet_columns(options.width)
    classes = list(rows_of)[: options.rows] if options.rows != ROWS else list(rows_of)
    shown = [
        _Shown(row, (label, str(samples.ids[row]))) if row >= 0 else _Shown(-1, ())
        for label in classes
        for row in _filled(_spread(rows_of[label], n_each), n_each)
    ]
    title = f"{counted(len(classes), 'class')} of {len(rows_of):,}" if len(classes) < len(rows_of) else "all classes"
    return _sheet(features, shown, title, _SPREAD, options, n_most=len(shown))


_SPREAD = "Samples are spread evenly over the file, not chosen by their looks."


@dataclass(frozen=True)
class Pair:
    """Two samples that an audit joined.

    Attributes
    ----------
    first, second
        Their ids.
    finding
        What the audit calls them.
    boxes
        The part that they share, on each of them, as top, left, height and width; None where it is unknown.
    """

    first: str
    second: str
    finding: str
    boxes: tuple[tuple[float, float, float, float] | None, tuple[float, float, float, float] | None] = (None, None)


def draw_pairs(features: Features, pairs: Sequence[Pair], *, options: SheetOptions = DEFAULT) -> Figure:
    """Draw the two samples of each pair side by side.

    Parameters
    ----------
    features
        The samples.
    pairs
        The pairs, those that are drawn first at the beginning.
    options
        How the sheet looks.

    Raises
    ------
    ManifestError
        If there are no pairs of these samples.
    MissingFileError, FingerprintError, ImageError
        If images cannot be read.
    """
    row_of = {str(sample): row for row, sample in enumerate(features.samples.ids.tolist())}
    known = [pair for pair in pairs if pair.first in row_of and pair.second in row_of]
    if not known:
        raise ManifestError(f"{features.path}: the audit names no pair of these samples: there is nothing to show")
    shown = [
        _Shown(row_of[sample], (_label_of(features, row_of[sample]), sample, *(() if place else (pair.finding,))), box)
        for pair in known
        for place, (sample, box) in enumerate(zip((pair.first, pair.second), pair.boxes, strict=True))
    ]
    has_boxes = any(one.box for one in shown[: options.n_samples(2)])
    foot = "The part that both show is framed." if has_boxes else ""
    title = f"{counted(len(known), 'pair')} that an audit found"
    return _sheet(features, shown, title, foot, options, n_together=2)


def _label_of(features: Features, row: int) -> str:
    return str(features.samples.labels[row]) or "no label"


def _predictions_of(found: Results, features: Features, head: str | None) -> tuple[str, HeadPredictions]:
    heads = dict(found.heads(features.samples.ids))
    name = head if head is not None else next(iter(heads))
    if name not in heads:
        raise UnknownNameError(f"{found.name}: no predictions of a head {name!r}; {near_names(name, heads)}")
    return name, heads[name]


def _check_classes(predictions: HeadPredictions, labels: NDArray, true: str | None, predicted: str | None) -> None:
    known = sorted({*predictions.classes, *labels[labels != ""].tolist()})
    for what, name in (("true class", true), ("predicted class", predicted)):
        if name is not None and name not in known:
            raise UnknownNameError(f"{what} {name!r}: {near_names(name, known)}")
    if true is not None and true == predicted:
        raise ConfigError(
            f"{true!r} predicted as {predicted!r} is no mistake; examples of a class: cellfeat figure class"
        )


def _between(true: str | None, predicted: str | None) -> str:
    if true is not None and predicted is not None:
        return f"of {true} for {predicted}"
    return f"of {true}" if true is not None else f"for {predicted}" if predicted is not None else ""


def _spread(rows: Integers, n_wanted: int) -> list[int]:
    places = np.linspace(0, len(rows) - 1, min(len(rows), n_wanted)).astype(np.intp)
    return [int(row) for row in rows[np.unique(places)]]


def _filled(rows: Sequence[int], n_wanted: int) -> Iterator[int]:
    """Rows, and -1 for places that stay empty."""
    yield from rows
    yield from [-1] * (n_wanted - len(rows))


def _sheet(
    features: Features,
    shown: Sequence[_Shown],
    title: str,
    foot: str,
    options: SheetOptions,
    *,
    n_together: int = 1,
    n_most: int | None = None,
) -> Figure:
    chosen = shown[: n_most or options.n_samples(n_together)]
    n_samples = sum(one.row >= 0 for one in shown)
    images = SampleImages.of(features, None if options.images is None else as_location(options.images))
    pixels = _read(images, chosen, options.say)
    values = ChannelValues()
    for one in pixels.values():
        values.add(one)
    windows = values.windows()
    blank = np.ones((len(windows), 1, 1), np.float32)
    tiles = [
        Tile(
            PicturedSample(str(one.row), scaled_planes(pixels[one.row], windows) if one.row in pixels else blank),
            one.lines if one.row in pixels or one.row < 0 else (*one.lines, "cannot be read"),
            one.box,
        )
        for one in chosen
    ]
    n_chosen, n_samples = sum(one.row >= 0 for one in chosen) // n_together, n_samples // n_together
    title = f"{title}; {n_chosen:,} shown" if n_chosen < n_samples else title
    return draw_contact_sheet(
        tiles,
        [str(channel) for channel in images.channels],
        title=title,
        foot=f"{foot} Each channel has one window for all pictures.".strip(),
        width=options.width,
        n_together=n_together,
        is_split=options.each_channel,
    )


def _read(images: SampleImages, chosen: Sequence[_Shown], say: Say) -> dict[int, NDArray]:
    """The pixels of samples by row; those that cannot be read are told, and it is an error where none can."""
    found: dict[int, NDArray] = {}
    reasons: list[str] = []
    for row in dict.fromkeys(one.row for one in chosen if one.row >= 0):
        try:
            found[row] = images.read(row)
        except (FingerprintError, MissingFileError, ImageError) as error:
            reasons.append(str(error))
    if not found:
        raise ImageError(f"no image of the samples to show can be read: {reasons[0]}")
    for reason in reasons:
        say(f"not shown: {reason}")
    return found
