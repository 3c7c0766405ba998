import pickle
import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from cellfeat.backbones.weights import (
    check_named_digest,
    is_weights_file,
    load_state,
    named_digest,
    read_state,
    state_digest,
)
from cellfeat.errors import MissingFileError, WeightsError


def small() -> nn.Sequential:
    return nn.Sequential(OrderedDict(stem=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4)))


# Digests


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.stem.weight.data[0, 0, 0, 0].add_(1e-3),
        lambda net: net.norm.running_mean.add_(1e-3),
        lambda net: net.double(),
        lambda net: setattr(net.stem, "weight", nn.Parameter(net.stem.weight.reshape(4, 3, 9, 1))),
        lambda net: setattr(net, "stem2", net._modules.pop("stem")),
    ],
    ids=["value", "buffer", "type", "shape", "name"],
)
def test_digest_changes_with(change):
    network = small()
    before = state_digest(network)
    change(network)
    assert state_digest(network) != before


def test_digest_does_not_depend_on_memory_layout_or_mode():
    network = small()
    before = state_digest(network)
    assert re.fullmatch("sha256:[0-9a-f]{64}", before)
    assert state_digest(network.to(memory_format=torch.channels_last).eval()) == before


# Files


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_state_dict_is_read(tmp_path, suffix):
    path, state = tmp_path / f"weights{suffix}", small().state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    read = read_state(path)
    assert list(read) == list(state) or suffix == ".safetensors"
    assert all(torch.equal(read[name], state[name]) for name in state)


class _Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, save):
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    save({"stem.weight": _Bomb(trace)}, path)
    with pytest.raises(WeightsError, match=r"weights\.pth: refused, because reading it would run code.*safetensors"):
        read_state(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04", b"\x80\x02}", bytes(1000)])
def test_file_that_is_not_weights_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"weights{suffix}: damaged"):
        read_state(path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_file_is_refused(tmp_path, suffix, kept):
    path, state = tmp_path / f"weights{suffix}", small().state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(WeightsError, match=f"weights{suffix}: damaged"):
        read_state(path)


def test_missing_file_is_named():
    with pytest.raises(MissingFileError, match=r"nowhere\.pth"):
        read_state(Path("nowhere.pth"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([torch.zeros(1)], "got list"),
        ({"epoch": 3, "state_dict": {"stem.weight": torch.zeros(1)}}, "other values under epoch, state_dict"),
        ({0: torch.zeros(1)}, "other values under 0"),
    ],
)
def test_checkpoint_without_a_state_dict_is_refused(tmp_path, value, message):
    torch.save(value, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=message):
        read_state(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("weights", "is_file"),
    [("default", False), ("IMAGENET1K_V1", False), ("a/b.pth", True), ("b.safetensors", True), ("c.bin", True)],
)
def test_names_and_files_are_distinguished(weights, is_file):
    assert is_weights_file(weights) == is_file


def test_existing_file_needs_no_suffix(tmp_path):
    (tmp_path / "weights").touch()
    assert is_weights_file(str(tmp_path / "weights"))


# Fitting


def test_every_mismatch_is_counted_and_named():
    state = small().state_dict()
    state["stem.weight"] = torch.zeros(4, 1, 3, 3)
    del state["norm.bias"]
    state["head.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as error:
        load_state(small(), state, source="mine.pth")
    message = str(error.value)
    assert message.startswith("mine.pth: these weights do not fit: ")
    assert "1 missing (norm.bias)" in message
    assert "1 not expected (head.weight)" in message
    assert "1 of another shape (stem.weight: expected (4, 3, 3, 3), got (4, 1, 3, 3))" in message


def test_at_most_ten_names_are_listed():
    state = {**small().state_dict(), **{f"layer{i}": torch.zeros(1) for i in range(12)}}
    with pytest.raises(WeightsError, match=r"12 not expected \(layer0, .*layer9 … and 2 more\)"):
        load_state(small(), state, source="mine.pth")


@pytest.mark.parametrize("wrapper", ["module.", "backbone.", "_orig_mod."])
def test_prefix_of_a_wrapper_is_recognised(wrapper):
    state = {f"{wrapper}{name}": tensor for name, tensor in small().state_dict().items()}
    with pytest.raises(WeightsError, match=f"Every name begins with '{re.escape(wrapper)}'"):
        load_state(small(), state, source="mine.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_that_is_not_finite_is_refused(value):
    state = small().state_dict()
    state["norm.weight"][1] = value
    with pytest.raises(WeightsError, match=r"NaN or infinity in 1 tensors .*norm\.weight"):
        load_state(small(), state, source="mine.pth")


def test_ignored_parts_are_optional():
    state = small().state_dict()
    load_state(small(), state, source="mine.pth", ignored=["head"])
    load_state(small(), {**state, "head.weight": torch.zeros(1)}, source="mine.pth", ignored=["head"])
    with pytest.raises(WeightsError, match=r"header\.weight"):
        load_state(small(), {**state, "header.weight": torch.zeros(1)}, source="mine.pth", ignored=["head"])


def test_batch_norms_without_a_batch_count_are_loaded():
    state = {name: tensor for name, tensor in small().state_dict().items() if "num_batches" not in name}
    network = small()
    load_state(network, state, source="old.pth")
    assert torch.equal(network.stem.weight, state["stem.weight"])


def test_half_precision_weights_become_float32():
    network = small()
    load_state(network, {name: tensor.half() for name, tensor in small().state_dict().items()}, source="half.pth")
    assert network.stem.weight.dtype == torch.float32


# Names that promise a digest


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("resnet18-f37072fd.pth", "f37072fd"),
        ("vit_b_16_swag-9ac1b537.pth", "9ac1b537"),
        ("mine.pth", None),
        ("a-b.pth", None),
    ],
)
def test_digest_in_a_name_is_found(name, digest):
    assert named_digest(name) == digest


def test_all_weights_of_torchvision_have_a_digest_in_their_name():
    names = models.list_models(module=models)
    urls = [record.url for name in names for record in models.get_model_weights(name)]
    assert len(urls) > 100
    assert [url for url in urls if named_digest(url.rsplit("/", 1)[-1]) is None] == []


def test_name_without_a_digest_is_not_checked(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"anything")
    check_named_digest(tmp_path / "mine.pth")
