"""A look at what a path holds, and the proposal for it: the command line and Python begin here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellfeat.errors import ConfigError, ManifestError
from cellfeat.proposing import propose as of_images
from cellfeat.proposing.number_tables import holds_numbers, import_advice, is_table_name
from cellfeat.proposing.proposal import Answers, Proposal
from cellfeat.proposing.seeing import survey_lines
from cellfeat.proposing.single_cells import SingleCells, is_of_single_cells, propose_single_cells
from cellfeat.proposing.survey import survey_folder
from cellfeat.storage.url import as_location
from cellfeat.text import is_url


@dataclass(frozen=True)
class Look:
    """What a path holds.

    Attributes
    ----------
    lines
        Lines that say it.
    propose
        Makes the proposal, of the table of labels (``"none"`` where there is none, or None to look for one) and of the
        place of a table of files.
    """

    lines: tuple[str, ...]
    propose: Callable[[Path | str | None, of_images.FilesTarget], Proposal]


def look_at(path: Path, answers: Answers, *, ignored: Sequence[Path] = ()) -> Look:
    """Look at a folder of images, or at a file or folder of scPortrait.

    Parameters
    ----------
    path
        The file or folder.
    answers
        What the user knows already.
    ignored
        Files that are not images of cells, such as the picture of an earlier call.

    Raises
    ------
    MissingFileError
        If it does not exist.
    ManifestError
        If there are no images, or they cannot be listed or read.
    ConfigError
        If an answer is no valid setting.
    """
    if is_url(str(path)):
        raise ConfigError(
            f"{as_location(path)}: init looks at folders of this machine alone: copy some of the images of each class "
            "there (a hundred will do) with their table, run init on the copy, and then name the address: "
            f"cellfeat extract --images {as_location(path)}"
        )
    if is_of_single_cells(path, answers):
        cells = SingleCells.at(path)
        return Look(tuple(cells.lines()), lambda labels, _: propose_single_cells(cells, labels, answers))
    if path.is_file() and is_table_name(path.name) and holds_numbers(path):
        raise ManifestError(f"{path}: {import_advice(path)}")
    survey = survey_folder(path, ignored=ignored, plane=answers.plane)
    return Look(tuple(survey_lines(survey)), lambda labels, target: of_images.propose(survey, labels, answers, target))


def propose(
    folder: Path | str,
    *,
    labels: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    files_table: Path | str = "cellfeat_files.csv",
    force: bool = False,
) -> Proposal:
    """Look at a folder of images, and propose settings that fit it, as ``cellfeat init --yes`` does.

    Nothing is written but `files_table`, and that only where no pattern can name the files, or labels are by well.

    Parameters
    ----------
    folder
        The folder of images; or a file of scPortrait (``.h5sc``).
    labels
        The table of labels, ``"none"`` where there is none, or None to look for one.
    settings
        What is known already, by dotted key, such as ``{"labels.label": "treatment"}``.
    files_table
        Where a table of files is written.
    force
        Whether an existing `files_table` is replaced.

    Returns
    -------
    Proposal
        The settings with the reason of each: ``settings``, ``guesses``, ``table()``, and ``save("cellfeat.yaml")``.

    Raises
    ------
    MissingFileError, ManifestError
        If there are no images, a table does not belong to them, or no settings fit.
    ConfigError
        If a setting is unknown or invalid.
    """
    look = look_at(Path(folder), Answers(settings or {}))
    proposal = look.propose(labels, of_images.FilesTarget(Path(files_table), force))
    return replace(proposal, seen=(*look.lines, *proposal.seen))
