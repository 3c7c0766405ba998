"""Extraction from settings to the published file, with real networks on generated images."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import torch
from torchvision import models

from cellfeat.backbones.registry import load_backbone
from cellfeat.backbones.weights import state_digest
from cellfeat.config import Settings
from cellfeat.errors import BackboneError, DeviceError, FingerprintError, ImageError, ManifestError
from cellfeat.extraction.device import fast_precisions_of
from cellfeat.extraction.embedder import Embedder, Inputs
from cellfeat.extraction.extract import extract, settings_like
from cellfeat.extraction.implementations import IMPLEMENTATIONS, Plan, plans_for
from cellfeat.extraction.passes import Pass, make_passes
from cellfeat.extraction.pipeline import Decoded
from cellfeat.extraction.precision import build_embedder
from cellfeat.extraction.store import Features, load_features, parts_folder
from cellfeat.extraction.tolerances import MIN_COSINE
from cellfeat.samples.manifest import build_manifest

MakeSettings = Callable[..., Settings]


class Lines:
    """Keeps what an extraction says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[int, int]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, n_done: int, n_samples: int) -> None:
        self.progress.append((n_done, n_samples))


def extracted(settings: Settings) -> Features:
    return load_features(extract(settings).path)


def copy_images(cells: Path, folder: Path) -> Path:
    images = folder / "images"
    images.mkdir()
    for path in (cells / "images").iterdir():
        (images / path.name).write_bytes(path.read_bytes())
    return images


def read_planes(images: Path, sample: int) -> torch.Tensor:
    planes = [imagecodecs.imread(images / f"{sample:05d}_{channel}.png") for channel in ("blue", "red", "yellow")]
    return torch.from_numpy(np.stack(planes))


GOLDEN = ("mobilenet_v3_small", "resnet18", "convnext_tiny", "swin_t")


@pytest.mark.parametrize("name", GOLDEN)
def test_the_unmodified_networks_logits_are_its_own_last_linear_applied_to_our_embeddings(
    name: str, settings_for: MakeSettings, cells: Path, checkpoint: Callable[[str], Path]
) -> None:
    features = extracted(settings_for(name, preprocessing__crop=None, preprocessing__input_size=None))
    network = models.get_model(name)
    network.load_state_dict(torch.load(checkpoint(name), weights_only=True))
    preset = models.get_model_weights(name).IMAGENET1K_V1.transforms()
    linear = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.inference_mode():
        images = [preset(read_planes(cells / "images", int(i)).float() / 255) for i in features.samples.ids[:5]]
        logits = network.eval()(torch.stack(images))
        ours = linear(torch.from_numpy(features.embeddings[:5, 0]))
    assert logits.std() > 1e-3
    torch.testing.assert_close(ours, logits, rtol=1e-4, atol=1e-4 * logits.abs().max().item())


