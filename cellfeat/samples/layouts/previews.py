"""Images that were made of others, by their names: previews, composites of channels, and drawings on images."""

import re
from bisect import bisect_left
from collections.abc import Sequence

_PREVIEW = re.compile(r"(^|[ _.-])(thumb|thumbnail|preview|overview|montage)s?([ _.-]|\d|$)", re.IGNORECASE)
_MADE = r"\(?(?:merged?|overlay|composite|rgb|annotated)\)?"
_COMPOSITE = re.compile(rf"(?:{_MADE}[ _-]+)?(?P<of>.+?)(?:[ ._-]+{_MADE})?", re.IGNORECASE)
_FOLDER = re.compile(
    r"(thumb(nail)?s?|previews?|overviews?|montages?|overlays?|merged?|composites?|rgb|annotated|qc"
    r"|low[ _-]?res(olution)?|downsampled|backups?)([ _-]?(images?|imgs?|pngs?|jpe?gs?))?|pngs?|jpe?gs?",
    re.IGNORECASE,
)


def is_preview_folder(name: str) -> bool:
    """Whether a folder is named like one of previews, composites or drawings."""
    return _FOLDER.fullmatch(name) is not None


def previews_among(images: Sequence[str]) -> list[str]:
    """Images named like previews, and like composites or copies of others.

    These are ``1_merge`` beside ``1_ch00`` or ``1``, ``1.tif.jpg`` beside ``1.tif``, and in a folder named like one of
    previews those that are named like an image elsewhere, as ``A/thumbs/1.png`` beside ``A/1.tif``.

    Parameters
    ----------
    images
        Paths of all images.
    """
    on_disk = set(images)
    composites = {name: base for name in images if (base := _base(_stem(name)))}
    others = sorted(_stem(name) for name in images if name not in composites)
    stems = set(others)
    in_folders = _in_preview_folders(images)
    return [
        name
        for name in images
        if _PREVIEW.search(name.rpartition("/")[2])
        or name in in_folders
        or _stem(name) in on_disk
        or (name in composites and (composites[name] in stems or has_follower(composites[name], others, "")))
    ]


def _base(stem: str) -> str | None:
    """The path of what an image was made of, by its name; None where the name does not say so."""
    own = stem.rpartition("/")[2]
    found = _COMPOSITE.fullmatch(own)
    return None if found is None or found["of"] == own else f"{_folder(stem)}{found['of']}"


def _in_preview_folders(images: Sequence[str]) -> set[str]:
    above = {name: folder for name in images if (folder := _above_previews(name)) is not None}
    if not above:
        return set()
    by_folder: dict[str, set[str]] = {folder: set() for folder in above.values()}
    for name in images:
        if name not in above:
            for folder in by_folder.keys() & set(_folders_of(name)):
                by_folder[folder].add(_own_stem(name))
    stems = {folder: sorted(own) for folder, own in by_folder.items()}
    found = set()
    for name, folder in above.items():
        own = _own_stem(name)
        if own in by_folder[folder] or has_follower(own, stems[folder], ""):
            found.add(name)
    return found


def _above_previews(name: str) -> str | None:
    """The folder that holds the folder of previews in which an image lies; None where it lies in none."""
    folders = name.split("/")[:-1]
    place = next((place for place, folder in enumerate(folders) if is_preview_folder(folder)), None)
    return None if place is None else "/".join(folders[:place])


def _folders_of(name: str) -> list[str]:
    """All folders above a file, the root (``""``) included."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]


def has_follower(base: str, stems: Sequence[str], own: str) -> bool:
    """Whether one of sorted stems is a base with more behind it, other than its own.

    Parameters
    ----------
    base
        The start of a name.
    stems
        Names without endings, sorted.
    own
        The name that does not count.
    """
    place = bisect_left(stems, f"{base} ")
    return any(stem.startswith(base) for stem in stems[place : place + 3] if stem != own)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _own_stem(name: str) -> str:
    return _stem(name.rpartition("/")[2])


def _folder(name: str) -> str:
    return name[: name.rindex("/") + 1] if "/" in name else ""
