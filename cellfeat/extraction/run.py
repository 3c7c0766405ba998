"""Extract what is not done yet, part by part (a part is a block of rows), then join the parts into the feature file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.errors import BackboneError, FingerprintError
from cellfeat.extraction.accept_finished import accept_finished
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import exact_float32
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.forward.implementations import ComputeMethod, Target, build_module, methods_for
from cellfeat.extraction.forward.kept_memory import freed_memory_kept
from cellfeat.extraction.header_choice import adopt_header, choose_header, method_text, methods_of
from cellfeat.extraction.pipeline import extract_parts
from cellfeat.extraction.recipe import check_expected_recipe, check_same_features
from cellfeat.extraction.report import Extracted, make_plan, make_provenance, report_end
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.run_events import RunEvents
from cellfeat.extraction.shares.canary import check_canary, make_canary
from cellfeat.extraction.shares.machine import describe_machine
from cellfeat.extraction.shares.plan import check_version
from cellfeat.extraction.store import CLOSE, Carried, PartStore, RunHeader, Summary, parts_folder, unfinished_run
from cellfeat.extraction.thumbnails import pass_thumbnails
from cellfeat.extraction.unfinished_parts import MissingParts
from cellfeat.extraction.writer import PartDone, PartWriter


class Run:
    """One process of an extraction: call `extract_missing`, and `publish` once all parts are there.

    Parameters
    ----------
    context
        The request, networks, device and decoders of the run.
    header
        Recipe, device and batch size shared by all parts. None: take them from the unfinished run; without one, choose
        by measuring.
    carried
        In an update, the rows copied from the old file. None: compute every row.
    shares_parts
        Whether other processes make parts, too: then the batch size is never halved.
    """

    def __init__(
        self,
        context: RunContext,
        *,
        header: RunHeader | None = None,
        carried: Carried | None = None,
        shares_parts: bool = False,
    ) -> None:
        self.context = context
        self._header = header
        self._carried = carried
        self._shares_parts = shares_parts
        self._machine = describe_machine(context.device)
        self._modules: tuple[torch.nn.Module, ...] | None = None
        self._embedder: Embedder | None = None
        self._store: PartStore | None = None
        self._made_plan = False
        self._is_proven = False
        self._extracted = Extracted(0, 0)

    def header(self) -> RunHeader:
        """Recipe, device and batch size shared by all parts.

        The first call may measure which compute method is fastest, which takes a while. Later calls return the same
        header.
        """
        # An unfinished run decides, because the new parts must fit its parts.
        if self._header is None:
            self._header = adopt_header(self.context)
        if self._header is None:
            self._header, self._modules = choose_header(self.context)
        return self._header

    @property
    def host(self) -> str:
        """The name of this machine."""
        return str(self._machine["host"])

    @property
    def made_plan(self) -> bool:
        """Whether this process has made the plan that it follows."""
        return self._made_plan

    def plan(self) -> PartStore:
        """Begin the run, or continue the one that is there, and open its parts.

        Raises
        ------
        FingerprintError
            If the output has an unfinished run that was started with other settings, or by another version.
        DiskFullError
            If the disk has no room for the rest of the run.
        """
        if self._store is None:
            header, self._store = self._opened()
            self._header = self._store.header
            # Another process may have begun the same run meanwhile.
            self._made_plan = self._is_proven = self._is_proven and self._header is header
            self._allow_close(self._store)
        return self._store

    def extract_missing(self, parts: Sequence[range] | None = None) -> None:
        """Extract the parts that are missing, damaged, or out of date because their images have changed.

        Parameters
        ----------
        parts
            The rows of the parts to look at; by default all.

        Raises
        ------
        ImageError
            If a sample cannot be read and ``extraction.on_error`` is ``stop``.
        BitsError
            If this machine computes other numbers than the one that planned the run.
        FingerprintError, DiskFullError
            As for `plan`.
        """
        for _ in self.parts_done(parts):
            pass

    def parts_done(self, parts: Sequence[range] | None = None) -> Iterator[PartDone]:
        """Extract as `extract_missing`, and yield each part when it is written, first those that were there.

        Parameters
        ----------
        parts
            As for `extract_missing`.
        """
        store = self.plan()
        wanted = self.header().part_rows() if parts is None else parts
        mine_only = self.host if self._shares_parts else None
        missing = MissingParts.find(store, self.context.untimed_decoder, wanted, made_on=mine_only)
        n_samples = sum(map(len, wanted))
        if n_done := n_samples - missing.n_samples:
            say = self.context.request.observer.say
            say(f"continuing an unfinished run: {n_done} of {n_samples} samples are done")
        yield from missing.there
        if missing.parts:
            yield from self._extract(missing, store, n_samples)

    def provenance(self) -> dict[str, Any]:
        """Record how the feature file was made: settings, versions, machine and times."""
        return make_provenance(self.context, self.header(), self._extracted)

    def publish(self, provenance: Mapping[str, Any] | None = None) -> Extraction:
        """Join the parts into the feature file, and report the result of the run.

        Parameters
        ----------
        provenance
            Record to store in the file. None: the result of `provenance`.

        Raises
        ------
        ImageError
            If no sample could be read.
        """
        request, timeline = self.context.request, self.context.timeline
        origin = self.provenance() if provenance is None else provenance
        n_failed = self.plan().consolidate(request.sample_table(), origin)
        timeline.end()
        n_samples, n_extracted = len(request.manifest), self._extracted.n_samples
        extraction = Extraction(request.output, n_samples, n_failed, n_extracted, timeline.wall)
        report_end(self.context, self.header(), extraction)
        return extraction

    def _opened(self) -> tuple[RunHeader, PartStore]:
        """Open the parts; gives the header that this process proposed, too, which may not be that of the run."""
        header = self._planned(self.header())
        other = self._other_choice(header) if self._shares_parts else None
        if other is None:
            try:
                return header, PartStore(self.context.request.output, header, self._carried, self._machine)
            except FingerprintError:
                other = self._other_choice(header)
                if other is None:
                    raise
        self._header, self._modules, self._embedder, self._is_proven = other, None, None, False
        header = self._planned(other)
        return header, PartStore(self.context.request.output, header, made_by=self._machine)

    def _other_choice(self, header: RunHeader) -> RunHeader | None:
        """Find the plan of another process that chose at the same time, on its own measurements, and was faster."""
        chosen = adopt_header(self.context) if self._carried is None else None
        return None if chosen is None or chosen == header or not chosen.plan else chosen

    def _planned(self, header: RunHeader) -> RunHeader:
        """Give the header with its plan: that of the unfinished run, or a new one that this machine makes."""
        if not header.plan:
            earlier = unfinished_run(self.context.request.output)
            header = earlier if earlier is not None and earlier == header else header
        if header.plan:
            check_version(self.context.request, header)
            return header
        self._header, self._is_proven = header, True
        # With a single part no machine can disagree with another one, and small runs do without the extra batch.
        canary = make_canary(self._built_embedder()) if len(header.part_rows()) > 1 else None
        return replace(header, plan=make_plan(self.context, self._machine, canary))

    def _allow_close(self, store: PartStore) -> None:
        """Let the plan that is there allow close numbers, if these settings do."""
        wanted = self.context.request.settings.extraction.bits
        if wanted == CLOSE and store.header.plan["bits"] != CLOSE:
            store.replace_plan({**store.header.plan, "bits": CLOSE})
            self._header = store.header

    def _extract(self, missing: MissingParts, store: PartStore, n_samples: int) -> Iterator[PartDone]:
        embedder = self._proven_embedder(store)
        writer = PartWriter(store, self.context.timeline)
        events = RunEvents(self.context, store, writer, n_samples - missing.n_samples, n_samples)
        finished = extract_parts(
            missing,
            self.context.decoder,
            embedder,
            events,
            batch_size=self.header().execution["batch_size"],
            n_threads=self.context.decoder.reader.n_threads(max(1, self.context.n_workers)),
            stored=self.header().row_shape.stored,
        )
        # Closed at once and not by the garbage collector, so that an interrupted run stops reading images.
        with writer, closing(finished):
            for rows in finished:
                yield from writer.done()
                # Returns at once: `RunEvents.on_batch` waits for the part before it counts a batch of the next one.
                writer.start(rows)
            yield from writer.done()
        self._extracted = self._extracted.plus(missing.n_samples, embedder.batch_size)

    def _proven_embedder(self, store: PartStore) -> Embedder:
        """Build the embedder, and prove that it computes as the machine that planned the run."""
        embedder, plan = self._built_embedder(), store.header.plan
        if not self._is_proven and plan["canary"] is not None:
            difference = check_canary(plan, embedder, self._machine)
            if difference:
                store.made_by = {**self._machine, "difference": difference}
                self.context.request.observer.say(
                    f"this machine's numbers differ from the plan's by up to {difference:.1e} of an embedding's "
                    f"length, which --bits close allows; the feature file records it"
                )
        self._is_proven = True
        return embedder

    def _built_embedder(self) -> Embedder:
        if self._embedder is None:
            context, header = self.context, self.header()
            self._embedder = Embedder(
                self._modules or self._build_modules(),
                context.inputs,
                device=context.device,
                precision=header.recipe["precision"],
                batch_size=header.execution["batch_size"],
                timeline=context.timeline,
                say=context.request.observer.say,
                halves=not self._shares_parts,
            )
        return self._embedder

    def _build_modules(self) -> tuple[torch.nn.Module, ...]:
        context, header = self.context, self.header()
        sides = [transform.input_size for transform in context.inputs.transforms]
        each = zip(context.networks, methods_of(header), sides, strict=True)
        return tuple(self._build_module(*one) for one in each)

    def _build_module(self, network: LoadedBackbone, method: ComputeMethod, side: int) -> torch.nn.Module:
        context, header = self.context, self.header()
        target = Target(context.device, torch.Size((header.execution["batch_size"], 3, side, side)))
        try:
            return build_module(network, method, target)
        except BackboneError as error:
            if header.plan.get("bits") == CLOSE:
                (another, *_) = methods_for(network, context.device, (method.precision,))
                return build_module(network, another, target)
            raise BackboneError(
                f"{parts_folder(context.request.output)}: holds an unfinished run that was started with precision and "
                f"implementation '{method_text(header)}', which is not available on this machine now ({error}). Finish "
                f"it on the machine where it was started, or choose another --output"
            ) from error


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
    with exact_float32(), freed_memory_kept():
        context = RunContext.from_request(request)
        if request.workers is not None:
            request.workers.start(context.n_workers)
        if finished is not None:
            check_same_features(context, finished)
            return accept_finished(request, finished)
        check_expected_recipe(context)
        thumbnails = pass_thumbnails(context)
        if thumbnails is None:
            return _extract_all(Run(context))
        run = Run(context.showing_samples(thumbnails.add))
        thumbnails.leave_room_for(run.plan().bytes_to_come)
        extraction = _extract_all(run)
        thumbnails.finish(extraction.path, request.manifest.table["sample_id"].to_numpy(dtype=str))
        return extraction


def _extract_all(run: Run) -> Extraction:
    run.extract_missing()
    return run.publish()
