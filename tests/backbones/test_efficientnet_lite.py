"""EfficientNet-Lite gives the embeddings of timm's networks, and starts without timm and torchvision."""

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch

from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.efficientnet_lite import LITES, EfficientNetLite, in_order_of, package_is_installed
from cellfeat.backbones.registry import BACKBONES, load_backbone
from cellfeat.backbones.weights import read_state, state_digest
from cellfeat.errors import WeightsError
from cellfeat.registry import import_attribute


def images(side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=LITES)
def name(request):
    return request.param


@pytest.fixture
def lite_file(name):
    if not package_is_installed(name):
        pytest.skip(f"the package with the weights of {name} is not installed")
    return import_attribute(LITES[name].file).get_model_file_path()


@pytest.fixture(scope="module", params=LITES)
def both(request, randomised):
    """The network of timm and our own, with the same weights."""
    theirs = randomised(timm.create_model(f"tf_{request.param}", num_classes=0))
    ours = EfficientNetLite(width=LITES[request.param].width, depth=LITES[request.param].depth).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.mark.parametrize("shape", [(224, 224), (96, 96), (61, 61), (33, 50)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_embeddings_have_the_bits_of_timm(both, shape, memory_format):
    theirs, ours = (network.to(memory_format=memory_format) for network in both)
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1)).to(memory_format=memory_format)
    with torch.inference_mode():
        assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("stage", range(7))
def test_stages_have_the_maps_of_timm(both, stage):
    maps = []
    hooks = [network.blocks[stage].register_forward_hook(lambda *parts: maps.append(parts[-1])) for network in both]
    with torch.inference_mode():
        for network in both:
            network(images(64))
    for hook in hooks:
        hook.remove()
    assert torch.equal(*maps)


def test_names_and_digest_are_those_of_timm(both):
    theirs, ours = both
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert state_digest(ours) == state_digest(theirs)


@pytest.mark.parametrize("module", ["timm", "torchvision", "torch._dynamo", "sympy"])
def test_loading_does_without_what_takes_seconds_to_import(module, modules_after_loading):
    assert module not in modules_after_loading


@pytest.fixture(scope="module")
def modules_after_loading():
    code = """
import sys
import cellfeat.extraction.run
from cellfeat.backbones.registry import load_backbone
load_backbone("efficientnet_lite0")
print(*sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "torch" in ran.stdout.split()
    return ran.stdout.split()


def test_tensors_are_in_the_order_of_timm(name, lite_file):
    theirs = read_state(Path(lite_file))
    ours = timm.create_model(f"tf_{name}").state_dict()
    kind = [(name.rsplit(".", 1)[-1], tensor.shape) for name, tensor in theirs.items()]
    assert kind == [(name.rsplit(".", 1)[-1], tensor.shape) for name, tensor in ours.items()]


def test_embedding_is_the_input_of_the_classifier(name, lite_file):
    network = timm.create_model(f"tf_{name}").eval()
    state = read_state(Path(lite_file))
    network.load_state_dict(dict(zip(network.state_dict(), state.values(), strict=True)))
    loaded, x = load_backbone(name), images(224)
    with torch.inference_mode():
        torch.testing.assert_close(network.classifier(loaded.module(x)), network(x))
    assert not loaded.module(x).requires_grad
    assert state_digest(loaded.module) == loaded.weights_digest


def test_preprocessing_is_that_of_timm(name):
    ours = build_untrained(name).transform
    theirs = timm.create_model(f"tf_{name}").pretrained_cfg
    assert ours.crop == ours.input_size == theirs["input_size"][-1]
    assert ours.resize == int(ours.crop / theirs["crop_pct"])
    assert (ours.interpolation, ours.mean, ours.std) == (theirs["interpolation"], theirs["mean"], theirs["std"])


def test_default_weights_can_be_given_by_name(name, lite_file):
    by_default = load_backbone(name)
    by_name = load_backbone(name, weights=BACKBONES[name].default_weights)
    assert (by_name.weights_digest, by_name.weights_name) == (by_default.weights_digest, by_default.weights_name)
    assert by_default.embedding_dim == BACKBONES[name].embedding_dim


def test_package_with_other_weights_is_refused(tmp_path, monkeypatch, name, lite_file):
    copy = tmp_path / Path(lite_file).name
    content = bytearray(Path(lite_file).read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(f"{LITES[name].file.replace(':', '.')}.get_model_file_path", lambda: str(copy))
    with pytest.raises(WeightsError, match=rf"expected {LITES[name].digest}.*{LITES[name].package}"):
        load_backbone(name)


def test_file_with_names_of_timm_is_loaded(tmp_path, randomised, name):
    network = randomised(timm.create_model(f"tf_{name}"))
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    loaded = load_backbone(name, weights=str(tmp_path / "mine.pth"))
    x = images(64)
    torch.testing.assert_close(network.classifier(loaded.module(x)), network(x), rtol=1e-4, atol=1e-4)


def test_file_of_another_size_is_refused(tmp_path):
    torch.save(timm.create_model("tf_efficientnet_lite2").state_dict(), tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match=r"efficientnet_lite1: mine.pth: these weights do not fit"):
        load_backbone("efficientnet_lite1", weights=str(tmp_path / "mine.pth"))


def test_file_with_another_number_of_tensors_is_refused():
    with pytest.raises(WeightsError, match="expected 4 tensors, got 3"):
        in_order_of(torch.nn.Linear(2, 2), {name: torch.zeros(1) for name in "abc"}, source="file.pth")


def test_renamed_checkpoint_of_the_package_is_recognised(tmp_path, name, lite_file):
    copy = tmp_path / "mine.pth"
    copy.write_bytes(Path(lite_file).read_bytes())
    from_copy = load_backbone(name, weights=str(copy))
    assert from_copy.weights_digest == load_backbone(name).weights_digest