def test_what_is_written_is_what_the_settings_say(settings_for: MakeSettings) -> None:
    features = extracted(settings_for(extraction__views=4, preprocessing__channels_as="both"))
    assert features.embeddings.shape == (24, 4, 4 * 1024)
    assert features.passes == ("planes", "blue", "red", "yellow")
    assert features.samples.ids.tolist() == [str(i) for i in range(1, 25)]
    assert features.samples.labels.tolist()[:4] == ["A549", "U-2 OS", "HeLa", "A549"]
    assert features.recipe["precision"] == "fp32"
    assert features.provenance["settings"]["extraction"]["views"] == 4
    assert features.provenance["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_both_is_planes_and_separate_side_by_side(settings_for: MakeSettings, tmp_path: Path) -> None:
    by_mode = {
        mode: extracted(
            settings_for(preprocessing__channels_as=mode, extraction__output=tmp_path / f"{mode}.h5")
        ).embeddings
        for mode in ("planes", "separate", "both")
    }
    joined = np.concatenate([by_mode["planes"], by_mode["separate"]], axis=2)
    np.testing.assert_array_equal(by_mode["both"], joined)


def test_a_separate_pass_is_the_channel_alone_repeated(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    features = extracted(settings_for(preprocessing__channels_as="separate"))
    grey = tmp_path / "grey"
    grey.mkdir()
    for path in (cells / "images").glob("*_red.png"):
        (grey / path.name).write_bytes(path.read_bytes())
    alone = extracted(settings_for(images__root=grey, images__channels=["red"], extraction__output=tmp_path / "red.h5"))
    np.testing.assert_array_equal(features.embeddings[:, :, 1024:2048], alone.embeddings)


def test_view_zero_is_the_untouched_image(settings_for: MakeSettings, tmp_path: Path) -> None:
    one = extracted(settings_for())
    eight = extracted(settings_for(extraction__views=8, extraction__output=tmp_path / "eight.h5"))
    np.testing.assert_array_equal(eight.embeddings[:, 0], one.embeddings[:, 0])


def test_each_view_is_the_embedding_of_the_turned_files(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    eight = extracted(settings_for(extraction__views=8))
    turned = tmp_path / "turned"
    turned.mkdir()
    for path in (cells / "images").iterdir():
        image = np.rot90(imagecodecs.imread(path)[:, ::-1], 2)
        (turned / path.name).write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image)))
    features = extracted(settings_for(images__root=turned, extraction__output=tmp_path / "turned.h5"))
    np.testing.assert_allclose(eight.embeddings[:, 6], features.embeddings[:, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "precision"),
    [*itertools.product(["mobilenet_v3_small", "convnext_tiny"], ["fp32", "bf16"]), ("convnext_tiny", "int8")],
)
def test_an_embedding_has_the_same_bits_at_any_place_in_any_batch(
    name: str,
    precision: str,
    settings_for: MakeSettings,
    cells: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if precision == "int8":
        request.getfixturevalue("bf16_kernels")
    labels = pd.read_csv(cells / "labels.csv")
    shuffled = labels.sample(frac=1, random_state=7)
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False)
    in_order = extracted(settings_for(name, extraction__precision=precision))
    permuted = extracted(
        settings_for(
            name,
            extraction__precision=precision,
            labels__file=tmp_path / "shuffled.csv",
            extraction__output=tmp_path / "shuffled.h5",
        )
    )
    np.testing.assert_array_equal(in_order.embeddings[shuffled.index], permuted.embeddings)
    np.testing.assert_array_equal(in_order.samples.labels[shuffled.index], permuted.samples.labels)


@pytest.mark.parametrize("batch_size", [1, 7, 24])
def test_the_batch_size_changes_rounding_alone(batch_size: int, settings_for: MakeSettings, tmp_path: Path) -> None:
    expected = extracted(settings_for("convnext_tiny")).embeddings
    other = settings_for(
        "convnext_tiny",
        extraction__batch_size=batch_size,
        extraction__part_size=24,
        extraction__output=tmp_path / "other.h5",
    )
    difference = np.abs(extracted(other).embeddings - expected).max() / np.abs(expected).max()
    assert difference < 1e-5


