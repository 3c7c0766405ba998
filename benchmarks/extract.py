"""Speed of extraction compared with a loop written by hand: one after the other, in one process, on the same images.

    python benchmarks/extract.py --samples 256 --rounds 3

Prints a Markdown table: samples per second in steady state (from the end of the first batch to the end of the last,
without start-up and probing), the median and the range over rounds, and the ratio to the plain loop of the same round;
then the limit that the machine's matrix products set. Weights are random with a layer_scale of 0.1 to 1: speed does not
depend on them, and a fresh ConvNeXt's 1e-6 would hide its blocks from the comparison of embeddings.

``auto`` chooses as for 28,896 samples: with the few that are timed here it would not try every candidate.

    python benchmarks/extract.py --images FOLDER --set backbone.name=efficientnet_lite0 --set extraction.views=4

With ``--set`` it compares that recipe with its forward alone: samples per second of the whole extraction in steady
state, and of as many forwards of the same module on one batch that is ready.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import torch
import yaml
from torch.utils.data import DataLoader, Dataset
from torchvision import models

import cellfeat
from cellfeat.backbones.registry import load_backbone
from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.device import choose_device, describe_device
from cellfeat.extraction.forward import precision as choice_of_precision
from cellfeat.extraction.forward.embedder import Inputs
from cellfeat.extraction.forward.implementations import (
    DTYPES,
    IMPLEMENTATIONS,
    ComputeMethod,
    Target,
    build_module,
)
from cellfeat.extraction.forward.kept_memory import freed_memory_kept
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.forward.probe import build_embedder
from cellfeat.extraction.read_ahead import Decoder
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleReader
from cellfeat.samples.synthetic import CHANNELS, write_synthetic_cells

BATCH = 16
FULL_SIZE = 28_896
GFLOP = 30.7
"""Operations of one forward of convnext_base at 224 px: 15.36 billion multiply-adds (torchvision's record)."""
LEAST_SECONDS = 5.0
"""How long the forward alone is timed."""
Contender = Callable[[], tuple[float, np.ndarray]]
"""Embeds all samples; returns samples per second in steady state, and the embeddings."""


class Planes(Dataset[torch.Tensor]):
    """The data set of the plain loop: three grey files as one picture, with the preset of the weights, without crop."""

    def __init__(self, images: Path, n_samples: int) -> None:
        self.images, self.n_samples = images, n_samples

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, index: int) -> torch.Tensor:
        planes = [imagecodecs.imread(self.images / f"{index + 1:05d}_{channel}.png") for channel in CHANNELS]
        x = torch.from_numpy(np.stack(planes)).float() / 255
        x = torch.nn.functional.interpolate(x[None], size=224, mode="bilinear", antialias=True)[0]
        mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return (x - mean) / std


def steady_rate(batches: Iterator[np.ndarray]) -> tuple[float, np.ndarray]:
    first = next(batches)
    began = time.perf_counter()
    rest = list(batches)
    return sum(map(len, rest)) / (time.perf_counter() - began), np.concatenate([first, *rest])


def plain_loop(images: Path, n_samples: int, weights: Path, device: torch.device, *, autocast: bool) -> Contender:
    network = models.convnext_base()
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.classifier[2] = torch.nn.Identity()
    network.eval().to(device)

    def batches() -> Iterator[np.ndarray]:
        loader = DataLoader(Planes(images, n_samples), batch_size=BATCH, num_workers=1)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            for batch in loader:
                yield network(batch.to(device)).float().cpu().numpy()

    return lambda: steady_rate(batches())


