"""Writes a page beside the results that it shows, in the form that suits its size."""

from pathlib import Path

from cellfeat.heads.saved.bundle_files import PAGE_FILE as FILE
from cellfeat.heads.saved.bundle_files import PAGE_FOLDER as FOLDER
from cellfeat.page.content import PageContent
from cellfeat.page.files.forms import INDEX, MOST_IN_ONE_FILE, SHARDS, STATIC, write_file, write_folder
from cellfeat.page.samples.pictures import SHEET

MOST_PICTURE_BYTES = 80_000_000
"""Bytes of pictures up to which a page is one file: a browser reads all of it before it shows anything."""

_TRIED = 3


def write_page(content: PageContent, folder: Path) -> Path:
    """Write a page: one file for few samples, otherwise a folder. The other form of an earlier page is removed.

    Parameters
    ----------
    content
        The page.
    folder
        The folder of the results, in which it becomes ``page.html`` or ``page/index.html``.

    Returns
    -------
    Path
        The file to open.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    if fits_one_file(content):
        write_file(content, folder / FILE)
        remove_folder(folder / FOLDER)
        return folder / FILE
    write_folder(content, folder / FOLDER)
    _remove_other_shards(content, folder / FOLDER)
    (folder / FILE).unlink(missing_ok=True)
    return folder / FOLDER / INDEX


def has_page(folder: Path) -> bool:
    """Whether a folder of results holds a page."""
    return (folder / FILE).is_file() or (folder / FOLDER / INDEX).is_file()


def fits_one_file(content: PageContent) -> bool:
    """Whether a page is small enough to be one file."""
    return content.page["nSamples"] <= MOST_IN_ONE_FILE and _picture_bytes(content) <= MOST_PICTURE_BYTES


def _picture_bytes(content: PageContent) -> float:
    """Estimate the size of all pictures by the first few sheets."""
    sheets = [make for name, make in content.shards.items() if name.startswith(SHEET)]
    if not sheets:
        return 0
    tried = [len(make()) for make in sheets[:_TRIED]]
    return sum(tried) / len(tried) * len(sheets)


def remove_folder(folder: Path) -> None:
    """Remove a page that is a folder; files that are not of a page stay, and so does a folder that holds any."""
    for path in (*(folder / name for name in (INDEX, *STATIC)), *(folder / SHARDS).glob("*.js")):
        path.unlink(missing_ok=True)
    for emptied in (folder / SHARDS, folder):
        if emptied.is_dir() and not any(emptied.iterdir()):
            emptied.rmdir()


def _remove_other_shards(content: PageContent, folder: Path) -> None:
    """Remove shards of an earlier page: a browser that kept its list could mix the two."""
    written = {"page", *content.shards}
    for path in (folder / SHARDS).glob("*.js"):
        if path.stem not in written:
            path.unlink()
