"""``cellfeat extract``."""

from pathlib import Path
from typing import Any

import click

from cellfeat.commands.options import PATH_OR_URL, config_options, labels_flag, resolve_settings


@click.command("extract")
@config_options
@click.option("--images", type=click.Path(), help="Folder of images.")
@click.option("--labels", metavar="CSV|none", help="Table of labels; none: extract without labels.")
@click.option("--backbone", metavar="NAME", help="Name of the backbone; see: cellfeat list backbones.")
@click.option("--weights", metavar="NAME|FILE", help="Name of a weights record, or a checkpoint file.")
@click.option("--device", metavar="auto|cpu|cuda|mps", help="Where the backbone runs.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16", "int8"]),
    help="auto: the fastest that is close enough to float32 on these images.",
)
@click.option(
    "--views",
    type=click.Choice(["1", "4", "8"]),
    help="Rotations (4), or rotations and reflections (8), of each sample.",
)
@click.option("--batch-size", metavar="N|auto", help="Samples per batch.")
@click.option("--workers", metavar="N|auto", help="Processes that read images; 0: read them in this process.")
@click.option(
    "--image-timeout", type=float, metavar="SECONDS", help="Longest time that a process may take to read a sample."
)
@click.option("--output", type=PATH_OR_URL, help="Feature file to write, or its address: s3://lab/cells.h5.")
@click.option("--on-error", type=click.Choice(["stop", "quarantine"]), help="What to do when an image cannot be read.")
@click.option("--update", is_flag=True, help="Update a finished file: extract only samples that are new or changed.")
@click.option("--profile", is_flag=True, default=None, help="Print a table of the time that each step took.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write a Chrome trace of the steps.")
def command(config: Path | None, assignments: tuple[str, ...], *, update: bool, **flags: Any) -> None:
    """Embed every image once, and write the feature file.

    After an interruption, the same command continues where it stopped. On a finished file it does nothing. If samples
    or their pixels have changed since, --update reads all images and extracts only those that differ.
    """
    from cellfeat.commands.console import ConsoleObserver
    from cellfeat.extraction.extract import extract

    settings = resolve_settings(config, assignments, extraction_flags(**flags))
    with ConsoleObserver() as observer:
        extraction = extract(settings, observer=observer, update=update)
    click.echo(extraction.path)


def extraction_flags(images: str | None, labels: str | None, **flags: Any) -> dict[str, Any]:
    """Map the flags of ``extract`` to their dotted keys.

    Parameters
    ----------
    images, labels
        Values of ``--images`` and ``--labels``; None: not given.
    **flags
        Values of the other flags, by name.
    """
    homes = {"backbone": "backbone.name", "weights": "backbone.weights"}
    by_key = {homes.get(name, f"extraction.{name}"): value for name, value in flags.items()}
    views = by_key.pop("extraction.views")
    return {
        **by_key,
        **labels_flag(labels),
        "images.root": images,
        "extraction.views": int(views) if views else None,
    }
