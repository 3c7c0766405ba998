"""Extract what is not done yet, part by part (a part is a block of rows), then join the parts into the feature file."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import torch

from cellfeat.errors import BackboneError, ImageError
from cellfeat.extraction.accept_finished import accept_finished
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import exact_float32
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.forward.implementations import Target, build_module
from cellfeat.extraction.header_choice import adopt_header, choose_header, method_of
from cellfeat.extraction.pipeline import extract_parts
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.recipe import check_expected_recipe, check_same_features
from cellfeat.extraction.report import Extracted, make_provenance, report_end
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.run_events import RunEvents
from cellfeat.extraction.store import Carried, PartStore, RunHeader, Summary, parts_folder
from cellfeat.extraction.unfinished_parts import MissingParts
from cellfeat.extraction.writer import PartWriter


class Run:
    """One run of an extraction: call `extract_missing`, then `publish`.

    Parameters
    ----------
    context
        The request, backbone, device and decoders of the run.
    header
        Recipe, device and batch size shared by all parts. None: take them from the unfinished run; without one, choose
        by measuring.
    carried
        In an update, the rows copied from the old file. None: compute every row.
    """

    def __init__(self, context: RunContext, *, header: RunHeader | None = None, carried: Carried | None = None) -> None:
        self.context = context
        self._header = header
        self._module: torch.nn.Module | None = None
        self._carried = carried
        self._store: PartStore | None = None
        self._extracted = Extracted(0, [], 0)

    def header(self) -> RunHeader:
        """Recipe, device and batch size shared by all parts.

        The first call may measure which compute method is fastest, which takes a while. Later calls return the same
        header.
        """
        # An unfinished run decides, because the new parts must fit its parts.
        if self._header is None:
            self._header = adopt_header(self.context)
        if self._header is None:
            self._header, self._module = choose_header(self.context)
        return self._header

    def extract_missing(self) -> None:
        """Extract the parts that are missing, damaged, or out of date because their images have changed.

        Raises
        ------
        ImageError
            If a sample cannot be read and ``extraction.on_error`` is ``stop``, or no sample can be read at all.
        FingerprintError
            If the output has an unfinished run that was started with other settings.
        DiskFullError
            If the disk has no room for the rest of the run.
        """
        store = self._open_store()
        missing = MissingParts.find(store, self.context.untimed_decoder)
        n_samples = self.header().n_samples
        if n_done := n_samples - missing.n_samples:
            say = self.context.request.observer.say
            say(f"continuing an unfinished run: {n_done} of {n_samples} samples are done")
        self._extracted = self._extract(missing, store) if missing.parts else self._nothing_to_extract()
        self._check_any_readable(self._extracted.failures)

    def provenance(self) -> dict[str, Any]:
        """Record how the feature file was made: settings, versions, machine and times."""
        return make_provenance(self.context, self.header(), self._extracted)

    def publish(self, provenance: Mapping[str, Any] | None = None) -> Extraction:
        """Join the parts into the feature file, and report the result of the run.

        Parameters
        ----------
        provenance
            Record to store in the file. None: the result of `provenance`.
        """
        request, timeline = self.context.request, self.context.timeline
        origin = self.provenance() if provenance is None else provenance
        n_failed = self._open_store().consolidate(request.sample_table(), origin)
        timeline.end()
        n_samples, n_extracted = len(request.manifest), self._extracted.n_samples
        extraction = Extraction(request.output, n_samples, n_failed, n_extracted, timeline.wall)
        report_end(self.context, self.header(), extraction)
        return extraction

    def _open_store(self) -> PartStore:
        if self._store is None:
            self._store = PartStore(self.context.request.output, self.header(), self._carried)
        return self._store

    def _nothing_to_extract(self) -> Extracted:
        return Extracted(0, [], self.header().execution["batch_size"])

    def _extract(self, missing: MissingParts, store: PartStore) -> Extracted:
        embedder = self._embedder()
        writer = PartWriter(store, self.context.timeline)
        events = RunEvents(self.context, store, writer, self.header().n_samples - missing.n_samples)
        finished = extract_parts(
            missing,
            self.context.decoder,
            embedder,
            events,
            batch_size=self.header().execution["batch_size"],
            n_threads=self.context.decoder.reader.n_threads(max(1, self.context.n_workers)),
        )
        # Closed at once and not by the garbage collector, so that an interrupted run stops reading images.
        with writer, closing(finished):
            for rows in finished:
                # Returns at once: `RunEvents.on_batch` waits for the part before it counts a batch of the next one.
                writer.start(rows)
            writer.wait()
        return Extracted(missing.n_samples, events.failures, embedder.batch_size)

    def _embedder(self) -> Embedder:
        context, header = self.context, self.header()
        return Embedder(
            # `is None`, not `or`: bool() of a compiled module raises.
            self._build_module() if self._module is None else self._module,
            context.inputs,
            device=context.device,
            precision=header.recipe["precision"],
            batch_size=header.execution["batch_size"],
            timeline=context.timeline,
            say=context.request.observer.say,
        )

    def _build_module(self) -> torch.nn.Module:
        context, header = self.context, self.header()
        side = context.inputs.transform.input_size
        target = Target(context.device, torch.Size((header.execution["batch_size"], 3, side, side)))
        try:
            return build_module(context.backbone, method_of(header), target)
        except BackboneError as error:
            raise BackboneError(
                f"{parts_folder(context.request.output)}: holds an unfinished run that was started with precision and "
                f"implementation '{method_of(header)}', which is not available on this machine now ({error}). Finish "
                f"it on the machine where it was started, or choose another --output"
            ) from error

    def _check_any_readable(self, failures: list[Decoded]) -> None:
        n_samples = len(self.context.request.manifest)
        if failures and len(failures) == n_samples:
            raise ImageError(
                f"none of {n_samples} samples could be read, so {self.context.request.output} was not written; the "
                f"first: {failures[0].reason}"
            )


def run_extraction(request: ExtractionRequest, finished: Summary | None) -> Extraction:
    """Extract what is missing and write the feature file, or accept the finished file.

    Parameters
    ----------
    request
        What to extract.
    finished
        The file already there, made with other settings. Accepted if these settings give the same features. None: there
        is no finished file.
    """
    with exact_float32():
        context = RunContext.from_request(request)
        if request.workers is not None:
            request.workers.start(context.n_workers)
        if finished is not None:
            check_same_features(context, finished)
            return accept_finished(request, finished)
        check_expected_recipe(context)
        run = Run(context)
        run.extract_missing()
        return run.publish()
