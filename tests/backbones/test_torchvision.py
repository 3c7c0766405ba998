import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from cellfeat.backbones.base import LoadedBackbone
from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.registry import BACKBONES, load_backbone
from cellfeat.backbones.weights import state_digest
from cellfeat.errors import BackboneError, WeightsError
from cellfeat.provenance import digest_file

# One network of each family, and the side in pixels of the images it is tried on.
ONE_OF_EACH_FAMILY = {
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "maxvit_t": 224,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "regnet_y_400mf": 64,
    "resnet18": 64,
    "resnext50_32x4d": 64,
    "shufflenet_v2_x0_5": 64,
    "swin_t": 64,
    "swin_v2_t": 64,
    "vit_b_32": 224,
    "alexnet": 64,
    "vgg11_bn": 64,
}
LARGE = {
    "alexnet", "densenet121", "efficientnet_v2_s", "inception_v3", "maxvit_t", "resnext50_32x4d", "swin_t", "swin_v2_t",
    "vgg11_bn", "vit_b_32",
}  # fmt: skip
# What torchvision's own builders do where there are weights.
WITH_WEIGHTS = {
    name: {"transform_input": True, "aux_logits": True, "init_weights": False} for name in ("googlenet", "inception_v3")
}

Randomise = Callable[[nn.Module], nn.Module]


def unmodified(name: str) -> nn.Module:
    return models.get_model(name, weights=None, **WITH_WEIGHTS.get(name, {}))


def saved(module: nn.Module, path: Path) -> str:
    torch.save(module.state_dict(), path)
    return str(path)


def images(side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def last_linear(module: nn.Module) -> nn.Linear:
    return [part for name, part in module.named_modules() if isinstance(part, nn.Linear) and "ux" not in name][-1]


def test_every_family_is_tried():
    tried = {BACKBONES[name].family for name in ONE_OF_EACH_FAMILY} | {"squeezenet"}
    assert tried == {entry.family for entry in BACKBONES.values() if "torchvision" in entry.build}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in ONE_OF_EACH_FAMILY]
)
def test_embedding_is_the_input_of_the_last_linear_layer(name, randomised, tmp_path):
    network, x = randomised(unmodified(name)), images(ONE_OF_EACH_FAMILY[name])
    file = tmp_path / "weights.pth"
    loaded = load_backbone(name, weights=saved(network, file))
    file.unlink()  # up to 500 MB each
    with torch.inference_mode():
        logits, embeddings = network(x), loaded.module(x)
    assert embeddings.shape == (2, loaded.embedding_dim)
    assert (embeddings[0] - embeddings[1]).abs().max() > 1e-3 * embeddings.abs().max(), "images differ, and it shows"
    torch.testing.assert_close(last_linear(network)(embeddings), logits, rtol=1e-4, atol=1e-4 * logits.abs().max())
    assert_frozen(loaded, x)


def assert_frozen(loaded: LoadedBackbone, x: torch.Tensor) -> None:
    assert not any(part.training for part in loaded.module.modules())
    assert not loaded.module(x).requires_grad
    assert state_digest(loaded.module) == loaded.weights_digest, "a forward changes nothing, batch statistics included"


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_embedding_of_squeezenet_is_the_mean_input_of_its_last_convolution(name, randomised, tmp_path):
    network, x = randomised(unmodified(name)), images(64)
    given = []
    network.classifier[1].register_forward_pre_hook(lambda _part, inputs: given.append(inputs[0]))
    network(x)
    loaded = load_backbone(name, weights=saved(network, tmp_path / "weights.pth"))
    torch.testing.assert_close(loaded.module(x), given[0].mean(dim=(2, 3)))
    assert_frozen(loaded, x)


@pytest.mark.slow
def test_raw_pooling_is_before_the_layer_norm(randomised, tmp_path):
    network, x = randomised(unmodified("convnext_tiny")), images(64)
    file = saved(network, tmp_path / "weights.pth")
    raw, norm = (load_backbone("convnext_tiny", weights=file, pool=pool) for pool in ("raw", "norm"))
    pooled = network.avgpool(network.features(x))
    torch.testing.assert_close(raw.module(x), pooled.flatten(1))
    torch.testing.assert_close(norm.module(x), network.classifier[0](pooled).flatten(1))


