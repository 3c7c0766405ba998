"""``cellfeat list``."""

import click


@click.command("list")
@click.argument("what", type=click.Choice(["heads", "backbones"]))
def command(what: str) -> None:
    """List the heads or the backbones that are available."""
    if what == "heads":
        from cellfeat.heads.registry import HEADS

        for head in HEADS.values():
            click.echo(f"{head.name:<14}{head.summary}")
    else:
        from cellfeat.backbones.registry import BACKBONES

        for backbone in BACKBONES.values():
            click.echo(f"{backbone.name:<24}{backbone.embedding_dim:>5} numbers, weights {backbone.default_weights}")
        click.echo("timm:<name>             any model of timm (pip install 'cellfeat[timm]')")
