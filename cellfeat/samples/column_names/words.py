"""Which column a user means by a word: ``plate`` is ``Metadata_Plate`` where no other column is called so."""

from collections.abc import Iterable

from cellfeat.samples.column_names.profiles import plain_name


def column_meant(word: str, columns: Iterable[str]) -> str:
    """Give the column that is called so, or the only one that is but for case, punctuation and ``Metadata_``.

    Parameters
    ----------
    word
        As the user wrote it.
    columns
        Names of the columns.

    Returns
    -------
    str
        `word` itself where no column, or several, could be meant.

    Examples
    --------
    >>> column_meant("plate", ["Metadata_Plate", "Metadata_Well"])
    'Metadata_Plate'
    >>> column_meant("plate", ["Plate", "plate_"])
    'plate'
    """
    columns = list(columns)
    if word in columns:
        return word
    alike = [name for name in columns if plain_name(name) == plain_name(word)]
    return alike[0] if len(alike) == 1 else word