def test_transform_is_that_of_the_weights(tmp_path):
    mine = tmp_path / "mine.pth"
    saved(models.mobilenet_v2(weights=None), mine)
    record = models.MobileNet_V2_Weights.IMAGENET1K_V2.value
    theirs = tmp_path / f"mobilenet_v2-{digest_file(mine).removeprefix('sha256:')[:8]}.pth"
    theirs.write_bytes(mine.read_bytes())
    original = record.url
    object.__setattr__(record, "url", f"https://download.pytorch.org/models/{theirs.name}")
    try:
        second = load_backbone("mobilenet_v2", weights=str(theirs))
    finally:
        object.__setattr__(record, "url", original)
    first = load_backbone("mobilenet_v2", weights=str(mine))
    assert (first.weights_name, first.transform.resize) == ("mine.pth", 256)
    assert (second.weights_name, second.transform.resize) == ("IMAGENET1K_V2", 232)
    assert first.weights_digest == second.weights_digest


def test_input_size_scales_the_transform():
    assert build_untrained("resnet18").transform.resize == 256
    smaller = build_untrained("resnet18", input_size=112).transform
    assert (smaller.resize, smaller.crop, smaller.input_size) == (128, 112, 112)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_classifier_in_the_file_is_optional(suffix, randomised, tmp_path):
    network = randomised(unmodified("mnasnet0_5"))  # it refuses a state without a version, as safetensors writes
    whole = load_backbone("mnasnet0_5", weights=saved(network, tmp_path / "whole.pth"))
    headless = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("classifier")}
    path = tmp_path / f"headless{suffix}"
    save_file(headless, path) if suffix == ".safetensors" else torch.save(headless, path)
    cut = load_backbone("mnasnet0_5", weights=str(path))
    assert cut.weights_digest == whole.weights_digest
    assert cut.weights_name == path.name


@pytest.mark.slow
def test_densenets_old_names_are_read(randomised, tmp_path):
    network = randomised(unmodified("densenet121"))
    new = load_backbone("densenet121", weights=saved(network, tmp_path / "new.pth"))
    old_names = {re.sub(r"\.(norm|conv)([12])\.", r".\1.\2.", name): t for name, t in network.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old_names
    torch.save(old_names, tmp_path / "old.pth")
    assert load_backbone("densenet121", weights=str(tmp_path / "old.pth")).weights_digest == new.weights_digest


def test_file_of_another_network_is_refused(tmp_path):
    file = saved(models.squeezenet1_0(weights=None), tmp_path / "squeezenet1_0.pth")
    with pytest.raises(WeightsError, match=r"squeezenet1_1: squeezenet1_0\.pth: these weights do not fit: .*missing"):
        load_backbone("squeezenet1_1", weights=file)


@pytest.mark.parametrize("weights", ["IMAGENET1K_V3", "DEFAULT", "none", "random", ""])
def test_unknown_weights_list_the_valid_names(weights):
    with pytest.raises(WeightsError, match="Valid: IMAGENET1K_V1, IMAGENET1K_V2, default"):
        load_backbone("resnet50", weights=weights)


class TestVisionTransformers:
    """ViT-B/32, one layer deep: the position embeddings do not ask for more."""

    @pytest.fixture
    def file(self, randomised, tmp_path, monkeypatch):
        full = models.VisionTransformer

        def shallow(**options):
            return full(**{**options, "num_layers": 1})

        monkeypatch.setattr("torchvision.models.vision_transformer.VisionTransformer", shallow)

        def save(image_size: int) -> str:
            torch.manual_seed(0)
            network = models.vit_b_32(weights=None, image_size=image_size)
            return saved(randomised(network), tmp_path / f"{image_size}.pth")

        return save

    @pytest.mark.slow
    def test_default_size_is_that_of_the_position_embeddings(self, file):
        assert load_backbone("vit_b_32", weights=file(384)).transform.input_size == 384
        assert load_backbone("vit_b_32", weights=file(224)).transform.input_size == 224

    @pytest.mark.slow
    def test_position_embeddings_are_interpolated_to_the_input_size(self, file):
        path = file(224)
        own, larger = load_backbone("vit_b_32", weights=path), load_backbone("vit_b_32", weights=path, input_size=320)
        assert larger.module(images(320)).shape == (2, 768)
        assert larger.transform.input_size == 320
        before, after = own.module.encoder.pos_embedding, larger.module.encoder.pos_embedding
        assert (before.shape[1], after.shape[1]) == (1 + 7 * 7, 1 + 10 * 10)
        grid = after[0, 1:].reshape(10, 10, -1)
        corners = [before[0, i] for i in (0, 1, 7, 43, 49)]
        torch.testing.assert_close(after[0, 0], corners[0], msg="the class token stays")
        for corner, position in zip(corners[1:], (grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1]), strict=True):
            torch.testing.assert_close(position, corner, rtol=1e-4, atol=1e-5)

    def test_size_that_is_not_a_multiple_of_the_patch_is_refused(self, file):
        with pytest.raises(BackboneError, match="a multiple of 32 px, got input_size 300; the nearest is 288"):
            load_backbone("vit_b_32", weights=file(224), input_size=300)
