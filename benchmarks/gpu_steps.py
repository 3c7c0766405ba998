"""The steps of benchmarks/gpu.py, which calls each in an own process; the last line of each is its result in JSON."""

import argparse
import inspect
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
LEAST_SECONDS = 4.0
"""How long a rate is measured."""


@dataclass(frozen=True)
class Workload:
    """A network, how it is pooled, the side of its input, and the samples of a batch."""

    backbone: str
    pool: Literal["norm", "stages"]
    side: int
    batch: int


WORKLOADS = {
    "convnext_base 224": Workload("convnext_base", "norm", 224, 256),
    "lite0 stages 96": Workload("efficientnet_lite0", "stages", 96, 512),
}
QUICK = {
    "convnext_base 224": Workload("convnext_tiny", "norm", 32, 2),
    "lite0 stages 96": Workload("efficientnet_lite0", "stages", 64, 2),
}
"""Small inputs and batches: enough batches that methods are measured and chosen, as in a run of usual size."""


@dataclass(frozen=True)
class Place:
    """Where a step runs: its device, the folder of images and weights, and whether it is only tried."""

    device: torch.device
    work: Path
    quick: bool

    @property
    def n_samples(self) -> int:
        """Samples of the images that are read."""
        return 48 if self.quick else 2000

    def workload(self, name: str) -> Workload:
        """The workload of a name."""
        return (QUICK if self.quick else WORKLOADS)[name]

    def weights(self, backbone: str) -> Path:
        """The file of the random weights of a network."""
        return self.work / f"{backbone}.pth"

    def wait(self) -> None:
        """Wait until the device has computed everything."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def machine(place: Place) -> dict[str, Any]:
    """What the machine is."""
    found = {"python": sys.version.split()[0], "torch": torch.__version__, "cores": os.cpu_count()}
    if place.device.type != "cuda":
        return found | {"device": "cpu"}
    properties = torch.cuda.get_device_properties(place.device)
    return found | {
        "device": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_gb": round(properties.total_memory / 1e9),
        "cuda": torch.version.cuda,
    }


def images(place: Place) -> dict[str, Any]:
    """Draw cells of 64 pixels, and write random weights of the networks."""
    from cellfeat.samples.synthetic import write_synthetic_cells

    write_synthetic_cells(
        place.work / "cells", place.n_samples, seed=0, n_processes=1 if place.quick else min(8, os.cpu_count() or 1)
    )
    backbones = [place.workload(name).backbone for name in WORKLOADS]
    for backbone in backbones:
        torch.save(random_weights(backbone), place.weights(backbone))
    return {"samples": place.n_samples, "side": 64, "channels": 3}


def random_weights(backbone: str) -> dict[str, torch.Tensor]:
    """Random weights of a network in which every part affects the result; they need no download."""
    from torchvision import models

    from cellfeat.backbones.efficientnet_lite import EfficientNetLite

    torch.manual_seed(0)
    network = EfficientNetLite() if backbone == "efficientnet_lite0" else models.get_model(backbone)
    state = network.state_dict()
    for name, tensor in state.items():
        if "layer_scale" in name or "running_var" in name:
            tensor.uniform_(0.1, 1)
        elif "running_mean" in name:
            tensor.normal_(0, 0.1)
    return dict(state)


def tests(place: Place) -> dict[str, Any]:
    """Run the tests marked gpu."""
    results = place.work / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", f"--junitxml={results}", "tests/gpu"]
    if place.quick:
        command += ["-k", "memory or shapes or saved_state"]
    chosen = {"CELLFEAT_GPU_TESTS": "cpu"} if place.device.type == "cpu" else {}
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | chosen, check=False, stdout=sys.stderr)
    if not results.exists():
        return {"error": f"pytest wrote no results, exit code {ran.returncode}"}
    suites = list(ET.parse(results).getroot().iter("testsuite"))
    counts = {
        key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    }
    failed = [
        f"{case.get('name')}: {problem.get('message', '')[:200]}"
        for suite in suites
        for case in suite.iter("testcase")
        for problem in [*case.findall("failure"), *case.findall("error")]
    ]
    return counts | {"failed": failed}


def decode(place: Place) -> dict[str, Any]:
    """Samples decoded a second: by one core, and by the processes that an extraction on a GPU uses."""
    from cellfeat.extraction.read_ahead import Decoder, read_ahead
    from cellfeat.extraction.timing import Timeline
    from cellfeat.samples.intensity.policy import IntensityPolicy
    from cellfeat.samples.reading.images import SampleReader
    from cellfeat.samples.reading.worker_pool import Workers, WorkersReader

    manifest = manifest_of(place)
    plain = Decoder(SampleReader.for_manifest(manifest), IntensityPolicy(3))
    n = min(len(manifest), 500)
    began, used = time.perf_counter(), time.thread_time()
    for row in range(n):
        plain(row)
    alone, cpu = n / (time.perf_counter() - began), n / (time.thread_time() - used)
    n_workers = min(8, os.cpu_count() or 1)
    with Workers() as workers:
        workers.start(n_workers)
        pooled = Decoder(WorkersReader(SampleReader.for_manifest(manifest), workers), IntensityPolicy(3))
        ahead = partial(
            read_ahead, pooled, n_threads=n_workers, ahead=384, timeline=Timeline(),
            block_of=partial(pooled.block, most=64), decode_rows=pooled.read_rows,
        )  # fmt: skip
        list(ahead(range(4 * n_workers)))  # until the processes have started
        began = time.perf_counter()
        rows = list(range(len(manifest))) * (1 if place.quick else 4)
        n_read = sum(1 for _ in ahead(rows))
        together = n_read / (time.perf_counter() - began)
    return {
        "samples_per_second_of_one_core": round(alone),
        "per_cpu_second": round(cpu),
        "processes": n_workers,
        "samples_per_second_together": round(together),
    }


def manifest_of(place: Place) -> Any:
    """The manifest of the drawn cells."""
    from cellfeat.config import ImagesSettings, LabelsSettings
    from cellfeat.samples.manifest.build import build_manifest

    cells = place.work / "cells"
    return build_manifest(ImagesSettings(root=cells / "images"), LabelsSettings(file=cells / "labels.csv"))


def timed(place: Place, workload: str, contender: str) -> dict[str, Any]:
    """Time one contender on one workload."""
    work = place.workload(workload)
    kind, _, precision = contender.partition(" ")
    if kind == "ours":
        return ours(place, work, precision)
    if kind == "forward":
        return forward_alone(place, work)
    return by_hand(place, work, is_compiled=kind == "compiled")


class Clock:
    """Records when each batch of an extraction ends."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int]] = []
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)

    def advance(self, n_done: int, n_samples: int) -> None:  # noqa: ARG002, as in Observer
        """Record the time."""
        if n_done:
            self.marks.append((time.perf_counter(), n_done))

    def rate(self) -> float:
        """Samples a second from the end of the first batch to the end of the last."""
        (began, n_first), (ended, n_last) = self.marks[0], self.marks[-1]
        return (n_last - n_first) / max(ended - began, 1e-9)


