"""``cellfeat inspect``."""

from pathlib import Path

import click


@click.command("inspect")
@click.argument("target")
def command(target: str) -> None:
    """Say what TARGET holds: a feature file, a saved head, or a backbone by name."""
    path = Path(target)
    if path.is_dir():
        from cellfeat.heads.bundle import describe_bundle, load_bundle

        click.echo(describe_bundle(load_bundle(path)))
    elif path.is_file():
        from cellfeat.extraction.store import describe_summary, read_summary

        click.echo(describe_summary(read_summary(path)))
    else:
        from cellfeat.backbones.describe import describe_backbone

        click.echo(describe_backbone(target))
