"""``cellfeat import``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.shared import Command, with_options
from cellfeat.commands.options.value_types import PATH_OR_URL
from cellfeat.commands.output.lines import say, show

if TYPE_CHECKING:
    from cellfeat.interop.tables.importing import ImportOptions, Like
    from cellfeat.storage.url import Location


def table_options(command: Command) -> Command:
    """Add the options that say how a table is read, from ``--id`` to ``--dataset``."""
    return with_options(
        command,
        click.option("--id", "id_column", metavar="COLUMN", help="Column of ids; several, joined: Plate,Well,Object."),
        click.option("--label", metavar="COLUMN|none", help="Column of labels."),
        click.option("--group", metavar="COLUMN|none", help="Column of groups, such as the plate; several, joined."),
        click.option(
            "--dataset", metavar="PATH", help="Of an HDF5 file: the dataset. Of .h5ad: X, obsm/NAME, layers/NAME."
        ),
    )


@click.command("import")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--labels", type=click.Path(path_type=Path), help="Second table, with labels of the same samples.")
@table_options
@click.option("--features", multiple=True, metavar="PATTERN", help="Columns that are features: --features 'Cells_*'.")
@click.option("--keep", multiple=True, metavar="PATTERN", help="Take these as features, too, whatever their names say.")
@click.option("--drop", multiple=True, metavar="PATTERN", help="Leave these columns out of the features.")
@click.option(
    "--max-missing",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="Leave out columns with a larger share of missing numbers.",
)
@click.option(
    "--scaling",
    type=click.Choice(["robust", "none"]),
    default="robust",
    show_default=True,
    help="robust: by median and quartiles of the training part of each fold, before any head.",
)
@click.option("--like", type=PATH_OR_URL, help="Feature file, or saved head: take exactly its columns.")
@click.option("--output", type=PATH_OR_URL, help="Feature file to write, or its address; default: features/TABLE.h5.")
@click.option("--replace", is_flag=True, help="Replace an existing feature file.")
def command(
    table: Path,
    labels: Path | None,
    features: tuple[str, ...],
    keep: tuple[str, ...],
    drop: tuple[str, ...],
    max_missing: float,
    scaling: str,
    like: "Location | None",
    output: "Location | None",
    replace: bool,
    **named: Any,
) -> None:
    """Make a feature file of numbers that you have already: CellProfiler's, AnnData's, or any table of measurements.

    Reads CSV (also .gz), Parquet, Excel, .npy, .npz, .h5ad and other HDF5. Columns of CellProfiler and pycytominer are
    recognised: Metadata_* is kept beside the features, and coordinates, numbers of objects and file names are left out.
    What is guessed and what is left out is said on stderr.
    """
    from cellfeat.interop.tables.importing import import_table
    from cellfeat.interop.tables.numbers import Wanted

    target = output or Path("features") / f"{stem(table)}.h5"
    _check_output(target, [table, labels, like], replaces=replace)
    wanted = Wanted(_split(features), _split(keep), _split(drop), max_missing)
    options = table_import_options(labels, wanted=wanted, scaling=scaling, **named)
    imported = import_table(table, options, like=like_of(like) if like else None)
    for remark in imported.remarks:
        say(remark)
    made = imported.features.save(target, replace=replace)
    shape = f"{len(made):,} samples x {made.embeddings.shape[2]:,} features"
    show(f"{made.path} ({shape}); compare heads on it: cellfeat compare --features {shlex.quote(str(made.path))}")


def stem(table: Path) -> str:
    """Name a table without its ending: ``plate1`` of ``plate1.csv.gz``."""
    name = table.name.removesuffix(".gz")
    return Path(name).stem or "table"


def table_import_options(
    labels: Path | None,
    *,
    id_column: str | None,
    label: str | None,
    group: str | None,
    dataset: str | None,
    **more: Any,
) -> "ImportOptions":
    """Give the options of `table_options` as one value.

    Parameters
    ----------
    labels
        Second table.
    id_column, label, group, dataset
        The options.
    **more
        Further fields of `ImportOptions`.
    """
    from cellfeat.interop.tables.importing import ImportOptions

    return ImportOptions(labels=labels, id=id_column, label=label, group=group, dataset=dataset, **more)


def like_of(path: "Location") -> "Like":
    """Read the columns of a feature file or of a saved head."""
    from cellfeat.extraction.store import read_summary
    from cellfeat.heads.saved.bundle_files import load_bundle
    from cellfeat.interop.tables.importing import Like

    found = load_bundle(path) if isinstance(path, Path) and path.is_dir() else read_summary(path)
    return Like.of(found.recipe, found.provenance, str(path))


def _split(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for pattern in patterns for part in pattern.split(",") if part.strip())


def _check_output(output: "Location", inputs: list["Location | None"], *, replaces: bool) -> None:
    """Refuse, before a large table is read, to write over anything."""
    from cellfeat.errors import WriteError
    from cellfeat.storage.opening import is_there

    if not isinstance(output, Path):
        if is_there(output) and not replaces:
            raise WriteError(f"{output}: exists already; choose another --output, or replace it with --replace")
        return
    if output.is_dir():
        raise click.UsageError(f"--output {output} is a folder; expected the name of a feature file")
    read = [one for one in inputs if isinstance(one, Path)]
    if output.exists() and any(one.exists() and one.samefile(output) for one in read):
        raise WriteError(f"{output}: is a file that is read here; choose another --output")
    if output.exists() and not replaces:
        raise WriteError(f"{output}: exists already; choose another --output, or replace it with --replace")
