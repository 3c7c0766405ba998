"""A vision transformer pooled by its blocks, and the note of a network that has seen cells, in a whole extraction."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch

from cellfeat.backbones.registry import BACKBONES
from cellfeat.config import Settings
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features
from tests.extraction.observers import Lines


@pytest.mark.slow
def test_recipe_names_the_blocks(settings_for: Callable[..., Settings], tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pth")
    weights = str(tmp_path / "vit.pth")
    settings = settings_for(backbone__name="timm:test_vit", backbone__weights=weights, backbone__pool="blocks")
    features = load_features(extract(settings).path)
    assert features.recipe["backbone"]["pool"] == "blocks"
    assert features.recipe["backbone"]["blocks"] == [1, 2, 4, 5]
    assert features.embeddings.shape == (24, 1, 4 * 3 * 64)


def test_a_network_that_has_seen_cells_is_told(
    settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(BACKBONES["mobilenet_v3_small"], seen_cells="images of the Human Protein Atlas")
    monkeypatch.setattr("cellfeat.extraction.context.find_backbone", lambda _name: entry)
    observer = Lines()
    extract(settings_for(), observer=observer)
    notes = [line for line in observer.lines if line.startswith("note: ")]
    assert len(notes) == 1
    assert "mobilenet_v3_small was trained on images of the Human Protein Atlas" in notes[0]
