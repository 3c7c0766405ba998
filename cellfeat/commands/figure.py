"""``cellfeat figure``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.completion import complete_head
from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say, show
from cellfeat.errors import WriteError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cellfeat.extraction.store import Features
    from cellfeat.figures import FigureWidth
    from cellfeat.storage.url import Location

OF_SCORES = ("heads", "confusion", "recalls", "reliability", "curve")
OF_FEATURES = ("map", "class")
SHEETS = ("mistakes", "class", "pairs")
ALL_KINDS = (*OF_SCORES, "map", *SHEETS)

TAKES = {
    "head": ("confusion", "recalls", "reliability", "map", "mistakes"),
    "true": ("mistakes", "class"),
    "predicted": ("mistakes",),
    "rows": SHEETS,
    "each_channel": SHEETS,
    "images": SHEETS,
    "colour": ("map",),
    "method": ("map",),
}
"""The kinds of figures for which an option has a meaning."""


@click.command("figure")
@click.argument("kind", metavar="KIND", type=click.Choice(ALL_KINDS))
@click.argument("results", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File that ends in .png, .pdf or .svg.")
@click.option("--width", type=click.Choice(["one", "two"]), help="For print: one column (88 mm) or two (180 mm).")
@click.option("--features", type=PATH_OR_URL, help="Feature file; default: the one that the results name.")
@click.option(
    "--images", type=PATH_OR_URL, help="Folder of the images; default: the one that they were extracted from."
)
@click.option(
    "--head",
    metavar="NAME",
    shell_complete=complete_head,
    help="The head; default: the best one, or all where a figure shows several.",
)
@click.option("--true", metavar="CLASS", help="mistakes: of this class. class: the class.")
@click.option("--predicted", metavar="CLASS", help="mistakes: for this class.")
@click.option("--rows", type=click.IntRange(min=1), help="Rows of a contact sheet; default 4.")
@click.option("--each-channel", is_flag=True, help="A row for each sample, with its channels one by one.")
@click.option(
    "--colour",
    metavar="COLUMN",
    help="map: label (default), group, a further column, predicted, confidence, correct or fold.",
)
@click.option("--method", type=click.Choice(["t-SNE", "PCA"]), help="map: default t-SNE, for up to 200,000 samples.")
def command(
    kind: str,
    results: Path | None,
    output: Path | None,
    width: "FigureWidth | None",
    features: "Location | None",
    **given: Any,
) -> None:
    """Draw a figure of the results in the folder RESULTS, without computing a comparison again.

    \b
    heads        all heads with their intervals, and the verdict on each
    confusion    the confusion matrix of a head
    recalls      the recall of each class
    reliability  how often heads are right when they are how sure
    curve        learning curves of compare --fractions
    map          a point for each sample: samples that look alike lie close together
    mistakes     contact sheet of what a head mistook, most confident first
    class        contact sheet of samples of each class, or of --true CLASS
    pairs        near copies and other pairs that an audit found, side by side

    Without RESULTS, they are those of cellfeat.yaml in this folder. In their place, map and class also take a
    feature file.

    \b
    cellfeat figure heads results/cells -o heads.pdf --width one
    cellfeat figure mistakes results/cells --true A549 --predicted HeLa -o mistakes.png
    cellfeat figure map results/cells --colour plate -o map.pdf --width two
    """  # noqa: D301, click reads the backspace as: keep these lines
    _check_options(kind, given)
    if results is not None and results.is_file() and kind in OF_FEATURES and features is None:
        results, features = None, results
    needs_results = kind not in OF_FEATURES or features is None
    if results is None and needs_results:
        results = resolve_settings(None, (), {"extraction.output": features}).results
    path = _output(output, kind, results)
    figure = _draw(kind, results, features, width, given)
    _write(figure, path)
    show(f"figure: {path}")


def _check_options(kind: str, given: dict[str, Any]) -> None:
    """Refuse options that a figure does not heed: nobody should believe in a filter that did nothing."""
    for name, kinds in TAKES.items():
        if given[name] and kind not in kinds:
            raise click.UsageError(f"--{name.replace('_', '-')} is for {', '.join(kinds)}, and not for {kind}")


def _output(output: Path | None, kind: str, results: Path | None) -> Path:
    from cellfeat.figures import KINDS

    path = output or (results or Path()) / f"figure_{kind}.png"
    if path.suffix.lower().lstrip(".") not in KINDS:
        raise click.UsageError(f"--output {path}: expected a name that ends in .png, .pdf or .svg")
    if path.is_dir():
        raise WriteError(f"{path}: is a folder; name a file in it")
    return path


def _draw(
    kind: str,
    results: Path | None,
    features: "Location | None",
    width: "FigureWidth | None",
    given: dict[str, Any],
) -> "Figure":
    if kind in OF_SCORES:
        assert results is not None
        return _of_scores(kind, results, given["head"], width)
    samples = _features(results, features, is_audit=kind == "pairs")
    if kind == "map":
        return _map(samples, results, width, given)
    return _sheet(kind, samples, results, width, given)


def _of_scores(kind: str, folder: Path, head: str | None, width: "FigureWidth | None") -> "Figure":
    from cellfeat.saved_results.reading import read_results

    found = read_results(folder)
    if kind == "heads":
        return found.plot_heads(width=width)
    if kind == "confusion":
        return found.plot_confusion(head, width=width)
    if kind == "recalls":
        return found.plot_recalls(width=width) if head is None else found[head].plot_recalls(width=width)
    return found.plot_reliability(head, width=width) if kind == "reliability" else found.plot_curves(width=width)


def _features(results: Path | None, features: "Location | None", *, is_audit: bool) -> "Features":
    from cellfeat.extraction.store import load_features
    from cellfeat.reporting.audited_pairs import audit_folder
    from cellfeat.saved_results.features import features_of
    from cellfeat.saved_results.reading import check_results_folder

    if results is not None:
        (audit_folder if is_audit else check_results_folder)(results)
    if features is not None:
        return load_features(features)
    assert results is not None
    return features_of(results)


def _map(features: "Features", results: Path | None, width: "FigureWidth | None", given: dict[str, Any]) -> "Figure":
    from cellfeat.maps import default_method, find_map, make_map
    from cellfeat.reporting.map_figure import draw_map, map_values

    colour, head, method = given["colour"] or "label", given["head"], given["method"] or default_method(features)
    map_values(features, colour, results, head)  # before minutes of work
    found = find_map(features, method) or make_map(features, method, progress=_tell, say=say)
    return draw_map(features, colour, results=results, head=head, found=found, width=width)


def _sheet(
    kind: str, features: "Features", results: Path | None, width: "FigureWidth | None", given: dict[str, Any]
) -> "Figure":
    from cellfeat.reporting import sheets

    options = sheets.SheetOptions(
        rows=given["rows"] or sheets.ROWS,
        width=width,
        each_channel=given["each_channel"],
        images=given["images"],
        say=say,
    )
    if kind == "class":
        return sheets.draw_examples(features, given["true"], options=options)
    assert results is not None
    if kind == "pairs":
        from cellfeat.reporting.audited_pairs import audited_pairs

        return sheets.draw_pairs(features, audited_pairs(results, features), options=options)
    return sheets.draw_mistakes(
        features, results, given["head"], true=given["true"], predicted=given["predicted"], options=options
    )


def _write(figure: "Figure", path: Path) -> None:
    from cellfeat.figures import save_figure
    from cellfeat.provenance import publish

    kind: Any = path.suffix.lower().lstrip(".")
    with publish(path) as temporary:
        save_figure(figure, temporary, kind)


def _tell(n_done: int, n_all: int) -> None:
    if n_done % 100 == 0:
        say(f"t-SNE: {n_done} of {n_all} iterations")
