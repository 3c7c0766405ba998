"""Which files of a folder are images: known endings say so, and the content of a file with any other ending."""

import stat
from pathlib import Path

from cellfeat.samples.formats.decoding import SIGNATURES

# BMP, GIF, WebP and JPEG 2000 are included, though they cannot be read: an error with advice is better than a sample
# that is left out.
IMAGE_ENDINGS = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".lsm", ".stk",
    ".bmp", ".gif", ".webp", ".jp2", ".nd2", ".czi", ".lif", ".zarr",
})  # fmt: skip
_NOIMAGE_ENDINGS = frozenset({
    ".csv", ".tsv", ".txt", ".md", ".rst", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".conf", ".log", ".properties", ".html", ".htm", ".css", ".js", ".h5", ".hdf5", ".npz", ".pkl", ".joblib",
    ".parquet", ".feather", ".sqlite", ".db", ".xls", ".xlsx", ".ods", ".pdf", ".doc", ".docx", ".ppt", ".pptx",
    ".odt", ".py", ".ipynb", ".m", ".r", ".rdata", ".sh", ".bat", ".ijm", ".roi", ".groovy", ".zip", ".gz",
    ".bz2", ".xz", ".tar", ".7z", ".rar", ".sha256", ".md5", ".lock", ".url", ".lnk",
})  # fmt: skip
# A copy of an image, or a part of one, under these endings is no sample of its own.
_LEFTOVERS = frozenset({
    ".bak", ".old", ".orig", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", ".download",
})  # fmt: skip


class FileKinds:
    """Tells images from other files.

    A file is opened only if its ending is unknown, and only once.

    Parameters
    ----------
    root
        The folder that names are relative to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_content: dict[str, bool] = {}

    def is_image(self, name: str) -> bool:
        """Whether a file is an image: by its ending, or else because it begins like a PNG, JPEG or TIFF."""
        ending = _ending(name)
        if ending in IMAGE_ENDINGS:
            return not _is_hidden(name)
        if ending in _NOIMAGE_ENDINGS or _is_leftover(name) or _is_hidden(name):
            return False
        if name not in self._by_content:
            self._by_content[name] = _begins_like_image(self._root / name)
        return self._by_content[name]

    def may_be_missed(self, name: str) -> bool:
        """Whether a file is no image, but its owner may think so: not a table, a text or a hidden file."""
        return not (_is_hidden(name) or _ending(name) in _NOIMAGE_ENDINGS or self.is_image(name))


def _ending(name: str) -> str:
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if stem and ending else ""


def _is_hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _is_leftover(name: str) -> bool:
    return _ending(name) in _LEFTOVERS or name.endswith("~")


def _begins_like_image(path: Path) -> bool:
    try:
        # Opening a pipe would wait for somebody to write into it.
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(max(map(len, SIGNATURES))).startswith(SIGNATURES)
    except OSError:
        return False
