"""``cellfeat export``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellfeat.commands.options.completion import complete_export
from cellfeat.commands.options.shared import replace_option, weights_option
from cellfeat.commands.options.value_types import PATH_OR_URL, NameOf, export_names
from cellfeat.commands.output.lines import say, show

if TYPE_CHECKING:
    from cellfeat.storage.url import Location


@click.command("export")
@click.argument("features", required=False, type=PATH_OR_URL)
@click.option(
    "--to",
    "name",
    required=True,
    type=NameOf(export_names, "cellfeat list exports"),
    metavar="FORMAT",
    shell_complete=complete_export,
    help="See: cellfeat list exports.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Add predictions: folder of results of compare, fit or score of the same samples.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="With FEATURES: add the predictions of this saved head. Alone: the saved head to export.",
)
@click.option(
    "--standardise",
    metavar="COLUMN|one",
    help="With --model, for a head that standardises: column of plates, if not as at fitting; or one.",
)
@click.option("--with-backbone", is_flag=True, help="onnx: include the network, so that the model takes images.")
@weights_option("onnx: weights of the network, if they are elsewhere now.")
@click.option("--tsne", is_flag=True, help="h5ad: add X_tsne; takes about a second for 1,000 samples.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The file, or a folder for it; default: beside FEATURES or DIR."
)
@replace_option
def command(
    features: "Location | None",
    name: str,
    results: Path | None,
    model: Path | None,
    standardise: str | None,
    with_backbone: bool,
    weights: "str | dict[str, str] | None",
    tsne: bool,
    output: Path | None,
    replace: bool,
) -> None:
    """Write the features of the file FEATURES, or a saved head, for other programs.

    \b
    cellfeat export features/cells.h5 --to h5ad --results results/cells
    cellfeat export features/new.h5 --to profiles --model results/cells/mlp
    cellfeat export --model results/cells/mlp --to onnx

    Formats of features are h5ad (scanpy), profiles (pycytominer), parquet, csv, npz, and the descriptions croissant and
    ro-crate; of a saved head, onnx. Samples that could not be read are left out and named. An existing file is replaced
    only with --replace.
    """  # noqa: D301, click reads the backspace as: keep these lines
    if standardise and not (features and model):
        raise click.UsageError("--standardise goes with a feature file and --model")
    _check_use(features, model, results=results, tsne=tsne, with_backbone=with_backbone, weights=weights)
    from cellfeat.interop.exports.export import export, export_model

    if features is None:
        assert model is not None
        path = export_model(model, name, output, with_backbone=with_backbone, weights=weights, replace=replace)
    else:
        path = export(
            features,
            name,
            output,
            results=results,
            model=model,
            standardise=standardise,
            with_tsne=tsne,
            replace=replace,
            say=say,
        )
    show(f"{path} ({_size(path.stat().st_size)})")


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.1f} kB"


def _check_use(features: "Location | None", model: Path | None, **options: object) -> None:
    if features is None and model is None:
        raise click.UsageError("expected a feature file, or --model with the folder of a saved head")
    if features and model and options["results"]:
        raise click.UsageError("expected one of --results and --model: predictions out of fold, or of a saved head")
    only = ("results", "tsne") if features is None else ("with_backbone", "weights")
    given = [f"--{name.replace('_', '-')}" for name in only if options[name]]
    if given:
        raise click.UsageError(f"{given[0]} goes with {'a feature file' if features is None else '--model alone'}")
    if options["weights"] and not options["with_backbone"]:
        raise click.UsageError("--weights goes with --with-backbone: a head alone has no network")
