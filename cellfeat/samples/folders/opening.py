"""Open the folder of images at a location, and refuse what only folders of this machine can hold."""

from pathlib import Path

from cellfeat.config import ImagesSettings
from cellfeat.errors import ConfigError
from cellfeat.samples.folders.base import ImageFolder
from cellfeat.samples.folders.local import LocalFolder
from cellfeat.samples.folders.objects import ObjectFolder, RemoteFiles
from cellfeat.samples.formats.h5sc_names import is_h5sc_name
from cellfeat.storage.url import Location, Url

WAY_OUT = "copy it to this machine (aws s3 sync, gsutil rsync, azcopy copy), and name the copy"


def open_folder(location: Location) -> ImageFolder:
    """Open the folder of images. Nothing is read yet."""
    return LocalFolder(location) if isinstance(location, Path) else ObjectFolder(location)


def remote_files(location: Location) -> RemoteFiles | None:
    """Prepare to read objects below an address; None for a folder of this machine, whose files are opened by path."""
    return RemoteFiles(location) if isinstance(location, Url) else None


def check_location(images: ImagesSettings) -> None:
    """Refuse settings that an address cannot follow.

    Raises
    ------
    ConfigError
        If the images are at an address, and lie in files that only a disk gives access to, or names may leave it.
    """
    root = images.root
    if isinstance(root, Path):
        return
    if is_h5sc_name(root.name) or images.layout in ("fields", "h5sc"):
        _ = images.local_root  # raises
    if images.allow_outside:
        raise ConfigError(
            f"images.allow_outside: file names cannot lead out of an address, here {root}: name an address that all "
            "images are below, as images.root"
        )


def name_below(location: Location, name: str) -> str:
    """Make a file name relative to the folder of images, where it begins with the folder's address.

    Parameters
    ----------
    location
        The folder of images.
    name
        A path, perhaps a whole address.

    Examples
    --------
    >>> name_below(Url.parse("s3://lab/images"), "s3://lab/images/A/1.png")
    'A/1.png'
    """
    if isinstance(location, Path):
        return name
    start = f"{location}/"
    return name[len(start) :] if name.startswith(start) else name
