from dataclasses import replace

import pytest

from cellfeat.backbones.describe import build_untrained, describe_backbone, describe_loaded
from cellfeat.backbones.registry import BACKBONES
from cellfeat.errors import UnknownNameError

NAMES = ["convnext_tiny", "resnet18", "mobilenet_v3_small", "squeezenet1_1", "efficientnet_lite0", "timm:test_vit"]


@pytest.fixture(scope="module", params=NAMES)
def loaded(request):
    return build_untrained(request.param)


def test_stages_contain_every_parameter_and_end_in_the_embedding(loaded):
    described = describe_loaded(loaded)
    assert described.n_parameters == sum(parameter.numel() for parameter in loaded.module.parameters())
    own = sum(parameter.numel() for parameter in loaded.module.parameters(recurse=False))
    assert sum(stage.n_parameters for stage in described.stages) + own == described.n_parameters
    assert described.stages[-1].output_shape[:2] == (1, loaded.embedding_dim)


@pytest.mark.slow
def test_stages_of_a_convnext_are_described():
    stages = {stage.name: stage for stage in describe_backbone("convnext_tiny").stages}
    assert list(stages) == [*(f"features.{i}" for i in range(8)), "avgpool", "classifier"]
    assert stages["features.0"].output_shape == (1, 96, 56, 56)
    assert stages["features.7"].output_shape == (1, 768, 7, 7)
    assert stages["classifier"].output_shape == (1, 768)


@pytest.mark.slow
def test_description_is_a_table():
    text = str(describe_backbone("convnext_tiny"))
    lines = text.splitlines()
    assert lines[0] == "convnext_tiny (convnext), weights: IMAGENET1K_V1"
    header = next(line for line in lines if line.startswith("stage"))
    row = next(line for line in lines if line.startswith("features.7"))
    assert header.index("output") == row.index("768 × 7 × 7")
    assert "embedding      768 numbers" in lines
    assert "shorter side to 236 px, central 224 px, bilinear, mean 0.485 0.456 0.406, std 0.229 0.224 0.225" in text


def test_hooks_are_removed(loaded):
    describe_loaded(loaded)
    assert not any(part._forward_hooks for part in loaded.module.modules())


def test_unknown_name_is_refused():
    with pytest.raises(UnknownNameError, match="resnet18"):
        describe_backbone("resnet_18")


def test_entry_says_what_its_weights_were_trained_on(monkeypatch):
    entry = replace(BACKBONES["resnet18"], trained_on="images of yeast")
    monkeypatch.setattr(BACKBONES, "_entries", {**BACKBONES._entries, "resnet18": entry})
    assert describe_backbone("resnet18").trained_on == "images of yeast"
