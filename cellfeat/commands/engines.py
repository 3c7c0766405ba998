"""Options of the engines of ``extract``: what runs the shares of an extraction."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import click

from cellfeat.commands.options import with_options
from cellfeat.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])

LOCAL = "local"
ENGINES = (LOCAL, "slurm")


@dataclass(frozen=True)
class EngineOptions:
    """The engine and its options, by the names of the command's parameters.

    Attributes
    ----------
    engine
        One of `ENGINES`.
    engine_workers
        Number of processes, or tasks of an array, that make shares.
    gpus_per_worker
        GPUs of each.
    submit, at_once, sbatch
        Of Slurm: whether the script is submitted, how many tasks run at once, and further options of sbatch.
    """

    engine: str
    engine_workers: int | None
    gpus_per_worker: int | None
    submit: bool
    at_once: int | None
    sbatch: str | None

    @classmethod
    def taken_from(cls, flags: dict[str, Any]) -> Self:
        """Take the options out of the parameters of a command.

        Raises
        ------
        ConfigError
            If an option of one engine is given for another one, which would ignore it.
        """
        options = cls(**{field.name: flags.pop(field.name) for field in fields(cls)})
        options._check()
        return options

    def _check(self) -> None:
        of_any = {"--engine-workers": self.engine_workers, "--gpus-per-worker": self.gpus_per_worker}
        of_slurm = {"--submit": self.submit or None, "--at-once": self.at_once, "--slurm": self.sbatch}
        for option, value in of_slurm.items():
            if value is not None and self.engine != "slurm":
                raise ConfigError(f"{option}: needs --engine slurm, which is not chosen")
        for option, value in of_any.items():
            if value is not None and self.engine == LOCAL:
                raise ConfigError(
                    f"{option}: needs an engine, such as --engine slurm; this process makes everything itself"
                )


def engine_options(command: Command) -> Command:
    """Add the options of `EngineOptions`."""
    return with_options(
        command,
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default=LOCAL,
            show_default=True,
            help="What makes the shares. slurm: print the script of a job array, or submit it.",
        ),
        click.option(
            "--engine-workers",
            type=click.IntRange(min=1),
            metavar="N",
            help="With --engine: number of shares that are made in parallel; on Slurm, tasks of the array.",
        ),
        click.option(
            "--gpus-per-worker", type=click.IntRange(min=0), metavar="N", help="With --engine: GPUs of each; default 0."
        ),
        click.option("--submit", is_flag=True, help="With --engine slurm: submit the script instead of printing it."),
        click.option(
            "--at-once", type=click.IntRange(min=1), metavar="M", help="With --engine slurm: tasks that run at once."
        ),
        click.option(
            "--slurm",
            "sbatch",
            metavar="OPTIONS",
            help="With --engine slurm: options of sbatch, in quotes: "
            "'--partition=gpu --time=04:00:00 --cpus-per-task=8 --mem=16G'.",
        ),
    )
