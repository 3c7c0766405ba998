"""Options of the engines of ``extract``: what runs the shares of an extraction."""

from dataclasses import dataclass, fields
from typing import Any, Self

import click

from cellfeat.commands.options.shared import Command, with_options
from cellfeat.errors import ConfigError

LOCAL = "local"
ENGINES = (LOCAL, "ray", "slurm")


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
        GPUs of each; with Ray also a fraction.
    address
        Of Ray: the cluster; None: this machine alone.
    submit, at_once, sbatch
        Of Slurm: whether the script is submitted, how many tasks run at once, and further options of sbatch.
    """

    engine: str
    engine_workers: int | None
    gpus_per_worker: float | None
    address: str | None
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
        if self.address is not None and self.engine != "ray":
            raise ConfigError("--address: needs --engine ray, which is not chosen")
        for option, number in of_any.items():
            if number is not None and self.engine == LOCAL:
                raise ConfigError(
                    f"{option}: needs --engine ray or --engine slurm; this process makes everything itself"
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
            help="What makes the parts. ray: workers on a Ray cluster, or on all CPUs or GPUs of this machine. slurm: "
            "print the script of a job array, or submit it.",
        ),
        click.option(
            "--engine-workers",
            type=click.IntRange(min=1),
            metavar="N",
            help="With --engine: number of workers on Ray (default: one a GPU, or one for 4 CPUs); on Slurm, tasks of "
            "the array.",
        ),
        click.option(
            "--gpus-per-worker",
            type=click.FloatRange(min=0),
            metavar="N",
            help="With --engine: GPUs of each; default on Ray: 1 where there are GPUs, on Slurm: 0.",
        ),
        click.option(
            "--address",
            metavar="auto|HOST:PORT",
            help="With --engine ray: the cluster; auto: the one that runs on this machine. Default: $RAY_ADDRESS, or a "
            "cluster of this machine alone, for the time of the command.",
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
