"""A run that is interrupted, quarantines samples, or runs out of memory."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cellfeat.config import Settings
from cellfeat.errors import BackboneError, ImageError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.forward.capabilities import fast_precisions_of, has_avx512
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.forward.implementations import IMPLEMENTATIONS, ComputeMethod
from cellfeat.extraction.forward.tolerances import MIN_COSINE
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.store import Features, load_features, parts_folder
from tests.extraction.observers import Lines, contents

MakeSettings = Callable[..., Settings]
Finished = Callable[..., Path]


def extracted(settings: Settings) -> Features:
    return load_features(extract(settings).path)


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Empty a file for the duration of a block that ends with an error of the image."""
    good = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(ImageError):
        yield
    path.write_bytes(good)


def test_an_unreadable_image_stops_the_run_and_names_the_sample(
    settings_for: MakeSettings, images: Path, tmp_path: Path
) -> None:
    (images / "00020_red.png").write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"sample 20 \(row 19\).*00020_red\.png.*--on-error quarantine"):
        extract(settings_for(images__root=images))
    kept = list(parts_folder(tmp_path / "features.h5").glob("rows-*.h5"))
    assert len(kept) == 2, "the parts before the bad image are kept"


@pytest.mark.slow
def test_after_the_image_is_repaired_the_run_goes_on(settings_for: MakeSettings, images: Path) -> None:
    with damaged(images / "00020_red.png"):
        extract(settings_for(images__root=images))
    lines = Lines()
    assert extract(settings_for(images__root=images), observer=lines).n_extracted == 8
    assert any("16 of 24 samples are done" in line for line in lines.lines)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_resumed_run_ends_with_the_same_bits_in_every_precision(
    precision: str,
    finished: Finished,
    settings_for: MakeSettings,
    images: Path,
    request: pytest.FixtureRequest,
) -> None:
    if precision != "fp32":
        request.getfixturevalue("bf16_kernels")
    undisturbed = load_features(finished("convnext_tiny", extraction__precision=precision))
    with damaged(images / "00020_red.png"):
        extract(settings_for("convnext_tiny", extraction__precision=precision, images__root=images))
    # An unfinished run keeps its method, even if another one would be chosen today.
    resumed = extracted(settings_for("convnext_tiny", extraction__precision="auto", images__root=images))
    assert resumed.provenance["times"]["n_extracted"] == 8
    assert resumed.recipe["precision"] == precision
    implementation = undisturbed.provenance["execution"]["implementation"]
    assert resumed.provenance["execution"]["implementation"] == implementation
    np.testing.assert_array_equal(resumed.embeddings, undisturbed.embeddings)


