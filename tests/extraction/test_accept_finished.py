"""A finished feature file under the same command, other settings, other labels, and images that have changed."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest

from cellfeat.config import Settings
from cellfeat.errors import FingerprintError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features
from tests.extraction.observers import Lines

MakeSettings = Callable[..., Settings]


def swap_two_samples(images: Path) -> None:
    for channel in ("blue", "red", "yellow"):
        first, second = (images / f"{sample:05d}_{channel}.png" for sample in (1, 2))
        first_bytes = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(first_bytes)


def test_the_same_command_does_nothing(settings_for: MakeSettings, copy_of_finished: Path) -> None:
    before = (copy_of_finished.stat().st_mtime_ns, copy_of_finished.read_bytes())
    lines = Lines()
    assert extract(settings_for(), observer=lines).n_extracted == 0
    assert "finished already" in lines.lines[0]
    assert (copy_of_finished.stat().st_mtime_ns, copy_of_finished.read_bytes()) == before


@pytest.mark.slow
@pytest.mark.usefixtures("copy_of_finished")
def test_a_finished_file_is_recognised_without_torch(settings_for: MakeSettings) -> None:
    code = (
        "import sys; from cellfeat.config import Settings; from cellfeat.extraction.extract import extract\n"
        f"extract(Settings.model_validate_json({settings_for().model_dump_json()!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("copy_of_finished")
def test_other_settings_are_refused_with_the_difference(settings_for: MakeSettings) -> None:
    with pytest.raises(FingerprintError, match=r"recipe.views: 1 -> 4"):
        extract(settings_for(extraction__views=4))


@pytest.mark.slow
def test_pooling_by_stage_is_another_recipe_that_names_the_stages(settings_for: MakeSettings) -> None:
    features = load_features(extract(settings_for("resnet18", backbone__pool="stages")).path)
    assert features.recipe["backbone"]["stages"] == ["layer1", "layer2", "layer3"]
    assert features.embeddings.shape == (24, 1, 2 * (64 + 128 + 256))
    assert (features.embeddings.std(axis=0) > 0).mean() > 0.9, "a ReLU may silence a channel or two"
    with pytest.raises(FingerprintError, match=r"recipe.backbone.pool: stages -> norm"):
        extract(settings_for("resnet18", backbone__pool="norm"))


@pytest.mark.usefixtures("copy_of_finished")
def test_other_samples_are_refused(settings_for: MakeSettings, images: Path, cells: Path, tmp_path: Path) -> None:
    for path in images.iterdir():
        if int(path.name[:5]) > 20:
            path.unlink()
    pd.read_csv(cells / "labels.csv").head(20).to_csv(tmp_path / "fewer.csv", index=False)
    with pytest.raises(FingerprintError, match=r"samples: 24 -> 20.*20 ids in common.*--update"):
        extract(settings_for(labels__file=tmp_path / "fewer.csv", images__root=images))


@pytest.mark.usefixtures("copy_of_finished")
@pytest.mark.parametrize("update", [False, True])
def test_another_data_set_needs_another_output(
    update: bool, settings_for: MakeSettings, images: Path, tmp_path: Path
) -> None:
    """An update would leave nothing of the file: its advice would cost the user all features."""
    for path in images.iterdir():
        number, _, channel = path.name.partition("_")
        pixels = imagecodecs.png_decode(path.read_bytes())
        (images / f"{int(number) + 100:05d}_{channel}").write_bytes(imagecodecs.png_encode(255 - pixels))
        path.unlink()
    before = (tmp_path / "features.h5").read_bytes()
    with pytest.raises(FingerprintError, match="another --output") as raised:
        extract(settings_for(labels__file=None, images__root=images), update=update)
    assert "--update" not in str(raised.value)
    assert (tmp_path / "features.h5").read_bytes() == before


def test_changed_labels_and_groups_are_replaced_without_extracting(
    settings_for: MakeSettings, copy_of_finished: Path, cells: Path, tmp_path: Path
) -> None:
    before = load_features(copy_of_finished)
    labels = pd.read_csv(cells / "labels.csv").assign(donor=[f"d{i % 6}" for i in range(24)])
    labels.loc[0, "cell_line"] = "HeLa"
    labels.to_csv(tmp_path / "changed.csv", index=False)
    lines = Lines()
    settings = settings_for(labels__file=tmp_path / "changed.csv", labels__group="donor")
    assert extract(settings, observer=lines).n_extracted == 0
    assert "were replaced" in lines.lines[1]
    after = load_features(copy_of_finished)
    assert after.samples.labels[0] == "HeLa"
    assert after.samples.groups.tolist() == labels["donor"].tolist()
    np.testing.assert_array_equal(after.embeddings, before.embeddings)


@pytest.mark.usefixtures("copy_of_finished")
def test_images_that_changed_under_the_same_names_are_found(settings_for: MakeSettings, images: Path) -> None:
    swap_two_samples(images)
    with pytest.raises(FingerprintError, match=r"2 of its 24 samples have other pixels in .*: 1, 2"):
        extract(settings_for(images__root=images))


@pytest.mark.slow
def test_a_copy_of_the_weights_under_another_name_makes_the_same_features(
    finished: Callable[..., Path], settings_for: MakeSettings, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    features = load_features(finished())
    renamed = shutil.copy(checkpoint("mobilenet_v3_small"), tmp_path / "renamed.pth")
    other = extract(settings_for(backbone__weights=str(renamed)), expected_recipe=features.recipe)
    assert load_features(other.path).fingerprint == features.fingerprint


def test_an_unexpected_recipe_is_refused_before_the_first_forward(
    finished: Callable[..., Path], settings_for: MakeSettings, tmp_path: Path
) -> None:
    with pytest.raises(FingerprintError, match="views: 1 -> 4"):
        extract(settings_for(extraction__views=4), expected_recipe=load_features(finished()).recipe)
    assert not (tmp_path / "features.h5").exists()
