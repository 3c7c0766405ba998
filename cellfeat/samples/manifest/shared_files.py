"""Rows of a labels table that name one file: cells of a field without a crop, or copies of an image."""

from collections import Counter

from cellfeat.config import FieldsSettings
from cellfeat.samples.fields.tables import advice_on_cells, position_columns
from cellfeat.samples.layouts.table import TableLayout
from cellfeat.samples.manifest.checks import Listing
from cellfeat.text import first_ten

_LARGEST_SHARE = 0.5


def shared_file_problems(listing: Listing) -> list[str]:
    """Lines of an error message where rows of a table are cells of fields, and each would be the whole field.

    They are if the table has positions, or if more than half of the rows share their files with other rows. A few rows
    on one file may be copies, and pass.

    Parameters
    ----------
    listing
        The samples.
    """
    counts, n_shared = _shared(listing)
    if not counts:
        return []
    position = position_columns([str(c) for c in listing.samples.columns], FieldsSettings(), "the labels")
    if position is None and n_shared <= _LARGEST_SHARE * len(listing.files):
        return []
    told = first_ten(f"{files} ({count} rows)" for files, count in counts.items())
    advice = advice_on_cells([str(c) for c in listing.samples.columns], "the labels")
    return [
        f"- {n_shared} of {len(listing.files)} rows name files of other rows, and each would be the same whole image: "
        f"{told}; {advice}; if the rows are copies, keep one of each"
    ]


def shared_file_remarks(listing: Listing) -> list[str]:
    """Say that rows name one file.

    Parameters
    ----------
    listing
        The samples.
    """
    counts, n_shared = _shared(listing)
    if not counts:
        return []
    told = first_ten(f"{files} ({count} rows)" for files, count in counts.items())
    return [f"{n_shared} rows name files of other rows, and are copies of one image: {told}"]


def _shared(listing: Listing) -> tuple[dict[str, int], int]:
    """Rows of each set of files that several rows name, and their number."""
    if not isinstance(listing.search.layout, TableLayout):
        return {}, 0
    rows = Counter(", ".join(dict.fromkeys(names)) for names in listing.files.itertuples(index=False, name=None))
    counts = {files: count for files, count in rows.items() if count > 1 and files}
    return counts, sum(counts.values())