@pytest.mark.slow
def test_a_compiled_run_resumes_with_the_same_bits(
    settings_for: MakeSettings, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = [ComputeMethod("fp32", "compiled")]
    monkeypatch.setattr("cellfeat.extraction.forward.precision.methods_for", lambda *_: compiled)
    undisturbed = extracted(settings_for(extraction__output=tmp_path / "whole.h5"))
    with damaged(images / "00020_red.png"):
        extract(settings_for(images__root=images))
    resumed = extracted(settings_for(images__root=images))
    assert resumed.provenance["execution"]["implementation"] == "compiled"
    np.testing.assert_array_equal(resumed.embeddings, undisturbed.embeddings)


@pytest.mark.slow
def test_an_unfinished_run_whose_implementation_is_unavailable_is_refused(
    settings_for: MakeSettings, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with damaged(images / "00020_red.png"):
        extract(settings_for("convnext_tiny", images__root=images))
    used = "fused" if has_avx512() else "rewritten"
    # Not deleted: it would come back as the last of the table, whose order other tests check.
    monkeypatch.setitem(IMPLEMENTATIONS, used, replace(IMPLEMENTATIONS[used], families=()))
    with pytest.raises(BackboneError, match=rf"\.parts: .*unfinished run.*'fp32 {used}'.*not available"):
        extract(settings_for("convnext_tiny", images__root=images))


@pytest.mark.slow
@pytest.mark.usefixtures("bf16_kernels")
def test_a_run_that_finished_no_part_leaves_the_choice_to_the_next(settings_for: MakeSettings, images: Path) -> None:
    with damaged(images / "00001_red.png"):
        extract(settings_for("convnext_tiny", images__root=images, extraction__precision="int8"))
    features = extracted(settings_for("mobilenet_v3_small", images__root=images, extraction__precision="auto"))
    assert features.recipe["precision"] == "fp32"
    assert features.provenance["execution"]["implementation"] != "quantised"


@pytest.mark.slow
def test_images_that_changed_in_a_finished_part_are_extracted_again(
    settings_for: MakeSettings, images: Path, tmp_path: Path
) -> None:
    with damaged(images / "00020_red.png"):
        extract(settings_for(images__root=images))
    shutil.copy(images / "00009_red.png", images / "00002_red.png")
    resumed = extract(settings_for(images__root=images))
    fresh = extract(settings_for(images__root=images, extraction__output=tmp_path / "fresh.h5"))
    assert resumed.n_extracted == 16
    assert contents(resumed.path) == contents(fresh.path)


@pytest.mark.slow
def test_quarantine_keeps_every_good_sample_and_names_the_bad(
    finished: Finished, settings_for: MakeSettings, images: Path
) -> None:
    (images / "00003_red.png").write_bytes(b"not an image")
    path = images / "00010_blue.png"
    path.write_bytes(path.read_bytes()[:60])
    lines = Lines()
    extraction = extract(settings_for(images__root=images, extraction__on_error="quarantine"), observer=lines)
    features = load_features(extraction.path)
    bad = [2, 9]
    good = np.setdiff1d(np.arange(24), bad)
    assert extraction.n_failed == 2
    assert sorted(features.samples.failures) == bad
    assert "00003_red.png" in features.samples.failures[2]
    assert np.isnan(features.embeddings[bad]).all()
    np.testing.assert_array_equal(features.embeddings[good], load_features(finished()).embeddings[good])
    assert features.samples.status.nonzero()[0].tolist() == bad
    assert sum("quarantined: sample" in line for line in lines.lines) == 2


@pytest.mark.slow
def test_a_part_of_bad_images_alone_is_written(settings_for: MakeSettings, images: Path) -> None:
    for sample in range(9, 17):
        (images / f"{sample:05d}_red.png").write_bytes(b"")
    features = extracted(settings_for(images__root=images, extraction__on_error="quarantine"))
    assert features.samples.status.nonzero()[0].tolist() == list(range(8, 16))


def test_if_no_sample_can_be_read_nothing_is_written(settings_for: MakeSettings, images: Path, tmp_path: Path) -> None:
    for path in images.glob("*_red.png"):
        path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"24 samples could be read.*features\.h5.*00001_red\.png"):
        extract(settings_for(images__root=images, extraction__on_error="quarantine"))
    assert not (tmp_path / "features.h5").exists()


@pytest.mark.slow
def test_out_of_memory_is_recorded_and_changes_no_sample(
    finished: Finished, settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_features(finished())
    embed = Embedder._embed_chunk

    def hungry(self: Embedder, samples: Sequence[Decoded]) -> torch.Tensor:
        if len(samples) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return embed(self, samples)

    monkeypatch.setattr(Embedder, "_embed_chunk", hungry)
    lines = Lines()
    features = load_features(extract(settings_for(), observer=lines).path)
    assert any("cpu is out of memory" in line and "batches of 2" in line for line in lines.lines)
    assert features.provenance["times"]["smallest_batch"] == 2
    np.testing.assert_allclose(features.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_embeddings_that_are_not_finite_are_refused(
    settings_for: MakeSettings, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    state = torch.load(checkpoint("mobilenet_v3_small"), weights_only=True)
    state["features.0.0.weight"] *= 1e38
    torch.save(state, tmp_path / "overflow.pth")
    with pytest.raises(BackboneError, match="not finite"):
        extract(settings_for(backbone__weights=str(tmp_path / "overflow.pth")))


@pytest.mark.slow
def test_auto_compares_every_candidate_with_float32_and_records_it(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On so few samples no trial pays; here all are made, but for the compiler that takes half a minute.
    for name, one in list(IMPLEMENTATIONS.items()):
        monkeypatch.setitem(IMPLEMENTATIONS, name, replace(one, trial_share=1e3))
    monkeypatch.delitem(IMPLEMENTATIONS, "compiled")
    settings = settings_for(
        "convnext_tiny",
        extraction__precision="auto",
        extraction__views=4,
        preprocessing__channels_as="separate",
        preprocessing__input_size=32,
    )
    features = extracted(settings)
    execution = features.provenance["execution"]
    considered = {(one["precision"], one["implementation"]): one for one in execution["considered"]}
    assert {precision for precision, _ in considered} == set(fast_precisions_of(torch.device("cpu")))
    taken = considered[features.recipe["precision"], execution["implementation"]]
    assert taken["min_cosine"] >= MIN_COSINE[features.recipe["precision"]]
