"""``cellfeat inspect``."""

from pathlib import Path

import click

from cellfeat.commands.options.completion import complete_backbone_or_file
from cellfeat.commands.options.settings import needed_features
from cellfeat.commands.output.lines import show
from cellfeat.errors import MissingFileError
from cellfeat.storage.url import Location, Url, as_location


@click.command("inspect")
@click.argument("target", required=False, shell_complete=complete_backbone_or_file)
def command(target: str | None) -> None:
    """Say what TARGET holds: a feature file, a saved head, or a backbone by name.

    Without TARGET, it is the feature file of cellfeat.yaml in this folder.

    Of a feature file it shows the classes and groups with their sizes, further columns of the labels table, types,
    bits, sizes and formats of the images, and the recipe.
    """
    target = target or str(needed_features("TARGET"))
    path: Location = as_location(target)
    if isinstance(path, Path) and path.is_dir():
        from cellfeat.heads.saved.bundle import describe_bundle
        from cellfeat.heads.saved.bundle_files import load_bundle

        show(describe_bundle(load_bundle(path)))
    elif isinstance(path, Url) or path.is_file():
        from cellfeat.extraction.store import describe_summary, read_summary

        show(describe_summary(read_summary(path)))
    elif path.suffix in (".h5", ".hdf5") or len(path.parts) > 1:
        raise MissingFileError(
            f"{target} does not exist; expected a feature file, the folder of a saved head, or the name of a backbone"
        )
    else:
        from cellfeat.backbones.describe import describe_networks

        networks = describe_networks(target)
        show("\n\n".join(map(str, networks)))
        if len(networks) > 1:
            dims = " + ".join(str(network.embedding_dim) for network in networks)
            show(f"\nside by side   {sum(network.embedding_dim for network in networks)} numbers: {dims}")
