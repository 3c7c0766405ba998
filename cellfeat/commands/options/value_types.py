"""Types of the values of options, and what is said where a required one is missing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


class LocationType(click.ParamType):
    """A path, or an address such as ``s3://lab/cells.h5``."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Take the text of an option as a path or an address.

        Parameters
        ----------
        value
            The text.
        param, ctx
            The option and click's context, for errors of usage.
        """
        from cellfeat.config_values import parsed_location

        return parsed_location(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Have the shell complete files and folders.

        Parameters
        ----------
        ctx, param
            Click's context and the option; unused.
        incomplete
            What was typed so far.
        """
        return [CompletionItem(incomplete, type="file")]


PATH_OR_URL = LocationType()


class NameOf(click.ParamType):
    """A name out of a table; a wrong one is refused by the table itself, with the nearest names.

    Parameters
    ----------
    names
        Gives the names.
    listing
        The command that lists them with a description.
    """

    name = "text"

    def __init__(self, names: Callable[[], Iterable[str]], listing: str) -> None:
        self._names, self._listing = names, listing

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Take the text as it is.

        Parameters
        ----------
        value
            The text.
        param, ctx
            The option and click's context; unused.
        """
        return str(value)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:  # noqa: ARG002
        """List the values that the option takes.

        Parameters
        ----------
        param, ctx
            The option and click's context.
        """
        names = list(self._names())
        return f"Choose one: {', '.join(names)}; for example {param.opts[0]} {names[0]}. More: {self._listing}."


class SavedHeadFolder(click.Path):
    """The folder of a saved head."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Name the heads that lie in the results folder here.

        Parameters
        ----------
        param, ctx
            The option and click's context.
        """
        from cellfeat.heads.saved.bundle_files import RECORD_FILE
        from cellfeat.text import first_ten

        found = sorted(file.parent for file in Path("results").glob(f"*/*/{RECORD_FILE}"))
        here = f"Saved heads here: {first_ten(found)}." if found else "Make one first: cellfeat fit --head logreg."
        return f"It is the folder that cellfeat fit wrote. {here}"


def head_names() -> Iterable[str]:
    """Names of the heads."""
    from cellfeat.heads.registry import HEADS

    return HEADS


def export_names() -> Iterable[str]:
    """Names of the formats of export."""
    from cellfeat.interop.exports.registry import EXPORTS

    return EXPORTS
