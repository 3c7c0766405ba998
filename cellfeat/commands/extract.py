"""``cellfeat extract``."""

from pathlib import Path
from typing import Any

import click

from cellfeat.commands.options import config_options, labels_flag, resolve_settings


@click.command("extract")
@config_options
@click.option("--images", type=click.Path(), help="Folder of the images.")
@click.option("--labels", metavar="CSV|none", help="Table of labels; none: there are none.")
@click.option("--backbone", metavar="NAME", help="See: cellfeat list backbones.")
@click.option("--weights", metavar="NAME|FILE", help="Name of a weights record, or a local checkpoint.")
@click.option("--device", metavar="auto|cpu|cuda|mps")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]))
@click.option("--views", type=click.Choice(["1", "4", "8"]), help="Rotations, and reflections, of each sample.")
@click.option("--batch-size", metavar="N|auto")
@click.option("--workers", metavar="N|auto", help="Processes that read images.")
@click.option("--image-timeout", type=float, metavar="SECONDS", help="Longest time that reading one sample may take.")
@click.option("--output", type=click.Path(path_type=Path), help="Feature file to write.")
@click.option("--on-error", type=click.Choice(["stop", "quarantine"]), help="What to do with unreadable images.")
@click.option("--update", is_flag=True, help="Bring a finished file up to date: extract only what is new or changed.")
@click.option("--profile", is_flag=True, default=None, help="Print a table of where the time went.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write a Chrome trace of the stages.")
def command(config: Path | None, assignments: tuple[str, ...], *, update: bool, **flags: Any) -> None:
    """Embed every image once, and write the feature file.

    Killed at any time, the same command goes on where it stopped. On a finished file it does nothing; where samples
    or their pixels are others than it holds, --update reads all images and extracts only those that are new to it.
    """
    from cellfeat.commands.console import ConsoleObserver
    from cellfeat.extraction.extract import extract

    settings = resolve_settings(config, assignments, extraction_flags(**flags))
    with ConsoleObserver() as observer:
        extraction = extract(settings, observer=observer, update=update)
    click.echo(extraction.path)


def extraction_flags(images: str | None, labels: str | None, **flags: Any) -> dict[str, Any]:
    """The flags of ``extract`` by their dotted key."""
    homes = {"backbone": "backbone.name", "weights": "backbone.weights"}
    by_key = {homes.get(name, f"extraction.{name}"): value for name, value in flags.items()}
    views = by_key.pop("extraction.views")
    return (
        by_key
        | labels_flag(labels)
        | {
            "images.root": images,
            "extraction.views": int(views) if views else None,
        }
    )
