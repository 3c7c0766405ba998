"""The last step of an extraction by many processes: one of them joins all parts into the feature file."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from cellfeat.config import Settings
from cellfeat.errors import FeatureFileError, FingerprintError, MissingFileError, WriteError
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.report import provenance_of_plan
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.shares.plan import check_planned
from cellfeat.extraction.shares.records import ShareRecord, share_records
from cellfeat.extraction.store import (
    PartStore,
    RunHeader,
    held_output,
    is_imported,
    parts_folder,
    read_summary,
    remove_parts,
    unfinished_run,
)
from cellfeat.provenance import differences, utc_now
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.storage.opening import is_there

_MOST_LISTED = 5


def consolidate(
    settings: Settings, *, observer: Observer | None = None, manifest: Manifest | None = None
) -> Extraction:
    """Join the parts of all shares into the feature file, and remove them. Needs no device and no weights.

    Parameters
    ----------
    settings, observer, manifest
        As for `cellfeat.extraction.extract.extract`, and as for the shares.

    Raises
    ------
    MissingFileError
        If nothing was planned for this output.
    FeatureFileError
        If parts are missing or damaged; the message says which, and who was to make them.
    FingerprintError
        If the plan has other settings or samples; or the output holds other features.
    BusyError
        If another process is writing the output.
    """
    began = time.perf_counter()
    with prepared_request(settings, observer, manifest) as request, held_output(request.output, request.observer.say):
        if is_finished(request):
            remove_parts(request.output)
            return _finished(request)
        try:
            return _joined(request, began)
        except (FeatureFileError, MissingFileError, WriteError):
            # Nothing locks an object store: another process may have joined the parts and removed them meanwhile.
            if isinstance(request.output, Path) or not is_finished(request):
                raise
            return _finished(request)


def _joined(request: ExtractionRequest, began: float) -> Extraction:
    header = _plan_of(request)
    store = PartStore(request.output, header)
    missing = store.missing_parts()
    if missing:
        raise FeatureFileError(_why_not(header, missing, share_records(store.storage), str(store.folder)))
    n_failed = store.consolidate(request.sample_table(), provenance_of_plan(request, header, _times(header)))
    n_samples = len(request.manifest)
    extraction = Extraction(request.output, n_samples, n_failed, n_samples, time.perf_counter() - began)
    request.observer.say(
        f"{n_samples:,} samples of {len(header.part_rows())} parts, {n_failed} failed, joined in "
        f"{extraction.seconds:.1f} s"
    )
    return extraction


def is_finished(request: ExtractionRequest) -> bool:
    """Whether the output is a finished file of a request; its images are not read again.

    Raises
    ------
    FingerprintError
        If it holds other features.
    """
    if not is_there(request.output):
        return False
    finished = read_summary(request.output)
    if is_imported(finished.recipe):
        raise FingerprintError(f"{request.output}: holds numbers that were imported: choose another --output")
    planned = finished.provenance["request"]
    if planned == request.record:
        return True
    raise FingerprintError(
        f"{request.output}: holds features of other settings or samples "
        f"({'; '.join(differences(planned, request.record))}). The file is unchanged: choose another --output, or "
        f"extract only what differs in one process with --update"
    )


def _finished(request: ExtractionRequest) -> Extraction:
    summary = read_summary(request.output)
    request.observer.say(
        f"{request.output} is finished already: {summary.n_samples:,} samples, {summary.n_failed} failed"
    )
    return Extraction(request.output, summary.n_samples, summary.n_failed, 0, 0.0)


def _plan_of(request: ExtractionRequest) -> RunHeader:
    header = unfinished_run(request.output)
    if header is None:
        raise MissingFileError(
            f"{parts_folder(request.output)}: there is no plan and no part; make the plan with --plan, or the parts "
            f"with --share I/N"
        )
    check_planned(request, header)
    return header


def _times(header: RunHeader) -> dict[str, object]:
    """When the shares were made: from the plan until now."""
    started = str(header.plan["started"])
    wall = (datetime.fromisoformat(utc_now()) - datetime.fromisoformat(started)).total_seconds()
    return {
        "started": started,
        "finished": utc_now(),
        "n_extracted": header.n_samples,
        "smallest_batch": header.execution["batch_size"],
        "seconds": {"wall": wall},
    }


def _why_not(header: RunHeader, missing: list[range], records: list[ShareRecord], folder: str) -> str:
    """Say which parts are missing, and who was to make them."""
    parts_of: dict[str, list[str]] = {}
    for part in missing:
        number = part.start // header.part_size
        parts_of.setdefault(_owners(number, records), []).append(f"{number} (rows {part.start} to {part.stop - 1})")
    listed = "\n".join(f"part {_listed(parts)}: {owners}" for owners, parts in parts_of.items())
    return (
        f"{folder}: {len(missing)} of {len(header.part_rows())} parts are missing:\n{listed}\n"
        f"Run these shares again, or cellfeat extract, which makes all that are missing"
    )


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - _MOST_LISTED
    return ", ".join(parts[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _owners(number: int, records: Iterable[ShareRecord]) -> str:
    owners = [str(record) for record in records if record.share.owns(number)]
    return "; ".join(sorted(owners)) or "no share that has begun was to make it"