class Clock:
    """Records when each batch of an extraction ends."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int]] = []

    def say(self, line: str) -> None:
        """Ignore the line."""

    def advance(self, n_done: int, n_samples: int) -> None:  # noqa: ARG002, as in Observer
        """Record the time."""
        if n_done:
            self.marks.append((time.perf_counter(), n_done))

    def rate(self) -> float:
        """Samples per second from the end of the first batch to the end of the last."""
        (began, n_first), (ended, n_last) = self.marks[0], self.marks[-1]
        return (n_last - n_first) / (ended - began)


def ours(settings: Settings) -> Contender:
    def run() -> tuple[float, np.ndarray]:
        clock = Clock()
        Path(str(settings.extraction.output)).unlink(missing_ok=True)
        path = cellfeat.extract(settings, observer=clock).path
        return clock.rate(), cellfeat.load_features(path).embeddings[:, 0]

    return run


def forward_only(settings: Settings, method: ComputeMethod, device: torch.device) -> Contender:
    """The rate of the embedder alone on one decoded batch: the upper limit of the pipeline."""
    manifest = build_manifest(settings.images, settings.labels)
    decoder = Decoder(SampleReader.for_manifest(manifest), IntensityPolicy(3))
    samples = [decoder(row) for row in range(BATCH)]
    backbone = load_backbone("convnext_base", weights=str(settings.backbone.weights), input_size=224)
    inputs = Inputs(
        (backbone.transform.adapted(settings.preprocessing),), tuple(make_passes(manifest.channels, "planes")), 3, 1
    )
    embedder = build_embedder(backbone, inputs, device=device, method=method, batch_size=BATCH)
    return lambda: steady_rate(embedder(samples) for _ in range(max(2, len(manifest) // BATCH)))


def against_forward(settings: Settings, rounds: int) -> str:
    """Compare the extraction of a recipe with its forwards alone, in turn; lines of a table."""
    rates: dict[str, list[float]] = {"end to end": [], "forward alone": []}
    for _ in range(rounds):
        rates["end to end"].append(ours(settings)()[0])
        rates["forward alone"].append(forward_rate(settings))
    shares = [whole / alone for whole, alone in zip(*rates.values(), strict=True)]
    rows = ["| what | samples/s, median [range] |", "|---|---|"]
    rows += [f"| {name} | {_spread(values)} |" for name, values in rates.items()]
    return "\n".join([*rows, f"| end to end / forward alone | {_spread(shares)} |"])


def forward_rate(settings: Settings) -> float:
    """Samples per second of the module that made the feature file, on pictures that are ready."""
    made = cellfeat.load_features(settings.extraction.output)
    method = ComputeMethod(made.recipe["precision"], made.provenance["execution"]["implementation"])
    size, side = made.provenance["execution"]["batch_size"], made.recipe["transform"]["input_size"]
    backbone = load_backbone(
        settings.backbone.name, weights=str(settings.backbone.weights), pool=settings.backbone.pool, input_size=side
    )
    device = choose_device(settings.extraction.device)
    module = build_module(backbone, method, Target(device, torch.Size((size, 3, side, side))))
    pictures = torch.rand(size, 3, side, side).to(device, DTYPES[method.precision], memory_format=torch.channels_last)
    n_forwards = len(made.recipe["passes"]) * made.recipe["views"]
    with freed_memory_kept(), torch.inference_mode():
        # `item` waits for the device.
        module(pictures).sum().item()
        began, n_done = time.perf_counter(), 0
        while time.perf_counter() - began < LEAST_SECONDS:
            for _ in range(n_forwards):
                embedded = module(pictures)
            embedded.sum().item()
            n_done += size
        return n_done / (time.perf_counter() - began)


def recipe_settings(assignments: list[str], images: Path, folder: Path, device: str) -> Settings:
    """Settings of ``--set KEY=VALUE``, for images in `images`."""
    given = {key: yaml.safe_load(value) for key, _, value in (one.partition("=") for one in assignments)}
    own = {"images.root": images, "extraction.output": folder / "features.h5", "extraction.device": device}
    return load_settings(overrides={"labels.file": None, **given, **own})


def link_first(images: Path, folder: Path, n_samples: int) -> None:
    """Make a folder of the first samples of another."""
    folder.mkdir()
    for number in range(1, n_samples + 1):
        for channel in CHANNELS:
            name = f"{number:05d}_{channel}.png"
            (folder / name).symlink_to((images / name).resolve())


def write_weights(path: Path) -> None:
    torch.manual_seed(0)
    network = models.convnext_base()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "layer_scale" in name:
                parameter.uniform_(0.1, 1)
    torch.save(network.state_dict(), path)


def settings_for(images: Path, folder: Path, precision: str, device: str) -> Settings:
    return load_settings(
        overrides={
            "images.root": images,
            "labels.file": None,
            "preprocessing.input_size": 224,
            "preprocessing.crop": "none",
            "backbone.weights": str(folder / "weights.pth"),
            "extraction.output": folder / f"{precision}.h5",
            "extraction.precision": precision,
            "extraction.device": device,
            "extraction.batch_size": BATCH,
        }
    )


def contenders(images: Path, folder: Path, n_samples: int, device: torch.device) -> dict[str, Contender]:
    loop = [plain_loop(images, n_samples, folder / "weights.pth", device, autocast=on) for on in (False, True)]
    auto = settings_for(images, folder, "auto", str(device))
    ours(auto)()
    chosen = cellfeat.load_features(auto.extraction.output)
    method = ComputeMethod(chosen.recipe["precision"], chosen.provenance["execution"]["implementation"])
    return {
        "(a) plain loop, fp32": loop[0],
        "(b) plain loop, bf16 autocast": loop[1],
        "(c) cellfeat, fp32": ours(settings_for(images, folder, "fp32", str(device))),
        f"(d) cellfeat, auto: {method.precision}, {method.implementation}": ours(auto),
        **_in_integers(images, folder, device),
        "(f) forward alone of (d)": forward_only(auto, method, device),
    }


def _in_integers(images: Path, folder: Path, device: torch.device) -> dict[str, Contender]:
    if device.type != "cpu":
        return {}
    return {"(e) cellfeat, int8": ours(settings_for(images, folder, "int8", str(device)))}


def product_limits(device: torch.device) -> str:
    """(g): the limit that the machine's matrix products set, by precision."""
    rates = {"fp32": torch.float32, "bf16": torch.bfloat16}
    limits = [f"{name} {rate:,.0f} GFLOP/s: {rate / GFLOP:.1f} samples/s" for name, rate in
              ((name, _product_rate(dtype, device)) for name, dtype in rates.items())]  # fmt: skip
    return "(g) matrix products alone, 3,136 x 512 by 512 x 2,048: " + "; ".join(limits)


