"""Options that several commands share, and how they become settings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from cellfeat.commands.progress import ProgressObserver
    from cellfeat.config import Settings
    from cellfeat.config_sources import Source
    from cellfeat.extraction.store import Features
    from cellfeat.storage.url import Location

OWN_CONFIG = Path("cellfeat.yaml")
"""The file of settings that ``cellfeat init`` writes, and that commands find in the current folder."""

Command = TypeVar("Command", bound=Callable[..., Any])


class LocationType(click.ParamType):
    """A path, or an address such as ``s3://lab/cells.h5``."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Take the text of an option as a path or an address.

        Parameters
        ----------
        value
            The text.
        param, ctx
            The option and click's context, for errors of usage.
        """
        from cellfeat.config_values import parsed_location

        return parsed_location(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Have the shell complete files and folders.

        Parameters
        ----------
        ctx, param
            Click's context and the option; unused.
        incomplete
            What was typed so far.
        """
        return [CompletionItem(incomplete, type="file")]


PATH_OR_URL = LocationType()


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


def tune_option(command: Command) -> Command:
    """Add ``--tune``."""
    return click.option(
        "--tune",
        type=click.IntRange(min=0),
        metavar="N",
        help="Try N settings of each head inside the training part of each fold, including the given ones.",
    )(command)


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


def _single_features(
    _context: click.Context, _parameter: click.Parameter, values: "tuple[Location, ...]"
) -> "Location | None":
    """Refuse two feature files: click would take the last without a word."""
    if len(values) > 1:
        raise click.BadParameter(
            f"got {len(values)} feature files, expected one; two are compared by: cellfeat compare --features "
            f"{values[0]} --against {values[1]}"
        )
    return values[0] if values else None


def fold_options(command: Command) -> Command:
    """Add the options of an evaluation, from ``--features`` to ``--fresh``."""
    return with_options(
        command,
        click.option(
            "--features",
            type=PATH_OR_URL,
            multiple=True,
            callback=_single_features,
            help="Feature file that extract or import wrote, or its address.",
        ),
        click.option(
            "--labels",
            type=PATH_OR_URL,
            help="CSV of labels that replace those in the feature file, or of changes that the page exports.",
        ),
        click.option(
            "--folds",
            metavar="N|leave-one-out|column:NAME",
            help="Number of folds; one fold for each group (--groups plate); or one for each value of a column.",
        ),
        click.option(
            "--groups",
            metavar="auto|copies|none|CSV|COLUMN[+near-copies]",
            help="Which samples stay together in one fold; default auto.",
        ),
        click.option(
            "--standardise",
            metavar="COLUMN",
            help="Standardise every column of the embeddings within each plate: --standardise plate.",
        ),
        click.option(
            "--standardise-from",
            type=click.Choice(["all", "training"]),
            help="Samples that give a plate's medians: all, without labels (transductive; default), or training.",
        ),
        click.option("--seed", type=click.IntRange(min=0), help="Seed of folds and heads."),
        tune_option,
        click.option("--fresh", is_flag=True, help="Ignore results of an earlier run and compute everything again."),
    )


def resolve_settings(config: Path | None, assignments: Sequence[str], flags: dict[str, Any]) -> "Settings":
    """Combine settings: flags override ``--set``, which overrides ``--config``, which overrides the defaults.

    Parameters
    ----------
    config
        File of settings; None: ``cellfeat.yaml`` in the current folder, if it is there.
    assignments
        ``KEY=VALUE`` of each ``--set``.
    flags
        Values by dotted key; None for a flag that was not given.
    """
    from cellfeat.config_files import read_mapping
    from cellfeat.config_sources import Source, combine

    default = click.get_current_context().find_root().obj
    files = [Source(str(file), read_mapping(file)) for file in (default, config or found_config()) if file is not None]
    options = [Source.of_key("options", key, value) for key, value in flags.items() if value is not None]
    return combine([*files, *map(_assigned, assignments), *options])


