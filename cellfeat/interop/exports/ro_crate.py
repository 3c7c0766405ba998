"""Format `ro-crate`: a description of the files as a Research Object Crate 1.1."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cellfeat.interop.exports.contents import Contents
from cellfeat.interop.exports.described_files import DescribedFile, described_files, description_of, write_description

NAME = "ro-crate-metadata.json"
_SPECIFICATION = "https://w3id.org/ro/crate/1.1"
_SOFTWARE = "#cellfeat"


def write_ro_crate(contents: Contents, path: Path) -> None:
    """Write the description.

    Parameters
    ----------
    contents
        What is described.
    path
        The file; files are named relative to its folder.
    """
    write_description(ro_crate_of(contents, described_files(contents, path.parent)), path)


def ro_crate_of(contents: Contents, files: list[DescribedFile]) -> dict[str, Any]:
    """Make the description.

    Parameters
    ----------
    contents
        What is described.
    files
        The files.
    """
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": contents.path.stem,
        "description": description_of(contents),
        "datePublished": datetime.now(UTC).date().isoformat(),
        "identifier": contents.fingerprint,
        "hasPart": [{"@id": file.url} for file in files],
    }
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _SPECIFICATION},
        "about": {"@id": "./"},
    }
    software = {"@id": _SOFTWARE, "@type": "SoftwareApplication", "name": "cellfeat", "version": version("cellfeat")}
    return {
        "@context": f"{_SPECIFICATION}/context",
        "@graph": [descriptor, root, *map(_file, files), software],
    }


def _file(file: DescribedFile) -> dict[str, Any]:
    return {
        "@id": file.url,
        "@type": "File",
        "name": file.name,
        "description": file.description,
        "contentSize": str(file.size),
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
        "creator": {"@id": _SOFTWARE},
    }
