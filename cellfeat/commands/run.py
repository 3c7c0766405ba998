"""``cellfeat run``."""

from pathlib import Path

import click

from cellfeat.commands.options.evaluation import tune_option
from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.shared import (
    config_options,
    figures_flag,
    figures_option,
    page_flag,
    page_option,
    replace_option,
)
from cellfeat.commands.output.lines import show
from cellfeat.commands.output.page_writing import refresh_page


@click.command("run")
@config_options
@tune_option
@figures_option
@page_option
@replace_option
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    *,
    tune: int | None,
    figures: str | None,
    no_page: bool,
    replace: bool,
) -> None:
    """Extract, compare the heads, then fit and save the best one."""
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.commands.steps.comparison import compare_and_report, results_line
    from cellfeat.commands.steps.fitting import fit_and_save, print_head
    from cellfeat.evaluation.cross_validation.head_checks import check_heads
    from cellfeat.extraction.extract import extract
    from cellfeat.extraction.store import load_features
    from cellfeat.text import file_name

    flags = {"comparison.tune": tune} | figures_flag(figures) | page_flag(no_page)
    settings = resolve_settings(config, assignments, flags)
    check_heads(settings.comparison.heads, settings.heads)
    with ConsoleObserver() as observer:
        extract(settings, observer=observer)
    features = load_features(settings.extraction.output)
    best = compare_and_report(settings, features, replaces=replace).best.head
    folder = settings.results / file_name(best)
    show(f"\nthe best, {best}, fitted on all samples of the comparison:\n")
    print_head(fit_and_save(settings, features, best, folder, replaces=replace))
    show(f"\n{results_line(settings)}")
    show(f"saved head: {folder}")
    if settings.comparison.page:
        refresh_page(settings.results, features)
        refresh_page(folder, features)