def test_the_same_command_on_a_finished_file_does_nothing(settings_for: MakeSettings) -> None:
    settings = settings_for()
    path = extract(settings).path
    before = (path.stat().st_mtime_ns, path.read_bytes())
    lines = Lines()
    again = extract(settings, observer=lines)
    assert again.n_extracted == 0
    assert "finished already" in lines.lines[0]
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_a_finished_file_is_recognised_without_torch(settings_for: MakeSettings) -> None:
    settings = settings_for()
    extract(settings)
    code = (
        "import sys; from cellfeat.config import Settings; from cellfeat.extraction.extract import extract\n"
        f"extract(Settings.model_validate_json({settings.model_dump_json()!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_settings_are_refused_with_the_difference(settings_for: MakeSettings) -> None:
    extract(settings_for())
    with pytest.raises(FingerprintError, match=r"recipe.views: 1 -> 4"):
        extract(settings_for(extraction__views=4))


def test_pooling_by_stage_is_another_recipe_that_names_the_stages(settings_for: MakeSettings) -> None:
    features = extracted(settings_for("resnet18", backbone__pool="stages"))
    assert features.recipe["backbone"]["stages"] == ["layer1", "layer2", "layer3"]
    assert features.embeddings.shape == (24, 1, 2 * (64 + 128 + 256))
    assert (features.embeddings.std(axis=0) > 0).mean() > 0.9, "a ReLU may silence a channel or two"
    with pytest.raises(FingerprintError, match=r"recipe.backbone.pool: stages -> norm"):
        extract(settings_for("resnet18"))


def test_other_samples_are_refused(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    extract(settings_for())
    pd.read_csv(cells / "labels.csv").head(20).to_csv(tmp_path / "fewer.csv", index=False)
    with pytest.raises(FingerprintError, match="n_samples: 24 -> 20"):
        extract(settings_for(labels__file=tmp_path / "fewer.csv", images__root=_subset(cells, tmp_path, 20)))


def _subset(cells: Path, folder: Path, n: int) -> Path:
    images = folder / "subset"
    images.mkdir()
    for path in (cells / "images").iterdir():
        if int(path.name[:5]) <= n:
            (images / path.name).write_bytes(path.read_bytes())
    return images


def test_a_class_with_fewer_samples_than_folds_is_told_before_any_work(
    settings_for: MakeSettings, tmp_path: Path
) -> None:
    with pytest.raises(ManifestError, match=r"fewer samples than 9 folds: A549 \(8\)"):
        extract(settings_for(comparison__folds=9))
    assert not parts_folder(tmp_path / "features.h5").exists()


def test_changed_labels_and_groups_are_taken_over_without_extracting(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    before = extracted(settings_for())
    labels = pd.read_csv(cells / "labels.csv").assign(donor=[f"d{i % 6}" for i in range(24)])
    labels.loc[0, "cell_line"] = "HeLa"
    labels.to_csv(tmp_path / "changed.csv", index=False)
    lines = Lines()
    settings = settings_for(labels__file=tmp_path / "changed.csv", labels__group="donor")
    assert extract(settings, observer=lines).n_extracted == 0
    assert "were replaced" in lines.lines[1]
    after = load_features(settings.extraction.output)
    assert after.samples.labels[0] == "HeLa"
    assert after.samples.groups.tolist() == labels["donor"].tolist()
    np.testing.assert_array_equal(after.embeddings, before.embeddings)


def swap_two_samples(images: Path) -> None:
    for channel in ("blue", "red", "yellow"):
        first, second = (images / f"{sample:05d}_{channel}.png" for sample in (1, 2))
        first_bytes = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(first_bytes)


def test_images_that_changed_under_the_same_names_are_found_in_a_finished_file(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    images = copy_images(cells, tmp_path)
    extract(settings_for(images__root=images))
    swap_two_samples(images)
    with pytest.raises(FingerprintError, match=r"2 of its 24 samples have other pixels in .*: 1, 2"):
        extract(settings_for(images__root=images))


def test_images_that_changed_in_a_finished_part_are_extracted_again(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    images = copy_images(cells, tmp_path)
    good = (images / "00020_red.png").read_bytes()
    (images / "00020_red.png").write_bytes(b"")
    with pytest.raises(ImageError):
        extract(settings_for(images__root=images))
    (images / "00020_red.png").write_bytes(good)
    swap_two_samples(images)
    resumed = load_features(extract(settings_for(images__root=images)).path)
    fresh = extracted(settings_for(images__root=images, extraction__output=tmp_path / "fresh.h5"))
    np.testing.assert_array_equal(resumed.embeddings, fresh.embeddings)


def test_when_no_sample_can_be_read_nothing_is_written(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    images = copy_images(cells, tmp_path)
    for path in images.glob("*_red.png"):
        path.write_bytes(b"")
    with pytest.raises(ImageError, match="not one of 24 samples could be read"):
        extract(settings_for(images__root=images, extraction__on_error="quarantine"))
    assert not (tmp_path / "features.h5").exists()


def damage(images: Path) -> None:
    (images / "00003_red.png").write_bytes(b"not an image")
    path = images / "00010_blue.png"
    path.write_bytes(path.read_bytes()[:60])


def test_an_unreadable_image_stops_the_run_and_names_the_sample(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    images = copy_images(cells, tmp_path)
    (images / "00020_red.png").write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"sample 20 \(row 19\).*00020_red\.png.*--on-error quarantine"):
        extract(settings_for(images__root=images))
    finished = list(parts_folder(tmp_path / "features.h5").glob("rows-*.h5"))
    assert len(finished) == 2, "the parts before the bad image are kept"


def test_a_mended_image_lets_the_run_go_on(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    images = copy_images(cells, tmp_path)
    good = (images / "00020_red.png").read_bytes()
    (images / "00020_red.png").write_bytes(b"")
    with pytest.raises(ImageError):
        extract(settings_for(images__root=images))
    (images / "00020_red.png").write_bytes(good)
    lines = Lines()
    extraction = extract(settings_for(images__root=images), observer=lines)
    assert extraction.n_extracted == 8
    assert any("16 samples are done" in line for line in lines.lines)


PLANS = [("fp32", "fused"), ("bf16", "fused"), ("int8", "quantised")]


@pytest.mark.parametrize(("precision", "implementation"), PLANS)
def test_a_resumed_run_ends_with_the_same_bits_in_every_precision(
    precision: str,
    implementation: str,
    settings_for: MakeSettings,
    cells: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    if precision != "fp32":
        request.getfixturevalue("bf16_kernels")
    images = copy_images(cells, tmp_path)
    wanted = {"extraction__precision": precision, "images__root": images}
    undisturbed = extracted(settings_for("convnext_tiny", **wanted, extraction__output=tmp_path / "whole.h5"))
    good = (images / "00020_red.png").read_bytes()
    (images / "00020_red.png").write_bytes(b"")
    with pytest.raises(ImageError):
        extract(settings_for("convnext_tiny", **wanted))
    (images / "00020_red.png").write_bytes(good)
    # Whatever would be chosen today, an unfinished run goes on as it began.
    resumed = extracted(settings_for("convnext_tiny", **wanted | {"extraction__precision": "auto"}))
    assert resumed.provenance["times"]["n_extracted"] == 8
    assert resumed.recipe["precision"] == precision
    assert resumed.provenance["execution"]["implementation"] == implementation
    np.testing.assert_array_equal(resumed.embeddings, undisturbed.embeddings)


@pytest.mark.slow
def test_a_compiled_run_resumes_with_the_same_bits(
    settings_for: MakeSettings, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellfeat.extraction.precision.plans_for", lambda *_: [Plan("fp32", "compiled")])
    images = copy_images(cells, tmp_path)
    undisturbed = extracted(settings_for(images__root=images, extraction__output=tmp_path / "whole.h5"))
    good = (images / "00020_red.png").read_bytes()
    (images / "00020_red.png").write_bytes(b"")
    with pytest.raises(ImageError):
        extract(settings_for(images__root=images))
    (images / "00020_red.png").write_bytes(good)
    resumed = extracted(settings_for(images__root=images))
    assert resumed.provenance["execution"]["implementation"] == "compiled"
    np.testing.assert_array_equal(resumed.embeddings, undisturbed.embeddings)


def test_an_unfinished_run_whose_implementation_is_not_to_be_had_says_so(
    settings_for: MakeSettings, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = copy_images(cells, tmp_path)
    (images / "00020_red.png").write_bytes(b"")
    with pytest.raises(ImageError):
        extract(settings_for("convnext_tiny", images__root=images))
    # Not deleted: it would come back as the last of the table, and its order is what other tests look at.
    monkeypatch.setitem(IMPLEMENTATIONS, "fused", replace(IMPLEMENTATIONS["fused"], families=()))
    with pytest.raises(BackboneError, match=r"unfinished run that computes as 'fp32 fused', which cannot be had here"):
        extract(settings_for("convnext_tiny", images__root=images))


def test_quarantine_keeps_every_good_sample_and_names_the_bad(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    whole = extracted(settings_for(extraction__output=tmp_path / "whole.h5"))
    images = copy_images(cells, tmp_path)
    damage(images)
    lines = Lines()
    extraction = extract(settings_for(images__root=images, extraction__on_error="quarantine"), observer=lines)
    features = load_features(extraction.path)
    bad = [2, 9]
    good = [row for row in range(24) if row not in bad]
    assert extraction.n_failed == 2
    assert sorted(features.samples.failures) == bad
    assert "00003_red.png" in features.samples.failures[2]
    assert np.isnan(features.embeddings[bad]).all()
    np.testing.assert_array_equal(features.embeddings[good], whole.embeddings[good])
    assert features.samples.status.nonzero()[0].tolist() == bad
    assert sum("quarantined: sample" in line for line in lines.lines) == 2


def test_a_part_of_bad_images_alone_is_written(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    images = copy_images(cells, tmp_path)
    for sample in range(9, 17):
        (images / f"{sample:05d}_red.png").write_bytes(b"")
    features = extracted(settings_for(images__root=images, extraction__on_error="quarantine"))
    assert features.samples.status.nonzero()[0].tolist() == list(range(8, 16))


def test_sizes_may_differ_between_samples(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    whole = extracted(settings_for(extraction__output=tmp_path / "whole.h5"))
    images = copy_images(cells, tmp_path)
    for channel in ("blue", "red", "yellow"):
        large = np.zeros((50, 40), np.uint8)
        (images / f"00005_{channel}.png").write_bytes(imagecodecs.png_encode(large))
    features = extracted(settings_for(images__root=images))
    others = [row for row in range(24) if row != 4]
    np.testing.assert_array_equal(features.embeddings[others], whole.embeddings[others])


def test_copies_have_the_same_pixel_digest(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    images = copy_images(cells, tmp_path)
    for channel in ("blue", "red", "yellow"):
        (images / f"00007_{channel}.png").write_bytes((images / f"00001_{channel}.png").read_bytes())
    features = extracted(settings_for(images__root=images))
    assert features.samples.digests[6] == features.samples.digests[0]
    np.testing.assert_array_equal(features.embeddings[6], features.embeddings[0])


def test_a_sixteen_bit_image_is_neither_black_nor_saturated(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    expected = extracted(settings_for(extraction__output=tmp_path / "eight_bit.h5"))
    images = tmp_path / "images"
    images.mkdir()
    for path in (cells / "images").iterdir():
        image = imagecodecs.imread(path).astype(np.uint16) * 10
        (images / path.name).write_bytes(imagecodecs.png_encode(image))
    lines = Lines()
    extract(settings_for(images__root=images), observer=lines)
    assert any(line.startswith("warning:") and "percentile" in line for line in lines.lines)
    scaled = extracted(
        settings_for(images__root=images, images__intensity={"range": [0, 2550]}, extraction__output=tmp_path / "b.h5")
    )
    np.testing.assert_allclose(scaled.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)


def test_the_device_is_the_first_thing_said_and_the_rate_the_last(settings_for: MakeSettings) -> None:
    lines = Lines()
    extract(settings_for(), observer=lines)
    assert lines.lines[0].startswith("device: cpu (")
    assert any("24 samples, 0 failed" in line and "samples/s" in line for line in lines.lines)
    assert lines.progress[-1] == (24, 24)


def test_the_closing_lines_say_where_the_time_went(settings_for: MakeSettings, tmp_path: Path) -> None:
    lines = Lines()
    settings = settings_for(extraction__profile=True, extraction__trace=tmp_path / "trace.json")
    features = load_features(extract(settings, observer=lines).path)
    assert any(line.startswith("share of the time: decode ") for line in lines.lines)
    assert any(line.split()[:1] == ["forward"] and "%" in line for line in lines.lines), "the table of --profile"
    seconds = features.provenance["times"]["seconds"]
    assert set(seconds) == {"decode", "waiting", "transfer", "forward", "write", "wall"}
    assert 0 < seconds["forward"] < seconds["wall"]
    names = [event["name"] for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]]
    assert names.count("decode") == 24
    assert names.count("write") == 3


def test_a_device_that_is_not_there_is_refused(settings_for: MakeSettings) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has cuda")
    with pytest.raises(DeviceError, match="has none; try --device auto"):
        extract(settings_for(extraction__device="cuda"))


def test_two_channels_need_separate_and_nothing_is_written(
    settings_for: MakeSettings, tmp_path: Path, cells: Path
) -> None:
    images = copy_images(cells, tmp_path)
    for path in images.glob("*_yellow.png"):
        path.unlink()
    with pytest.raises(BackboneError, match="channels_as: separate"):
        extract(settings_for(images__root=images, images__channels=["blue", "red"]))
    assert not (tmp_path / "features.h5").exists()


def test_embeddings_that_are_not_finite_are_refused(
    settings_for: MakeSettings, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    state = torch.load(checkpoint("mobilenet_v3_small"), weights_only=True)
    state["features.0.0.weight"] *= 1e38
    torch.save(state, tmp_path / "overflow.pth")
    with pytest.raises(BackboneError, match="not finite"):
        extract(settings_for(backbone__weights=str(tmp_path / "overflow.pth")))


def test_auto_holds_every_candidate_against_float32_and_records_it(settings_for: MakeSettings) -> None:
    settings = settings_for(
        "convnext_tiny",
        extraction__precision="auto",
        extraction__views=8,
        preprocessing__channels_as="separate",
        preprocessing__input_size=32,
    )
    features = extracted(settings)
    execution = features.provenance["execution"]
    considered = {(one["precision"], one["implementation"]): one for one in execution["considered"]}
    assert {precision for precision, _ in considered} == set(fast_precisions_of(torch.device("cpu")))
    taken = considered[features.recipe["precision"], execution["implementation"]]
    assert taken["min_cosine"] >= MIN_COSINE[features.recipe["precision"]]


def test_settings_like_repeat_the_recipe_on_other_images(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    settings = settings_for(images__intensity={"percentile": [1, 99], "over": "dataset"})
    features = extracted(settings)
    other = settings_like(
        features.provenance["settings"], features.recipe, images=_subset(cells, tmp_path, 6), output=tmp_path / "o.h5"
    )
    extraction = extract(other, expected_recipe=features.recipe)
    again = load_features(extraction.path)
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


def test_what_the_manifest_leaves_out_is_said(settings_for: MakeSettings, cells: Path, tmp_path: Path) -> None:
    images = copy_images(cells, tmp_path)
    (images / "overview.png").touch()
    observer = Lines()
    extract(settings_for(images__root=images), observer=observer)
    assert any(line.startswith("left out: 1 of") and line.endswith(": overview.png") for line in observer.lines)


def test_the_same_weights_under_another_name_make_the_same_features(
    settings_for: MakeSettings, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    features = extracted(settings_for())
    renamed = tmp_path / "renamed.pth"
    renamed.write_bytes(checkpoint("mobilenet_v3_small").read_bytes())
    other = settings_for(backbone__weights=str(renamed), extraction__output=tmp_path / "other.h5")
    assert load_features(extract(other, expected_recipe=features.recipe).path).fingerprint == features.fingerprint


@pytest.mark.usefixtures("bf16_kernels")
def test_a_run_that_finished_no_part_leaves_no_choice_to_the_next(
    settings_for: MakeSettings, cells: Path, tmp_path: Path
) -> None:
    images = copy_images(cells, tmp_path)
    (images / "00001_red.png").write_bytes(b"")
    with pytest.raises(ImageError):
        extract(settings_for("convnext_tiny", images__root=images, extraction__precision="int8"))
    other = settings_for("mobilenet_v3_small", images__root=cells / "images", extraction__precision="auto")
    features = extracted(other)
    assert features.recipe["precision"] == "fp32"
    assert features.provenance["execution"]["implementation"] != "quantised"


def test_memory_that_runs_out_is_on_record_and_changes_no_sample(
    settings_for: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = extracted(settings_for(extraction__output=tmp_path / "roomy.h5"))
    forward = Embedder._embed_pass

    def hungry(self: Embedder, squares: torch.Tensor, one: Pass) -> torch.Tensor:
        if len(squares) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return forward(self, squares, one)

    monkeypatch.setattr(Embedder, "_embed_pass", hungry)
    lines = Lines()
    features = load_features(extract(settings_for(), observer=lines).path)
    assert "cpu is out of memory: going on with batches of 2" in lines.lines
    assert features.provenance["times"]["smallest_batch"] == 2
    np.testing.assert_allclose(features.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)


def test_an_unexpected_recipe_is_refused_before_the_first_forward(settings_for: MakeSettings, tmp_path: Path) -> None:
    features = extracted(settings_for())
    other = settings_for(extraction__views=4, extraction__output=tmp_path / "other.h5")
    with pytest.raises(FingerprintError, match="views: 1 -> 4"):
        extract(other, expected_recipe=features.recipe)
    assert not (tmp_path / "other.h5").exists()


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "convnext_tiny"])
def test_embedding_changes_nothing_of_the_network(name: str, checkpoint: Callable[[str], Path]) -> None:
    backbone = load_backbone(name, weights=str(checkpoint(name)), input_size=32)
    inputs = Inputs(backbone.transform, tuple(make_passes(["a", "b", "c"], "planes")), 3, 1)
    plan = plans_for(backbone, torch.device("cpu"), ["fp32"])[0]
    embedder = build_embedder(backbone, inputs, device=torch.device("cpu"), plan=plan, batch_size=2)
    before = state_digest(embedder.module)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    embedder([Decoded(0, pixels, np.array([[0, 255]] * 3, np.float32), "00")])
    assert state_digest(embedder.module) == before
    assert state_digest(backbone.module) == backbone.weights_digest
    for module in (embedder.module, backbone.module):
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())
