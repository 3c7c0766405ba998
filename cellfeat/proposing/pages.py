"""Files that hold many pages: whether they are channels, depths, times, or cells that are samples of their own."""

from collections.abc import Sequence
from statistics import median_low

from cellfeat.errors import ManifestError
from cellfeat.proposing.proposal import Answers
from cellfeat.proposing.survey import Example, Survey
from cellfeat.samples.formats.pages import CELLS_AS_FILES, MOST_PAGES, PAGES_AS_FILES


def check_pages(survey: Survey, answers: Answers) -> None:
    """Refuse files of many pages that do not say what they are, unless the user said which are channels.

    Parameters
    ----------
    survey
        What the folder holds.
    answers
        What the user knows already.

    Raises
    ------
    ManifestError
        If most of the files hold more than `MOST_PAGES` such pages.
    """
    many = [example for example in survey.examples if _has_unknown_pages(example, MOST_PAGES)]
    if answers.given("images.channels") or 2 * len(many) <= len(survey.examples):
        return
    counts = sorted(len(example.planes) for example in many)
    held = str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    height, width = many[0].size
    raise ManifestError(
        f"{survey.root}: each file holds {held} pages of {width} x {height} pixels, as {many[0].name} does, and does "
        "not say what they are:\n"
        f"- if they are cells, {CELLS_AS_FILES}\n"
        "- if they are depths, --set 'images.plane={z: max}' takes the highest value over them; mean, or the number of "
        "one, is possible too\n"
        "- if they are times, --set 'images.plane={t: 0}' takes the first\n"
        "- if they are channels, name those to use by their numbers: --set 'images.channels=[0,1,2]' (0 to "
        f"{counts[0] - 1})"
    )


def cells_in_pages(examples: Sequence[Example]) -> str:
    """Say what to do if the pages of files are cells; empty where most files hold a single page.

    Parameters
    ----------
    examples
        The images that were read.
    """
    several = [example for example in examples if _has_several(example)]
    if 2 * len(several) <= len(examples):
        return ""
    is_of_one_size = median_low(example.extent.series for example in several) == 1
    return f"; if the pages of a file are cells, {CELLS_AS_FILES if is_of_one_size else PAGES_AS_FILES}"


def _has_several(example: Example) -> bool:
    """Whether a TIFF holds several planes that are not known to be channels; programs note 40 cells as 40 channels."""
    if example.file_format != "tiff":
        return False
    has_many_channels = len(example.planes) > MOST_PAGES and not any(example.channel_names)
    return max(example.extent) > 1 or has_many_channels or _has_unknown_pages(example, 1)


def _has_unknown_pages(example: Example, most: int) -> bool:
    return not example.names_axes and len(example.planes) > most
