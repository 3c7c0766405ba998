"""``cellfeat recommend``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.shared import config_options, figures_flag, figures_option, labels_flag
from cellfeat.commands.output.lines import show, write_exactly

if TYPE_CHECKING:
    from cellfeat.recommending.recommendation import Recommendation

FOLDER = "recommend"
"""Folder of a recommendation inside the results."""


@click.command("recommend")
@config_options
@click.option("--images", type=click.Path(), help="Folder of images, or its address: s3://lab/images.")
@click.option("--labels", metavar="CSV", help="Table of labels, also by its address.")
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    metavar="NAME[=WEIGHTS]",
    help="Compare this network; repeat it for several. WEIGHTS is a file, a name, or random. Default: all networks "
    "whose weights are on this machine.",
)
@click.option(
    "--budget",
    default="20m",
    show_default=True,
    metavar="TIME",
    help="Time that the comparison may take: 90s, 20m, 1h30m; a plain number counts minutes.",
)
@click.option(
    "--samples", type=click.IntRange(min=10), default=1500, show_default=True, help="Samples to compare recipes on."
)
@click.option("--groups", metavar="auto|copies|none|CSV|COLUMN", help="Which samples stay together in one fold.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the samples, the folds and random weights.")
@click.option("--device", metavar="auto|cpu|cuda|mps", help="Where the networks run.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of the results; default: recommend in that of the feature file.",
)
@figures_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of a table.")
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    images: str | None,
    labels: str | None,
    backbones: tuple[str, ...],
    budget: str,
    samples: int,
    groups: str | None,
    seed: int | None,
    device: str | None,
    output: Path | None,
    figures: str | None,
    *,
    as_json: bool,
) -> None:
    """Choose the recipe of an extraction on a part of your own images, within a time budget.

    Networks, layers, input sizes, crops, channels and views are compared by how well a linear head tells your classes
    apart, on folds that keep groups and near copies together. The better recipes go on to more samples and views.
    Writes the settings that extract takes (recommended.yaml, with the reasons), a table of accuracy against seconds,
    and its picture.

    The recipe of your settings takes part, so the gain over it is measured. Ctrl-C ends the comparison, and what is
    known so far decides.
    """
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.recommending.clock import parse_budget
    from cellfeat.recommending.recommend import recommend
    from cellfeat.recommending.saving import save_recommendation

    seconds = parse_budget(budget)
    settings = resolve_settings(
        config,
        assignments,
        {
            **labels_flag(labels),
            "images.root": images,
            "comparison.groups": groups,
            "comparison.seed": seed,
            "extraction.device": device,
            **figures_flag(figures),
        },
    )
    with ConsoleObserver("recommend") as observer:
        try:
            found = recommend(settings, budget=seconds, samples=samples, backbones=backbones, observer=observer)
        except KeyboardInterrupt as error:
            raise type(error)("nothing had been compared, and nothing is written") from None
    folder = output or settings.results / FOLDER
    files = save_recommendation(found, folder, settings.comparison.figures)
    if as_json:
        write_exactly(json.dumps(found.record(), indent=2) + "\n")
    else:
        _print(found, files)
    if found.is_interrupted:
        # The comparison has caught Ctrl-C to give what is known; the command still ends as interrupted.
        raise KeyboardInterrupt(
            "the recommendation is of what was compared until then; the same command starts from the beginning"
        )


def _print(found: "Recommendation", files: list[Path]) -> None:
    from cellfeat.commands.output.console import print_table
    from cellfeat.reporting.terminal.recommendation import render_finalists

    print_table(render_finalists(found))
    show()
    for line in found.lines():
        show(line)
    show(f"\nresults: {', '.join(map(str, files))}")
    show(f"next: cellfeat extract --config {files[0]}")
