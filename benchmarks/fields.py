"""What crops of whole fields cost beside the least that they can: one decode of each field, and the forwards.

    python benchmarks/fields.py --fields 40 --side 2048

Fields are generated: TIFFs of three channels with 24 cells each. Three things are timed in turn, in one process, by its
processor time: decoding every field, the forwards of all crops from memory, and both together as an extraction does.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import torch

from cellfeat.backbones.registry import load_backbone
from cellfeat.config_sources import load_settings
from cellfeat.extraction.forward.embedder import Embedder, Inputs
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.read_ahead import Decoded, Decoder, read_ahead
from cellfeat.extraction.timing import Timeline
from cellfeat.samples.image_file.read import read_image
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.manifest.manifest import Manifest
from cellfeat.samples.reading.worker_pool import Workers, sample_reader

CELLS = 24
BATCH = 64
CROP = 96


def write_fields(folder: Path, n_fields: int, side: int, compression: str | None) -> Manifest:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    lines = ["file,x,y"]
    for i in range(n_fields):
        pixels = rng.normal(800, 60, (3, side, side)).astype(np.uint16)
        tifffile.imwrite(folder / "images" / f"f{i:04d}.tif", pixels, compression=compression, metadata={"axes": "CYX"})
        lines += [f"f{i:04d}.tif,{x:.1f},{y:.1f}" for x, y in rng.uniform(60, side - 60, (CELLS, 2))]
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    settings = load_settings(
        overrides={
            "images.root": folder / "images",
            "images.layout": "fields",
            "images.channels": [0, 1, 2],
            "images.fields.crop_size": CROP,
            "images.fields.positions": str(folder / "cells.csv"),
            "labels.file": None,
        }
    )
    return build_manifest(settings.images, settings.labels)


def make_embedder() -> Embedder:
    backbone = load_backbone("efficientnet_lite0", weights="default", pool="norm", input_size=CROP)
    inputs = Inputs((backbone.transform,), tuple(make_passes((0, 1, 2), "planes")), 3, 1)
    return Embedder([backbone.module], inputs, device=torch.device("cpu"), precision="fp32", batch_size=BATCH)


def timed(task: Callable[[], object]) -> float:
    began = time.process_time()
    task()
    return time.process_time() - began


def decode_all(manifest: Manifest) -> None:
    for name in dict.fromkeys(manifest.table["file"]):
        read_image(manifest.root / name, 10**9)


def crops_of(manifest: Manifest, workers: Workers | None, n_threads: int) -> list[Decoded]:
    decoder = Decoder(sample_reader(manifest, workers, max_pixels=10**9), IntensityPolicy(3))
    rows = range(len(manifest))
    return list(
        read_ahead(
            decoder, rows, n_threads=n_threads, ahead=3 * BATCH, timeline=Timeline(), block_of=decoder.reader.block
        )
    )


def forward(embedder: Embedder, samples: list[Decoded]) -> None:
    for start in range(0, len(samples), BATCH):
        embedder.submit(samples[start : start + BATCH]).result()


def both(manifest: Manifest, embedder: Embedder, workers: Workers | None, n_threads: int) -> None:
    decoder = Decoder(sample_reader(manifest, workers, max_pixels=10**9), IntensityPolicy(3))
    batch: list[Decoded] = []
    samples = read_ahead(
        decoder,
        range(len(manifest)),
        n_threads=n_threads,
        ahead=3 * BATCH,
        timeline=Timeline(),
        block_of=decoder.reader.block,
    )
    for sample in samples:
        batch.append(sample)
        if len(batch) == BATCH:
            embedder.submit(batch).result()
            batch = []
    if batch:
        embedder.submit(batch).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=400)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compression", choices=["none", "zlib"], default="none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compression = None if options.compression == "none" else options.compression
        manifest = write_fields(Path(folder), options.fields, options.side, compression)
        embedder = make_embedder()
        samples = crops_of(manifest, None, 1)
        forward(embedder, samples[:BATCH])
        print(
            f"{options.fields} fields of {options.side} pixels, 3 channels, {CELLS} cells each, {options.compression}"
        )
        print("decode s  forward s  extraction s  ratio")
        for _ in range(options.rounds):
            decode = timed(lambda: decode_all(manifest))
            forwards = timed(lambda: forward(embedder, samples))
            together = timed(lambda: both(manifest, embedder, None, 1))
            print(
                f"{decode:8.2f}  {forwards:9.2f}  {together:12.2f}  {together / (decode + forwards):5.2f}", flush=True
            )


if __name__ == "__main__":
    main()
