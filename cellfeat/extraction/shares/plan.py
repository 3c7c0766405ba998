"""The plan of an extraction: what every process that takes part must have in common with the first one.

It is the header of the run (`RunHeader`), whose field `plan` says how, where and with which versions it was made. Its
file is created only where there is none, so of many processes that start at once one makes the plan, and the others
follow it.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from cellfeat.errors import FingerprintError
from cellfeat.extraction.request import ExtractionRequest
from cellfeat.extraction.store import RunHeader, parts_folder
from cellfeat.provenance import differences


def check_version(request: ExtractionRequest, header: RunHeader) -> None:
    """Refuse a plan of another version of cellfeat, which may read images in another way.

    Parameters
    ----------
    request, header
        What is asked for, and the run that is there.

    Raises
    ------
    FingerprintError
        If the versions differ.
    """
    planned, here = header.plan.get("cellfeat"), version("cellfeat")
    if planned != here:
        raise FingerprintError(
            f"{parts_folder(request.output)}: was planned by cellfeat {planned}, and this is cellfeat {here}: finish "
            f"it with that version, or choose another --output"
        )


def check_planned(request: ExtractionRequest, header: RunHeader) -> None:
    """Refuse settings or samples other than those of the plan.

    Parameters
    ----------
    request, header
        What is asked for, and the run that is there.

    Raises
    ------
    FingerprintError
        If they differ; the message lists the differences.
    """
    check_version(request, header)
    planned: Mapping[str, Any] = header.plan.get("request", {})
    if planned != request.record:
        raise FingerprintError(
            f"{parts_folder(request.output)}: was planned with other settings or samples "
            f"({'; '.join(differences(planned, request.record))}): give every share the settings of the plan, or "
            f"choose another --output"
        )
