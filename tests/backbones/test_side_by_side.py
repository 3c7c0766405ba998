"""Names and weights of several networks side by side."""

import itertools
from dataclasses import replace

import pytest

from cellfeat.backbones.describe import describe_networks
from cellfeat.backbones.registry import BACKBONES
from cellfeat.backbones.side_by_side import (
    Weights,
    load_networks,
    name_of,
    parse_members,
    training_images,
    weights_by_name,
    weights_text,
)
from cellfeat.backbones.trained_on import IMAGENET, UNKNOWN
from cellfeat.errors import BackboneError, CellfeatError, UnknownNameError, WeightsError

PAIRS = list(itertools.pairwise(BACKBONES))


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_each_pair_of_the_table_is_read_in_order(pair: tuple[str, str]) -> None:
    assert [member.entry.name for member in parse_members("+".join(pair))] == list(pair)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_single_name_is_one_network(name: str) -> None:
    (member,) = parse_members(name)
    assert (member.entry, member.input_size) == (BACKBONES[name], None)


def test_a_member_may_have_a_size_and_come_from_timm() -> None:
    members = parse_members("resnet18@96+timm:vit_small_patch14_dinov2.lvd142m@112+resnet18@160")
    assert [(member.entry.name, member.input_size) for member in members] == [
        ("resnet18", 96),
        ("timm:vit_small_patch14_dinov2.lvd142m", 112),
        ("resnet18", 160),
    ]


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("resnet18+", BackboneError, "missing"),
        ("+resnet18", BackboneError, "missing"),
        ("resnet18++resnet50", BackboneError, "missing"),
        ("resnet18+resnet19", UnknownNameError, "resnet19"),
        ("resnet18+resnet18", BackboneError, r"resnet18.*twice"),
        ("resnet18@96+resnet50+resnet18@96", BackboneError, r"resnet18@96.*twice"),
        ("resnet18+vit_b_16@0", BackboneError, r"vit_b_16.*0"),
        ("resnet18@96@96", UnknownNameError, "resnet18@96"),
    ],
)
def test_wrong_names_are_refused(name: str, error: type[CellfeatError], told: str) -> None:
    with pytest.raises(error, match=told):
        parse_members(name)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("default", {"resnet18": "default", "resnet50": "default"}),
        ({"resnet50": "a.pth", "resnet18": "default"}, {"resnet18": "default", "resnet50": "a.pth"}),
    ],
)
def test_weights_are_those_of_each_network(weights: Weights, expected: dict[str, str]) -> None:
    assert weights_by_name(parse_members("resnet18+resnet50"), weights) == expected


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("mine.pth", r"mine\.pth.*resnet18=mine\.pth.*resnet50=default"),
        ({"resnet18": "mine.pth"}, r"resnet50.*resnet50=FILE"),
        ({"resnet18": "default", "resnet50": "default", "alexnet": "a.pth"}, "alexnet"),
    ],
)
def test_weights_that_lack_a_network_are_refused(weights: Weights, told: str) -> None:
    with pytest.raises(WeightsError, match=told):
        weights_by_name(parse_members("resnet18+resnet50"), weights)


def test_one_file_does_for_two_sizes_of_one_network() -> None:
    assert weights_by_name(parse_members("resnet18@96+resnet18@160"), "mine.pth") == {"resnet18": "mine.pth"}


def test_the_same_size_given_in_two_ways_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"efficientnet_lite0@64.*twice"):
        load_networks("efficientnet_lite0+efficientnet_lite0@64", input_size=64)


def test_a_network_that_lacks_the_pool_is_named() -> None:
    with pytest.raises(BackboneError, match=r"efficientnet_lite1.*blocks"):
        load_networks("efficientnet_lite1+timm:test_vit", pool="blocks")


@pytest.mark.slow
def test_sizes_are_in_the_name_only_where_they_differ() -> None:
    alike = load_networks("efficientnet_lite0@64+efficientnet_lite1@64")
    assert name_of(alike) == "efficientnet_lite0+efficientnet_lite1"
    # Their records publish 224 and 240 pixels.
    assert name_of(load_networks("efficientnet_lite0+efficientnet_lite1")) == (
        "efficientnet_lite0@224+efficientnet_lite1@240"
    )


def test_the_setting_of_the_size_is_for_networks_without_their_own() -> None:
    loaded = load_networks("efficientnet_lite0@64+efficientnet_lite1", input_size=96)
    assert [one.transform.input_size for one in loaded] == [64, 96]


def test_training_images_are_told_once_where_they_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert training_images("resnet18@96+resnet50", "default") == IMAGENET
    assert training_images("resnet18+resnet50", {"resnet18": "mine.pth", "resnet50": "IMAGENET1K_V1"}) == (
        f"resnet18: {UNKNOWN}; resnet50: {IMAGENET}"
    )
    entry = replace(BACKBONES["resnet18"], trained_on="images of yeast")
    monkeypatch.setattr(BACKBONES, "_entries", {**BACKBONES._entries, "resnet18": entry})
    assert training_images("resnet18+resnet50", "default").startswith("resnet18: images of yeast; resnet50: Image")


def test_training_images_of_unknown_names_are_unknown() -> None:
    assert training_images("theirs+ours@96", "default") == UNKNOWN


def test_weights_are_written_with_their_networks() -> None:
    assert weights_text({"resnet18": "a.pth", "resnet50": "default"}) == "resnet18=a.pth, resnet50=default"
    assert weights_text("IMAGENET1K_V1") == "IMAGENET1K_V1"


def test_each_network_is_described() -> None:
    described = describe_networks("squeezenet1_1@64+mobilenet_v3_small")
    assert [(one.name, one.transform.input_size) for one in described] == [
        ("squeezenet1_1", 64),
        ("mobilenet_v3_small", 224),
    ]
    assert described[0].trained_on == IMAGENET
