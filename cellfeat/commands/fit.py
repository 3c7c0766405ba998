"""``cellfeat fit``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.completion import complete_head
from cellfeat.commands.options.evaluation import fold_flags, fold_options, tell_without_effect
from cellfeat.commands.options.jobs import jobs_options, taken_jobs
from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.shared import (
    config_options,
    figures_flag,
    figures_option,
    page_flag,
    page_option,
    replace_option,
)
from cellfeat.commands.options.value_types import NameOf, head_names
from cellfeat.commands.output.lines import show
from cellfeat.commands.output.next_steps import say_next
from cellfeat.commands.output.page_writing import refresh_page
from cellfeat.commands.steps.fitting import fit_and_save, print_head

if TYPE_CHECKING:
    from cellfeat.storage.url import Location


@click.command("fit")
@config_options
@click.option(
    "--head",
    required=True,
    type=NameOf(head_names, "cellfeat list heads"),
    metavar="NAME",
    shell_complete=complete_head,
    help="See: cellfeat list heads.",
)
@fold_options
@jobs_options
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder of the saved head; default: results/FEATURES/HEAD."
)
@figures_option
@page_option
@replace_option
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    head: str,
    output: Path | None,
    labels: "Location | None",
    fresh: bool,
    figures: str | None,
    no_page: bool,
    replace: bool,
    **flags: Any,
) -> None:
    """Evaluate one head out of fold, then fit it on all samples and save it.

    With --tune, the saved head has the settings found on all samples; its scores are those of the settings found inside
    the training part of each fold.

    The folder also gets metrics.json, the out-of-fold predictions, figures and README.md, a model card. Folds that
    compare has evaluated already are not computed again. A head that was fitted on other samples is not replaced,
    unless --replace says so.
    """
    from cellfeat.extraction.store import load_features
    from cellfeat.reporting.terminal.head import claim_line, score_line
    from cellfeat.text import file_name

    tell_without_effect(assignments, takes_labels=labels is not None)
    jobs = taken_jobs(flags)
    settings = resolve_settings(config, assignments, fold_flags(**flags) | figures_flag(figures) | page_flag(no_page))
    folder = output or settings.results / file_name(head)
    features = load_features(settings.extraction.output)
    result = fit_and_save(settings, features, head, folder, labels=labels, fresh=fresh, replaces=replace, jobs=jobs)
    show(f"{score_line(result)}\n{claim_line(result)}\n")
    print_head(result)
    show(f"\nsaved head: {folder} (metrics.json: every figure; and pictures)")
    if settings.comparison.page:
        refresh_page(folder, features)
    say_next(f"predict --model {shlex.quote(str(folder))} {'--table FILE' if features.is_imported else '--images DIR'}")