def _product_rate(dtype: torch.dtype, device: torch.device) -> float:
    """GFLOP/s of a product of the size of ConvNeXt's third stage, 16 images at a time; the best of 20."""
    rows, weight = (torch.randn(shape, dtype=dtype, device=device) for shape in ((3136, 512), (2048, 512)))
    product = _packed_product(weight, len(rows)) if device.type == "cpu" else lambda x: x @ weight.T
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        product(rows)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * rows.shape[0] * weight.numel() / min(seconds) / 1e9


def _packed_product(weight: torch.Tensor, n_rows: int) -> Callable[[torch.Tensor], torch.Tensor]:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, n_rows)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "none")


def report(rates: dict[str, list[float]], embeddings: dict[str, np.ndarray]) -> str:
    plain = next(iter(rates))
    reference = embeddings[plain].astype(np.float64)
    rows = ["| what | samples/s, median [range] | x plain loop, median [range] | largest difference | least cosine |"]
    rows.append("|---|---|---|---|---|")
    for name, values in rates.items():
        ratios = [value / base for value, base in zip(values, rates[plain], strict=True)]
        numbers = ["", ""] if "(f)" in name else _closeness(reference, embeddings[name].astype(np.float64))
        rows.append(f"| {name} | {_spread(values)} | {_spread(ratios)} | {numbers[0]} | {numbers[1]} |")
    return "\n".join(rows)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def _closeness(reference: np.ndarray, ours: np.ndarray) -> list[str]:
    difference = np.abs(ours - reference).max() / np.abs(reference).max()
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(ours, axis=1)
    return [f"{difference:.1e}", f"{((reference * ours).sum(axis=1) / norms).min():.6f}"]


def choose_as_for_a_full_run(n_samples: int) -> None:
    """Let the choice of a method try what it would try for `FULL_SIZE` samples."""
    choice_of_precision.LEAST_BATCHES = 1
    for name, one in list(IMPLEMENTATIONS.items()):
        IMPLEMENTATIONS[name] = replace(one, trial_share=one.trial_share * FULL_SIZE / n_samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=Path, help="folder with 00001_blue.png …; by default cells are generated")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the recipe")
    arguments = parser.parse_args()
    if arguments.samples < 3 * BATCH:
        parser.error(f"--samples must be at least {3 * BATCH}: a rate is taken from the first to the last of 3 batches")
    device = choose_device(arguments.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.images is None:
            write_synthetic_cells(folder, n_samples=arguments.samples, seed=0)
        else:
            link_first(arguments.images, folder / "images", arguments.samples)
        if arguments.set:
            settings = recipe_settings(arguments.set, folder / "images", folder, str(device))
            title = f"{' '.join(arguments.set)}, {arguments.samples} samples, {describe_device(device)}"
            print(f"{title}\n\n{against_forward(settings, arguments.rounds)}")
            return
        write_weights(folder / "weights.pth")
        choose_as_for_a_full_run(arguments.samples)
        runs = contenders(folder / "images", folder, arguments.samples, device)
        rates: dict[str, list[float]] = {name: [] for name in runs}
        embeddings: dict[str, np.ndarray] = {}
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                rate, embeddings[name] = run()
                rates[name].append(rate)
                print(f"{name}: {rate:.2f} samples/s", file=sys.stderr)
    print(f"convnext_base, 224 px, batch {BATCH}, {arguments.samples} samples, {describe_device(device)}, "
          f"torch {torch.__version__}\n\n{report(rates, embeddings)}\n\n{product_limits(device)}")  # fmt: skip


if __name__ == "__main__":
    main()
