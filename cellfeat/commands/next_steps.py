"""Which command comes next, said on stderr at the end of a step."""

import shlex

import click


def say_next(command: str, **options: object) -> None:
    """Say which command comes next, with the options that it needs to find what was just written.

    Parameters
    ----------
    command
        Its name, and options that it has in any case: ``audit``.
    **options
        Values by option name; None: the command finds it without.
    """
    given = [f"--{name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None]
    click.echo(" ".join([f"next: cellfeat {command}", *given]), err=True)
