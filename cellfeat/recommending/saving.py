"""The files of a recommendation: settings, table, picture, record."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from cellfeat.figures.style import FigureKind, save_figure
from cellfeat.provenance import publish, utc_now, versions
from cellfeat.recommending.config import recommended_text
from cellfeat.recommending.figure import draw_front
from cellfeat.recommending.recommendation import Recommendation

CONFIG_FILE, TABLE_FILE, RECORD_FILE, FIGURE_NAME = "recommended.yaml", "recipes.csv", "recommendation.json", "recipes"
FORMAT = 1


def save_recommendation(
    found: Recommendation, folder: Path | str, figures: Sequence[FigureKind] = ("png",)
) -> list[Path]:
    """Write a recommendation into a folder; each file appears whole, and replaces an earlier one.

    Parameters
    ----------
    found
        The recommendation.
    folder
        It is made if it does not exist.
    figures
        File formats of the picture.

    Returns
    -------
    list of Path
        The files: settings, table, record and pictures.

    Raises
    ------
    WriteError
        If a file cannot be written.
    """
    target = Path(folder)
    record = {"format": FORMAT, "written": utc_now(), "versions": versions(), **found.record()}
    writers: dict[str, Callable[[Path], object]] = {
        CONFIG_FILE: lambda path: path.write_text(recommended_text(found), encoding="utf-8"),
        TABLE_FILE: lambda path: found.table().to_csv(path, index=False, float_format="%.6g"),
        RECORD_FILE: lambda path: path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8"),
    }
    for kind in figures:
        writers[f"{FIGURE_NAME}.{kind}"] = _drawn(found, kind)
    for name, write in writers.items():
        with publish(target / name) as path:
            write(path)
    return [target / name for name in writers]


def _drawn(found: Recommendation, kind: FigureKind) -> Callable[[Path], None]:
    return lambda path: save_figure(draw_front(found), path, kind)
