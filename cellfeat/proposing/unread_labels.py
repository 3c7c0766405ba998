"""Files that may hold the labels and are not read, where no labels were found."""

from collections.abc import Collection
from itertools import islice
from pathlib import Path

from cellfeat.proposing.survey import Survey, files_of_the_user, spread
from cellfeat.samples.tables.foreign import BINARY_ENDINGS
from cellfeat.text import first_ten

_TEXTS = (".json", ".jsonl", ".ndjson", ".geojson", ".xml", ".txt", ".yaml", ".yml")
_MOST_FILES = 50
_MOST_BYTES = 20_000_000
_FEW = 3


def unread_labels(survey: Survey, of_images: Collection[str]) -> list[str]:
    """Name files beside the images that are no tables, and may say of what class the images are.

    Parameters
    ----------
    survey
        What the folder holds.
    of_images
        Files of single images, which are told apart from these.
    """
    names = [name for name in files_of_the_user(survey.folder) if name not in of_images]
    files = [Path(name).name for name in survey.names]
    wanted = [files[place].encode() for place in spread(len(files), _FEW)]
    texts = islice((name for name in names if name.lower().endswith(_TEXTS)), _MOST_FILES)
    found = [name for name in texts if _mentions(survey.folder / name, wanted)]
    found += [name for name in names if name.lower().endswith(BINARY_ENDINGS)]
    if not found:
        return []
    return [
        f"{first_ten(found)} may hold the labels, and is not read: labels come from a table (CSV, Parquet, Excel), "
        "from class folders or from the names of the files; write a CSV with a row for each image, its name and its "
        "class, for example with pandas, and name it with --labels FILE"
    ]


def _mentions(file: Path, wanted: list[bytes]) -> bool:
    """Whether a text holds the names of images."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            return False
        content = file.read_bytes()
    except OSError:
        return False
    return all(name in content for name in wanted)
