"""The numbers in a feature file: what the network computes of the samples, whatever their order and batch."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import torch
from torchvision import models

from cellfeat.backbones.registry import load_backbone
from cellfeat.backbones.weights import state_digest
from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.forward.embedder import Inputs
from cellfeat.extraction.forward.implementations import methods_for
from cellfeat.extraction.forward.passes import make_passes
from cellfeat.extraction.forward.probe import build_embedder
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.store import Features, load_features
from tests.extraction.observers import Lines

MakeSettings = Callable[..., Settings]
Finished = Callable[..., Path]
CHANNELS = ("blue", "red", "yellow")
UNMEASURED = {"extraction__batch_size": 24, "extraction__part_size": 24}
"""With batches so large, no run has enough forwards to measure implementations: all take the same one."""


def extracted(settings: Settings) -> Features:
    return load_features(extract(settings).path)


def read_planes(images: Path, sample: str) -> torch.Tensor:
    planes = [imagecodecs.imread(images / f"{int(sample):05d}_{channel}.png") for channel in CHANNELS]
    return torch.from_numpy(np.stack(planes))


@pytest.fixture(scope="module")
def few_images(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of the first five samples."""
    folder = tmp_path_factory.mktemp("few")
    for sample, channel in itertools.product(range(1, 6), CHANNELS):
        shutil.copy(cells / "images" / f"{sample:05d}_{channel}.png", folder)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v3_small",
        "resnet18",
        pytest.param("convnext_tiny", marks=pytest.mark.slow),
        pytest.param("swin_t", marks=pytest.mark.slow),
    ],
)
def test_the_networks_own_logits_are_its_last_linear_layer_of_our_embeddings(
    name: str, settings_for: MakeSettings, few_images: Path, checkpoint: Callable[[str], Path]
) -> None:
    as_recorded = {"preprocessing__crop": None, "preprocessing__input_size": None, "backbone__pool": "norm"}
    as_recorded |= {"extraction__batch_size": 5}
    features = extracted(settings_for(name, **as_recorded, images__root=few_images, labels__file=None))
    network = models.get_model(name)
    network.load_state_dict(torch.load(checkpoint(name), weights_only=True))
    preset = models.get_model_weights(name).IMAGENET1K_V1.transforms()
    linear = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.inference_mode():
        inputs = [preset(read_planes(few_images, sample_id).float() / 255) for sample_id in features.samples.ids]
        logits = network.eval()(torch.stack(inputs))
        ours = linear(torch.from_numpy(features.embeddings[:, 0]))
    assert len(logits) == 5
    assert logits.std() > 1e-3
    torch.testing.assert_close(ours, logits, rtol=1e-4, atol=1e-4 * logits.abs().max().item())


@pytest.mark.slow
def test_both_is_planes_and_separate_side_by_side(finished: Finished) -> None:
    planes, separate, both = (
        load_features(finished(preprocessing__channels_as=mode, **UNMEASURED)).embeddings
        for mode in ("planes", "separate", "both")
    )
    np.testing.assert_array_equal(both, np.concatenate([planes, separate], axis=2))


