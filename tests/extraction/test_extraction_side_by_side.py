"""Several networks side by side in one feature file: each one's columns are those of its own extraction."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cellfeat.backbones.registry import BACKBONES
from cellfeat.config import Settings
from cellfeat.errors import FingerprintError, WeightsError
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.forward.implementations import IMPLEMENTATIONS
from cellfeat.extraction.store import (
    Features,
    column_blocks,
    column_names,
    describe_summary,
    load_features,
    read_summary,
    recorded_networks,
)
from cellfeat.extraction.verification import check_sample, recorded_manifest
from tests.extraction.observers import Lines

MakeSettings = Callable[..., Settings]
Checkpoint = Callable[[str], Path]
PAIR = ("mobilenet_v3_small", "squeezenet1_1")
# Everything that differs between two networks: sizes, normalisation, pool, family.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "two networks": ("mobilenet_v3_small+resnet18", {"preprocessing.channels_as": "both", "extraction.views": 4}),
    "two sizes": ("mobilenet_v3_small@32+mobilenet_v3_small", {}),
    "other normalisation and size": ("resnet18+efficientnet_lite0@48", {}),
    "stages beside the classifier's input": ("resnet18+squeezenet1_1", {"backbone.pool": "auto"}),
    "stages": ("resnet18+convnext_tiny", {"backbone.pool": "stages", "preprocessing.channels_as": "both"}),
    "half precision": ("mobilenet_v3_small+resnet18", {"extraction.precision": "bf16"}),
}


@pytest.fixture
def extracted(settings_into: MakeSettings, checkpoint: Checkpoint, tmp_path: Path) -> Callable[..., Features]:
    """Extract the generated cells by the networks of a name, of random weights but for EfficientNet-Lite."""

    def make(name: str, folder: str, **overrides: Any) -> Features:
        return load_features(extract(settings_of(name, folder, **overrides)).path)

    def settings_of(name: str, folder: str, **overrides: Any) -> Settings:
        names = {one.partition("@")[0] for one in name.split("+")}
        weights = {one: "default" if "lite" in one else str(checkpoint(one)) for one in names}
        given = {"backbone__name": name, "backbone__weights": weights, "preprocessing__input_size": 40, **overrides}
        return settings_into(tmp_path / folder, "resnet18", **given)

    make.settings = settings_of  # type: ignore[attr-defined]
    return make


def by_pass(features: Features) -> np.ndarray:
    n_passes = len(features.recipe["passes"])
    return features.embeddings[:].reshape(len(features), features.embeddings.shape[1], n_passes, -1)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_columns_are_those_of_each_network_alone(case: str, extracted: Callable[..., Features]) -> None:
    name, options = CASES[case]
    options = {key.replace(".", "__"): value for key, value in options.items()}
    together = extracted(name, "together", **options)
    implementations = together.provenance["execution"]["implementation"].split("+")
    start = 0
    for number, one in enumerate(name.split("+")):
        alone = extracted(one, f"alone{number}", **options)
        assert alone.provenance["execution"]["implementation"] == implementations[number]
        expected = by_pass(alone)
        assert expected.std() > 1e-3, "the embeddings say something"
        np.testing.assert_array_equal(by_pass(together)[..., start : start + expected.shape[3]], expected)
        start += expected.shape[3]
    assert start == by_pass(together).shape[3]


@pytest.mark.slow
def test_blocks_and_names_of_columns_say_pass_and_network(extracted: Callable[..., Features]) -> None:
    features = extracted("+".join(PAIR), "f", preprocessing__channels_as="both")
    n_columns = features.embeddings.shape[2]
    blocks = column_blocks(features.recipe, n_columns)
    assert [(block.pass_name, block.network) for block in blocks] == [
        (one, network) for one in features.recipe["passes"] for network in PAIR
    ]
    assert [block.columns.start for block in blocks[1:]] == [block.columns.stop for block in blocks[:-1]]
    assert blocks[-1].columns.stop == n_columns
    names = column_names(features)
    assert len(set(names)) == n_columns
    for block in blocks:
        assert all(name.startswith(f"{block.pass_name}_{block.network}_") for name in names[block.columns])


@pytest.mark.slow
def test_record_has_weights_and_columns_of_each(extracted: Callable[..., Features], tmp_path: Path) -> None:
    features = extracted("mobilenet_v3_small@32+resnet18", "f")
    members = features.recipe["backbone"]["members"]
    assert [one["name"] for one in members] == ["mobilenet_v3_small", "resnet18"]
    assert len({one["weights_digest"] for one in members}) == 2
    assert [one.transform["input_size"] for one in recorded_networks(features.recipe)] == [32, 40]
    assert features.provenance["weights"] == {
        "mobilenet_v3_small": "mobilenet_v3_small.pth",
        "resnet18": "resnet18.pth",
    }
    described = describe_summary(read_summary(tmp_path / "f" / "features.h5"))
    assert "mobilenet_v3_small@32+resnet18@40, weights mobilenet_v3_small=mobilenet_v3_small.pth" in described
    dims = " + ".join(str(one["embedding_dim"]) for one in members).split(" + ")
    assert f"{dims[0]} of mobilenet_v3_small@32" in described
    assert f"{dims[1]} of resnet18@40" in described


@pytest.mark.slow
def test_finished_file_is_accepted_and_other_weights_are_refused(
    extracted: Callable[..., Features], tmp_path: Path, checkpoint: Checkpoint
) -> None:
    name = "+".join(PAIR)
    extracted(name, "f")
    before = (tmp_path / "f" / "features.h5").read_bytes()
    extracted(name, "f")
    assert (tmp_path / "f" / "features.h5").read_bytes() == before
    state = torch.load(checkpoint(PAIR[1]), weights_only=True)
    state["features.0.bias"] += 1
    torch.save(state, tmp_path / "other.pth")
    weights = {PAIR[0]: str(checkpoint(PAIR[0])), PAIR[1]: str(tmp_path / "other.pth")}
    with pytest.raises(FingerprintError, match="members"):
        extracted(name, "f", backbone__weights=weights)
    with pytest.raises(FingerprintError, match=r"backbone\.name"):
        extracted("+".join(reversed(PAIR)), "f")


@pytest.mark.slow
def test_interrupted_run_goes_on_to_the_same_bytes(
    extracted: Callable[..., Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = extracted("+".join(PAIR), "whole")
    embed, done = Embedder._embed, []

    def interrupted(self: Embedder, samples: Any) -> Any:
        done.append(len(samples))
        if sum(done) > 14:
            raise KeyboardInterrupt
        return embed(self, samples)

    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "_embed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extracted("+".join(PAIR), "resumed")
    resumed = extracted("+".join(PAIR), "resumed")
    assert 0 < resumed.provenance["times"]["n_extracted"] < 24
    np.testing.assert_array_equal(resumed.embeddings, expected.embeddings)
    assert resumed.fingerprint == expected.fingerprint


@pytest.mark.slow
def test_halved_batch_holds_for_both_networks(
    extracted: Callable[..., Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = extracted("+".join(PAIR), "whole")
    embed = Embedder._embed_chunk

    def hungry(self: Embedder, samples: Any) -> torch.Tensor:
        if len(samples) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return embed(self, samples)

    monkeypatch.setattr(Embedder, "_embed_chunk", hungry)
    features = extracted("+".join(PAIR), "halved")
    assert features.provenance["times"]["smallest_batch"] == 2
    np.testing.assert_allclose(features.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_rows_are_verified_and_new_images_extracted_by_the_recorded_recipe(
    extracted: Callable[..., Features], cells: Path, tmp_path: Path, checkpoint: Checkpoint
) -> None:
    features = extracted("+".join(PAIR), "f")
    path = tmp_path / "f" / "features.h5"
    check = check_sample(path, recorded_manifest(path), 4)
    assert check.differences.max() <= check.allowed
    moved = tmp_path / "moved.pth"
    moved.write_bytes(checkpoint(PAIR[1]).read_bytes())
    like = settings_like(
        features.provenance["settings"],
        features.recipe,
        images=cells / "images",
        output=tmp_path / "new.h5",
        weights={PAIR[1]: str(moved)},
    )
    again = load_features(extract(like, expected_recipe=features.recipe).path)
    np.testing.assert_array_equal(again.embeddings, features.embeddings)


def test_one_file_for_two_networks_is_refused(extracted: Callable[..., Features], checkpoint: Checkpoint) -> None:
    with pytest.raises(WeightsError, match=r"mobilenet_v3_small=.*squeezenet1_1=default"):
        extracted("+".join(PAIR), "f", backbone__weights=str(checkpoint(PAIR[0])))


@pytest.mark.slow
def test_each_network_that_has_seen_cells_is_told(
    extracted: Callable[..., Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {name: replace(BACKBONES[name], seen_cells=f"cells of {name}") for name in PAIR}
    monkeypatch.setattr(BACKBONES, "_entries", {**BACKBONES._entries, **seen})
    observer = Lines()
    extract(extracted.settings("+".join(PAIR), "f"), observer=observer)  # type: ignore[attr-defined]
    notes = [line for line in observer.lines if line.startswith("note: ")]
    assert [f"{name} was trained on cells of {name}" in note for name, note in zip(PAIR, notes, strict=True)] == [
        True,
        True,
    ]


@pytest.mark.slow
def test_each_network_takes_its_own_fastest_implementation(
    extracted: Callable[..., Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On so few samples no trial pays; here all are made, but for the compiler that takes half a minute.
    for name, one in list(IMPLEMENTATIONS.items()):
        monkeypatch.setitem(IMPLEMENTATIONS, name, replace(one, trial_share=1e3))
    monkeypatch.delitem(IMPLEMENTATIONS, "compiled")
    observer = Lines()
    extract(extracted.settings("+".join(PAIR), "f", extraction__batch_size=1), observer=observer)  # type: ignore[attr-defined]
    told = [line for line in observer.lines if line.startswith("precision of ")]
    assert [line.split(":")[0] for line in told] == [f"precision of {name}" for name in PAIR]
    features = extracted("+".join(PAIR), "f", extraction__batch_size=1)
    considered = features.provenance["execution"]["considered"]
    assert {(one["network"], one["implementation"]) for one in considered} >= {
        (PAIR[0], "openvino"),
        (PAIR[0], "folded"),
        (PAIR[1], "openvino"),
    }
    assert len(features.provenance["execution"]["implementation"].split("+")) == 2
