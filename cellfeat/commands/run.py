"""``cellfeat run``."""

from pathlib import Path

import click

from cellfeat.commands.options import (
    config_options,
    figures_flag,
    figures_option,
    replace_option,
    resolve_settings,
    tune_option,
)


@click.command("run")
@config_options
@tune_option
@figures_option
@replace_option
def command(
    config: Path | None, assignments: tuple[str, ...], *, tune: int | None, figures: str | None, replace: bool
) -> None:
    """Extract, compare the heads, then fit and save the best one."""
    from cellfeat.commands.compare import compare_and_report, results_line
    from cellfeat.commands.console import ConsoleObserver
    from cellfeat.commands.fit import fit_and_save, print_head
    from cellfeat.evaluation.compare import check_heads
    from cellfeat.extraction.extract import extract
    from cellfeat.text import file_name

    settings = resolve_settings(config, assignments, {"comparison.tune": tune} | figures_flag(figures))
    check_heads(settings.comparison.heads, settings.heads)
    with ConsoleObserver() as observer:
        extract(settings, observer=observer)
    best = compare_and_report(settings, replaces=replace).best.head
    folder = settings.results / file_name(best)
    click.echo(f"\nthe best, {best}, fitted on all samples of the comparison:\n")
    print_head(fit_and_save(settings, best, folder, replaces=replace))
    click.echo(f"\n{results_line(settings)}")
    click.echo(f"saved head: {folder}")
