"""Images that a table labels in one folder, beside folders of images to label later."""

from cellfeat.proposing.candidates import Candidate
from cellfeat.proposing.labelling import Listed
from cellfeat.proposing.survey import Survey, narrowed


def labelled_part(survey: Survey, candidate: Candidate, listed: Listed) -> tuple[Survey, str] | None:
    """Keep the one folder whose images a table labels, so that `predict` takes its neighbours by the same names.

    Parameters
    ----------
    survey
        The images of all folders.
    candidate
        The layout that finds the samples.
    listed
        The table that describes them.

    Returns
    -------
    tuple or None
        The folder, and a line on what is left out; None where several folders hold labelled images, or only one
        folder holds images.
    """
    # Wells and donors in rows, and files in columns, belong to all folders.
    if listed.files or candidate.files or len({_top(name) for name in survey.names}) < 2:
        return None
    written = [value for value in listed.table.cells[listed.id_column] if value]
    matches = candidate.ids.match(written)
    known = {matches.get(value, value) for value in written} & candidate.ids.exact
    samples = [sample for sample in candidate.found if sample.sample_id in known]
    tops = {_top(name) for sample in samples for name in candidate.names_of(sample)}
    if len(tops) != 1 or "" in tops:
        return None
    folder = tops.pop()
    others = sorted({_top(name) for name in survey.names} - {folder})
    n_left = sum(_top(name) != folder for name in survey.names)
    where = [str(survey.root / other) for other in others]
    told = (
        f"left out: {n_left:,} images in {', '.join(where[:3])}{' …' if len(where) > 3 else ''}, of which "
        f"{listed.table.file} lists none; a saved head labels them: "
        f"cellfeat predict --model DIR --images {_quoted(where[0])}"
    )
    return narrowed(survey, folder), told


def _top(name: str) -> str:
    return name.split("/")[0] if "/" in name else ""


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path
