"""An extraction on a Ray cluster, from settings to the published feature file."""

from dataclasses import dataclass
from pathlib import Path

from cellfeat.config import Settings
from cellfeat.extraction.observer import Observer, SilentObserver
from cellfeat.extraction.prepare import prepared_request
from cellfeat.extraction.request import Extraction, ExtractionRequest
from cellfeat.extraction.shares.consolidation import consolidate, is_finished
from cellfeat.extraction.shares.ray.layout import Layout, Node, Wanted, alive_nodes, choose_layout
from cellfeat.extraction.shares.ray.says_once import SaysOnce
from cellfeat.extraction.store import unfinished_run
from cellfeat.ray_connection import connected, import_ray
from cellfeat.samples.manifest.manifest import Manifest

STORE_BYTES = 100 * 2**20
"""Memory of the object store of a local cluster: only the settings and the table of samples go there."""


@dataclass(frozen=True)
class RayOptions:
    """Which cluster makes an extraction, and with how many workers.

    Attributes
    ----------
    address
        ``auto`` for the cluster that runs on this machine, ``HOST:PORT``, or ``ray://HOST:PORT``; None: a cluster of
        this machine alone, for the time of the extraction (or that of the environment variable ``RAY_ADDRESS``).
    n_workers
        Number of workers; None: one for each GPU, without GPUs one for every 4 CPUs.
    gpus_per_worker
        GPUs of each worker, also a fraction; None: 1 where the cluster has GPUs and the device is ``auto`` or ``cuda``.
    """

    address: str | None = None
    n_workers: int | None = None
    gpus_per_worker: float | None = None


def extract_on_ray(
    settings: Settings,
    options: RayOptions | None = None,
    *,
    observer: Observer | None = None,
    manifest: Manifest | None = None,
) -> Extraction:
    """Make the parts of an extraction on a Ray cluster, and join them: the same file as `extract` on one machine.

    All machines must see the images and the output under the same names, and have the same version of cellfeat. Parts
    of a worker or machine that dies are made by others. An unfinished run is continued, whoever has begun it.

    Parameters
    ----------
    settings, observer, manifest
        As for `cellfeat.extraction.extract.extract`.
    options
        Which cluster, and how many workers; by default this machine alone.

    Raises
    ------
    MissingExtraError
        If ray is not installed.
    ConfigError, DeviceError
        If there is no such cluster, or the workers do not fit on it.
    WorkerError
        If no worker is left.
    FingerprintError, MissingFileError, ImageError, BitsError
        As for a share; the message names the worker and its machine.
    """
    options = options or RayOptions()
    import_ray()
    once = SaysOnce(observer or SilentObserver())
    with prepared_request(_without_readers(settings), once, manifest) as request:
        if not is_finished(request):
            with connected(options.address, store_bytes=STORE_BYTES):
                nodes = alive_nodes()
                layout = choose_layout(nodes, _wanted(settings, options))
                once.say(f"ray: {layout}, on {_hosts(nodes)}")
                _make_parts(request, settings, layout, once)
        return consolidate(settings, observer=once, manifest=request.manifest)


def _make_parts(request: ExtractionRequest, settings: Settings, layout: Layout, observer: SaysOnce) -> None:
    # Imported here because they need ray, which is an extra.
    from cellfeat.extraction.shares.ray.actor import Job
    from cellfeat.extraction.shares.ray.foreman import Foreman

    job = Job(_with_extraction(settings, device=layout.device), request.manifest, Path.cwd(), layout.n_threads)
    Foreman(request, job, layout, observer).make_parts()


def _wanted(settings: Settings, options: RayOptions) -> Wanted:
    planned = unfinished_run(settings.extraction.output)
    # The number of threads changes the last bits on CPUs only.
    is_on_cpu = planned is not None and planned.execution["device"] == "cpu"
    n_threads = planned.plan["machine"]["threads"] if planned is not None and is_on_cpu and planned.plan else None
    return Wanted(settings.extraction.device, options.n_workers, options.gpus_per_worker, n_threads)


def _without_readers(settings: Settings) -> Settings:
    """Settings for this process, which reads no images."""
    return _with_extraction(settings, workers=0) if isinstance(settings, Settings) else settings


def _with_extraction(settings: Settings, **changed: object) -> Settings:
    extraction = settings.extraction.model_copy(update=changed)
    return settings.model_copy(update={"extraction": extraction})


def _hosts(nodes: list[Node]) -> str:
    names = sorted({node.host for node in nodes})
    return names[0] if len(names) == 1 and len(nodes) == 1 else f"{len(nodes)} machines"
