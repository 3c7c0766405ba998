"""``cellfeat audit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options import config_options, labels_flag, resolve_settings

if TYPE_CHECKING:
    from cellfeat.audit.audit import Audit
    from cellfeat.config import Settings
    from cellfeat.extraction.store import Features


@click.command("audit")
@config_options
@click.option("--features", type=click.Path(path_type=Path), help="Feature file that extract wrote.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images; alone: before any extraction.")
@click.option("--labels", metavar="CSV|none", help="Table of labels, with --images alone; none: there are none.")
@click.option("--folds", type=click.IntRange(min=2), help="Number of folds.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the folds.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the findings; default: results/…/audit.")
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    features: Path | None,
    images: Path | None,
    labels: str | None,
    output: Path | None,
    **flags: Any,
) -> None:
    """Look for what would make scores untrue, before any is believed.

    Copies and near copies of images, copies with different labels, constant and saturated channels, classes that go
    with one group, labels that a head is sure are wrong, rare classes; and what random folds would have claimed.

    With --images and without --features it looks at the images alone, before any extraction, and leaves out what needs
    heads. With both, the images of the feature file are looked for in that folder.

    Writes audit.csv and groups.csv, and beside the feature file what compare and fit keep together from then on.
    """
    from cellfeat.reporting.files import write_audit

    is_of_images = images is not None and features is None
    if labels and not is_of_images:
        raise click.UsageError("--labels goes with --images alone: a feature file holds the labels of its samples")
    given = {f"comparison.{name}": value for name, value in flags.items()} | {"extraction.output": features}
    settings = resolve_settings(config, assignments, given | {"images.root": images} | labels_flag(labels))
    folder = output or settings.comparison.output / "audit"
    found, audited = (_of_images(settings), None) if is_of_images else _of_features(settings, images, folder)
    findings, groups = write_audit(found, folder)
    _print(found)
    click.echo(f"{len(found.sample_id)} samples in {len(set(found.group.tolist()))} groups: {groups}")
    if audited and found.saw_pixels:
        _keep(audited, found, groups)
    click.echo(f"findings: {findings}")


def _keep(features: "Features", found: "Audit", groups: Path) -> None:
    """Keep what was joined beside the feature file; where nothing can be written, say how to use it all the same."""
    from cellfeat.errors import WriteError
    from cellfeat.near_copies.duplicate_record import save_audited
    from cellfeat.text import clean_lines

    try:
        record = save_audited(features, found.copies)
    except WriteError as error:
        click.echo(clean_lines(f"{error}\ncompare and fit keep copies together with --groups {groups}"), err=True)
    else:
        click.echo(f"compare and fit keep copies and near copies together from now on: {record}")


def _of_images(settings: "Settings") -> "Audit":
    from cellfeat.audit.audit import audit_images
    from cellfeat.commands.console import ConsoleObserver

    with ConsoleObserver() as observer:
        observer.say("the images are audited alone: --features FILE audits what was extracted of them, too")
        return audit_images(settings, say=observer.say)


def _of_features(settings: "Settings", images: Path | None, folder: Path) -> tuple["Audit", "Features"]:
    from cellfeat.audit.audit import audit
    from cellfeat.commands.console import ConsoleObserver
    from cellfeat.evaluation.cache import CACHE_FOLDER, FoldCache
    from cellfeat.extraction.store import load_features

    loaded = load_features(settings.extraction.output)
    with ConsoleObserver() as observer:
        found = audit(
            loaded,
            images=images or _recorded_images(loaded, observer),
            folds=settings.comparison.folds,
            random_state=settings.comparison.seed,
            cache=FoldCache(folder / CACHE_FOLDER),
            say=observer.say,
        )
    return found, loaded


def _recorded_images(features: "Features", observer: Any) -> Path | None:
    root = Path(features.provenance["settings"]["images"]["root"])
    if root.is_dir():
        return root
    observer.say(
        f"the images in {root} cannot be reached: near copies and channels are left out; say where they are by "
        "--features FILE --images DIR"
    )
    return None


def _print(found: "Audit") -> None:
    from cellfeat.commands.console import print_table
    from cellfeat.reporting.terminal import finding_lines, leak_lines, render_counts, render_leaks

    if found.findings:
        print_table(render_counts(found))
        click.echo("\n".join([*finding_lines(found), ""]))
    else:
        click.echo("nothing was found\n")
    if found.leaks:
        n_sets = len(found.leaks[0].scores)
        click.echo(f"balanced accuracy over {n_sets} sets of folds, by what they keep together:\n")
        print_table(render_leaks(found))
        click.echo("\n".join([*leak_lines(found), ""]))
