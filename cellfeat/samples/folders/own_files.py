"""Files that cellfeat itself wrote among the images: results, saved heads, feature files, the picture of `init`."""

import re
from collections.abc import Collection

from cellfeat.samples.folders.base import ImageFolder

_SIGNS = (
    {"samples.json", "comparison.json"},
    {"samples.json", "audit.csv"},
    {"samples.json", "metrics.json"},
    {"bundle.json", "arrays.safetensors"},
)
"""Files that lie together only in a folder of results or of a saved head."""
_FEATURES = re.compile(r"features/[^/]+\.h5|.+\.audit\.json")
SETTINGS_HEAD = b"# Settings of cellfeat for "
"""How a file of settings that `init` wrote begins; its picture lies beside it, under the same name."""


def own_files(folder: ImageFolder, names: Collection[str]) -> set[str]:
    """Find the files that are no samples because cellfeat wrote them, where a command ran in the folder of images.

    Parameters
    ----------
    folder
        The folder of images.
    names
        Names of the files in it.
    """
    by_folder: dict[str, set[str]] = {}
    for name in names:
        above, _, own = name.rpartition("/")
        by_folder.setdefault(above, set()).add(own)
    results = tuple(f"{above}/" for above, files in by_folder.items() if above and any(one <= files for one in _SIGNS))
    found = {name for name in names if (results and name.startswith(results)) or _FEATURES.fullmatch(name)}
    return found | _pictures(folder, set(names))


def without_own_folders(folders: Collection[str], own: Collection[str]) -> list[str]:
    """Leave out folders in which cellfeat wrote.

    Parameters
    ----------
    folders
        Folders.
    own
        The files that cellfeat wrote.
    """
    return [one for one in folders if not any(name.startswith(f"{one}/") for name in own)]


def _pictures(folder: ImageFolder, names: set[str]) -> set[str]:
    """Pictures of `init`: each lies beside the settings, whose first line says so."""
    settings = {name: f"{name[: -len('.yaml')]}.png" for name in names if name.endswith(".yaml")}
    beside = {name: picture for name, picture in settings.items() if picture in names}
    starts = folder.starts(beside, len(SETTINGS_HEAD)) if beside else {}
    return {picture for name, picture in beside.items() if starts[name] == SETTINGS_HEAD}
