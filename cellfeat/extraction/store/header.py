"""The header of an unfinished run: ``run.json`` beside its parts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cellfeat.errors import FingerprintError, RecordError
from cellfeat.extraction.store.format import FORMAT, RowShape, parts_folder
from cellfeat.extraction.store.stored_type import stored_type
from cellfeat.provenance import digest_json
from cellfeat.records import check_fields, parse_json, parse_record, seal, unseal
from cellfeat.storage.base import Storage
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location

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
    plan
        How, where and by which versions the run was planned: see `cellfeat.extraction.shares.plan`. Kept with the run,
        but not part of its identity.
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
    plan: Mapping[str, Any] = field(default_factory=dict, compare=False)
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Digest of the recipe."""
        return digest_json(self.recipe)

    @property
    def row_shape(self) -> RowShape:
        """Shape of one row."""
        return RowShape(self.n_views, self.embedding_dim, self.n_channels, stored_type(self.recipe))

    def digest(self) -> str:
        """Digest the identity, as every part of this run records it."""
        return digest_json(self.identity())

    def identity(self) -> dict[str, Any]:
        """Give the fields that distinguish this run from others: all but the notes and the plan."""
        return {name: value for name, value in asdict(self).items() if name not in ("notes", "plan")}

    def part_rows(self) -> list[range]:
        """List the rows of each part."""
        starts = range(0, self.n_samples, self.part_size)
        return [range(start, min(start + self.part_size, self.n_samples)) for start in starts]


def unfinished_run(output: Location) -> RunHeader | None:
    """Read the header of the run whose parts lie beside `output`; None where it is missing or damaged."""
    return read_header(open_storage(parts_folder(output)))


def read_header(parts: Storage) -> RunHeader | None:
    """Read the header of the run whose parts lie in a folder; None where it is missing or damaged."""
    content = parts.read(RECORD)
    if content is None:
        return None
    try:
        return parse_record(content, RunHeader)
    except RecordError:
        return None


def refuse_other_versions(parts: Storage) -> None:
    """Refuse to continue in the parts of another version of cellfeat, which would count as damaged.

    Raises
    ------
    FingerprintError
        If there are any.
    """
    record = _whole_record(parts.read(RECORD) or b"")
    if record is not None and not _is_header(record) and any(parts.sizes("rows-")):
        raise FingerprintError(
            f"{parts.location}: holds an unfinished run of {_writer_of(record)}, "
            f"whose parts have another format: finish it with that version, or choose another --output"
        )


def _whole_record(content: bytes) -> dict[str, Any] | None:
    """Parse a record that is undamaged, of any version; None where it is damaged."""
    try:
        record = parse_json(content)
        # Format 1 had its digest under another name.
        return record if isinstance(record, dict) and record.keys() == {"content", "sha256"} else unseal(record)
    except RecordError:
        return None


def _writer_of(record: Mapping[str, Any]) -> str:
    plan = record.get("plan")
    version = "0.1" if "content" in record else plan.get("cellfeat") if isinstance(plan, dict) else None
    return f"cellfeat {version or 'of another version'}"


def _is_header(content: Mapping[str, Any]) -> bool:
    try:
        return check_fields(content, RunHeader).format == FORMAT
    except RecordError:
        return False


def header_bytes(header: RunHeader) -> bytes:
    """Give the content of the file that keeps a header."""
    return json.dumps(seal(asdict(header)), indent=1, ensure_ascii=False).encode()
