"""How many workers run on a cluster, and which resources each of them gets."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellfeat.errors import ConfigError, DeviceError

MOST_THREADS = 4
"""Threads of a worker on CPUs by default: small networks gain little from more."""


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, with the resources that it offers."""

    host: str
    n_cpus: float
    n_gpus: float


def alive_nodes() -> list[Node]:
    """List the machines of the cluster."""
    import ray

    alive = (node for node in ray.nodes() if node["Alive"])
    return [
        Node(node["NodeManagerHostname"], node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
        for node in alive
    ]


@dataclass(frozen=True)
class Wanted:
    """What the user asks for.

    Attributes
    ----------
    device
        The setting ``extraction.device``.
    n_workers
        Number of workers; None: as many as fit.
    gpus_per_worker
        GPUs that Ray reserves for each worker, also a fraction such as 0.5; None: 1 where there are GPUs and the device
        may be one, otherwise 0.
    n_threads
        Threads of the unfinished run on CPUs that is continued: another number may change the last bits. None: there is
        no such run.
    """

    device: str = "auto"
    n_workers: int | None = None
    gpus_per_worker: float | None = None
    n_threads: int | None = None


@dataclass(frozen=True)
class Layout:
    """The workers of an extraction, which all get the same.

    Attributes
    ----------
    n_workers
        Number of workers.
    n_cpus, n_gpus
        What Ray reserves for each of them.
    device
        The device of each worker: Ray shows a worker only its own GPUs, so it is ``cuda`` and not ``cuda:3``.
    """

    n_workers: int
    n_cpus: int
    n_gpus: float
    device: str

    @property
    def n_threads(self) -> int:
        """Threads of a worker: more than its CPUs would slow down all workers of a machine."""
        return max(1, self.n_cpus)

    def __str__(self) -> str:
        plural = "" if self.n_workers == 1 else "s"
        each = f"{self.n_threads} CPU thread{'' if self.n_threads == 1 else 's'}"
        gpus = f"{self.n_gpus:g} GPU and " if self.n_gpus else ""
        return f"{self.n_workers} worker{plural} with {gpus}{each}{'' if self.n_workers == 1 else ' each'}"


def choose_layout(nodes: Sequence[Node], wanted: Wanted) -> Layout:
    """Choose the workers for a cluster.

    Parameters
    ----------
    nodes
        The machines that are alive.
    wanted
        What the user asks for.

    Raises
    ------
    ConfigError
        If the numbers make no sense, or the workers do not fit on the cluster.
    DeviceError
        If a GPU is asked for and the cluster has none.
    """
    if wanted.n_workers is not None and wanted.n_workers < 1:
        raise ConfigError(f"--engine-workers: expected at least 1 worker, got {wanted.n_workers}")
    n_gpus = _gpus_per_worker(nodes, wanted)
    return _on_gpus(nodes, wanted, n_gpus) if n_gpus else _on_cpus(nodes, wanted)


def _gpus_per_worker(nodes: Sequence[Node], wanted: Wanted) -> float:
    has_gpus = any(node.n_gpus for node in nodes)
    if wanted.device.startswith("cuda:"):
        raise ConfigError(
            f"--device {wanted.device}: Ray gives each worker a GPU of its own; choose --device cuda, and the number "
            f"of workers with --engine-workers"
        )
    if wanted.gpus_per_worker is None:
        if wanted.device == "cuda" and not has_gpus:
            raise DeviceError(f"--device cuda: no machine of the cluster offers a GPU ({_offer(nodes)})")
        return 1.0 if has_gpus and wanted.device in ("auto", "cuda") else 0.0
    return _checked_gpus(nodes, wanted, wanted.gpus_per_worker)


def _checked_gpus(nodes: Sequence[Node], wanted: Wanted, n_gpus: float) -> float:
    # Ray cannot reserve one and a half GPUs.
    if not (0 <= n_gpus < 1 or (n_gpus >= 1 and float(n_gpus).is_integer())):
        raise ConfigError(f"--gpus-per-worker: expected 0, a fraction of 1 or a whole number, got {n_gpus:g}")
    if n_gpus and wanted.device not in ("auto", "cuda"):
        raise ConfigError(f"--gpus-per-worker {n_gpus:g} reserves GPUs that --device {wanted.device} does not use")
    if not n_gpus and wanted.device == "cuda":
        raise ConfigError("--gpus-per-worker 0 leaves workers no GPU, and --device cuda needs one")
    if n_gpus and not any(node.n_gpus >= n_gpus for node in nodes):
        raise DeviceError(
            f"--gpus-per-worker {n_gpus:g}: no machine of the cluster offers as many GPUs ({_offer(nodes)})"
        )
    return n_gpus


def _on_gpus(nodes: Sequence[Node], wanted: Wanted, n_gpus: float) -> Layout:
    fitting = [(node, int(node.n_gpus / n_gpus + 1e-6)) for node in nodes if node.n_gpus >= n_gpus]
    n_most = sum(n for _, n in fitting)
    n_workers = wanted.n_workers or n_most
    if n_workers > n_most:
        raise ConfigError(
            f"--engine-workers {n_workers}: only {n_most} workers with {n_gpus:g} GPU each fit on the cluster "
            f"({_offer(nodes)}); ask for fewer workers or fewer GPUs each"
        )
    n_cpus = min(int(node.n_cpus / n) for node, n in fitting)
    return Layout(n_workers, n_cpus, n_gpus, "cuda")


def _on_cpus(nodes: Sequence[Node], wanted: Wanted) -> Layout:
    sizes = [int(node.n_cpus) for node in nodes if node.n_cpus >= 1]
    if not sizes:
        raise ConfigError(f"the cluster offers no CPU for a worker ({_offer(nodes)}): start machines with CPUs")
    device = "cpu" if wanted.device == "auto" else wanted.device
    if wanted.n_threads is not None and wanted.n_threads <= max(sizes):
        n_most = _n_fitting(sizes, wanted.n_threads)
        return Layout(min(wanted.n_workers or n_most, n_most), wanted.n_threads, 0, device)
    if wanted.n_workers is None:
        # The same number everywhere, because the number of threads may change the last bits.
        n_cpus = min(MOST_THREADS, *sizes)
        return Layout(_n_fitting(sizes, n_cpus), n_cpus, 0, device)
    if wanted.n_workers > sum(sizes):
        raise ConfigError(
            f"--engine-workers {wanted.n_workers}: the cluster has {sum(sizes)} CPUs ({_offer(nodes)}), and each "
            f"worker needs one; ask for fewer workers"
        )
    fits = [n for n in range(1, max(sizes) + 1) if _n_fitting(sizes, n) >= wanted.n_workers]
    return Layout(wanted.n_workers, max(fits), 0, device)


def _n_fitting(sizes: Sequence[int], n_cpus: int) -> int:
    """How many workers of so many CPUs fit on machines of these sizes."""
    return sum(size // n_cpus for size in sizes)


def _offer(nodes: Sequence[Node]) -> str:
    listed = [f"{node.host}: {node.n_cpus:g} CPUs, {node.n_gpus:g} GPUs" for node in nodes[:5]]
    more = len(nodes) - len(listed)
    return "; ".join([*listed, *([f"and {more} more"] if more else [])]) or "no machine"
