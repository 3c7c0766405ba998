"""``cellfeat audit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.settings import resolve_settings
from cellfeat.commands.options.shared import config_options, labels_flag, page_flag, page_option, replace_option
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say, show
from cellfeat.commands.output.next_steps import say_next
from cellfeat.commands.output.page_writing import refresh_page

if TYPE_CHECKING:
    from cellfeat.auditing.findings import Audit
    from cellfeat.config import Settings
    from cellfeat.extraction.store import Features
    from cellfeat.storage.url import Location


@click.command("audit")
@config_options
@click.option("--features", type=PATH_OR_URL, help="Feature file that extract wrote, or its address.")
@click.option("--images", type=PATH_OR_URL, help="Folder or address of the images; alone: before any extraction.")
@click.option(
    "--labels",
    metavar="CSV|none",
    help="Table of labels, or of changes that the page exports; with --images alone, none: there are none.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Number of folds.")
@click.option(
    "--groups",
    metavar="auto|copies|none|CSV|COLUMN[+near-copies]",
    help="Which samples stay together in one fold; default auto.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the folds.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of the findings; default: results/FEATURES/audit, or results/IMAGES/audit.",
)
@page_option
@replace_option
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    features: "Location | None",
    images: "Location | None",
    labels: str | None,
    output: Path | None,
    no_page: bool,
    replace: bool,
    **flags: Any,
) -> None:
    """Find what would make scores wrong.

    Finds copies and near copies of images, copies with different labels, constant and saturated channels, classes
    confounded with a group or a property of their files (type, bits, format, size), labels that a head contradicts with
    confidence, and rare classes; measures what random folds would have claimed; and probes what tells the class without
    the cells: properties of the files, their names and order, positions, the border of the images, intensities.

    With --images and without --features it audits the images alone, before any extraction, and leaves out what needs
    heads. With both, the images of the feature file are read from that folder.

    Writes audit.csv, groups.csv, probes.csv and leak.csv; those of other samples are not replaced, unless
    --replace says so. A record beside the feature file makes compare and fit keep copies and near copies together from
    then on.
    """
    from cellfeat.extraction.store import load_features
    from cellfeat.reporting.audit_files import write_audit
    from cellfeat.saved_results.files import AUDIT_FILES
    from cellfeat.saved_results.results_folder import ResultsFolder

    is_of_images = images is not None and features is None
    if labels == "none" and not is_of_images:
        raise click.UsageError("--labels none is for --images without --features")
    given = {f"comparison.{name}": value for name, value in flags.items()} | {"extraction.output": features}
    settings = resolve_settings(
        config,
        assignments,
        given | {"images.root": images} | labels_flag(labels if is_of_images else None) | page_flag(no_page),
    )
    folder = output or _default_folder(settings, is_of_images=is_of_images)
    if is_of_images:
        found, audited = _of_images(settings), None
        root = str(settings.images.root)
        results = ResultsFolder(folder, found.samples_digest, len(found.sample_id), root, replaces=replace)
    else:
        audited = load_features(settings.extraction.output)
        results = ResultsFolder.of(folder, audited, replaces=replace)
        results.check(AUDIT_FILES)  # before anything is computed
        if labels:
            audited = _with_labels(audited, settings, labels)
        found = _of_features(settings, audited, images, folder)
    results.check(AUDIT_FILES)
    results.record()
    findings, groups, *_ = write_audit(found, folder)
    _print(found)
    show(f"{len(found.sample_id)} samples in {len(set(found.group.tolist()))} groups: {groups}")
    if audited and found.saw_pixels:
        _keep(audited, found, groups)
    show(f"findings: {findings}")
    if settings.comparison.page:
        _refresh_pages(folder, audited)
    if audited is not None:
        say_next("compare", config=config, features=features)
    else:
        say_next("extract", config=config, images=images)


def _refresh_pages(folder: Path, audited: "Features | None") -> None:
    """Write the page of the audit, and that of the comparison beside it, which shows the audit as well."""
    from cellfeat.page.files.writing import has_page

    refresh_page(folder, audited)
    if audited is not None and has_page(folder.parent):
        refresh_page(folder.parent, audited)


def _default_folder(settings: "Settings", *, is_of_images: bool) -> Path:
    """Name the folder after the feature file, or after the folder of images where there is no feature file yet."""
    from cellfeat.storage.url import own_name

    if is_of_images and settings.comparison.output is None:
        return Path("results") / own_name(settings.images.root) / "audit"
    return settings.results / "audit"


def _keep(features: "Features", found: "Audit", groups: Path) -> None:
    """Save the joined groups beside the feature file; where that is not writable, say how to use groups.csv."""
    from cellfeat.errors import WriteError
    from cellfeat.near_copies.duplicate_record import save_audited

    try:
        record = save_audited(features, found.copies)
    except WriteError as error:
        say(f"{error}\ncompare and fit keep copies together with --groups {groups}")
    else:
        show(f"compare and fit keep copies and near copies together from now on: {record}")


def _of_images(settings: "Settings") -> "Audit":
    from cellfeat.auditing.audit import audit_images
    from cellfeat.commands.output.console import ConsoleObserver

    with ConsoleObserver() as observer:
        observer.say("only the images are audited: add --features FILE to audit the features extracted from them")
        return audit_images(settings, say=observer.say)


def _with_labels(features: "Features", settings: "Settings", labels: str) -> "Features":
    """Give the features the labels of a table, which may be one of changes."""
    from cellfeat.evaluation.relabelling.changes import Relabelling
    from cellfeat.evaluation.relabelling.new_labels import read_new_labels
    from cellfeat.storage.url import as_location

    read = read_new_labels(features, settings, as_location(labels), say=say)
    if isinstance(read, Relabelling):
        show("\n".join(read.judged.sentences()))
    return features.with_labels(read)


def _of_features(settings: "Settings", loaded: "Features", images: "Location | None", folder: Path) -> "Audit":
    from cellfeat.auditing.audit import audit
    from cellfeat.commands.output.console import ConsoleObserver
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.fold_predictions.cache import CACHE_FOLDER, FoldCache

    with ConsoleObserver() as observer:
        return audit(
            loaded,
            images=_recorded_images(loaded, observer) if images is None or loaded.is_imported else images,
            design=Design.from_settings(settings),
            cache=FoldCache(folder / CACHE_FOLDER),
            say=observer.say,
        )


def _recorded_images(features: "Features", observer: Any) -> "Location | None":
    from cellfeat.samples.folders.opening import open_folder

    if features.is_imported:
        observer.say("the features are a table's: what needs images is left out, such as near copies and channels")
        return None
    root = features.recorded_images
    if root is None:
        observer.say(
            f"{features.path} does not say which images it was extracted from: near copies and channels are not checked"
        )
        return None
    if open_folder(root).exists():
        return root
    observer.say(
        f"the images in {root} are not available: near copies and channels are not checked; say where they are with "
        "--features FILE --images DIR"
    )
    return None


def _print(found: "Audit") -> None:
    from cellfeat.commands.output.console import print_table
    from cellfeat.reporting.terminal.audit import (
        chance_lines,
        finding_lines,
        leak_lines,
        probe_lines,
        render_counts,
        render_leaks,
        render_probes,
    )

    if found.findings:
        print_table(render_counts(found))
        show("\n".join([*chance_lines(found), *finding_lines(found), ""]))
    else:
        show("no findings\n")
    if found.leaks:
        n_sets = len(found.leaks[0].scores)
        show(f"balanced accuracy over {n_sets} sets of folds, by what they keep together:\n")
        print_table(render_leaks(found))
        show("\n".join([*leak_lines(found), ""]))
    if found.probes:
        show("balanced accuracy without the cells, on folds that keep near copies together:\n")
        print_table(render_probes(found.probes))
        show("\n".join([*probe_lines(found.probes), ""]))
