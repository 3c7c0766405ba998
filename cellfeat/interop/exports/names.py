"""Names that are unique and valid in the files of other programs."""

from collections.abc import Collection, Iterable


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
