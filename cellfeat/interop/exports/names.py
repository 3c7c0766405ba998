"""Names of the columns of an embedding, and names that are unique and valid in other programs' files."""

from collections.abc import Collection, Iterable

from cellfeat.extraction.store import Features


def feature_names(features: Features) -> list[str]:
    """Name each column of the embeddings: the pass that it comes from, and its number there.

    Imported features keep the names of their table. Others whose recipe has no passes get ``feature_0000`` and so on.
    """
    n_columns = features.embeddings.shape[2]
    imported = features.provenance.get("imported")
    columns = imported.get("columns") if isinstance(imported, dict) else None
    if isinstance(columns, list) and len(columns) == n_columns:
        return unique_names(map(str, columns))
    passes = [str(name) for name in features.recipe.get("passes", ())]
    if not passes or n_columns % len(passes):
        passes = ["feature"]
    names = unique_names(passes)
    return [f"{name}_{number:04d}" for name in names for number in range(n_columns // len(names))]


def unique_names(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Make names unique and usable as names in HDF5 and other formats.

    Slashes and control characters become underscores, an empty name becomes ``unnamed``, and a name that was used
    before, in whatever case, gets a number.

    Parameters
    ----------
    names
        The names.
    taken
        Names that are used already.

    Examples
    --------
    >>> unique_names(["dose/uM", "label", "Label", ""], taken=["label"])
    ['dose_uM', 'label_2', 'Label_3', 'unnamed']
    """
    used = {name.lower() for name in taken}
    found = []
    for name in names:
        plain = "".join("_" if c == "/" or not c.isprintable() else c for c in name).strip(". ") or "unnamed"
        candidate, number = plain, 1
        while candidate.lower() in used:
            number += 1
            candidate = f"{plain}_{number}"
        used.add(candidate.lower())
        found.append(candidate)
    return found


def plain_text(text: str) -> str:
    r"""Replace NUL characters, which most formats end a text at, by ``\x00``."""
    return text.replace("\0", r"\x00")
