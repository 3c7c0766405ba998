"""Options that say where heads are computed."""

from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.shared import Command, with_options

if TYPE_CHECKING:
    from cellfeat.evaluation.parallel.choice import Jobs


def jobs_options(command: Command) -> Command:
    """Add ``--jobs``, ``--engine`` and ``--address``."""
    return with_options(
        command,
        click.option(
            "--jobs",
            metavar="N",
            help="Compute folds and settings in N processes side by side; 1 starts none. Default: none at first, and "
            "after some seconds of work as many as there are processors and memory for. The results are the same.",
        ),
        click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Compute on this machine, or on all processors of a Ray cluster.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT|auto",
            help="Where the Ray cluster is; default: one is started on this machine.",
        ),
    )


def chosen_jobs(jobs: str | None, engine: str, address: str | None) -> "Jobs":
    """Give what the options of `jobs_options` ask for; None where they ask for nothing.

    Parameters
    ----------
    jobs, engine, address
        The options; None where one was not given.

    Raises
    ------
    ConfigError
        If they contradict each other, or `jobs` is not a number of processes.
    MissingExtraError
        If Ray is asked for and not installed.
    """
    from cellfeat.errors import ConfigError
    from cellfeat.evaluation.parallel.ray_cluster import RayCluster
    from cellfeat.ray_connection import import_ray

    if engine == "ray":
        if jobs is not None:
            raise ConfigError(
                f"--jobs {jobs}: expected no --jobs with --engine ray, which uses all processors of the cluster"
            )
        import_ray()
        return RayCluster(address)
    if address is not None:
        raise ConfigError(f"--address {address}: expected --engine ray with it, got --engine {engine}")
    return None if jobs is None else _number(jobs)


def _number(jobs: str) -> int:
    from cellfeat.errors import ConfigError

    if not jobs.isascii() or not jobs.isdigit() or int(jobs) < 1:
        raise ConfigError(f"--jobs: expected a number of processes, 1 or more, got {jobs!r}")
    return int(jobs)


def taken_jobs(flags: dict[str, Any]) -> "Jobs":
    """Take the options of `jobs_options` out of the flags of a command, and give what they ask for."""
    return chosen_jobs(flags.pop("jobs"), flags.pop("engine"), flags.pop("address"))
