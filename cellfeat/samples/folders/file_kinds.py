"""Which files of a folder are images: known endings say so, and the content of a file with any other ending."""

from collections.abc import Iterable

from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.formats.decoding import SIGNATURES

# GIF, WebP, JPEG 2000 and JPEG XL are included, though they cannot be read: an error with advice is better than a
# sample that is left out.
IMAGE_ENDINGS = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".lsm", ".stk",
    ".bmp", ".dib", ".gif", ".webp", ".jp2", ".jxl", ".nd2", ".czi", ".lif", ".zarr",
})  # fmt: skip
_NOIMAGE_ENDINGS = frozenset({
    ".csv", ".tsv", ".txt", ".md", ".rst", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".conf", ".log", ".properties", ".html", ".htm", ".css", ".js", ".h5", ".hdf5", ".npz", ".pkl", ".joblib",
    ".parquet", ".feather", ".sqlite", ".db", ".xls", ".xlsx", ".ods", ".pdf", ".doc", ".docx", ".ppt", ".pptx",
    ".odt", ".py", ".ipynb", ".m", ".r", ".rdata", ".sh", ".bat", ".ijm", ".roi", ".groovy", ".zip", ".gz",
    ".bz2", ".xz", ".tar", ".7z", ".rar", ".sha256", ".md5", ".lock", ".url", ".lnk", ".sheets",
    ".geojson", ".ndpa",
})  # fmt: skip
# A copy of an image, or a part of one, under these endings is no sample of its own.
_LEFTOVERS = frozenset({
    ".bak", ".old", ".orig", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", ".download",
})  # fmt: skip
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")


def is_archive(name: str) -> bool:
    """Whether a file is called like an archive of files, which is not read: its files have to be unpacked."""
    return name.lower().endswith(_ARCHIVES)


class FileKinds:
    """Tells images from other files.

    A file is opened only if its ending is unknown, and only once.

    Parameters
    ----------
    folder
        The folder that names are relative to.
    """

    def __init__(self, folder: ImageFolder) -> None:
        self._folder = folder
        self._by_content: dict[str, bool] = {}

    def images(self, names: Iterable[str]) -> list[str]:
        """Give those of some files that are images; those that must be opened for it are opened at once."""
        names = list(names)
        self._open([name for name in names if self._by_name(name) is None])
        return [name for name in names if self.is_image(name)]

    def is_image(self, name: str) -> bool:
        """Whether a file is an image: by its ending, or else because it begins like a PNG, JPEG or TIFF."""
        known = self._by_name(name)
        if known is not None:
            return known
        self._open([name])
        return self._by_content[name]

    def may_be_missed(self, name: str) -> bool:
        """Whether a file is no image, but its owner may think so: not a table, a text or a hidden file."""
        return not (_is_hidden(name) or _ending(name) in _NOIMAGE_ENDINGS or self.is_image(name))

    def _by_name(self, name: str) -> bool | None:
        """What the name of a file says; None where its content decides."""
        ending = _ending(name)
        if ending in IMAGE_ENDINGS:
            return not _is_hidden(name)
        return False if ending in _NOIMAGE_ENDINGS or _is_leftover(name) or _is_hidden(name) else None

    def _open(self, names: Iterable[str]) -> None:
        new = [name for name in names if name not in self._by_content]
        starts = self._folder.starts(new, max(map(len, SIGNATURES)))
        self._by_content.update((name, starts[name].startswith(SIGNATURES)) for name in new)


def _ending(name: str) -> str:
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if stem and ending else ""


def _is_hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _is_leftover(name: str) -> bool:
    return _ending(name) in _LEFTOVERS or name.endswith("~")
