"""Results read back from their folder: scores, differences and learning curves, as they were written.

Nothing is computed again. The scores have the tables and figures of results in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd

from cellfeat.errors import MissingFileError, RecordError
from cellfeat.evaluation.figures import draw_curves
from cellfeat.evaluation.results.tables_and_figures import ShowsHead, ShowsHeads, heads_table
from cellfeat.evaluation.scores.differences import HeadDifference
from cellfeat.evaluation.scores.head_scores import Calibration, Overall, PerClass, ProbabilityScores, Scores
from cellfeat.records import check_fields
from cellfeat.saved_results.fields import CurveFields, HeadFields, PairFields
from cellfeat.saved_results.files import (
    AGAINST_FILE,
    COMPARISON_FILE,
    CURVE_FILES,
    METRICS_FILE,
    read_object,
    scores_file,
)
from cellfeat.statistics.interval_types import Interval
from cellfeat.text import NO_URLS, is_url, without_credentials

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cellfeat.figures import FigureWidth

Model = TypeVar("Model")


@dataclass(frozen=True, repr=False, eq=False)  # arrays have no single answer to ==
class ReadHead(ShowsHead):
    """The scores of one head, read back.

    Attributes
    ----------
    head
        Name of the head.
    scores
        Its scores, without prediction sets and tuning.
    record
        Everything that the file says of it.
    """

    head: str
    scores: Scores
    record: Mapping[str, Any]


@dataclass(frozen=True)
class ReadCurve:
    """The learning curve of a head, read back.

    Attributes
    ----------
    head
        Name of the head.
    n_classes
        Number of classes.
    rows
        Fraction, training samples, balanced accuracy and its interval of each point.
    verdict
        Whether more samples would help, in words.
    """

    head: str
    n_classes: int
    rows: tuple[dict[str, Any], ...]
    verdict: str

    @property
    def n_train(self) -> tuple[int, ...]:
        """Training samples of each point."""
        return tuple(row["n_train"] for row in self.rows)

    def points(self) -> list[dict[str, Any]]:
        """Give the points."""
        return list(self.rows)


@dataclass(frozen=True, repr=False, eq=False)
class ReadResults(ShowsHeads[ReadHead]):
    """Results read back from their folder.

    Attributes
    ----------
    folder
        The folder.
    results
        The heads, the best first; one head in the folder of a saved head or of held-out scores.
    differences
        Every pair of heads, the better one first.
    record
        Everything that ``comparison.json`` or ``metrics.json`` says.
    """

    folder: Path
    results: tuple[ReadHead, ...]
    differences: tuple[HeadDifference, ...]
    record: Mapping[str, Any]

    @property
    def kind(self) -> Literal["comparison", "head", "held-out"]:
        """Whether they are those of a comparison, of one head, or held-out scores."""
        if "heads" in self.record:
            return "comparison"
        return "held-out" if "out_of_fold" in self.record else "head"

    @property
    def is_comparison(self) -> bool:
        """Whether they are those of a comparison, and not of one head."""
        return self.kind == "comparison"

    @cached_property
    def curves(self) -> tuple[ReadCurve, ...]:
        """Learning curves; empty where there are none. Their file is read when they are asked for."""
        return _curves(self.folder, len(self.best.scores.per_class.classes)) if self.is_comparison else ()

    @property
    def best(self) -> ReadHead:
        """The head with the highest balanced accuracy."""
        return self.results[0]

    def differences_to_best(self) -> list[HeadDifference]:
        """The pairs of the best head with each other head."""
        return [pair for pair in self.differences if pair.better == self.best.head]

    def table(self) -> pd.DataFrame:
        """Table of the heads, as `cellfeat.Comparison.table` gives it."""
        seconds = [(one, sum(one.record.get("seconds", {}).values())) for one in self.results]
        return heads_table(seconds, self.differences_to_best())

    def plot_curves(self, ax: "Axes | None" = None, *, width: "FigureWidth | None" = None) -> "Figure":
        """Draw the learning curves.

        Parameters
        ----------
        ax
            Axes to draw into; None makes a figure.
        width
            ``one`` or ``two`` columns of a journal; None draws for a screen.

        Raises
        ------
        MissingFileError
            If the folder holds none.
        """
        if not self.curves:
            raise MissingFileError(
                f"{self.folder / CURVE_FILES[0]} does not exist: compute learning curves with compare --fractions "
                "0.1,0.25,0.5,1"
            )
        return draw_curves(self.curves, ax, width=width)

    def __repr__(self) -> str:
        heads = ", ".join(f"{one.head} {one.scores.overall.balanced_accuracy:.3f}" for one in self.results)
        return f"<ReadResults of {self.folder}: {heads}>"


def read_results(folder: Path | str) -> ReadResults:
    """Read the results of `compare`, `fit` or `score` back from their folder.

    Parameters
    ----------
    folder
        The folder of results.

    Raises
    ------
    MissingFileError
        If the folder holds no results.
    RecordError
        If a file of them is damaged; the message names the file and the entry.

    Examples
    --------
    >>> results = cellfeat.read_results("results/cells")  # doctest: +SKIP
    >>> results.plot_heads(width="one").savefig("heads.pdf")  # doctest: +SKIP
    """
    folder = Path(folder)
    return _read(folder, _file_of(folder))


def read_against(folder: Path) -> ReadResults | None:
    """Read what `compare --against` wrote beside results; None where it wrote nothing.

    Raises
    ------
    RecordError
        If its file is damaged.
    """
    path = folder / AGAINST_FILE
    return _read(folder, path) if path.is_file() else None


def _read(folder: Path, path: Path) -> ReadResults:
    record = read_object(path)
    heads = record.get("heads") if path.name in (COMPARISON_FILE, AGAINST_FILE) else [record]
    results = tuple(_head(path, number, one) for number, one in enumerate(_listed(path, "heads", heads)))
    if not results:
        raise RecordError(f"{path}: heads: expected at least one head; compare again")
    pairs = [
        _checked(path, "differences", one, PairFields) for one in _listed(path, "differences", record, optional=True)
    ]
    differences = tuple(
        HeadDifference(one.better, one.worse, one.difference, one.adjusted_p, one.as_fitted) for one in pairs
    )
    _check_pairs(path, results, differences)
    return ReadResults(folder, results, differences, record)


def check_results_folder(folder: Path) -> None:
    """Refuse a folder without results.

    Raises
    ------
    MissingFileError
        If the folder holds no results.
    """
    _file_of(folder)


def _file_of(folder: Path) -> Path:
    found = scores_file(folder)
    if found is not None:
        return found
    shown = without_credentials(str(folder))
    if is_url(str(folder)):
        raise MissingFileError(f"{shown}: {NO_URLS}")
    what = "holds no results" if folder.is_dir() else "is not a folder" if folder.exists() else "does not exist"
    raise MissingFileError(
        f"{shown}: {what}; expected a folder that compare, fit or score wrote, with {COMPARISON_FILE} or "
        f"{METRICS_FILE}; make one first: cellfeat compare"
    )


def _listed(path: Path, name: str, value: Any, *, optional: bool = False) -> list[Any]:
    """The list under a name, or the value itself where it is one already."""
    found = value.get(name, [] if optional else None) if isinstance(value, dict) else value
    if not isinstance(found, list):
        raise RecordError(f"{path}: {name}: expected a list, got {type(found).__name__}; compare again")
    return found


def _checked(path: Path, where: str, content: Any, model: type[Model]) -> Model:
    """Take the entries that are known; later versions may write more."""
    if not isinstance(content, dict):
        raise RecordError(f"{path}: {where}: expected a JSON object, got {type(content).__name__}; compare again")
    known = {one.name for one in fields(model)}  # type: ignore[arg-type]
    try:
        return check_fields({name: value for name, value in content.items() if name in known}, model)
    except RecordError as error:
        raise RecordError(f"{path}: {where}: {error}; compare again") from None


def _head(path: Path, number: int, content: Any) -> ReadHead:
    where = f"heads[{number}]"
    one = _checked(path, where, content, HeadFields)
    n_classes, n_predicted = len(one.classes), len(one.classes) + len(one.absent_classes)
    lengths = {
        "per_class_recall": (len(one.per_class_recall), n_classes),
        "per_class_recall_ci": (len(one.per_class_recall_ci), n_classes),
        "confusion_matrix": (len(one.confusion_matrix), n_classes),
        **{f"confusion_matrix[{row}]": (len(counts), n_predicted) for row, counts in enumerate(one.confusion_matrix)},
    }
    for name, (found, expected) in lengths.items():
        if found != expected or not n_classes:
            raise RecordError(
                f"{path}: {where}: {name}: expected {max(expected, 1)} entries, got {found}; compare again"
            )
    return ReadHead(one.head, _scores(one), content)


def _scores(one: HeadFields) -> Scores:
    per_class = PerClass(
        tuple(one.classes),
        np.array(one.per_class_recall, dtype=np.float64),
        np.array(one.per_class_recall_ci, dtype=np.float64).reshape(-1, 2),
        np.array(one.confusion_matrix, dtype=np.int64),
        tuple(one.absent_classes),
    )
    calibration = Calibration(
        one.calibrate,
        one.temperature,
        ProbabilityScores(one.log_loss, one.calibration_error, _bins(one.reliability)),
        ProbabilityScores(
            one.log_loss_uncalibrated, one.calibration_error_uncalibrated, _bins(one.reliability_uncalibrated)
        ),
        tuple(one.abstaining),
    )
    wide = [Interval(claim.ci_low, claim.ci_high) for claim in one.claims if claim.claim == "way_of_making"]
    overall = Overall(
        one.balanced_accuracy,
        Interval(one.ci_low, one.ci_high),
        one.macro_f1,
        tuple(one.per_fold),
        way_of_making=wide[0] if wide else None,
    )
    return Scores(overall, per_class, calibration)


def _bins(rows: Sequence[tuple[float, float, float]]) -> np.ndarray:
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _check_pairs(path: Path, results: Sequence[ReadHead], pairs: Sequence[HeadDifference]) -> None:
    known = {one.head for one in results}
    for pair in pairs:
        for name in (pair.better, pair.worse):
            if name not in known:
                raise RecordError(f"{path}: differences: names the head {name!r}, which has no scores; compare again")


def _curves(folder: Path, n_classes: int) -> tuple[ReadCurve, ...]:
    path = folder / CURVE_FILES[0]
    if not path.is_file():
        return ()
    curves = [_checked(path, "curves", one, CurveFields) for one in _listed(path, "curves", read_object(path))]
    for curve in curves:
        if not curve.points:
            raise RecordError(f"{path}: curves: {curve.head!r} has no points; compare again with --fractions")
    return tuple(
        ReadCurve(one.head, n_classes, tuple(vars(point) for point in one.points), one.verdict) for one in curves
    )
