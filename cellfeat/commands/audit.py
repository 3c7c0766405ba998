"""``cellfeat audit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options import config_options, resolve_settings

if TYPE_CHECKING:
    from cellfeat.comparison.audit import Audit
    from cellfeat.extraction.store import Features


@click.command("audit")
@config_options
@click.option("--features", type=click.Path(path_type=Path), help="Feature file that extract wrote.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of its images, if it is elsewhere by now.")
@click.option("--folds", type=click.IntRange(min=2), help="Number of folds.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the folds.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the findings; default: results/…/audit.")
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    features: Path | None,
    images: Path | None,
    output: Path | None,
    **flags: Any,
) -> None:
    """Look for what would make scores untrue, before any is believed.

    Copies and near copies of images, copies with different labels, constant and saturated channels, classes that occur
    in one group only, labels that a head is sure are wrong, rare classes; and what random folds would have claimed.

    Writes audit.csv, and groups.csv, which compare and fit take as --groups.
    """
    from cellfeat.commands.console import ConsoleObserver
    from cellfeat.comparison.audit import audit, write_audit
    from cellfeat.comparison.cache import CACHE_FOLDER, FoldCache
    from cellfeat.extraction.store import load_features

    given = {f"comparison.{name}": value for name, value in flags.items()} | {"extraction.output": features}
    settings = resolve_settings(config, assignments, given)
    loaded = load_features(settings.extraction.output)
    folder = output or settings.comparison.output / "audit"
    with ConsoleObserver() as observer:
        found = audit(
            loaded,
            images=images or _recorded_images(loaded, observer),
            folds=settings.comparison.folds,
            random_state=settings.comparison.seed,
            cache=FoldCache(folder / CACHE_FOLDER),
            say=observer.say,
        )
    findings, groups = write_audit(found, folder)
    _print(found)
    click.echo(f"{len(found.sample_id)} samples in {len(set(found.group.tolist()))} groups: --groups {groups}")
    click.echo(f"findings: {findings}")


def _recorded_images(features: "Features", observer: Any) -> Path | None:
    root = Path(features.provenance["settings"]["images"]["root"])
    if root.is_dir():
        return root
    observer.say(f"the images in {root} cannot be reached: near copies and channels are left out; give --images DIR")
    return None


def _print(found: "Audit") -> None:
    from cellfeat.commands.console import print_table
    from cellfeat.comparison.terminal import finding_lines, render_counts, render_leaks

    if found.findings:
        print_table(render_counts(found))
        click.echo("\n".join([*finding_lines(found), ""]))
    else:
        click.echo("nothing was found\n")
    if found.leaks:
        click.echo("balanced accuracy, by what the folds keep together:\n")
        print_table(render_leaks(found))
        click.echo()
