"""``cellfeat extract --engine slurm``: a script of the very command that was typed."""

import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cellfeat.commands.options.engines import EngineOptions
from cellfeat.commands.options.settings import OWN_CONFIG
from cellfeat.commands.output.lines import say, show, write_exactly
from cellfeat.errors import ConfigError, SchedulerError

if TYPE_CHECKING:
    from cellfeat.config import Settings
    from cellfeat.extraction.shares.slurm import SlurmArray

_NOT_REPEATED = frozenset({"config", *(field.name for field in fields(EngineOptions))})
"""Parameters that say where shares are made, not what is extracted; the file of settings is given by its whole path."""


def run_on_slurm(settings: "Settings", engine: EngineOptions) -> None:
    """Print the script of a job array that makes the extraction of this command, or submit it.

    Parameters
    ----------
    settings
        The resolved settings.
    engine
        The options. No more tasks are taken than there are parts, or than the cluster takes in one array.

    Raises
    ------
    ConfigError
        If no number of tasks is given, or an option of sbatch is one that the script sets.
    ManifestError, MissingFileError
        If the samples are not as described.
    SchedulerError, WriteError
        If there is no cluster, the cluster refuses the jobs, or the script cannot be written.
    """
    from cellfeat.extraction.shares.slurm import SlurmArray, array_script, fitting_tasks, parse_options
    from cellfeat.extraction.shares.submission import can_submit, largest_array, submit_script
    from cellfeat.samples.manifest.build import build_manifest

    if engine.engine_workers is None:
        raise ConfigError("--engine slurm: give the number of array tasks, --engine-workers N")
    options = parse_options(engine.sbatch or "")
    # Samples that are not as described are told now, and not by a job that has waited for hours.
    n_samples = len(build_manifest(settings.images, settings.labels))
    n_parts = -(-n_samples // settings.extraction.part_size)
    n_tasks, why_fewer = fitting_tasks(engine.engine_workers, n_parts, largest_array())
    if why_fewer:
        say(why_fewer)
    array = SlurmArray(
        program=[*_program(), *_repeated(click.get_current_context())],
        folder=Path.cwd(),
        name=settings.extraction.output.stem,
        n_tasks=n_tasks,
        at_once=engine.at_once,
        n_gpus=_whole_gpus(engine),
        options=options,
    )
    script = array_script(array)
    if engine.submit and can_submit():
        show(submit_script(script, Path(array.script_name)))
        say(f"script: {array.script_name}; run it again to make what is missing")
        return
    write_exactly(script)
    _say_what_next(array)
    if engine.submit:
        raise SchedulerError("sbatch was not found on this machine: nothing was submitted, and the script is printed")


def _say_what_next(array: "SlurmArray") -> None:
    say(
        f"a plan, {array.n_tasks} shares, and a consolidation: save this as {array.script_name}, and submit it where "
        f"sbatch is: bash {array.script_name}"
    )


def _whole_gpus(engine: EngineOptions) -> int:
    n_gpus = engine.gpus_per_worker or 0.0
    if not n_gpus.is_integer():
        raise ConfigError(f"--gpus-per-worker: expected a whole number on Slurm, got {n_gpus:g}")
    return int(n_gpus)


def _program() -> Iterator[str]:
    """The program that runs now, as a new process starts it: this Python, and `cli.py` or the installed command."""
    yield sys.executable
    default_config = click.get_current_context().find_root().obj
    launcher = default_config.parent.parent / "cli.py" if default_config is not None else Path(sys.argv[0])
    if launcher.name not in ("cli.py", "cellfeat"):
        launcher = Path(sysconfig.get_path("scripts")) / "cellfeat"
    if launcher.is_file():
        yield str(launcher.absolute())
    else:
        yield from ("-c", "from cellfeat.commands import main; main()")


def _repeated(context: click.Context) -> Iterator[str]:
    """The command and its options, as they were typed; those of the engine are left out."""
    yield str(context.info_name)
    config = context.params.get("config") or (OWN_CONFIG if OWN_CONFIG.is_file() else None)
    if config is not None:
        yield f"--config={Path(config).absolute()}"
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in _NOT_REPEATED and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield from _typed(parameter, context.params[name])


def _typed(parameter: click.Parameter, value: Any) -> Iterator[str]:
    option = max(parameter.opts, key=len)
    if isinstance(parameter, click.Option) and parameter.is_flag:
        yield option if value else max(parameter.secondary_opts, key=len, default=option)
    else:
        # One word each, so that a value may begin with a dash.
        yield from (f"{option}={one}" for one in _typed_values(value))


def _typed_values(value: Any) -> list[Any]:
    """What was typed for each time that an option was given; a mapping was typed as NAME=VALUE."""
    if isinstance(value, Mapping):
        return [f"{name}={one}" for name, one in value.items()]
    return list(value) if isinstance(value, tuple) else [value]
