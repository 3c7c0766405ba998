"""The header of a run: everything that its parts have in common, so that they fit together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import torch

from cellfeat.backbones.side_by_side import SEPARATOR, labels_of
from cellfeat.device import device_model
from cellfeat.errors import FingerprintError
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import DEFAULT_BATCH
from cellfeat.extraction.forward.implementations import ComputeMethod
from cellfeat.extraction.forward.precision import PrecisionChoice, choose_methods
from cellfeat.extraction.forward.probe import Probe
from cellfeat.extraction.recipe import make_recipe
from cellfeat.extraction.store import CLOSE, PIXEL_SIZES, RunHeader, has_parts, parts_folder, unfinished_run
from cellfeat.provenance import differences


def make_header(
    context: RunContext, precision: str, execution: Mapping[str, Any], notes: Mapping[str, Any]
) -> RunHeader:
    """Make the header of a run.

    Parameters
    ----------
    context
        The context of the run.
    precision
        The precision that was chosen.
    execution, notes
        As in `RunHeader`.
    """
    return RunHeader(
        recipe=make_recipe(context, precision),
        samples=context.manifest.digest(),
        execution=dict(execution),
        notes={**notes, PIXEL_SIZES: context.pixel_sizes} if context.pixel_sizes else dict(notes),
        n_samples=len(context.manifest),
        n_views=context.inputs.n_views,
        embedding_dim=sum(one.embedding_dim for one in context.networks) * len(context.inputs.passes),
        part_size=context.request.settings.extraction.part_size,
        n_channels=len(context.manifest.channels),
    )


def adopt_header(context: RunContext) -> RunHeader | None:
    """Make the header with the choices of the unfinished run; None if there is none, or the settings exclude them."""
    output = context.request.output
    earlier = unfinished_run(output)
    if earlier is None or not _allows(context, earlier):
        return None
    made = make_header(context, earlier.recipe["precision"], earlier.execution, earlier.notes)
    header = replace(made, plan=earlier.plan)
    # The store refuses a different header while there are parts that would be lost; without parts, choose again.
    return header if header == earlier or has_parts(output) else None


def check_choices(context: RunContext) -> None:
    """Refuse settings or a device that exclude the choices of the plan, which other processes may follow already.

    Raises
    ------
    FingerprintError
        If they do; the message lists the differences.
    """
    planned = unfinished_run(context.request.output)
    if planned is None or adopt_header(context) is not None:
        return
    batch_size = context.request.settings.extraction.batch_size
    execution = {**planned.execution, "device": device_model(context.device)}
    if batch_size != "auto":
        execution["batch_size"] = batch_size
    precision = context.request.precision
    here = make_header(context, planned.recipe["precision"] if precision == "auto" else precision, execution, {})
    raise FingerprintError(
        f"{parts_folder(context.request.output)}: was planned with other choices "
        f"({'; '.join(differences(planned.identity(), here.identity()))}): give every share the settings and the kind "
        f"of device of the plan, or make the plan again with --plan"
    )


def _allows(context: RunContext, earlier: RunHeader) -> bool:
    """Whether the settings allow the precision, batch size and device of an earlier run."""
    return (
        context.request.precision in ("auto", earlier.recipe["precision"])
        and context.request.settings.extraction.batch_size in ("auto", earlier.execution["batch_size"])
        and (earlier.execution["device"] == device_model(context.device) or _are_close_enough(context, earlier))
    )


def _are_close_enough(context: RunContext, earlier: RunHeader) -> bool:
    return CLOSE in (context.request.settings.extraction.bits, earlier.plan.get("bits"))


def choose_header(context: RunContext) -> tuple[RunHeader, tuple[torch.nn.Module, ...] | None]:
    """Choose how the run computes, and make its header.

    Returns
    -------
    The header, and the modules that were built on the way, one for each network; None if they have to be built again
    for a smaller batch.
    """
    probes = make_probes(context)
    choices = choose_methods(probes, context.request.precision)
    names = labels_of(context.networks)
    for name, choice in zip(names, choices, strict=True):
        of = f" of {name}" if len(names) > 1 else ""
        context.request.observer.say(f"precision{of}: {choice}")
    batch_size = min(choice.embedder.batch_size for choice in choices)
    execution = {
        "device": device_model(context.device),
        "implementation": SEPARATOR.join(choice.method.implementation for choice in choices),
        "batch_size": batch_size,
    }
    header = make_header(context, choices[0].method.precision, execution, _notes(names, choices))
    # Each has one module, for the one network of its probe.
    modules = tuple(choice.embedder.modules[0] for choice in choices)
    return header, modules if batch_size == probes[0].batch_size else None


def _notes(names: Sequence[str], choices: Sequence[PrecisionChoice]) -> dict[str, Any]:
    """Record what was measured; of several networks, with the name of each."""
    if len(choices) == 1:
        return {"considered": choices[0].record(), "skipped": list(choices[0].skipped)}
    return {
        "considered": [
            {"network": name, **one} for name, choice in zip(names, choices, strict=True) for one in choice.record()
        ],
        "skipped": [
            f"{name}, {reason}" for name, choice in zip(names, choices, strict=True) for reason in choice.skipped
        ],
    }


def make_probes(context: RunContext) -> list[Probe]:
    """Make a probe for each network, of the first readable samples."""
    wanted = context.request.settings.extraction.batch_size
    batch_size = DEFAULT_BATCH[context.device.type] if wanted == "auto" else wanted
    # Twice as many as needed, because some may not be readable.
    first = map(context.untimed_decoder, range(min(2 * batch_size, len(context.manifest))))
    readable = (sample for sample in first if sample.pixels is not None)
    samples = list(islice(readable, batch_size))
    return [
        Probe(
            backbone=network,
            inputs=context.inputs.of_network(number),
            device=context.device,
            batch_size=batch_size,
            samples=samples,
            n_forwards=len(context.manifest) * context.inputs.n_views * len(context.inputs.passes),
            say=context.request.observer.say,
        )
        for number, network in enumerate(context.networks)
    ]


def methods_of(header: RunHeader) -> list[ComputeMethod]:
    """Find the compute method of each network of a run."""
    implementations = header.execution["implementation"].split(SEPARATOR)
    return [ComputeMethod(header.recipe["precision"], one) for one in implementations]


def method_text(header: RunHeader) -> str:
    """Write how a run computes: its precision, and the implementation of each network."""
    return str(ComputeMethod(header.recipe["precision"], header.execution["implementation"]))
