"""The provenance of a run, and the lines that it prints at its end."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from cellfeat.backbones.side_by_side import weights_names
from cellfeat.device import describe_device
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.header_choice import method_text
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.store import (
    PIXEL_SIZES,
    RunHeader,
    describe_constant_channels,
    describe_mixture,
    read_intensities,
    read_properties,
)
from cellfeat.provenance import utc_now, versions


class Extracted(NamedTuple):
    """What a process extracted, not counting rows copied from an earlier file.

    Attributes
    ----------
    n_samples
        Number of samples.
    smallest_batch
        Smallest batch size that memory allowed; 0: nothing was extracted.
    """

    n_samples: int
    smallest_batch: int

    def plus(self, n_samples: int, batch_size: int) -> "Extracted":
        """Add samples.

        Parameters
        ----------
        n_samples, batch_size
            How many, and the batch size that memory allowed in the end.
        """
        return Extracted(self.n_samples + n_samples, min(self.smallest_batch or batch_size, batch_size))


def make_plan(context: RunContext, machine: Mapping[str, Any], canary: Mapping[str, Any] | None) -> dict[str, Any]:
    """Record how, where and with which versions a run is planned.

    Parameters
    ----------
    context
        The context of the run.
    machine
        This machine, as `describe_machine` gives it.
    canary
        What proves that another machine computes alike, as `make_canary` gives it; None for a run of a single part.
    """
    return {
        "cellfeat": version("cellfeat"),
        "request": context.request.record,
        "weights": weights_names(context.networks),
        "device": describe_device(context.device),
        "machine": machine,
        "started": context.started,
        "bits": context.request.settings.extraction.bits,
        "canary": canary,
    }


def make_provenance(context: RunContext, header: RunHeader, extracted: Extracted) -> dict[str, Any]:
    """Record how a complete feature file was made.

    Parameters
    ----------
    context, header, extracted
        Context and header of the run, and what this process extracted.
    """
    context.timeline.end()
    seconds = {step: round(seconds, 3) for step, seconds in context.timeline.seconds().items()}
    times = {
        "started": context.started,
        "finished": utc_now(),
        "n_extracted": extracted.n_samples,
        "smallest_batch": extracted.smallest_batch or header.execution["batch_size"],
        "seconds": seconds,
    }
    origin = provenance_of_plan(context.request, header, times)
    return {**origin, "device": describe_device(context.device), "versions": versions()}


def provenance_of_plan(request: ExtractionRequest, header: RunHeader, times: Mapping[str, Any]) -> dict[str, Any]:
    """Record how a feature file was made, as far as its plan knows.

    Parameters
    ----------
    request, header
        What was asked for, and the header of the run.
    times
        When it was made, and how long that took.
    """
    plan, notes = header.plan, dict(header.notes)
    # Not how the run computes, but what its images are; absent where no file states it.
    stated = {PIXEL_SIZES: notes.pop(PIXEL_SIZES)} if PIXEL_SIZES in notes else {}
    return {
        "request": request.record,
        "settings": request.settings.record(),
        "weights": plan["weights"],
        "execution": {**header.execution, **notes},
        "device": plan["device"],
        "versions": plan["machine"]["versions"],
        "bits": plan["bits"],
        "canary": None if plan["canary"] is None else plan["canary"]["sha256"],
        "times": dict(times),
        **stated,
    }


def report_end(context: RunContext, header: RunHeader, extraction: Extraction) -> None:
    """Say how the run ended and where its time went, and write the trace if the settings ask for one.

    Parameters
    ----------
    context, header, extraction
        Context, header and result of the run.
    """
    say = context.request.observer.say
    for line in _closing_lines(context, header, extraction):
        say(line)
    trace = context.request.settings.extraction.trace
    if trace is not None:
        context.timeline.write_trace(trace)
        say(f"trace: {trace} (open it at ui.perfetto.dev or chrome://tracing)")


def _closing_lines(context: RunContext, header: RunHeader, extraction: Extraction) -> Iterator[str]:
    timeline = context.timeline
    rate = extraction.n_extracted / extraction.seconds
    yield (
        f"{extraction.n_samples:,} samples, {extraction.n_failed} failed, {extraction.seconds:.1f} s, "
        f"{rate:.1f} samples/s, {describe_device(context.device)}, {method_text(header)}"
    )
    properties = read_properties(extraction.path)
    mixture = describe_mixture(properties)
    if mixture:
        yield f"{mixture} (audit says whether a class goes with one of these)"
    constant = describe_constant_channels(properties, read_intensities(extraction.path), header.recipe["channels"])
    if constant:
        yield f"{constant}; audit lists them"
    yield timeline.closing_line()
    advice = timeline.advice(workers=context.n_workers)
    if advice:
        yield advice
    if context.request.settings.extraction.profile:
        yield from timeline.table(extraction.n_extracted)
