"""The provenance of a run, and the lines that it prints at its end."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from cellfeat.device import describe_device
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.header_choice import method_of
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.request import Extraction
from cellfeat.extraction.store import RunHeader, describe_mixture, read_properties
from cellfeat.provenance import utc_now, versions


class Extracted(NamedTuple):
    """What a run extracted, not counting rows copied from an earlier file.

    Attributes
    ----------
    n_samples
        Number of samples.
    failures
        Samples that could not be read.
    smallest_batch
        Smallest batch size that memory allowed.
    """

    n_samples: int
    failures: list[Decoded]
    smallest_batch: int


def make_provenance(context: RunContext, header: RunHeader, extracted: Extracted) -> dict[str, Any]:
    """Record how a complete feature file was made.

    Parameters
    ----------
    context, header, extracted
        Context and header of the run, and the samples that it extracted.
    """
    context.timeline.end()
    seconds = {step: round(seconds, 3) for step, seconds in context.timeline.seconds().items()}
    return {
        "request": context.request.record,
        "settings": context.request.settings.record(),
        "weights": context.backbone.weights_name,
        "execution": {**header.execution, **header.notes},
        "device": describe_device(context.device),
        "versions": versions(),
        "times": {
            "started": context.started,
            "finished": utc_now(),
            "n_extracted": extracted.n_samples,
            "smallest_batch": extracted.smallest_batch,
            "seconds": seconds,
        },
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
        f"{rate:.1f} samples/s, {describe_device(context.device)}, {method_of(header)}"
    )
    mixture = describe_mixture(read_properties(extraction.path))
    if mixture:
        yield f"{mixture} (audit says whether a class goes with one of these)"
    yield timeline.closing_line()
    advice = timeline.advice(workers=context.n_workers)
    if advice:
        yield advice
    if context.request.settings.extraction.profile:
        yield from timeline.table(extraction.n_extracted)
