"""Write ``docs/cli.md`` from the commands' own help: ``make docs-pages``."""

from pathlib import Path
from typing import Any

import click

from cellfeat.commands import cellfeat

PAGE = Path(__file__).parent / "cli.md"
WIDTH = 88
INTRODUCTION = """\
# Command line reference

Written by `make docs-pages` from the commands' own help; do not edit it by hand. For what to use when, see the
[guide](README.md).

Every setting of a run has a default, can be written in a file (`--config`) and can be overridden by its dotted key
(`--set`); the options below are short forms of the settings that are changed most. An option wins over `--set`, `--set`
over `--config`, and `--config` over the default. [configs/default.yaml](../configs/default.yaml) lists all settings.
"""


def cli_page() -> str:
    """Return the page as Markdown: the help of the program and of each command, in fixed width."""
    fixed: dict[str, Any] = {"terminal_width": WIDTH, "max_content_width": WIDTH, "color": False}
    top = click.Context(cellfeat, info_name="cellfeat", **{**cellfeat.context_settings, **fixed})
    sections = [INTRODUCTION, block(cellfeat, top)]
    for name in cellfeat.list_commands(top):
        command = cellfeat.get_command(top, name)
        assert command is not None, name
        context = click.Context(command, info_name=name, parent=top, **fixed)
        sections.append(f"## cellfeat {name}\n\n{block(command, context)}")
    return "\n".join(sections)


def block(command: click.Command, context: click.Context) -> str:
    """Return one command's help as a block of code."""
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "\n".join(["```text", *lines, "```", ""])


if __name__ == "__main__":
    PAGE.write_text(cli_page(), encoding="utf-8")
