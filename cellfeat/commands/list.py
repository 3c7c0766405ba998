"""``cellfeat list``."""

import click

SOURCES = {"features": "features", "model": "a saved head"}


@click.command("list")
@click.argument("what", type=click.Choice(["heads", "backbones", "exports"]))
def command(what: str) -> None:
    """List the heads, the backbones or the formats of export that are available."""
    if what == "heads":
        from cellfeat.heads.registry import HEADS

        for head in HEADS.values():
            click.echo(f"{head.name:<14}{head.summary}")
    elif what == "exports":
        from cellfeat.interop.exports.registry import EXPORTS

        for entry in EXPORTS.values():
            click.echo(f"{entry.name:<14}{entry.summary} (of {SOURCES[entry.source]})")
    else:
        from cellfeat.backbones.registry import BACKBONES

        for backbone in BACKBONES.values():
            click.echo(f"{backbone.name:<24}{backbone.embedding_dim:>5} numbers, weights {backbone.default_weights}")
        click.echo("timm:<name>             any model of timm (pip install 'cellfeat[timm]')")