def test_a_separate_pass_is_the_channel_alone_repeated(
    finished: Finished, settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    separate = load_features(finished(preprocessing__channels_as="separate", **UNMEASURED))
    grey = tmp_path / "grey"
    grey.mkdir()
    for path in (cells / "images").glob("*_red.png"):
        shutil.copy(path, grey)
    alone = extracted(settings_for(images__root=grey, images__channels=["red"], **UNMEASURED))
    np.testing.assert_array_equal(separate.embeddings[:, :, 1024:2048], alone.embeddings)


@pytest.mark.slow
def test_view_zero_is_the_sample_and_view_six_that_of_the_turned_files(
    finished: Finished, settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    one, eight = (load_features(finished(extraction__views=n_views, **UNMEASURED)) for n_views in (1, 8))
    np.testing.assert_array_equal(eight.embeddings[:, 0], one.embeddings[:, 0])
    turned = tmp_path / "turned"
    turned.mkdir()
    for path in (cells / "images").iterdir():
        image = np.rot90(imagecodecs.imread(path)[:, ::-1], 2)
        (turned / path.name).write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image)))
    features = extracted(settings_for(images__root=turned, **UNMEASURED))
    np.testing.assert_allclose(eight.embeddings[:, 6], features.embeddings[:, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("mobilenet_v3_small", "fp32"),
        pytest.param("mobilenet_v3_small", "bf16", marks=pytest.mark.slow),
        pytest.param("convnext_tiny", "fp32", marks=pytest.mark.slow),
        pytest.param("convnext_tiny", "bf16", marks=pytest.mark.slow),
        ("convnext_tiny", "int8"),
    ],
)
def test_an_embedding_has_the_same_bits_at_any_place_in_any_batch(
    name: str,
    precision: str,
    finished: Finished,
    settings_for: MakeSettings,
    cells: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if precision == "int8":
        request.getfixturevalue("bf16_kernels")
    shuffled = pd.read_csv(cells / "labels.csv").sample(frac=1, random_state=7)
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False)
    in_order = load_features(finished(name, extraction__precision=precision))
    permuted = extracted(settings_for(name, extraction__precision=precision, labels__file=tmp_path / "shuffled.csv"))
    np.testing.assert_array_equal(in_order.embeddings[shuffled.index], permuted.embeddings)
    np.testing.assert_array_equal(in_order.samples.labels[shuffled.index], permuted.samples.labels)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_the_batch_size_changes_rounding_alone(
    batch_size: int, finished: Finished, settings_for: MakeSettings, few_images: Path
) -> None:
    expected = load_features(finished("convnext_tiny")).embeddings[:5]
    other = settings_for("convnext_tiny", extraction__batch_size=batch_size, images__root=few_images, labels__file=None)
    difference = np.abs(extracted(other).embeddings - expected).max() / np.abs(expected).max()
    assert difference < 1e-5


@pytest.mark.slow
def test_sizes_may_differ_between_samples(finished: Finished, settings_for: MakeSettings, images: Path) -> None:
    for channel in CHANNELS:
        large = np.zeros((50, 40), np.uint8)
        (images / f"00005_{channel}.png").write_bytes(imagecodecs.png_encode(large))
    others = np.arange(24) != 4
    features = extracted(settings_for(images__root=images))
    np.testing.assert_array_equal(features.embeddings[others], load_features(finished()).embeddings[others])


def test_exact_copies_have_the_same_pixel_digest(settings_for: MakeSettings, images: Path) -> None:
    for channel in CHANNELS:
        shutil.copy(images / f"00001_{channel}.png", images / f"00007_{channel}.png")
    features = extracted(settings_for(images__root=images))
    assert features.samples.digests[6] == features.samples.digests[0]
    np.testing.assert_array_equal(features.embeddings[6], features.embeddings[0])


@pytest.mark.slow
def test_a_sixteen_bit_image_is_neither_black_nor_saturated(
    finished: Finished, settings_for: MakeSettings, images: Path, tmp_path: Path
) -> None:
    for path in images.iterdir():
        path.write_bytes(imagecodecs.png_encode(imagecodecs.imread(path).astype(np.uint16) * 10))
    lines = Lines()
    extract(settings_for(images__root=images), observer=lines)
    assert any(line.startswith("warning:") and "images.intensity={range: [0, 4095]}" in line for line in lines.lines)
    scaled = extracted(
        settings_for(images__root=images, images__intensity={"range": [0, 2550]}, extraction__output=tmp_path / "b.h5")
    )
    np.testing.assert_allclose(scaled.embeddings, load_features(finished()).embeddings, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "convnext_tiny"])
def test_embedding_changes_nothing_of_the_network(name: str, checkpoint: Callable[[str], Path]) -> None:
    backbone = load_backbone(name, weights=str(checkpoint(name)), input_size=32)
    inputs = Inputs((backbone.transform,), tuple(make_passes(["a", "b", "c"], "planes")), 3, 1)
    method = methods_for(backbone, torch.device("cpu"), ["fp32"])[0]
    embedder = build_embedder(backbone, inputs, device=torch.device("cpu"), method=method, batch_size=2)
    before = state_digest(embedder.modules[0])
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    embedder([Decoded(0, pixels, np.array([[0, 255]] * 3, np.float32), "00")])
    assert state_digest(embedder.modules[0]) == before
    assert state_digest(backbone.module) == backbone.weights_digest
    for module in (embedder.modules[0], backbone.module):
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())