def ours(place: Place, work: Workload, precision: str) -> dict[str, Any]:
    """An extraction, from images to the feature file."""
    from cellfeat import extract, load_features
    from cellfeat.extraction.forward.implementations import IMPLEMENTATIONS

    if precision == "auto" and not place.quick:
        for name, one in IMPLEMENTATIONS.items():  # as in a run of usual size
            IMPLEMENTATIONS[name] = replace(one, trial_share=one.trial_share * 28_896 / place.n_samples)
    settings, clock = settings_of(place, work, precision), Clock()
    began = time.perf_counter()
    path = extract(settings, observer=clock).path
    features, wall = load_features(path), time.perf_counter() - began
    method = f"{features.recipe['precision']} {features.provenance['execution']['implementation']}"
    np.save(place.work / f"{work.backbone}_{precision}.npy", features.embeddings[:])
    shares = next((line for line in clock.lines if line.startswith("share of the time")), "")
    return {
        "samples_per_second": round(clock.rate(), 1),
        "wall_seconds": round(wall, 1),
        "how": method,
        "min_cosine": cosine_to_float32(place, work, precision),
        "shares": shares,
    }


def settings_of(place: Place, work: Workload, precision: str) -> Any:
    """Settings of an extraction of the drawn cells."""
    from cellfeat.config_sources import load_settings

    return load_settings(
        overrides={
            "images.root": place.work / "cells" / "images",
            "labels.file": place.work / "cells" / "labels.csv",
            "preprocessing.input_size": work.side,
            "preprocessing.crop": "none",
            "backbone.name": work.backbone,
            "backbone.pool": work.pool,
            "backbone.weights": str(place.weights(work.backbone)),
            "extraction.output": place.work / f"{work.backbone}_{precision}.h5",
            "extraction.precision": precision,
            "extraction.device": str(place.device),
            "extraction.batch_size": work.batch,
            "extraction.thumbnails": False,
        }
    )


