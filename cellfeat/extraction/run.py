"""A run extracts the samples that its feature file lacks, part by part, and publishes the file."""

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
        What the run works with.
    header
        What its parts have in common, if that is decided already; None: the choices of an unfinished run are kept, or
        the compute method is chosen by measuring.
    carried
        Rows of a finished file that go into the new one; None: all rows are the run's own.
    """

    def __init__(self, context: RunContext, *, header: RunHeader | None = None, carried: Carried | None = None) -> None:
        self.context = context
        self._header = header
        self._module: torch.nn.Module | None = None
        self._carried = carried
        self._store: PartStore | None = None
        self._extracted = Extracted(0, [], 0)

    def header(self) -> RunHeader:
        """Decide what the parts of the run have in common; later calls return the same."""
        if self._header is None:
            self._header = adopt_header(self.context)
        if self._header is None:
            self._header, self._module = choose_header(self.context)
        return self._header

    def extract_missing(self) -> None:
        """Extract the parts that do not exist yet, are damaged, or whose images have changed.

        Raises
        ------
        ImageError
            If a sample cannot be read and ``extraction.on_error`` is ``stop``, or no sample can be read at all.
        FingerprintError
            If the output has an unfinished run of other settings.
        DiskFullError
            If the disk has no room for the rest of the run.
        """
        store = self._open_store()
        missing = MissingParts.find(store, self.context.untimed_decoder)
        n_done = self.header().n_samples - missing.n_samples
        if n_done:
            self.context.request.observer.say(f"going on with an unfinished run: {n_done} samples are done")
        self._extracted = self._extract(missing, store) if missing.parts else self._nothing_to_extract()
        self._check_any_readable(self._extracted.failures)

    def provenance(self) -> dict[str, Any]:
        """Describe where the feature file comes from."""
        return make_provenance(self.context, self.header(), self._extracted)

    def publish(self, provenance: Mapping[str, Any] | None = None) -> Extraction:
        """Consolidate the parts into the feature file, and report how the run ended.

        Parameters
        ----------
        provenance
            Where the file comes from; None: as `provenance` describes it.
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
        progress = RunEvents(self.context, store, writer, self.header().n_samples - missing.n_samples)
        finished = extract_parts(
            missing,
            self.context.decoder,
            embedder,
            progress,
            batch_size=self.header().execution["batch_size"],
            n_threads=max(1, self.context.n_workers),
        )
        with writer, closing(finished):
            for rows in finished:
                writer.start(rows)
            writer.wait()
        return Extracted(missing.n_samples, progress.failures, embedder.batch_size)

    def _embedder(self) -> Embedder:
        context, header = self.context, self.header()
        return Embedder(
            # Compared with None: a compiled module has no length, and its truth value raises.
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
                f"{parts_folder(context.request.output)}: holds an unfinished run that computes as "
                f"'{method_of(header)}', which is not available on this machine now ({error}). Finish it on the "
                f"machine where it began, choose another --output, or delete that folder to start again"
            ) from error

    def _check_any_readable(self, failures: list[Decoded]) -> None:
        n_samples = len(self.context.request.manifest)
        if failures and len(failures) == n_samples:
            raise ImageError(
                f"none of {n_samples} samples could be read, so {self.context.request.output} was not written; the "
                f"first: {failures[0].reason}"
            )


def run_extraction(request: ExtractionRequest, finished: Summary | None) -> Extraction:
    """Extract what is missing, and publish the feature file.

    Parameters
    ----------
    request
        What to extract.
    finished
        A finished feature file at the output that was made on another request; it is accepted if the request would
        make the same features again.
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
