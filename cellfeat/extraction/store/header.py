"""The header of an unfinished run: ``run.json`` beside its parts."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cellfeat.errors import FingerprintError, RecordError
from cellfeat.extraction.store.format import FORMAT, RowShape, parts_folder
from cellfeat.provenance import digest_json, publish
from cellfeat.records import parse_json, parse_record, seal

RECORD = "run.json"


@dataclass(frozen=True)
class RunHeader:
    """The header of a run: everything that its parts have in common.

    Attributes
    ----------
    recipe
        Everything that can change an embedding; its digest is the fingerprint.
    samples
        Digest of the manifest's ids and file names.
    execution
        How the numbers are computed here (device, implementation, batch size): equal on resume, so that the bits are.
    n_samples, n_views, embedding_dim
        Shape of ``embeddings``.
    part_size
        Rows a part.
    n_channels
        Channels of a sample.
    notes
        How the execution was chosen. Kept with the run, but not part of its identity.
    format
        Format of the parts.
    """

    recipe: Mapping[str, Any]
    samples: str
    execution: Mapping[str, Any]
    n_samples: int
    n_views: int
    embedding_dim: int
    part_size: int
    n_channels: int = 1
    notes: Mapping[str, Any] = field(default_factory=dict, compare=False)
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Digest of the recipe."""
        return digest_json(self.recipe)

    @property
    def row_shape(self) -> RowShape:
        """Shape of one row."""
        return RowShape(self.n_views, self.embedding_dim, self.n_channels)

    def digest(self) -> str:
        """Digest the identity, as every part of this run records it."""
        return digest_json(self.identity())

    def identity(self) -> dict[str, Any]:
        """Give the fields that distinguish this run from others: all but the notes."""
        return {name: value for name, value in asdict(self).items() if name != "notes"}

    def part_rows(self) -> list[range]:
        """List the rows of each part."""
        starts = range(0, self.n_samples, self.part_size)
        return [range(start, min(start + self.part_size, self.n_samples)) for start in starts]


def unfinished_run(output: Path) -> RunHeader | None:
    """Read the header of the run whose parts lie beside `output`; None where it is missing or damaged."""
    try:
        return parse_record((parts_folder(output) / RECORD).read_bytes(), RunHeader)
    except (FileNotFoundError, RecordError):
        return None


def refuse_earlier_format(folder: Path) -> None:
    """Refuse parts of cellfeat 0.1, which would count as damaged and be made again.

    Raises
    ------
    FingerprintError
        If there are any.
    """
    with suppress(FileNotFoundError, RecordError):
        record = parse_json((folder / RECORD).read_bytes())
        if isinstance(record, dict) and record.keys() == {"content", "sha256"} and any(folder.glob("rows-*.h5")):
            raise FingerprintError(
                f"{folder}: holds an unfinished run of cellfeat 0.1, whose parts have another format: finish it with "
                f"that version, or choose another --output"
            )


def publish_header(folder: Path, header: RunHeader) -> None:
    """Write the header of a run.

    Parameters
    ----------
    folder
        Where the parts lie.
    header
        The run.
    """
    record = json.dumps(seal(asdict(header)), indent=1, ensure_ascii=False)
    with publish(folder / RECORD) as temporary:
        temporary.write_text(record, encoding="utf-8")
