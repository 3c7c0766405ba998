import pytest
import torch
from PIL import Image
from torchvision import models

from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.transform import Transform
from cellfeat.config import PreprocessingSettings
from tests.backbones.prepared import prepared

RECORD = Transform(
    resize=232, crop=224, input_size=224, interpolation="bilinear", mean=(0.485, 0.456, 0.406), std=(0.2, 0.3, 0.4)
)
SHAPES = [(224, 224), (300, 300), (64, 64), (97, 301), (517, 260)]
# One of each pair of interpolation and ratio of resize to crop that torchvision's records have.
NETWORKS = ["squeezenet1_1", "convnext_tiny", "efficientnet_b0", "swin_t", "maxvit_t", "inception_v3"]


def images(shape: tuple[int, int], n: int = 1, n_channels: int = 3) -> torch.Tensor:
    return torch.rand(n, n_channels, *shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture(scope="module", params=NETWORKS)
def network_and_transform(request):
    return request.param, build_untrained(request.param).transform


@pytest.mark.parametrize("shape", SHAPES)
def test_float_image_equals_the_preset_of_the_weights(network_and_transform, shape):
    name, transform = network_and_transform
    preset = models.get_model_weights(name)["IMAGENET1K_V1"].transforms()
    x = images(shape)
    torch.testing.assert_close(prepared(transform, x), preset(x), rtol=0, atol=1e-6)


def test_eight_bit_image_equals_the_preset_up_to_rounding():
    pixels = torch.randint(0, 256, (3, 301, 257), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    preset = models.get_model_weights("convnext_tiny")["IMAGENET1K_V1"].transforms()
    transform = build_untrained("convnext_tiny").transform
    ours = prepared(transform, pixels[None].float() / 255)[0]
    one_level = 1 / 255 / 0.224
    assert (ours - preset(picture)).abs().max() <= one_level


@pytest.mark.parametrize("settings", [{}, {"crop": "none"}, {"interpolation": "bicubic"}, {"interpolation": "nearest"}])
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_gives_the_same_bits_as_single_images(settings, shape):
    transform = RECORD.adapted(PreprocessingSettings(**{"crop": None} | settings))
    batch = images(shape, n=3)
    together = prepared(transform, batch)
    one_by_one = torch.cat([prepared(transform, x[None]) for x in batch])
    assert torch.equal(together, one_by_one)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_channels", [1, 5])
@pytest.mark.parametrize("crop", ["center", "none"])
def test_any_number_of_channels_becomes_a_square(shape, n_channels, crop):
    transform = RECORD.adapted(PreprocessingSettings(crop=crop, input_size=96))
    assert transform.square(images(shape, n=2, n_channels=n_channels)).shape == (2, n_channels, 96, 96)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(300, 300), (100, 300), (300, 100), (1, 300)])
def test_rim_is_kept_without_a_crop(shape):
    transform = RECORD.adapted(PreprocessingSettings(crop="none", input_size=300))
    x = images(shape)
    square = transform.square(x)
    top, left = (300 - shape[0]) // 2, (300 - shape[1]) // 2
    kept = square[..., top : top + shape[0], left : left + shape[1]]
    torch.testing.assert_close(kept, x, rtol=0, atol=1e-6)
    assert square.sum().item() == pytest.approx(x.sum().item(), rel=1e-5), "the padding is black"


def test_central_crop_removes_the_rim():
    x = torch.zeros(1, 3, 232, 232)
    x[..., 0, :] = 1
    assert RECORD.square(x).max() == 0
    assert RECORD.adapted(PreprocessingSettings(crop="none")).square(x).max() > 0.5


@pytest.mark.parametrize(("input_size", "resize"), [(None, 232), (224, 232), (112, 116), (448, 464), (100, 104)])
def test_input_size_keeps_the_ratio_of_resize_to_crop(input_size, resize):
    wanted = PreprocessingSettings(input_size=input_size, crop=None)
    adapted = RECORD.adapted(wanted)
    assert adapted == RECORD.sized(input_size)
    assert (adapted.resize, adapted.crop) == (resize, input_size or 224)
    assert adapted.adapted(wanted) == adapted, "adapting twice is adapting once"


@pytest.mark.parametrize("name", ["convnext_tiny", "efficientnet_lite0", "timm:test_convnext"])
def test_loaded_networks_keep_the_published_crop(name):
    transform = build_untrained(name, input_size=64).transform
    assert transform.crop == 64
    assert transform.resize > 64


def test_published_crop_changes_nothing():
    assert RECORD.adapted(PreprocessingSettings(crop=None)) == RECORD
    assert RECORD.adapted(PreprocessingSettings(crop="center")) == RECORD


def test_given_settings_replace_the_published_ones():
    adapted = RECORD.adapted(PreprocessingSettings(crop=None, mean=(0, 0, 0), std=(1, 1, 1), interpolation="nearest"))
    x = images((224, 224))
    assert adapted.interpolation == "nearest"
    mean, std = adapted.moments(x.device)
    assert torch.equal((x - mean) / std, x)


def test_squashing_ignores_the_aspect():
    squashing = Transform(64, 64, 64, "bilinear", (0, 0, 0), (1, 1, 1), squash=True)
    left_half_white = torch.zeros(1, 1, 50, 200)
    left_half_white[..., :100] = 1
    square = squashing.square(left_half_white)
    assert square.shape == (1, 1, 64, 64)
    assert square[..., 0].min() == pytest.approx(1, abs=1e-6), "the left rim is still there"
    assert square[..., -1].max() == pytest.approx(0, abs=1e-6), "and so is the right one"


@pytest.mark.parametrize(
    "settings",
    [
        {"input_size": 96},
        {"crop": "none"},
        {"interpolation": "bicubic"},
        {"mean": (0, 0, 0)},
        {"std": (1, 1, 1)},
    ],
)
def test_record_contains_everything_that_affects_the_result(settings):
    assert RECORD.adapted(PreprocessingSettings(**settings)).record() != RECORD.record()