def found_config() -> Path | None:
    """The file of settings in the current folder, which is then named on stderr; None where there is none."""
    if not OWN_CONFIG.is_file():
        return None
    click.echo(f"settings: {OWN_CONFIG} in this folder (--config FILE takes another)", err=True)
    return OWN_CONFIG


def found_features() -> "Location | None":
    """The feature file that the settings in the current folder name; None where there are no settings."""
    return resolve_settings(None, (), {}).extraction.output if OWN_CONFIG.is_file() else None


def needed_features(argument: str) -> "Location":
    """The feature file that the settings in the current folder name.

    Raises
    ------
    click.UsageError
        If there are no settings; the message asks for `argument`.
    """
    found = found_features()
    if found is None:
        raise click.UsageError(f"Missing argument '{argument}', and there is no {OWN_CONFIG} in this folder.")
    return found


def _assigned(text: str) -> "Source":
    """Read the ``KEY=VALUE`` of one ``--set``."""
    from cellfeat.config_files import parse_assignment
    from cellfeat.config_sources import Source

    key, value = parse_assignment(text)
    return Source.of_key("--set", assigned_key(key), value)


def assigned_key(key: str) -> str:
    """Give the whole key of a setting, as ``heads.mlp.hidden`` for ``mlp.hidden``.

    Raises
    ------
    ConfigError
        If no section and no head has this name.
    """
    from cellfeat.config import Settings
    from cellfeat.errors import ConfigError
    from cellfeat.heads.registry import HEADS, SKLEARN_PREFIX
    from cellfeat.text import near_names

    first = key.partition(".")[0]
    # mlp.hidden is short for heads.mlp.hidden, as people write it.
    if first.startswith(SKLEARN_PREFIX):
        HEADS[first]  # raises, with the nearest name, where scikit-learn has no such classifier
    if first in HEADS:
        return f"heads.{key}"
    if "." in key and first not in Settings.model_fields:
        near = near_names(first, [*Settings.model_fields, *HEADS])
        raise ConfigError(f"--set: unknown key {key!r}: no section or head is called {first!r}; {near}")
    return key


def labels_flag(labels: str | None) -> dict[str, Any]:
    """Give the settings of ``--labels CSV|none`` by dotted key."""
    return {
        "labels": {"file": None} if labels == "none" else None,
        "labels.file": labels if labels != "none" else None,
    }


def fold_flags(
    features: "Location | None",
    folds: str | None,
    groups: str | None,
    standardise: str | None,
    standardise_from: str | None,
    seed: int | None,
    tune: int | None,
) -> dict[str, Any]:
    """Give the flags of `fold_options` by dotted key.

    Parameters
    ----------
    features, folds, groups, standardise, standardise_from, seed, tune
        The flags; None where one was not given.
    """
    return {
        "extraction.output": features,
        "comparison.folds": folds,
        "comparison.groups": groups,
        "comparison.standardise": standardise,
        "comparison.standardise_from": standardise_from,
        "comparison.seed": seed,
        "comparison.tune": tune,
    }


def evaluation_arguments(
    features: "Features", settings: "Settings", labels: "Location | None", observer: "ProgressObserver", *, fresh: bool
) -> dict[str, Any]:
    """Give the keyword arguments that `compare` and `fit` share.

    Parameters
    ----------
    features
        The samples.
    settings
        The resolved settings.
    labels
        Table of labels that replace the extracted ones.
    observer
        Shows progress.
    fresh
        Whether predictions in the cache are ignored and replaced.
    """
    from cellfeat.evaluation.cache import CACHE_FOLDER, FoldCache
    from cellfeat.evaluation.design import Design
    from cellfeat.evaluation.new_labels import read_new_labels

    return {
        "design": Design.from_settings(settings),
        "labels": read_new_labels(features, settings, labels, say=observer.say_once) if labels else None,
        "cache": FoldCache(settings.results / CACHE_FOLDER, is_fresh=fresh),
        "hooks": observer.hooks(),
    }
