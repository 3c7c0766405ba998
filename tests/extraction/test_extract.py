"""Extraction from settings to the published file: what is written, said and refused, and the settings of another."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch

from cellfeat.config import Settings
from cellfeat.errors import BackboneError, ConfigError, DeviceError, ImageError
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.store import PIXEL_SIZES, describe_summary, load_features, read_summary
from cellfeat.samples.manifest.build import build_manifest
from tests.extraction.observers import Lines, contents

MakeSettings = Callable[..., Settings]


@pytest.mark.slow
def test_the_file_holds_what_the_settings_ask_for(finished: Callable[..., Path]) -> None:
    features = load_features(finished(extraction__views=4, preprocessing__channels_as="both"))
    assert features.embeddings.shape == (24, 4, 4 * 1024)
    assert features.recipe["passes"] == ["planes", "blue", "red", "yellow"]
    assert features.samples.ids.tolist() == [str(i) for i in range(1, 25)]
    assert features.samples.labels.tolist()[:4] == ["A549", "U-2 OS", "HeLa", "A549"]
    assert features.recipe["precision"] == "fp32"
    assert features.provenance["settings"]["extraction"]["views"] == 4
    assert features.provenance["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_provenance_and_recipe_have_their_keys(finished: Callable[..., Path]) -> None:
    features = load_features(finished())
    assert set(features.recipe) == {
        "backbone", "transform", "channels", "channels_as", "passes", "intensity", "views", "precision",
    }  # fmt: skip
    origin = features.provenance
    assert set(origin) == {
        "request", "settings", "weights", "execution", "device", "versions", "machines", "bits", "canary", "times",
    }  # fmt: skip
    assert set(origin["request"]) == {
        "intensity", "max_pixels", "preprocessing", "backbone", "weights_file", "views", "precision", "samples",
    }  # fmt: skip
    assert set(origin["execution"]) == {"device", "implementation", "batch_size", "considered", "skipped"}
    assert set(origin["times"]) == {"started", "finished", "n_extracted", "smallest_batch", "seconds"}
    assert set(origin["times"]["seconds"]) == {"decode", "waiting", "transfer", "forward", "write", "wall"}


def test_stated_pixel_sizes_are_in_the_provenance_and_not_in_the_recipe(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    (tmp_path / "sized").mkdir()
    for number, file in enumerate(sorted((cells / "images").glob("*.png"))):
        size = 0.325 if number < 3 * 20 else 0.65
        notes = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size}
        pixels = imagecodecs.imread(file)
        tifffile.imwrite(tmp_path / "sized" / f"{file.stem}.tif", pixels, ome=True, metadata=notes)
    pattern = "{sample_id:05d}_{channel}.tif"
    settings = settings_for(images__root=tmp_path / "sized", images__pattern=pattern)
    features = load_features(extract(settings, observer=Lines()).path)
    assert features.provenance[PIXEL_SIZES] == [[0.325, 20], [0.65, 4]]
    assert PIXEL_SIZES not in features.provenance["execution"]
    assert "pixel size   0.325 (20), 0.65 (4) micrometres" in describe_summary(read_summary(features.path))
    again = settings_for(images__root=tmp_path / "sized", images__pattern=pattern, labels__unmatched="ignore")
    for file in (tmp_path / "sized").glob("0002[1-4]_*"):
        file.unlink()
    assert load_features(extract(again, observer=Lines(), update=True).path).provenance[PIXEL_SIZES] == [[0.325, 20]]


@pytest.mark.slow
def test_reading_in_place_gives_the_same_bytes_as_processes(finished: Callable[..., Path]) -> None:
    assert contents(finished(extraction__workers=2)) == contents(finished(extraction__workers=0))


def test_the_device_is_said_first_and_the_closing_lines_say_where_the_time_went(
    settings_for: MakeSettings, tmp_path: Path
) -> None:
    lines = Lines()
    settings = settings_for(extraction__profile=True, extraction__trace=tmp_path / "trace.json")
    features = load_features(extract(settings, observer=lines).path)
    assert lines.lines[0].startswith("device: cpu (")
    assert any("24 samples, 0 failed" in line and "samples/s" in line for line in lines.lines)
    assert lines.progress[0] == (0, 24)
    assert lines.progress[-1] == (24, 24)
    assert any(line.startswith("share of the time: waiting ") and "start and end" in line for line in lines.lines)
    assert any(line.split()[:1] == ["forward"] and "%" in line for line in lines.lines), "the table of --profile"
    seconds = features.provenance["times"]["seconds"]
    assert 0 < seconds["forward"] < seconds["wall"]
    names = [event["name"] for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]]
    assert names.count("decode") == 24
    assert names.count("write") == 3


def test_files_that_the_manifest_leaves_out_are_named(settings_for: MakeSettings, images: Path) -> None:
    (images / "overview.png").touch()
    observer = Lines()
    extract(settings_for(images__root=images), observer=observer)
    assert any("1 of" in line and "overview.png" in line for line in observer.lines)


def test_class_with_fewer_samples_than_folds_is_extracted_with_a_remark(settings_for: MakeSettings) -> None:
    said = Lines()
    extraction = extract(settings_for(comparison__folds=9), observer=said)
    assert extraction.n_failed == 0
    assert any("9 folds" in line and "A549 (8)" in line for line in said.lines)


@pytest.fixture
def no_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong must be found before a backbone is loaded, which may download its weights."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a backbone was loaded")

    monkeypatch.setattr("cellfeat.extraction.context.load_networks", refuse)


@pytest.mark.usefixtures("no_backbone")
@pytest.mark.parametrize("on_error", ["stop", "quarantine"])
def test_channels_that_do_not_fit_are_found_before_the_backbone_is_loaded(
    on_error: str, settings_for: MakeSettings, cells: Path
) -> None:
    settings = settings_for(
        images__pattern="{sample_id:05d}_blue.png", images__channels=[0, 1, 2], extraction__on_error=on_error
    )
    with pytest.raises(ImageError, match=r"00001_blue\.png: .*images\.channels=\[0\]") as raised:
        extract(settings)
    assert "quarantine" not in str(raised.value)  # no sample would be left
    assert not settings.extraction.output.exists()


@pytest.mark.usefixtures("no_backbone")
def test_unreadable_first_sample_is_found_before_the_backbone_is_loaded(
    settings_for: MakeSettings, images: Path
) -> None:
    (images / "00001_red.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"sample 1 \(row 0\): .*00001_red\.png: .*--on-error quarantine"):
        extract(settings_for(images__root=images))


def test_unreadable_first_sample_is_quarantined(settings_for: MakeSettings, images: Path) -> None:
    (images / "00001_red.png").write_bytes(b"")
    assert extract(settings_for(images__root=images, extraction__on_error="quarantine")).n_failed == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has cuda")
def test_an_unavailable_device_is_refused(settings_for: MakeSettings) -> None:
    with pytest.raises(DeviceError, match=r"--device: 'cuda'.*auto"):
        extract(settings_for(extraction__device="cuda"))


def test_two_channels_need_separate_and_nothing_is_written(
    settings_for: MakeSettings, tmp_path: Path, images: Path
) -> None:
    for path in images.glob("*_yellow.png"):
        path.unlink()
    with pytest.raises(BackboneError, match="channels_as=separate"):
        extract(settings_for(images__root=images, images__channels=["blue", "red"]))
    assert not (tmp_path / "features.h5").exists()


@pytest.mark.slow
def test_settings_like_repeat_the_recipe_on_other_images(
    finished: Callable[..., Path], cells: Path, tmp_path: Path
) -> None:
    features = load_features(finished(images__intensity={"percentile": [1, 99], "over": "dataset"}))
    few = tmp_path / "few"
    few.mkdir()
    for path in (cells / "images").glob("0000[1-6]_*.png"):
        shutil.copy(path, few)
    other = settings_like(features.provenance["settings"], features.recipe, images=few, output=tmp_path / "o.h5")
    again = load_features(extract(other, expected_recipe=features.recipe).path)
    assert again.fingerprint == features.fingerprint
    np.testing.assert_array_equal(again.embeddings, features.embeddings[:6])
    assert set(again.samples.labels) == {""}


@pytest.mark.parametrize(
    ("table", "label"),
    [("file_id\n3\n1\n", ""), ("file_id,path\n3,x\n1,y\n", ""), ("file_id,cell_line\n3,seen\n1,seen\n", "seen")],
    ids=["ids alone", "ids and files", "with labels"],
)
def test_settings_like_take_the_samples_of_a_table_that_needs_no_labels(
    settings_for: MakeSettings, cells: Path, tmp_path: Path, table: str, label: str
) -> None:
    record = settings_for(labels__group="donor").record()
    recipe = {"intensity": record["images"]["intensity"], "precision": "fp32"}
    (tmp_path / "test.csv").write_text(table)
    other = settings_like(
        record, recipe, images=cells / "images", output=tmp_path / "o.h5", labels=tmp_path / "test.csv"
    )
    manifest = build_manifest(other.images, other.labels)
    assert manifest.table["sample_id"].tolist() == ["3", "1"]
    assert set(manifest.table["label"]) == {label}
    assert set(manifest.table["group"]) == {""}


def test_path_in_the_place_of_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"got str.*load_settings"):
        extract("cellfeat.yaml")  # type: ignore[arg-type]
