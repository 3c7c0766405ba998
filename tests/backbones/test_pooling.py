"""Embeddings from the middle of a network: the stages, their pooling, and the removal of later layers."""

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.pooling import StagePooled, StagesAndOutput, mean_and_deviation, pooled_by_stage
from cellfeat.backbones.registry import BACKBONES, find_backbone, load_backbone
from cellfeat.errors import BackboneError

SIDE = 64
SMALLEST = {
    "convnext": "convnext_tiny",
    "densenet": "densenet121",
    "efficientnet": "efficientnet_b0",
    "efficientnet_v2": "efficientnet_v2_s",
    "regnet": "regnet_y_400mf",
    "resnet": "resnet18",
    "efficientnet_lite": "efficientnet_lite0",
}
FAMILIES_WITH_STAGES = sorted({BACKBONES[name].family for name in BACKBONES if BACKBONES[name].stages})


def images(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def maps_of(network: nn.Module, names: tuple[str, ...]) -> list[torch.Tensor]:
    maps: list[torch.Tensor] = []
    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _part, _inputs, output: maps.append(output.clone()))
        for name in names
    ]
    with torch.inference_mode():
        network(images())
    for hook in hooks:
        hook.remove()
    return maps


def reference(maps: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([torch.cat([m.mean((2, 3)), m.std((2, 3), correction=0)], dim=1) for m in maps], dim=1)


@pytest.mark.parametrize("family", FAMILIES_WITH_STAGES)
def test_stages_are_at_strides_4_8_and_16(family):
    loaded = build_untrained(SMALLEST[family], pool="stages")
    maps = maps_of(loaded.module.network, loaded.module.stages)
    strides = [SIDE // one.shape[-1] for one in maps]
    assert sorted(set(strides)) == [4, 8, 16]
    assert strides == sorted(strides)
    assert loaded.embedding_dim == sum(2 * one.shape[1] for one in maps)


@pytest.mark.slow
@pytest.mark.parametrize("build", [models.convnext_tiny, models.resnet18, models.densenet121], ids=lambda f: f.__name__)
def test_embedding_is_mean_and_deviation_of_the_maps(build, randomised, tmp_path):
    network = randomised(build())
    file = tmp_path / "mine.pth"
    torch.save(network.state_dict(), file)
    name = build.__name__
    loaded = load_backbone(name, weights=str(file), pool="stages")
    with torch.inference_mode():
        got = loaded.module(images())
    expected = reference(maps_of(network, find_backbone(name).stages))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES_WITH_STAGES)
def test_stages_and_output_are_those_of_the_parts(family):
    whole, pooled = (build_untrained(SMALLEST[family], pool=pool) for pool in ("norm", "stages"))
    both = StagesAndOutput(whole.module, pooled.module.stages)
    with torch.inference_mode():
        expected = torch.cat([reference(maps_of(whole.module, pooled.module.stages)), whole.module(images())], dim=1)
        torch.testing.assert_close(both(images()), expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


@pytest.mark.slow
def test_later_layers_are_removed_and_the_digest_stays():
    whole, pooled = (build_untrained("resnet18", pool=pool) for pool in ("norm", "stages"))
    names = {name for name, _ in pooled.module.named_parameters()}
    assert any(name.startswith("network.layer3.") for name in names)
    assert not any(name.startswith("network.layer4.") for name in names)
    assert pooled_by_stage(find_backbone("resnet18"), whole).weights_digest == whole.weights_digest


def test_loaded_network_is_not_changed():
    whole = build_untrained("resnet18")
    pooled_by_stage(find_backbone("resnet18"), whole)
    with torch.inference_mode():
        assert whole.module(images()).shape == (2, 512)


def test_models_of_timm_name_their_stages(randomised):
    loaded = build_untrained("timm:test_resnet", pool="stages")
    stages = [
        stage["module"] for stage in timm.create_model("test_resnet").feature_info if 4 <= stage["reduction"] <= 16
    ]
    assert list(loaded.module.stages) == stages
    with torch.inference_mode():
        assert loaded.module(images()).shape == (2, loaded.embedding_dim)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "swin_t", "vit_b_32", "timm:test_vit", "timm:mvitv2_tiny"])
def test_network_without_stages_is_refused(name):
    with pytest.raises(BackboneError, match=r"pool.*use pool (auto or )?norm"):
        build_untrained(name, pool="stages")


@pytest.mark.slow
@pytest.mark.parametrize("name", [SMALLEST[family] for family in FAMILIES_WITH_STAGES] + ["timm:test_resnet"])
@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
def test_stages_are_outputs_of_the_graph_that_a_tracer_sees(name):
    module = build_untrained(name, pool="stages").module
    with torch.no_grad():
        traced = torch.jit.trace(module, images(), check_trace=False)
        torch.testing.assert_close(traced(images()), module(images()))
    assert not any(part._forward_hooks for part in module.modules())


def test_maps_are_pooled_before_a_later_layer_changes_them():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1))
    with torch.no_grad():
        got = StagePooled(network, ("0", "2"))(images())
        torch.testing.assert_close(got[:, :8], mean_and_deviation(network[0](images())))


def test_network_whose_code_branches_on_its_maps_is_refused():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            x = self.first(x)
            return self.second(x if x.mean() > 0 else -x)

    with pytest.raises(BackboneError, match=r"Branching.*second.*pool norm"):
        StagePooled(Branching(), ("first", "second"))


def test_constant_maps_have_no_deviation():
    for maps in (torch.full((2, 3, 4, 4), 7.0), torch.randn(2, 3, 1, 1)):
        pooled = mean_and_deviation(maps)
        assert pooled.shape == (2, 6)
        torch.testing.assert_close(pooled[:, :3], maps[:, :, 0, 0])
        assert (pooled[:, 3:] == 0).all()


def test_pooling_is_in_float32():
    network = nn.Sequential(nn.Conv2d(3, 4, 1)).to(torch.bfloat16)
    assert StagePooled(network, ("0",))(images().to(torch.bfloat16)).dtype == torch.float32
