"""The page that commands write beside their results."""

from pathlib import Path
from typing import TYPE_CHECKING

from cellfeat.commands.output.lines import say, show
from cellfeat.errors import CellfeatError

if TYPE_CHECKING:
    from cellfeat.extraction.store import Features
    from cellfeat.storage.url import Location

# Whatever an unforeseen file or a fault of ours may raise: the results are on disk already.
_FAILURES = (ArithmeticError, AttributeError, ImportError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
             ValueError, CellfeatError)  # fmt: skip


def refresh_page(folder: Path, features: "Features | None" = None, fitted: "Features | Location | None" = None) -> None:
    """Write the page of the results in a folder, and say where it is.

    A page that cannot be written costs a line, and not the work that is finished.

    Parameters
    ----------
    folder
        The folder of the results.
    features
        Their samples; None: those that the folder names.
    fitted
        Features that a head was fitted on, to place held-out samples among them.
    """
    try:
        path = _written(folder, features, fitted)
    except _FAILURES as error:
        say(f"no page was written: {error or type(error).__name__}")
    else:
        show(f"page: {path}")


def _written(folder: Path, features: "Features | None", fitted: "Features | Location | None") -> Path:
    from cellfeat.errors import ReadError
    from cellfeat.page.build import page_of_results
    from cellfeat.page.files.writing import write_page
    from cellfeat.page.samples.pictures import Pictures

    try:
        return write_page(page_of_results(folder, features, fitted=fitted), folder)
    except ReadError as error:  # a sheet of thumbnails is damaged: the rest is worth showing
        without = Pictures(note=f"{error}.")
        return write_page(page_of_results(folder, features, fitted=fitted, pictures=without), folder)
