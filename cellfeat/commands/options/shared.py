"""Options that several commands share, each with the settings that it gives by dotted key."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Add options to a command.

    Parameters
    ----------
    command
        The command.
    *options
        The options, in the order in which its help shows them.
    """
    # As for stacked decorators, the last is applied first; help then lists them in the given order.
    for option in reversed(options):
        command = option(command)
    return command


def config_options(command: Command) -> Command:
    """Add ``--config`` and ``--set``."""
    command = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one setting by its dotted key: --set images.layout=folders, --set mlp.hidden=512, "
        "--set sklearn:SVC.C=10.",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="YAML or JSON file of settings; default: cellfeat.yaml in this folder, if it is there.",
    )(command)


def weights_option(help_text: str) -> Callable[[Command], Command]:
    """Make ``--weights``, which gives text for one network, and a mapping where weights are named by network."""
    return click.option(
        "--weights",
        multiple=True,
        metavar="NAME|FILE",
        callback=lambda _ctx, _param, values: _parsed_weights(values),
        help=f"{help_text} Of several networks side by side, of each: --weights BACKBONE=FILE --weights ...",
    )


def _parsed_weights(values: Sequence[str]) -> str | dict[str, str] | None:
    from cellfeat.backbones.registry import BACKBONES, TIMM_PREFIX

    by_name = {name: weights for name, equals, weights in (value.partition("=") for value in values) if equals}
    # A file may have "=" in its name: only the name of a network says whose weights these are.
    if by_name and all(name in BACKBONES or name.startswith(TIMM_PREFIX) for name in by_name):
        if len(by_name) == len(values):
            return by_name
        raise click.UsageError("--weights: expected one BACKBONE=FILE for each network, or a single name or file")
    if len(values) > 1:
        raise click.UsageError(
            f"--weights is given {len(values)} times: expected one name or file, or BACKBONE=FILE for each of several "
            "networks; cellfeat list backbones has their names"
        )
    return values[0] if values else None


def labels_flag(labels: str | None) -> dict[str, Any]:
    """Give the settings of ``--labels CSV|none`` by dotted key."""
    return {
        "labels": {"file": None} if labels == "none" else None,
        "labels.file": labels if labels != "none" else None,
    }


def figures_option(command: Command) -> Command:
    """Add ``--figures``."""
    return click.option("--figures", metavar="png,svg,pdf", help="File formats of figures; default png.")(command)


def figures_flag(figures: str | None) -> dict[str, Any]:
    """Give the setting of ``--figures`` by dotted key; None where it was not given."""
    kinds = None if figures is None else [kind.strip().lower().lstrip(".") for kind in figures.split(",")]
    return {"comparison.figures": kinds}


def replace_option(command: Command) -> Command:
    """Add ``--replace``."""
    return click.option("--replace", is_flag=True, help="Replace earlier results, also of other samples.")(command)


def page_option(command: Command) -> Command:
    """Add ``--no-page``."""
    return click.option("--no-page", is_flag=True, help="Write no page that shows the samples behind the results.")(
        command
    )


def page_flag(no_page: bool) -> dict[str, Any]:
    """Give the setting of ``--no-page`` by dotted key; None where it was not given."""
    return {"comparison.page": False if no_page else None}