def cosine_to_float32(place: Place, work: Workload, precision: str) -> float | None:
    """Smallest cosine to our float32 embeddings, where that step has run."""
    from cellfeat.extraction.forward.probe import min_cosine

    files = [place.work / f"{work.backbone}_{one}.npy" for one in ("fp32", precision)]
    return round(min_cosine(*map(np.load, files)), 6) if all(file.exists() for file in files) else None


def loaded(place: Place, work: Workload) -> Any:
    """The network of a workload."""
    from cellfeat.backbones.registry import load_backbone

    weights = str(place.weights(work.backbone))
    return load_backbone(work.backbone, weights=weights, pool=work.pool, input_size=work.side)


def forward_alone(place: Place, work: Workload) -> dict[str, Any]:
    """The fastest method that the extraction chose, on a batch that is on the device: the limit of the pipeline."""
    from cellfeat.extraction.forward.capabilities import exact_float32
    from cellfeat.extraction.forward.implementations import DTYPES, ComputeMethod, Target, build_module

    chosen = place.work / f"{work.backbone}_auto.h5"
    if not chosen.exists():
        return {"error": "needs the step 'ours auto'"}
    from cellfeat import load_features

    features = load_features(chosen)
    method = ComputeMethod(features.recipe["precision"], features.provenance["execution"]["implementation"])
    shape = torch.Size((work.batch, 3, work.side, work.side))
    module = build_module(loaded(place, work), method, Target(place.device, shape))
    batch = torch.rand(shape, device=place.device, dtype=DTYPES[method.precision]).contiguous(
        memory_format=torch.channels_last
    )
    with torch.inference_mode(), exact_float32():
        return {"samples_per_second": round(work.batch * rate_of(lambda: module(batch), place), 1), "how": str(method)}


def rate_of(call: Callable[[], object], place: Place) -> float:
    """Calls a second, after three to warm up."""
    for _ in range(3):
        call()
    place.wait()
    began, n = time.perf_counter(), 0
    while n < 3 or (time.perf_counter() - began < LEAST_SECONDS and not place.quick):
        call()
        n += 1
        if n % 8 == 0:
            place.wait()
    place.wait()
    return n / (time.perf_counter() - began)


class Pictures(torch.utils.data.Dataset[torch.Tensor]):
    """The drawn cells, three grey files as one picture of uint8."""

    def __init__(self, folder: Path, n_samples: int) -> None:
        self.folder, self.n_samples = folder, n_samples

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, index: int) -> torch.Tensor:
        import imagecodecs

        names = [self.folder / f"{index + 1:05d}_{channel}.png" for channel in ("blue", "red", "yellow")]
        return torch.from_numpy(np.stack([imagecodecs.imread(name) for name in names]))


