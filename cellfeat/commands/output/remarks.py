"""Remarks on stderr where no progress is shown."""

import click


def say(line: str) -> None:
    """Write a remark to stderr."""
    from cellfeat.text import clean_lines

    click.echo(clean_lines(line), err=True)
