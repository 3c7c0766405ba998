"""Update a finished file: only samples whose pixels it lacks are extracted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cellfeat.device import device_model
from cellfeat.errors import FeatureFileError, FingerprintError
from cellfeat.extraction.context import RunContext
from cellfeat.extraction.forward.capabilities import exact_float32
from cellfeat.extraction.forward.kept_memory import freed_memory_kept
from cellfeat.extraction.header_choice import make_header
from cellfeat.extraction.recipe import check_expected_recipe, recipe_like
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.run import Run
from cellfeat.extraction.store import (
    NEW,
    Carried,
    RunHeader,
    Summary,
    read_pixel_digests,
    read_table,
    samples_digest,
)
from cellfeat.extraction.survey import Survey
from cellfeat.provenance import differences
from cellfeat.types import Integers

EXECUTION = ("device", "implementation", "batch_size")


def update_features(request: ExtractionRequest, finished: Summary, survey: Survey) -> Extraction:
    """Extract the samples that a finished file lacks, and publish a file of all samples in its place.

    Rows that are carried over keep their bytes, and new rows are computed as those were (device, implementation and
    batch size), so the result equals a fresh extraction. If the update is killed, the finished file is unchanged, and
    the next update continues with the parts that are done.

    Parameters
    ----------
    request
        What the file shall hold.
    finished
        The file as it is.
    survey
        How the two differ.

    Raises
    ------
    FingerprintError
        If the request needs another recipe, or computes in another way.
    ImageError
        As for `extract`; also if no sample can be read.
    """
    with exact_float32(), freed_memory_kept():
        whole = RunContext.from_request(request)
        check_expected_recipe(whole)
        _check_same_recipe(whole, finished)
        history = _History.of(finished)
        context = whole.restricted_to(survey.rows_to_extract)
        header = _repeat_header(context, finished, history)
        carried = Carried(finished.path, survey.source, request.manifest.digest())
        run = Run(context, header=header, carried=carried)
        run.extract_missing()
        provenance = run.provenance() | {"earlier_samples": _earlier_samples(finished)}
        return run.publish(provenance | history.extended(provenance, survey.source))


def _earlier_samples(finished: Summary) -> list[str]:
    """Digests of the samples that the file has held so far: results of these may be replaced by later ones."""
    ids = np.array(read_table(finished.path).sample_id, dtype=str)
    digest = samples_digest(ids, read_pixel_digests(finished.path))
    return [*finished.provenance.get("earlier_samples", ()), digest]


def _check_same_recipe(context: RunContext, finished: Summary) -> None:
    recipe = recipe_like(context, finished)
    if recipe == finished.recipe:
        return
    hint = "extract everything into another --output"
    if context.request.settings.images.intensity.over == "dataset":
        keep = f"{{range: {finished.recipe['intensity']['range']}, percentile: null, over: image}}"
        hint = (
            f"percentiles over the data set differ for other samples, and so does every embedding. To keep the limits "
            f"that were measured: --set 'images.intensity={keep}'; or {hint}"
        )
    raise FingerprintError(
        f"{context.request.output}: holds features of another recipe, so no row can be carried over "
        f"({'; '.join(differences(finished.recipe, recipe))}). The file is unchanged: {hint}"
    )


def _repeat_header(context: RunContext, finished: Summary, history: "_History") -> RunHeader:
    """Make the header of a run with the device, implementation and batch size of the finished file."""
    batch_size = context.request.settings.extraction.batch_size
    wanted = {
        **history.execution,
        "device": device_model(context.device),
        "batch_size": history.execution["batch_size"] if batch_size == "auto" else batch_size,
    }
    # Without new rows nothing is computed, and any device will do.
    if len(context.manifest) and wanted != history.execution:
        raise FingerprintError(
            f"{context.request.output}: was computed in another way "
            f"({'; '.join(differences(history.execution, wanted))}), so new rows would differ from those that are "
            f"carried over by more than their pixels. The file is unchanged: update it with the device and batch size "
            f"that it was made with, or choose another --output"
        )
    return make_header(context, finished.recipe["precision"], history.execution, history.notes)


@dataclass(frozen=True)
class _History:
    """How a finished file was made.

    Attributes
    ----------
    execution, notes
        As in `RunHeader`.
    runs
        Every run that rows come from, oldest first: when, where and with which versions.
    run_of
        Index into `runs` by row, shape ``(n_samples,)``.
    """

    execution: Mapping[str, Any]
    notes: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    run_of: Integers

    @classmethod
    def of(cls, finished: Summary) -> Self:
        """Read how a finished file was made.

        Raises
        ------
        FeatureFileError
            If its provenance is incomplete.
        """
        try:
            return cls._read(finished.provenance, finished.n_samples)
        except (KeyError, TypeError, ValueError) as error:
            raise FeatureFileError(
                f"{finished.path}: its provenance does not say how it was made ({error}); extract everything again "
                f"into another --output"
            ) from None

    @classmethod
    def _read(cls, provenance: Mapping[str, Any], n_samples: int) -> Self:
        notes = dict(provenance["execution"])
        execution = {name: notes.pop(name) for name in EXECUTION}
        # A file that was never updated counts as one run that made all rows.
        runs = provenance.get("runs") or [_run_record(provenance)]
        ranges = provenance.get("rows_from") or [[0, n_samples, 0]]
        run_of = np.concatenate([np.full(stop - start, run) for start, stop, run in ranges])
        if len(run_of) != n_samples:
            raise ValueError(f"rows_from covers {len(run_of)} of {n_samples} rows")
        return cls(execution, notes, runs, run_of)

    def extended(self, provenance: Mapping[str, Any], source: np.ndarray) -> dict[str, Any]:
        """Add the present run: all runs, and ``[first row, row after the last, index of the run]`` for their rows.

        Parameters
        ----------
        provenance
            Of the present run.
        source
            As in `Survey`, shape ``(n_samples,)``.
        """
        run_of = np.full(len(source), len(self.runs))
        run_of[source != NEW] = self.run_of[source[source != NEW]]
        return {"runs": [*self.runs, _run_record(provenance)], "rows_from": _ranges(run_of.tolist())}


def _run_record(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "finished": provenance["times"]["finished"],
        "device": provenance["device"],
        "versions": provenance["versions"],
    }


def _ranges(values: Sequence[int]) -> list[list[int]]:
    """Ranges of equal neighbours.

    Examples
    --------
    >>> _ranges([0, 0, 2, 0])
    [[0, 2, 0], [2, 3, 2], [3, 4, 0]]
    """
    starts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]
    return [[start, stop, values[start]] for start, stop in zip(starts, [*starts[1:], len(values)], strict=True)]
