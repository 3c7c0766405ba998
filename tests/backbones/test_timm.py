import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config

from cellfeat.backbones import timm as timm_module
from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.registry import load_backbone
from cellfeat.backbones.weights import state_digest
from cellfeat.errors import BackboneError, MissingFileError, UnknownNameError, WeightsError
from tests.backbones.prepared import prepared

# timm's own miniatures, and a small network that widens its features before the classifier.
SMALL = [
    "test_byobnet",
    "test_convnext",
    "test_efficientnet",
    "test_maxvit",
    "test_nfnet",
    "test_resnet",
    "test_vit",
    "mobilenetv3_small_050",
]


def images(side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("name", SMALL)
def test_embedding_is_the_input_of_the_models_classifier(name, randomised, tmp_path):
    network = randomised(timm.create_model(name, pretrained=False))
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    loaded = load_backbone(f"timm:{name}", weights=str(tmp_path / "mine.safetensors"))
    x = images(loaded.transform.input_size)
    fed = []
    network.get_classifier().register_forward_pre_hook(lambda _part, inputs: fed.append(inputs[0]))
    network(x)
    embeddings = loaded.module(x)
    assert embeddings.shape == (2, loaded.embedding_dim)
    assert loaded.weights_name == "mine.safetensors"
    assert not embeddings.requires_grad
    assert state_digest(loaded.module) == loaded.weights_digest
    assert (embeddings[0] - embeddings[1]).abs().max() > 1e-3 * embeddings.abs().max(), "images differ, and it shows"
    torch.testing.assert_close(embeddings, fed[0].reshape(embeddings.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "mobilenetv3_small_050"])
@pytest.mark.parametrize("shape", [(160, 160), (300, 300), (200, 311), (311, 200)])
def test_float_image_equals_the_transform_of_timm(name, shape):
    config = resolve_model_data_config(timm.create_model(name))
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    transform = build_untrained(f"timm:{name}").transform
    got = prepared(transform, x[None])[0]
    torch.testing.assert_close(got, create_transform(**config)(x), rtol=0, atol=1e-6)


def test_squashed_images_equal_the_transform_of_timm(monkeypatch):
    config = resolve_model_data_config(timm.create_model("test_resnet")) | {"crop_mode": "squash"}
    monkeypatch.setattr(timm_module, "resolve_model_data_config", lambda module: config)
    x = torch.rand(3, 200, 311, generator=torch.Generator().manual_seed(0))
    transform = build_untrained("timm:test_resnet").transform
    got = prepared(transform, x[None])[0]
    torch.testing.assert_close(got, create_transform(**config)(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_mode": "border"}, "crop mode 'border'"),
        ({"input_size": (3, 1024, 768)}, "1024 x 768"),
        ({"input_size": (1, 64, 64)}, "1 channels"),
    ],
)
def test_unsupported_preprocessing_is_refused(monkeypatch, change, message):
    config = resolve_model_data_config(timm.create_model("test_resnet")) | change
    monkeypatch.setattr(timm_module, "resolve_model_data_config", lambda module: config)
    with pytest.raises(BackboneError, match=message):
        build_untrained("timm:test_resnet")


def test_model_of_fixed_size_refuses_other_sizes():
    with pytest.raises(BackboneError, match="timm:test_maxvit: accepts images of 160 px only, got input_size 96"):
        build_untrained("timm:test_maxvit", input_size=96)
    assert build_untrained("timm:test_resnet", input_size=96).transform.input_size == 96


def test_positions_of_a_transformer_are_interpolated_as_timm_does(randomised, tmp_path):
    network = randomised(timm.create_model("test_vit", pretrained=False))
    network.pos_embed.data.normal_(0, 1)
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    loaded = load_backbone("timm:test_vit", weights=str(tmp_path / "mine.safetensors"), input_size=96)
    network.set_input_size(img_size=(96, 96))
    assert loaded.transform.input_size == 96
    assert torch.equal(loaded.module.pos_embed, network.pos_embed)
    x = images(96)
    torch.testing.assert_close(loaded.module(x), network.forward_head(network.forward_features(x), pre_logits=True))


def test_size_that_is_not_a_whole_number_of_patches_is_refused():
    with pytest.raises(BackboneError, match=r"test_vit: .* multiple of 16 px, got input_size 100; the nearest is 96"):
        build_untrained("timm:test_vit", input_size=100)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5", "no model 'resnet5'; did you mean 'resnet50'"),
        ("resnet18.a9_in1k", "did you mean .*'resnet18.a1_in1k'"),
    ],
)
def test_unknown_model_lists_only_near_names(name, message):
    with pytest.raises(UnknownNameError, match=message) as error:
        load_backbone(f"timm:{name}")
    assert len(str(error.value)) < 500


def test_missing_network_names_the_weights_and_alternatives(offline, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"timm/test_vit\.r160_in1k, are unavailable .*--weights FILE.*lite0"):
        load_backbone("timm:test_vit")


def test_model_without_published_weights_is_reported():
    assert "seresnet18" not in {name.split(".")[0] for name in timm.list_models("seresnet18*", pretrained=True)}
    with pytest.raises(WeightsError, match=r"timm:seresnet18: .*are unavailable \(No pretrained weights exist"):
        load_backbone("timm:seresnet18")


def test_name_of_torchvision_weights_is_refused():
    with pytest.raises(WeightsError, match="'IMAGENET1K_V1'; expected default or a file"):
        load_backbone("timm:test_vit", weights="IMAGENET1K_V1")
    with pytest.raises(MissingFileError, match=r"nowhere\.pth"):
        load_backbone("timm:test_vit", weights="nowhere.pth")
