"""``cellfeat init``."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellfeat.commands.options.completion import complete_backbone
from cellfeat.commands.options.settings import OWN_CONFIG
from cellfeat.commands.output.lines import say, show
from cellfeat.errors import ConfigError
from cellfeat.text import clean_text

if TYPE_CHECKING:
    from cellfeat.proposing.proposal import Proposal, Question


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--labels", metavar="TABLE|none", help="Table of labels; default: a table in DIR or beside it.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column of the table with the ids of the samples.")
@click.option("--label", metavar="COLUMN|none", help="Column of the table with the labels.")
@click.option("--group", metavar="COLUMN[,COLUMN]|none", help="Columns of groups, such as donor, or plate,well.")
@click.option("--split", metavar="COLUMN|none", help="Column that says train, val or test.")
@click.option(
    "--layout",
    type=click.Choice(["pattern", "folders", "split_folders", "table", "fields", "h5sc"]),
    help="How files and samples correspond.",
)
@click.option("--pattern", help="How files are called, such as '{plate}_{well}_{channel}.tif'.")
@click.option("--channels", metavar="NAME,NAME,…", help="Names or numbers of the channels.")
@click.option(
    "--backbone",
    metavar="NAME",
    shell_complete=complete_backbone,
    help="Name of the backbone; see: cellfeat list backbones.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Write another setting into the file.")
@click.option("--output", type=click.Path(path_type=Path), default=OWN_CONFIG, show_default=True, help="File to write.")
@click.option("--yes", is_flag=True, help="Ask nothing, and take every proposal.")
@click.option("--force", is_flag=True, help="Replace the file, if it exists.")
def command(
    folder: Path,
    labels: str | None,
    output: Path,
    assignments: tuple[str, ...],
    *,
    yes: bool,
    force: bool,
    **flags: str | None,
) -> None:
    """Look at the images in DIR, and write settings that fit them.

    DIR is a folder of images, or of files of scPortrait, or one such file (.h5sc).

    Says what is there: images, channels, sizes, types, tables, and what the names say of plates, wells and fields.
    Writes cellfeat.yaml with a comment above each setting, and a picture of three samples beside it. What may be wrong
    is called a guess. On a terminal, it asks what files cannot tell, such as which column is the label; each answer can
    be given as an option.

    Commands that run in the same folder find cellfeat.yaml by themselves.
    """
    from cellfeat.proposing.config_text import config_text
    from cellfeat.proposing.looking import look_at
    from cellfeat.proposing.proposal import Answers
    from cellfeat.proposing.propose import FilesTarget
    from cellfeat.provenance import publish

    asks = not yes and sys.stdin.isatty()
    _check_output(output, asks=asks, force=force)
    picture = output.with_suffix(".png")
    answers = Answers(_given(assignments, flags), *([_ask] if asks else []))
    look = look_at(folder, answers, ignored=[picture])
    seen = look.lines
    if asks:
        # Before the questions, which are about what is seen.
        say("\n".join(seen))
    proposal = look.propose(labels, FilesTarget(output.with_name(f"{output.stem}_files.csv"), force))
    text = config_text(proposal)
    _tell(proposal, [] if asks else seen)
    with publish(output) as path:
        path.write_text(text, encoding="utf-8")
    drawn = _draw(proposal, picture)
    show(f"settings: {output}" + (f"; picture of {drawn} samples: {picture}" if drawn else ""))
    show(f"next: {_next_command(output)}")


def _check_output(output: Path, *, asks: bool, force: bool) -> None:
    """Refuse to replace a file of settings, unless the user wants it."""
    if output.suffix not in (".yaml", ".yml"):
        raise click.UsageError(f"--output {output}: expected a name that ends in .yaml")
    if not output.exists() or force:
        return
    if not (asks and click.confirm(f"{output} exists. Replace it?", err=True)):
        raise ConfigError(f"{output} exists; replace it with --force, or write another file with --output FILE")


def _given(assignments: Sequence[str], flags: dict[str, str | None]) -> dict[str, Any]:
    """The settings that options give, by dotted key."""
    from cellfeat.commands.options.settings import assigned_key
    from cellfeat.config_files import parse_assignment

    columns = {"id_column": "labels.id", "label": "labels.label", "split": "labels.split"}
    given: dict[str, Any] = {}
    for flag, key in {**columns, "layout": "images.layout", "pattern": "images.pattern"}.items():
        if flags[flag] is not None:
            given[key] = None if flags[flag] == "none" and flag in ("label", "split") else flags[flag]
    if flags["group"] is not None:
        given["labels.group"] = _group(flags["group"])
    if flags["channels"] is not None:
        given["images.channels"] = [_channel(name.strip()) for name in flags["channels"].split(",")]
    if flags["backbone"] is not None:
        given["backbone.name"] = flags["backbone"]
    for text in assignments:
        key, value = parse_assignment(text)
        given[assigned_key(key)] = value
    if isinstance(given.get("labels.group"), str):
        # --set labels.group=plate,well is meant as --group plate,well.
        given["labels.group"] = _group(given["labels.group"])
    return given


def _group(text: str) -> str | list[str] | None:
    """The column or columns of groups, separated by commas; None where there are none."""
    names = [name.strip() for name in text.split(",")]
    return None if names == ["none"] else names[0] if len(names) == 1 else names


def _channel(name: str) -> str | int:
    """A channel as settings name it: a number as such, unless it has leading zeros."""
    return int(name) if name.isdecimal() and str(int(name)) == name else name


def _ask(question: "Question") -> str:
    """Ask on the terminal; the answer is one of the options, by its number or its text."""
    say(question.text)
    for number, option in enumerate(question.options, start=1):
        say(f"  {number}  {option}")
    # A default is shown, and given back, as it can be printed.
    answers = {clean_text(option): option for option in question.options}
    answers |= {str(number): option for number, option in enumerate(question.options, start=1)}
    while True:
        answer = click.prompt("answer", default=clean_text(question.default), err=True).strip()
        chosen = answers.get(answer, answer)
        if chosen in question.options:
            return chosen
        say(f"expected a number from 1 to {len(question.options)}")


def _tell(proposal: "Proposal", seen: Sequence[str]) -> None:
    from cellfeat.config_files import flow_text

    for line in (*seen, *proposal.seen):
        show(line)
    show("\nproposed:")
    for choice in proposal.choices:
        mark = "guess  " if choice.is_guess else "certain"
        show(f"  {mark}  {choice.key}: {flow_text(choice.value)}  ({choice.reason})")
    for line in proposal.remarks:
        say(line if line.startswith("warning: ") else f"note: {line}")
    show()


def _draw(proposal: "Proposal", picture: Path) -> int:
    """Draw the picture, and give the number of samples in it."""
    from cellfeat.figures import save_figure
    from cellfeat.figures.samples import PicturedSample, draw_samples
    from cellfeat.proposing.picture import pictured_samples
    from cellfeat.provenance import publish

    samples = [PicturedSample(*sample) for sample in pictured_samples(proposal)]
    if samples:
        figure = draw_samples(samples, [str(channel) for channel in proposal.settings.images.channels])
        with publish(picture) as path:
            save_figure(figure, path)
    return len(samples)


def _next_command(output: Path) -> str:
    return "cellfeat extract" if output == OWN_CONFIG else f"cellfeat extract --config {shlex.quote(str(output))}"
