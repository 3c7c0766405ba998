"""How many workers run on a cluster, and what each gets."""

import pytest

from cellfeat.errors import CellfeatError, ConfigError, DeviceError
from cellfeat.extraction.shares.ray.layout import Layout, Node, Wanted, choose_layout

LAPTOP = [Node("a", 2, 0)]
CPUS = [Node("a", 8, 0), Node("b", 16, 0)]
GPUS = [Node("a", 64, 8)]
MIXED = [Node("head", 4, 0), Node("a", 16, 2), Node("b", 8, 1)]


@pytest.mark.parametrize(
    ("nodes", "wanted", "expected"),
    [
        (LAPTOP, Wanted(), Layout(1, 2, 0, "cpu")),
        (LAPTOP, Wanted(n_workers=2), Layout(2, 1, 0, "cpu")),
        (CPUS, Wanted(), Layout(6, 4, 0, "cpu")),
        (CPUS, Wanted(n_workers=1), Layout(1, 16, 0, "cpu")),
        (CPUS, Wanted(n_workers=3), Layout(3, 8, 0, "cpu")),
        (CPUS, Wanted(n_workers=24), Layout(24, 1, 0, "cpu")),
        ([Node("head", 0, 0), *CPUS], Wanted(), Layout(6, 4, 0, "cpu")),
        (CPUS, Wanted(n_threads=1), Layout(24, 1, 0, "cpu")),
        (CPUS, Wanted(n_threads=16, n_workers=3), Layout(1, 16, 0, "cpu")),
        (CPUS, Wanted(n_threads=32), Layout(6, 4, 0, "cpu")),
        (GPUS, Wanted(n_threads=1), Layout(8, 8, 1, "cuda")),
        (GPUS, Wanted(), Layout(8, 8, 1, "cuda")),
        (GPUS, Wanted(device="cuda"), Layout(8, 8, 1, "cuda")),
        (GPUS, Wanted(n_workers=2), Layout(2, 8, 1, "cuda")),
        (GPUS, Wanted(gpus_per_worker=0.5), Layout(16, 4, 0.5, "cuda")),
        (GPUS, Wanted(gpus_per_worker=0), Layout(16, 4, 0, "cpu")),
        (GPUS, Wanted(device="cpu"), Layout(16, 4, 0, "cpu")),
        (MIXED, Wanted(), Layout(3, 8, 1, "cuda")),
        (MIXED, Wanted(gpus_per_worker=2), Layout(1, 16, 2, "cuda")),
        ([Node("a", 0, 1)], Wanted(), Layout(1, 0, 1, "cuda")),
        ([Node("mac", 8, 0)], Wanted(device="mps"), Layout(2, 4, 0, "mps")),
    ],
)
def test_workers_fit_the_cluster(nodes: list[Node], wanted: Wanted, expected: Layout) -> None:
    assert choose_layout(nodes, wanted) == expected


@pytest.mark.parametrize(
    ("nodes", "wanted", "error", "told"),
    [
        (CPUS, Wanted(n_workers=0), ConfigError, "--engine-workers"),
        (CPUS, Wanted(n_workers=25), ConfigError, r"24 CPUs .*a: 8 CPUs"),
        (GPUS, Wanted(n_workers=9), ConfigError, r"only 8 workers with 1 GPU"),
        (CPUS, Wanted(device="cuda"), DeviceError, r"--device cuda.*a: 8 CPUs, 0 GPUs"),
        (CPUS, Wanted(gpus_per_worker=1), DeviceError, "--gpus-per-worker 1"),
        (GPUS, Wanted(gpus_per_worker=1.5), ConfigError, r"--gpus-per-worker: .*1\.5"),
        (GPUS, Wanted(gpus_per_worker=-1), ConfigError, "--gpus-per-worker"),
        (GPUS, Wanted(gpus_per_worker=float("nan")), ConfigError, "--gpus-per-worker"),
        (GPUS, Wanted(gpus_per_worker=16), DeviceError, "--gpus-per-worker 16"),
        (GPUS, Wanted(gpus_per_worker=1, device="cpu"), ConfigError, "--device cpu"),
        (GPUS, Wanted(gpus_per_worker=0, device="cuda"), ConfigError, "--device cuda"),
        (GPUS, Wanted(device="cuda:1"), ConfigError, r"--device cuda:1.*--device cuda"),
        ([Node("head", 0, 0)], Wanted(), ConfigError, "no CPU"),
        ([], Wanted(), ConfigError, "no machine"),
    ],
)
def test_workers_that_do_not_fit_are_refused(
    nodes: list[Node], wanted: Wanted, error: type[CellfeatError], told: str
) -> None:
    with pytest.raises(error, match=told):
        choose_layout(nodes, wanted)


def test_layout_is_told_in_words() -> None:
    assert str(Layout(1, 1, 0, "cpu")) == "1 worker with 1 CPU thread"
    assert str(Layout(8, 4, 1, "cuda")) == "8 workers with 1 GPU and 4 CPU threads each"
