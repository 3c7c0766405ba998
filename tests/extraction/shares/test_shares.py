"""Shares of one extraction, made by several processes: their file has the bytes that one process gives."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import BitsError, ConfigError, DeviceError, FeatureFileError, FingerprintError, ImageError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.shares.canary import canary_samples
from cellfeat.extraction.shares.consolidation import consolidate
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.shares.worker import ShareWorker, extract_share
from cellfeat.extraction.store import parts_folder, read_summary, unfinished_run
from cellfeat.records import seal, unseal
from tests.extraction.observers import Lines, contents

MakeSettings = Callable[..., Settings]
N_PARTS = 6
SMALL = {"extraction__part_size": 4, "extraction__batch_size": 2, "preprocessing__input_size": 32}


@pytest.fixture
def undisturbed(finished: Callable[..., Path]) -> dict[str, Any]:
    return contents(finished(**SMALL))


def change_plan(settings: Settings, change: Callable[[dict[str, Any]], None]) -> None:
    path = parts_folder(settings.extraction.output) / "run.json"
    record = unseal(json.loads(path.read_text()))
    change(record["plan"])
    path.write_text(json.dumps(seal(record)))


def flip_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process compute one bit of each batch differently."""
    embed = Embedder._embed

    def other_bits(self: Embedder, samples: Any) -> Any:
        embedded = embed(self, samples)
        embedded.result().view(np.uint32)[0, 0, 0] ^= 1
        return embedded

    monkeypatch.setattr(Embedder, "_embed", other_bits)


@pytest.mark.parametrize("n_shares", [1, 2, 3, pytest.param(7, marks=pytest.mark.slow)])
def test_shares_in_any_order_give_the_bytes_of_one_process(
    n_shares: int, settings_for: MakeSettings, undisturbed: dict[str, Any]
) -> None:
    settings = settings_for(**SMALL)
    results = [extract_share(settings, Share(i, n_shares)) for i in reversed(range(n_shares))]
    assert sum(result.n_samples for result in results if result is not None) == 24
    assert consolidate(settings).n_samples == 24
    assert contents(settings.extraction.output) == undisturbed
    assert not parts_folder(settings.extraction.output).exists()


@pytest.mark.slow
def test_share_made_twice_changes_nothing(settings_for: MakeSettings, undisturbed: dict[str, Any]) -> None:
    settings = settings_for(**SMALL)
    for share in (Share(0, 2), Share(1, 2), Share(0, 2), Share(2, 3)):
        result = extract_share(settings, share)
        assert result is not None
    assert all(part.was_there for part in result.parts)
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
def test_plain_extract_finishes_what_shares_began(settings_for: MakeSettings, undisturbed: dict[str, Any]) -> None:
    settings, observer = settings_for(**SMALL), Lines()
    extract_share(settings, Share(1, 3))
    extraction = extract(settings, observer=observer)
    assert extraction.n_extracted == 16
    assert any("8 of 24 samples are done" in line for line in observer.lines)
    assert contents(extraction.path) == undisturbed


@pytest.mark.slow
def test_plan_is_made_once_and_followed(settings_for: MakeSettings, undisturbed: dict[str, Any]) -> None:
    settings = settings_for(**SMALL)
    header = plan_extraction(settings)
    assert header is not None
    assert len(header.part_rows()) == N_PARTS
    again = plan_extraction(settings)
    assert again is not None
    assert again.plan == header.plan
    extract(settings)
    assert contents(settings.extraction.output) == undisturbed
    assert plan_extraction(settings) is None, "the file is finished"
    assert extract_share(settings, Share(0, 2)) is None


@pytest.mark.slow
def test_finished_file_is_consolidated_again_without_a_change(settings_for: MakeSettings) -> None:
    settings = settings_for(**SMALL)
    extract(settings)
    before = settings.extraction.output.read_bytes()
    assert consolidate(settings).n_extracted == 0
    assert settings.extraction.output.read_bytes() == before


def test_missing_parts_are_named_with_who_was_to_make_them(settings_for: MakeSettings) -> None:
    settings = settings_for(**SMALL)
    extract_share(settings, Share(0, 3))
    with pytest.raises(FeatureFileError, match=r"4 of 6 parts are missing") as error:
        consolidate(settings)
    assert re.search(r"part 1 \(rows 4 to 7\), 2 .*: no share that has begun", str(error.value))
    assert not settings.extraction.output.exists()


def test_failure_of_a_share_is_told_at_the_consolidation(settings_for: MakeSettings, images: Path) -> None:
    (images / "00007_blue.png").write_bytes(b"")
    settings = settings_for(**SMALL, images__root=images)
    with pytest.raises(ImageError, match=r"share 1/2 on .*sample 7"):
        extract_share(settings, Share(1, 2))
    with pytest.raises(FeatureFileError, match=r"part 1 .*share 1/2 on .*failed: .*sample 7"):
        consolidate(settings)


@pytest.mark.slow
def test_unreadable_samples_are_quarantined_by_shares(settings_for: MakeSettings, images: Path) -> None:
    (images / "00007_blue.png").write_bytes(b"")
    settings = settings_for(**SMALL, images__root=images, extraction__on_error="quarantine")
    results = [extract_share(settings, Share(i, 2)) for i in range(2)]
    assert [result.n_failed for result in results if result is not None] == [0, 1]
    assert consolidate(settings).n_failed == 1


