"""What networks were trained on, and where it is said."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from cellfeat.backbones.describe import describe_backbone
from cellfeat.backbones.registry import BACKBONES, training_images
from cellfeat.backbones.trained_on import IMAGENET, UNKNOWN, contamination_note, trained_on
from cellfeat.commands import cellfeat


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("IMAGENET1K_V2", IMAGENET),
        ("IMAGENET1K_SWAG_E2E_V1", "Instagram"),
        ("vit_small_patch14_dinov2.lvd142m", "LVD-142M"),
        ("timm:vit_base_patch14_reg4_dinov2.lvd142m", "LVD-142M"),
        ("timm:convnext_base.dinov3_lvd1689m", "LVD-1689M"),
        ("timm:vit_base_patch16_clip_224.openai", "WIT-400M"),
        ("timm:resnet50.a1_in1k", IMAGENET),
        ("vit_base_patch16_224.augreg_in21k_ft_in1k", "ImageNet-21k (photographs), then ImageNet-1k"),
        ("timm:resnet50", UNKNOWN),
        ("openai_in1k.pth", UNKNOWN),
        ("random", UNKNOWN),
    ],
)
def test_weights_say_what_they_were_trained_on(weights, expected):
    assert trained_on(weights).startswith(expected)


def test_every_entry_of_the_table_is_known():
    assert [name for name, entry in BACKBONES.items() if entry.trained_on == UNKNOWN] == []


def test_default_weights_are_those_of_the_entry_and_others_are_looked_up():
    assert training_images("vit_h_14", "default").startswith("Instagram")
    assert training_images("vit_h_14", "mine.pth") == UNKNOWN
    assert training_images("efficientnet_lite0", "efficientnet-lite0-57934424") == IMAGENET
    assert training_images("network_of_a_program", "default") == UNKNOWN


def test_list_and_description_say_it():
    # Through the group: on its own, a command would keep a help option without -h for the rest of the process.
    lines = CliRunner().invoke(cellfeat, ["list", "backbones"]).output.splitlines()
    assert any(line.startswith("resnet18 ") and line.endswith(f"trained on {IMAGENET}") for line in lines)
    assert f"trained on     {IMAGENET}" in str(describe_backbone("squeezenet1_1")).splitlines()


def test_note_names_the_network_and_the_images():
    entry = replace(BACKBONES["resnet18"], seen_cells="images of the Human Protein Atlas")
    note = contamination_note(entry.name, entry.seen_cells)
    assert note.startswith("note: resnet18 was trained on images of the Human Protein Atlas.")
