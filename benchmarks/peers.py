"""Extraction compared with other tools, each by its own entry point: convnext_base in float32 on the same RGB files.

    python benchmarks/peers.py --samples 32 96 --lightly PYTHON --timm PYTHON inference.py

Every tool gets the same 224 x 224 8-bit RGB PNGs and random weights (timm names its tensors differently, and gets its
own), and runs as a separate process at two sizes. The rate is the slope between them, without start-up; the total time
of the larger size is printed beside it.

``--lightly`` is the Python of an environment with ``pip install lightly`` (measured: 1.6.0); ``--timm`` that of one
with ``pip install timm pyarrow``, and the ``inference.py`` of timm's repository, which is not in its package.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imagecodecs
import numpy as np
from extract import write_weights

SIDE = 224
LIGHTLY = """
import sys, torch
from torchvision import models, transforms
from lightly.data import LightlyDataset
from lightly.embedding import SelfSupervisedEmbedding
network = models.convnext_base()
network.load_state_dict(torch.load(sys.argv[2], weights_only=True))
network.classifier[2] = torch.nn.Identity()
holder = torch.nn.Module()
holder.backbone = network.eval()
to_input = transforms.Compose([transforms.ToTensor(),
                               transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
loader = torch.utils.data.DataLoader(LightlyDataset(sys.argv[1], transform=to_input), batch_size=16, num_workers=1)
embeddings, _, names = SelfSupervisedEmbedding(holder, None, None, None).embed(loader, torch.device("cpu"))
assert len(embeddings) == len(names), "every image has an embedding"
"""

TIMM_WEIGHTS = """
import sys, timm, torch
torch.manual_seed(0)
torch.save(timm.create_model("convnext_base", num_classes=0).state_dict(), sys.argv[1])
"""


def write_pictures(folder: Path, n_samples: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(n_samples):
        small = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
        picture = np.kron(small, np.ones((SIDE // 28, SIDE // 28, 1), np.uint8))
        (folder / f"{number:05d}.png").write_bytes(imagecodecs.png_encode(picture))


def cellfeat_command(folder: Path, images: Path, precision: str) -> list[str]:
    settings = ["images.layout=pattern", "images.pattern={sample_id}.png", "images.channels=[0,1,2]",
                "preprocessing.crop=none", "preprocessing.input_size=224", "extraction.part_size=64"]  # fmt: skip
    code = "from cellfeat.commands import main; main()"
    command = [sys.executable, "-c", code, "extract", "--images", str(images), "--labels", "none"]
    command += ["--weights", str(folder / "torchvision.pth"), "--precision", precision]
    command += ["--output", str(folder / f"{images.parent.name}-{precision}.h5")]
    return command + [word for setting in settings for word in ("--set", setting)]


def commands(arguments: argparse.Namespace, folder: Path, images: Path) -> dict[str, list[str]]:
    found = {f"cellfeat, {precision}": cellfeat_command(folder, images, precision) for precision in ("fp32", "bf16")}
    if arguments.lightly:
        found["lightly"] = [arguments.lightly, "-c", LIGHTLY, str(images), str(folder / "torchvision.pth")]
    if arguments.timm:
        python, script = arguments.timm
        found["timm inference.py"] = [
            python, script, "--data-dir", str(images), "--model", "convnext_base", "--num-classes", "0", "--topk", "0",
            "--checkpoint", str(folder / "timm.pth"), "--label-type", "none", "--output-type", "logit",
            "--device", "cpu", "-b", "16", "-j", "1", "--input-size", "3", "224", "224", "--crop-pct", "1.0",
            "--fullname", "--results-dir", str(folder), "--results-file", "timm", "--results-format", "parquet",
            "--no-console-results",
        ]  # fmt: skip
    return found


def seconds_of(command: list[str], folder: Path) -> float:
    for leftover in folder.glob("*.h5"):
        leftover.unlink()
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs=2, default=[32, 96])
    parser.add_argument("--lightly", metavar="PYTHON")
    parser.add_argument("--timm", nargs=2, metavar=("PYTHON", "SCRIPT"))
    arguments = parser.parse_args()
    few, many = sorted(arguments.samples)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_weights(folder / "torchvision.pth")
        if arguments.timm:
            subprocess.run([arguments.timm[0], "-c", TIMM_WEIGHTS, str(folder / "timm.pth")], check=True)
        seconds: dict[str, dict[int, float]] = {}
        for n_samples in (few, many):
            images = folder / str(n_samples) / "images"
            write_pictures(images, n_samples)
            for tool, command in commands(arguments, folder, images).items():
                seconds.setdefault(tool, {})[n_samples] = seconds_of(command, folder)
    print(f"| tool | samples/s, slope from {few} to {many} | seconds for {many}, start-up and all |\n|---|---|---|")
    for tool, by_size in seconds.items():
        print(f"| {tool} | {(many - few) / (by_size[many] - by_size[few]):.2f} | {by_size[many]:.1f} |")


if __name__ == "__main__":
    main()
