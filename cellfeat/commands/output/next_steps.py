"""Which command comes next, said on stderr at the end of a step."""

import shlex

from cellfeat.commands.output.lines import say


def say_next(command: str, **options: object) -> None:
    """Say which command comes next, with the options that it needs to find what was just written.

    Parameters
    ----------
    command
        Its name, and options that it has in any case: ``audit``.
    **options
        Values by option name, a tuple for an option that is repeated; None: the command finds it without.
    """
    given = [
        f"--{name.replace('_', '-')} {shlex.quote(str(one))}"
        for name, value in options.items()
        for one in (value if isinstance(value, tuple) else (value,))
        if one is not None
    ]
    say(" ".join([f"next: cellfeat {command}", *given]))
