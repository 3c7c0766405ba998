"""A head evaluated, fitted on all samples, saved with its report, and printed."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellfeat.commands.output.lines import show
from cellfeat.commands.steps.evaluation_arguments import evaluation_arguments

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.evaluation.parallel.choice import Jobs
    from cellfeat.evaluation.results.head_results import HeadResult
    from cellfeat.extraction.store import Features
    from cellfeat.heads.saved.bundle import Bundle
    from cellfeat.saved_results.results_folder import ResultsFolder
    from cellfeat.storage.url import Location


NOT_SAVED = "_not_saved"
"""Ending of the folder with the scores of a head that cannot be saved."""


def fit_and_save(
    settings: "Settings",
    features: "Features",
    head: str,
    folder: Path,
    *,
    labels: "Location | None" = None,
    fresh: bool = False,
    replaces: bool = False,
    jobs: "Jobs" = None,
) -> "HeadResult":
    """Evaluate, fit and save one head with its report.

    Parameters
    ----------
    settings
        The resolved settings.
    features
        The samples.
    head
        Name of the head.
    folder
        Folder of the saved head.
    labels
        Table of labels that replace the extracted ones.
    fresh
        Whether predictions in the cache are ignored and replaced.
    replaces
        Whether a head that was fitted on other samples is replaced.
    jobs
        As for `cellfeat.fit`.
    """
    from cellfeat.commands.output.progress import ProgressObserver
    from cellfeat.evaluation.saved_heads.fit import fit
    from cellfeat.heads.saved.bundle_files import check_bundle_folder
    from cellfeat.reporting.files import HEAD_FILES, write_head_report
    from cellfeat.reporting.model_card import write_model_card
    from cellfeat.saved_results.results_folder import ResultsFolder

    # Before anything is computed.
    check_bundle_folder(folder)
    results = ResultsFolder.of(folder, features, replaces=replaces)
    results.check(HEAD_FILES)
    if folder.parent == settings.results:
        ResultsFolder.of(folder.parent, features, replaces=replaces).check(())
    with ProgressObserver() as observer:
        arguments = evaluation_arguments(features, settings, labels, observer, fresh=fresh)
        bundle, result = fit(features, head, settings=settings.heads.get(head, {}), jobs=jobs, **arguments)
    results.check(HEAD_FILES)  # another run may have written there meanwhile
    _save(_with_label_columns(bundle, settings, labels) if labels else bundle, result, results)
    results.record()
    write_head_report(result, folder, figures=settings.comparison.figures)
    write_model_card(bundle, folder)
    return result


def _save(bundle: "Bundle", result: "HeadResult", results: "ResultsFolder") -> None:
    """Save the head; where that is impossible, save its scores in a folder of their own and say so."""
    from cellfeat.errors import HeadError, MissingExtraError
    from cellfeat.heads.saved.bundle_files import save_bundle
    from cellfeat.reporting.files import write_head_report

    try:
        save_bundle(bundle, results.path)
    except (HeadError, MissingExtraError) as error:
        # Not into the folder of the saved head: an earlier head there has scores of its own.
        beside = dataclasses.replace(results, path=results.path.with_name(f"{results.path.name}{NOT_SAVED}"))
        write_head_report(result, beside.path)
        beside.record()
        raise type(error)(
            f"{result.line()}; the scores and predictions are in {beside.path}, but the head is not saved: {error}"
        ) from error


def _with_label_columns(bundle: "Bundle", settings: "Settings", labels: "Location") -> "Bundle":
    """Record the columns of the table: predictions get their names, and held-out labels are read from them."""
    from cellfeat.heads.saved.bundle import settings_of

    if bundle.scores["provenance"].get("relabelled"):
        return bundle  # a table of changes has columns of its own, which are not those of labels to come
    earlier = settings_of(bundle)
    columns: dict[str, Any] = {"label": settings.labels.label}
    if earlier.labels.file is None:
        columns |= {"id": settings.labels.id, "file": labels}
    record = earlier.model_copy(update={"labels": earlier.labels.model_copy(update=columns)}).record()
    return dataclasses.replace(bundle, provenance=bundle.provenance | {"settings": record})


def print_head(result: "HeadResult") -> None:
    """Print a head's classes, what tuning chose, and what `predict` would give."""
    from cellfeat.commands.output.console import print_table
    from cellfeat.evaluation.results.tables_and_figures import chance_lines
    from cellfeat.reporting.terminal.folds import given_lines, render_folds
    from cellfeat.reporting.terminal.head import choice_lines, predict_lines, render_classes

    print_table(render_classes(result))
    if len(result.scores.overall.given) > 1:
        show()
        print_table(render_folds([result]))
    results = [result]
    lines = [*chance_lines(results), *given_lines(results), *predict_lines(result), *choice_lines(results)]
    show("\n".join(["", *lines]))
