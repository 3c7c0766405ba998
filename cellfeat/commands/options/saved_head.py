"""Options that name a saved head, and the samples that it predicts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.settings import found_features
from cellfeat.commands.options.shared import Command, weights_option, with_options
from cellfeat.commands.options.value_types import PATH_OR_URL, SavedHeadFolder

if TYPE_CHECKING:
    from cellfeat.storage.url import Location


def sample_options(*, labels_help: str) -> Callable[[Command], Command]:
    """Add the options that name the saved head and the samples, from ``--model`` to ``--on-error``."""

    def add(command: Command) -> Command:
        return with_options(
            command,
            click.option("--model", required=True, type=SavedHeadFolder(), help="Folder of a saved head."),
            click.option(
                "--features",
                type=PATH_OR_URL,
                help="Feature file of the samples, or its address; default: that of cellfeat.yaml in this folder.",
            ),
            click.option(
                "--images",
                type=PATH_OR_URL,
                help="Folder or address of the images, named as in training; --set images.layout=… if not.",
            ),
            click.option(
                "--table",
                type=click.Path(path_type=Path),
                help="Table with the columns that the head was fitted on: see cellfeat import.",
            ),
            click.option("--id", "id_column", metavar="COLUMN", help="With --table: its column of ids."),
            click.option("--labels", type=PATH_OR_URL, callback=_table_or_none, metavar="CSV|none", help=labels_help),
            click.option(
                "--set",
                "assignments",
                multiple=True,
                metavar="KEY=VALUE",
                help="Override a setting of the training for these samples: --set images.layout=folders.",
            ),
            weights_option("Name or file of the backbone's weights, if they have moved."),
            click.option("--device", default="auto", metavar="auto|cpu|cuda|mps"),
            click.option(
                "--on-error", default="stop", type=click.Choice(["stop", "quarantine"]), help="As for extract."
            ),
        )

    return add


def _table_or_none(_context: click.Context, _option: click.Parameter, value: "Location | None") -> "Location | None":
    """``none`` means no table, as for `extract`."""
    return None if value == Path("none") else value


# Settings that options of their own give, and those that the features of a head cannot do without.
_OWN_OPTIONS = {"images.root": "--images", "labels.file": "--labels", "extraction.output": "--output"}
_SECTIONS = ("images", "labels", "extraction", "comparison")


def parsed_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """Give the values of ``--set`` by dotted key.

    Raises
    ------
    click.UsageError
        If an option gives this setting, or the head decides it.
    """
    from cellfeat.config_files import parse_assignment

    overrides = dict(map(parse_assignment, assignments))
    for key in overrides:
        if key in _OWN_OPTIONS:
            raise click.UsageError(f"--set {key}: say {_OWN_OPTIONS[key]}")
        if key.partition(".")[0] not in _SECTIONS:
            raise click.UsageError(
                f"--set {key}: expected a key of {', '.join(_SECTIONS)}; everything else is as when the head was fitted"
            )
    return overrides


def chosen_features(
    features: "Location | None", images: "Location | None", table: Path | None, id_column: str | None
) -> "Location | None":
    """Give the feature file that the samples come from: without any option, that of ``cellfeat.yaml`` in this folder.

    Parameters
    ----------
    features, images, table
        The options; None where one is not given.
    id_column
        The option ``--id``, which is for a table alone.

    Returns
    -------
    Path, Url or None
        None where the samples come from images or from a table.

    Raises
    ------
    click.UsageError
        If several options are given, or none and there are no settings.
    """
    if features is None and images is None and table is None:
        features = found_features()
    if sum(place is not None for place in (features, images, table)) != 1:
        raise click.UsageError("give one of --features FILE, --images DIR and --table TABLE")
    if id_column is not None and table is None:
        raise click.UsageError("--id is for --table; in a labels table: --set labels.id=COLUMN")
    return features
