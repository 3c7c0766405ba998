"""Make the plan of an extraction, before any part."""

from cellfeat.config import Settings
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import exact_float32
from cellfeat.extraction.forward.kept_memory import freed_memory_kept
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.recipe import check_expected_recipe
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.extraction.run import Run
from cellfeat.extraction.shares.consolidation import is_finished
from cellfeat.extraction.store import RunHeader, remove_parts
from cellfeat.samples.manifest.manifest import Manifest


def plan_extraction(
    settings: Settings, *, observer: Observer | None = None, manifest: Manifest | None = None
) -> RunHeader | None:
    """Make the plan of an extraction beside its output, or find the one that is there.

    Parameters
    ----------
    settings, observer, manifest
        As for `cellfeat.extraction.extract.extract`.

    Returns
    -------
    RunHeader or None
        The plan; None if the feature file is finished already.

    Raises
    ------
    FingerprintError
        If there is another plan whose parts would be lost, or the output holds other features.
    """
    with prepared_request(settings, observer, manifest) as request, exact_float32(), freed_memory_kept():
        if is_finished(request):
            return None
        context = RunContext.from_request(request)
        check_expected_recipe(context)
        run = Run(context, shares_parts=True)
        header = run.plan().header
        return None if is_finished_meanwhile(request, run) else header


def is_finished_meanwhile(request: ExtractionRequest, run: Run) -> bool:
    """Whether others have finished the feature file, and removed the parts, while this process was loading.

    Parameters
    ----------
    request
        What is asked for.
    run
        The run that this process has opened. If it has made a plan, that is removed.
    """
    if not is_finished(request):
        return False
    if run.made_plan:
        remove_parts(request.output)
    return True
