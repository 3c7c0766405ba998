"""``cellfeat list``."""

import click

from cellfeat.commands.output.lines import show

SOURCES = {"features": "features", "model": "a saved head"}


@click.command("list")
@click.argument("what", type=click.Choice(["heads", "backbones", "sklearn", "exports"]))
def command(what: str) -> None:
    """List the heads, the backbones, the classifiers of scikit-learn that are heads too, or the formats of export."""
    {"heads": _heads, "backbones": _backbones, "sklearn": _classifiers, "exports": _exports}[what]()


def _exports() -> None:
    from cellfeat.interop.exports.registry import EXPORTS

    for entry in EXPORTS.values():
        show(f"{entry.name:<14}{entry.summary} (of {SOURCES[entry.source]})")


def _heads() -> None:
    from cellfeat.heads.registry import HEADS

    for head in HEADS.values():
        show(f"{head.name:<14}{head.summary}")
    show("sklearn:NAME  any classifier of scikit-learn, as sklearn:SVC; all of them: cellfeat list sklearn")


def _backbones() -> None:
    from cellfeat.backbones.registry import BACKBONES

    for backbone in BACKBONES.values():
        show(
            f"{backbone.name:<24}{backbone.embedding_dim:>5} numbers, weights {backbone.default_weights}, "
            f"trained on {backbone.trained_on}"
        )
    show("timm:<name>             any model of timm (pip install 'cellfeat[timm]')")


def _classifiers() -> None:
    from cellfeat.heads.scikit_learn.entries import classifiers, needed_parameters

    for name, kind in classifiers().items():
        needed = needed_parameters(kind)
        note = f"  from Python only: needs {', '.join(needed)}" if needed else ""
        show(f"sklearn:{name}{note}")