def by_hand(place: Place, work: Workload, *, is_compiled: bool) -> dict[str, Any]:
    """A loop as users write it: eager with autocast, or as timm's: bfloat16, channels-last, compiled, uint8 batches."""
    network = loaded(place, work).module.to(place.device)
    # Without its C++ compiler, torch.compile takes seconds in place of minutes where the loop is only tried.
    backend = "aot_eager" if place.quick else "inductor"
    if is_compiled:
        network = network.to(torch.bfloat16, memory_format=torch.channels_last)
        network = torch.compile(network, dynamic=False, backend=backend)
    n_samples = place.n_samples - place.n_samples % work.batch if is_compiled else place.n_samples
    loader = torch.utils.data.DataLoader(
        Pictures(place.work / "cells" / "images", n_samples),
        batch_size=work.batch,
        drop_last=is_compiled,
        num_workers=0 if place.quick else min(8, os.cpu_count() or 1),
        pin_memory=place.device.type == "cuda",
        persistent_workers=not place.quick,
    )

    def batches() -> Iterator[torch.Tensor]:
        with torch.inference_mode(), torch.autocast(place.device.type, torch.bfloat16, enabled=not is_compiled):
            for pixels in loader:
                x = pixels.to(place.device, non_blocking=True).float() / 255
                x = torch.nn.functional.interpolate(x, size=work.side, mode="bilinear", antialias=True)
                x = (x - 0.45) / 0.23
                x = x.to(torch.bfloat16, memory_format=torch.channels_last) if is_compiled else x
                yield network(x).float().cpu()

    list(batches())  # processes start, kernels are chosen and compiled
    began = time.perf_counter()
    n_done = sum(map(len, batches()))
    how = f"bf16 {backend}" if is_compiled else "bf16 autocast"
    return {"samples_per_second": round(n_done / (time.perf_counter() - began), 1), "how": how}


def heads(place: Place) -> dict[str, Any]:
    """Seconds and scores of the heads that have a device, here and on the CPU; and of LightGBM's CUDA build."""
    from sklearn.datasets import make_classification

    from cellfeat.heads.registry import HEADS, head_class

    n, columns = (400, 32) if place.quick else (12_000, 1024)
    X, y = make_classification(n, columns, n_informative=columns // 4, n_classes=4, random_state=0)
    X, half = X.astype(np.float32), n // 2
    rows: list[Sequence[object]] = []
    for name in HEADS:
        if "device" in inspect.signature(head_class(name)).parameters:
            make = partial(head_class(name), random_state=0)
            rows.append([name, *_side_by_side(lambda device, make=make: make(device=device), X, y, half, place)])  # type: ignore[misc]
    return {"rows": [*rows, ["lightgbm, plain", *_boosting(X, y, half, place)]]}


def _side_by_side(make: Callable[[str], Any], X: np.ndarray, y: np.ndarray, half: int, place: Place) -> list[object]:
    seconds, scores = [], []
    for device in (str(place.device), "cpu"):
        if device.startswith("cuda"):
            make(device).fit(X[:200], y[:200])  # the libraries start
        began = time.perf_counter()
        head = make(device).fit(X[:half], y[:half])
        seconds.append(round(time.perf_counter() - began, 2))
        scores.append(round(float(head.score(X[half:], y[half:])), 3))
    return [*seconds, *scores]


def _boosting(X: np.ndarray, y: np.ndarray, half: int, place: Place) -> list[object]:
    import lightgbm

    def make(device: str) -> Any:
        kind = "cuda" if device.startswith("cuda") else "cpu"
        return lightgbm.LGBMClassifier(n_estimators=50, device_type=kind, verbose=-1, random_state=0)

    try:
        return _side_by_side(make, X, y, half, place)
    except lightgbm.basic.LightGBMError as error:
        return [re.sub(r"\s+", " ", str(error))[:80], "", "", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", nargs="+")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    place = Place(torch.device(arguments.device), arguments.work, arguments.quick)
    known: dict[str, Callable[..., dict[str, Any]]] = {
        "machine": machine,
        "images": images,
        "tests": tests,
        "decode": decode,
        "time": timed,
        "heads": heads,
    }
    name, *rest = arguments.step
    print(json.dumps(known[name](place, *rest)))


if __name__ == "__main__":
    main()