def test_settings_other_than_the_plan_are_refused(settings_for: MakeSettings) -> None:
    plan_extraction(settings_for(**SMALL))
    before = unfinished_run(settings_for(**SMALL).extraction.output)
    others = settings_for(**SMALL | {"extraction__views": 4})
    for step in (lambda: extract_share(others, Share(0, 2)), lambda: consolidate(others)):
        with pytest.raises(FingerprintError, match="views: 1 -> 4"):
            step()
    assert unfinished_run(others.extraction.output) == before


def test_machine_that_computes_other_bits_is_refused_before_it_writes(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(**SMALL)
    plan_extraction(settings)
    change_plan(settings, lambda plan: plan["machine"]["versions"].update(torch="1.0"))
    flip_a_bit(monkeypatch)
    with pytest.raises(BitsError, match=r"share 0/2 on .*other numbers.*versions\.torch: 1\.0 ->"):
        extract_share(settings, Share(0, 2))
    assert not list(parts_folder(settings.extraction.output).glob("rows-*.h5"))


@pytest.mark.slow
def test_close_numbers_are_allowed_where_the_user_says_so(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(**SMALL)
    extract_share(settings, Share(0, 2))
    flip_a_bit(monkeypatch)
    close, observer = settings_for(**SMALL, extraction__bits="close"), Lines()
    extract_share(close, Share(1, 2), observer=observer)
    assert any("--bits close allows" in line for line in observer.lines)
    consolidate(close)
    origin = read_summary(close.extraction.output).provenance
    assert origin["bits"] == "close"
    exact, other = origin["machines"]
    assert "difference" not in exact
    assert 0 < other["difference"] < 1e-4
    assert sorted(itertools.chain(exact["rows"], other["rows"])) == [[i, i + 4] for i in range(0, 24, 4)]


def test_numbers_that_are_not_close_are_refused(settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(**SMALL, extraction__bits="close")
    plan_extraction(settings)
    embed = Embedder._embed

    def far_off(self: Embedder, samples: Any) -> Any:
        embedded = embed(self, samples)
        embedded.result()[:] *= 1.01
        return embedded

    monkeypatch.setattr(Embedder, "_embed", far_off)
    with pytest.raises(BitsError, match="expected at most"):
        extract_share(settings, Share(0, 2))


def test_other_version_of_cellfeat_is_refused(settings_for: MakeSettings) -> None:
    settings = settings_for(**SMALL)
    plan_extraction(settings)
    change_plan(settings, lambda plan: plan.update(cellfeat="9.9"))
    for step in (extract, consolidate, lambda settings: extract_share(settings, Share(0, 2))):
        with pytest.raises(FingerprintError, match=r"cellfeat 9\.9"):
            step(settings)


@pytest.mark.slow
def test_interrupted_run_proves_its_bits_before_it_continues(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(**SMALL)
    extract_share(settings, Share(0, 3))
    flip_a_bit(monkeypatch)
    with pytest.raises(BitsError):
        extract(settings)


def test_memory_that_is_short_ends_a_share(settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(**SMALL)
    plan_extraction(settings)

    def no_memory(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(Embedder, "_embed_chunk", no_memory)
    with pytest.raises(DeviceError, match=r"share 1/2 on .*out of memory with the 2 samples.*--batch-size 1"):
        extract_share(settings, Share(1, 2))


@pytest.mark.slow
def test_worker_makes_parts_one_after_another(settings_for: MakeSettings, undisturbed: dict[str, Any]) -> None:
    settings = settings_for(**SMALL)
    with ShareWorker.opened(settings) as worker:
        parts = worker.header.part_rows()
        done = [part for pair in (parts[3:], parts[:4]) for part in worker.make(pair)]
    assert [part.start for part in done if not part.was_there] == [12, 16, 20, 0, 4, 8]
    assert [part.start for part in done if part.was_there] == [12]
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
def test_changed_image_is_extracted_again_by_its_share(settings_for: MakeSettings, images: Path) -> None:
    settings = settings_for(**SMALL, images__root=images)
    extract_share(settings, Share(1, 2))
    (images / "00006_blue.png").write_bytes((images / "00001_blue.png").read_bytes())
    result = extract_share(settings, Share(1, 2))
    assert result is not None
    assert [(part.start, part.was_there) for part in result.parts] == [(12, True), (20, True), (4, False)]


def test_canary_fills_its_range() -> None:
    samples = canary_samples(3, 64)
    pixels = np.stack([sample.pixels for sample in samples if sample.pixels is not None])
    assert pixels.shape == (4, 3, 80, 80)
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 252)
    assert 115 < pixels.mean() < 140
    assert len({pixels[i, c].tobytes() for i in range(4) for c in range(3)}) == 12


@pytest.mark.parametrize("text", ["8/8", "-1/4", "a/b", "3", "0/0", "1/2/3", ""])
def test_share_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="share"):
        Share.parse(text)
