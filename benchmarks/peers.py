"""Extraction compared with other tools, each by its own entry point: convnext_base in float32 on the same RGB files.

    python benchmarks/peers.py --samples 32 96 --lightly PYTHON --timm PYTHON inference.py

Every tool gets the same 224 x 224 8-bit RGB PNGs and random weights (timm names its tensors differently, and gets its
own), and runs as a separate process at two sizes, after a run that is not timed. The rate is the slope between them,
without start-up; the total time of the larger size is printed beside it.

Each option takes the Python of an environment in which the tool was installed by pip: ``--lightly`` (measured: 1.6.0),
``--eva`` (``kaiko-eva[vision]`` 0.4.5), ``--thingsvision`` (2.7.3, which pins torch 2.0.1), ``--by-hand`` (timm, a
`DataLoader` and `numpy.save`), and ``--timm`` (timm and pyarrow), which takes the ``inference.py`` of timm's repository
as well: it is not in its package.
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

EVA = """
import os, sys, tempfile, timm, torch
from torchvision.transforms import v2
import eva
from eva.core.data import datasets
from eva.vision.data.datasets import vision
from eva.vision.utils import io
class Folder(vision.VisionDataset):
    def __init__(self, root):
        super().__init__(v2.Compose([v2.ToDtype(torch.float32, scale=True),
                                     v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]))
        self.root, self.names = root, sorted(os.listdir(root))
    def filename(self, index): return self.names[index]
    def load_data(self, index): return io.read_image_as_tensor(os.path.join(self.root, self.names[index]))
    def load_target(self, index): return torch.tensor(0.0)
    def __len__(self): return len(self.names)
if __name__ == "__main__":
    from eva.core.models.wrappers import ModelFromFunction
    network = ModelFromFunction(timm.create_model, {"model_name": "convnext_base", "num_classes": 0}, sys.argv[2])
    output = tempfile.mkdtemp()
    writer = eva.callbacks.ClassificationEmbeddingsWriter(output_dir=output, backbone=network,
                                                          dataloader_idx_map={0: "train"})
    trainer = eva.Trainer(callbacks=[writer], accelerator="cpu", devices=1, max_steps=1, logger=False,
                          default_root_dir=output, n_runs=1)
    head = eva.HeadModule(head=torch.nn.Linear(1024, 2), criterion=torch.nn.CrossEntropyLoss())
    images = Folder(sys.argv[1])
    data = eva.DataModule(datasets=eva.DatasetsSchema(predict=[images]),
                          dataloaders=eva.DataloadersSchema(predict=eva.DataLoader(batch_size=16, num_workers=1)))
    trainer.predict(model=head, datamodule=data)
    written = [name for _, _, names in os.walk(output) for name in names if name.endswith(".pt")]
    assert len(written) == len(images), "every image has an embedding"
"""

THINGSVISION = """
import sys, tempfile, torch
from torchvision import models
from thingsvision import get_extractor
from thingsvision.utils.data import DataLoader, ImageDataset
from thingsvision.utils.storing import save_features
extractor = get_extractor(model_name="convnext_base", source="torchvision", device="cpu", pretrained=False)
extractor.model.load_state_dict(torch.load(sys.argv[2]))
output = tempfile.mkdtemp()
images = ImageDataset(root=sys.argv[1], out_path=output, backend="pt",
                      transforms=extractor.get_transformations(resize_dim=224, crop_dim=224))
batches = DataLoader(dataset=images, batch_size=16, backend="pt")
features = extractor.extract_features(batches=batches, module_name="avgpool", flatten_acts=True)
save_features(features, out_path=output, file_format="hdf5")
assert len(features) == len(images), "every image has an embedding"
"""

BY_HAND = """
import os, sys, tempfile, numpy, timm, torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
network = timm.create_model("convnext_base", num_classes=0, checkpoint_path=sys.argv[2]).eval()
to_input = create_transform(**{**resolve_model_data_config(network), "crop_pct": 1.0})
class Folder(torch.utils.data.Dataset):
    names = sorted(os.listdir(sys.argv[1]))
    def __len__(self): return len(self.names)
    def __getitem__(self, index): return to_input(Image.open(os.path.join(sys.argv[1], self.names[index])))
with torch.inference_mode():
    embeddings = [network(batch) for batch in torch.utils.data.DataLoader(Folder(), batch_size=16, num_workers=1)]
numpy.save(os.path.join(tempfile.mkdtemp(), "embeddings.npy"), torch.cat(embeddings).numpy())
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
    found = {
        f"cellfeat, {precision}": cellfeat_command(folder, images, precision) for precision in arguments.precisions
    }
    if arguments.lightly:
        found["lightly"] = [arguments.lightly, "-c", LIGHTLY, str(images), str(folder / "torchvision.pth")]
    if arguments.eva:
        # Its writer is a process that is spawned, and imports the script again: it has to be a file.
        (folder / "eva_script.py").write_text(EVA)
        found["kaiko-eva"] = [arguments.eva, str(folder / "eva_script.py"), str(images), str(folder / "timm.pth")]
    if arguments.thingsvision:
        found["thingsvision"] = [
            arguments.thingsvision, "-c", THINGSVISION, str(images), str(folder / "torchvision.pth")
        ]  # fmt: skip
    if arguments.by_hand:
        found["timm by hand"] = [arguments.by_hand, "-c", BY_HAND, str(images), str(folder / "timm.pth")]
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
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], help="of cellfeat")
    parser.add_argument("--lightly", metavar="PYTHON")
    parser.add_argument("--eva", metavar="PYTHON")
    parser.add_argument("--thingsvision", metavar="PYTHON")
    parser.add_argument("--by-hand", metavar="PYTHON")
    parser.add_argument("--timm", nargs=2, metavar=("PYTHON", "SCRIPT"))
    arguments = parser.parse_args()
    few, many = sorted(arguments.samples)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_weights(folder / "torchvision.pth")
        with_timm = arguments.by_hand or arguments.eva or (arguments.timm and arguments.timm[0])
        if with_timm:
            subprocess.run([with_timm, "-c", TIMM_WEIGHTS, str(folder / "timm.pth")], check=True)
        by_size = {n_samples: folder / str(n_samples) / "images" for n_samples in (few, many)}
        for n_samples, images in by_size.items():
            write_pictures(images, n_samples)
        print(f"| tool | samples/s, slope from {few} to {many} | seconds for {many}, start-up and all |\n|---|---|---|")
        for tool in commands(arguments, folder, by_size[few]):
            by_samples = {n: commands(arguments, folder, images)[tool] for n, images in by_size.items()}
            seconds_of(by_samples[few], folder)  # its libraries are read from the disk
            seconds = {n: seconds_of(command, folder) for n, command in by_samples.items()}
            rate = (many - few) / (seconds[many] - seconds[few])
            print(f"| {tool} | {rate:.2f} | {seconds[many]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
