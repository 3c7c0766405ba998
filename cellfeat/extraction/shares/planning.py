"""Make the plan of an extraction, before any part."""

from cellfeat.config import Settings
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import exact_float32
from cellfeat.extraction.observer import Observer
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.recipe import check_expected_recipe
from cellfeat.extraction.run import Run
from cellfeat.extraction.shares.consolidation import is_finished
from cellfeat.extraction.store import RunHeader
from cellfeat.samples.manifest import Manifest


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
    with prepared_request(settings, observer, manifest) as request, exact_float32():
        if is_finished(request):
            return None
        context = RunContext.from_request(request)
        check_expected_recipe(context)
        return Run(context, shares_parts=True).plan().header
