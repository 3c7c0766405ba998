"""Lines for people, made safe to print: results on stdout, remarks on stderr. Text for programs as it is.

Names of classes, samples and files come from data, and may hold characters that control a terminal. So commands print
with these functions alone.
"""

import click

from cellfeat.text import clean_lines


def show(text: str = "") -> None:
    """Write lines of a result to stdout."""
    click.echo(clean_lines(text))


def say(text: str) -> None:
    """Write a remark to stderr."""
    click.echo(clean_lines(text), err=True)


def write_exactly(text: str) -> None:
    """Write text that another program reads to stdout, such as JSON or a script."""
    click.echo(text, nl=False)
