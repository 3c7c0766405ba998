"""``cellfeat compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options import config_options, evaluation_arguments, fold_flags, fold_options, resolve_settings

if TYPE_CHECKING:
    from cellfeat.comparison.compare import Comparison
    from cellfeat.config import Settings

TABLE_WIDTH = 120
"""Columns of a table that goes to a file or a pipe."""


@click.command("compare")
@config_options
@click.option("--heads", metavar="NAME,NAME,…", help="See: cellfeat list heads.")
@fold_options
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the results.")
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    heads: str | None,
    output: Path | None,
    labels: Path | None,
    fresh: bool,
    **flags: Any,
) -> None:
    """Evaluate heads on the same grouped folds, and say which is better, with intervals.

    What is computed is kept in the results folder: with one more head, the same command computes only that head.
    """
    chosen = {
        "comparison.heads": [name.strip() for name in heads.split(",")] if heads else None,
        "comparison.output": output,
    }
    settings = resolve_settings(config, assignments, fold_flags(**flags) | chosen)
    compare_and_report(settings, labels=labels, fresh=fresh)
    click.echo(f"results: {settings.comparison.output}")


def compare_and_report(settings: "Settings", *, labels: Path | None = None, fresh: bool = False) -> "Comparison":
    """Compare the heads of the settings, print the table and the verdicts, and write the report."""
    from rich.console import Console

    from cellfeat.commands.standing import StandingObserver
    from cellfeat.comparison.compare import compare
    from cellfeat.comparison.report import render_table, write_report
    from cellfeat.extraction.store import load_features

    features = load_features(settings.extraction.output)
    wanted = settings.comparison
    with StandingObserver() as observer:
        arguments = evaluation_arguments(settings, labels, observer, fresh=fresh)
        comparison = compare(
            features, heads=wanted.heads, settings=settings.heads, on_outcome=observer.head_done, **arguments
        )
    console = Console()
    console.width = max(console.width, TABLE_WIDTH) if not console.is_terminal else console.width
    console.print(render_table(comparison))
    click.echo("\n".join(comparison.verdicts_on_best()))
    write_report(comparison, wanted.output)
    if not comparison.is_complete:
        raise KeyboardInterrupt
    return comparison
