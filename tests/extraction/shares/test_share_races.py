"""Processes of one extraction that meet at a bad moment, and parts, plans and folders that others have spoilt."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import BitsError, CellfeatError, DiskFullError, FeatureFileError, FingerprintError, ImageError
from cellfeat.extraction import run
from cellfeat.extraction.extract import extract
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.shares import worker
from cellfeat.extraction.shares.consolidation import consolidate
from cellfeat.extraction.shares.planning import plan_extraction
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.shares.worker import extract_share
from cellfeat.extraction.store import PartStore, parts_folder, unfinished_run
from cellfeat.extraction.unfinished_parts import MissingParts
from cellfeat.provenance import temporary_beside
from cellfeat.storage.local import LocalStorage
from tests.extraction.observers import contents

MakeSettings = Callable[..., Settings]
SMALL = {"extraction__part_size": 4, "extraction__batch_size": 2, "preprocessing__input_size": 32}


@pytest.fixture
def undisturbed(finished: Callable[..., Path]) -> dict[str, Any]:
    return contents(finished(**SMALL))


@pytest.fixture
def settings(settings_for: MakeSettings) -> Settings:
    return settings_for(**SMALL)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Do something once, before a method is called for the first time."""

    def patch(owner: Any, name: str, act: Callable[[], object]) -> None:
        method = getattr(owner, name)
        acts = [act]

        def acted(*args: Any, **kwargs: Any) -> Any:
            if acts:
                acts.pop()()
            return method(*args, **kwargs)

        monkeypatch.setattr(owner, name, acted)

    return patch


@pytest.fixture
def as_another_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def patch() -> None:
        describe = run.describe_machine
        monkeypatch.setattr(run, "describe_machine", lambda device: {**describe(device), "host": "node-b"})

    return patch


@pytest.fixture
def parts_unseen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let this process see no part at its start, as if others made all of them later."""

    def patch() -> None:
        monkeypatch.setattr(MissingParts, "find", lambda store, decoder, wanted, **_: MissingParts(wanted))

    return patch


def part_path(settings: Settings, start: int) -> Path:
    return parts_folder(settings.extraction.output) / f"rows-{start:09d}.h5"


def left_beside(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.extraction.output.parent.glob("features*"))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["while it loads", "before it opens the parts", "before it writes"])
def test_share_that_is_late_leaves_the_finished_file_alone(
    moment: str, settings: Settings, undisturbed: dict[str, Any], before: Callable[..., None]
) -> None:
    owner, name = {
        "while it loads": (worker, "check_expected_recipe"),
        "before it opens the parts": (run, "PartStore"),
        "before it writes": (PartStore, "write"),
    }[moment]
    finished: list[bytes] = []

    def finish() -> None:
        extract(settings)
        finished.append(settings.extraction.output.read_bytes())

    before(owner, name, finish)
    assert extract_share(settings, Share(0, 2)) is None
    assert settings.extraction.output.read_bytes() == finished[0]
    assert left_beside(settings) == ["features.h5"]
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
def test_planner_that_is_late_leaves_the_finished_file_alone(settings: Settings, before: Callable[..., None]) -> None:
    before(run, "PartStore", lambda: extract(settings))
    assert plan_extraction(settings) is None
    assert left_beside(settings) == ["features.h5"]


@pytest.mark.slow
def test_planner_that_is_late_is_refused(
    settings: Settings, settings_for: MakeSettings, before: Callable[..., None]
) -> None:
    others = settings_for(**SMALL, extraction__views=4)
    before(LocalStorage, "create", lambda: plan_extraction(settings))
    with pytest.raises(FingerprintError, match="views"):
        plan_extraction(others)
    plan = unfinished_run(settings.extraction.output)
    assert plan is not None
    assert plan.plan["request"]["views"] == 1


@pytest.mark.slow
def test_share_whose_plan_was_replaced_writes_nothing(
    settings: Settings, settings_for: MakeSettings, before: Callable[..., None]
) -> None:
    others = settings_for(**SMALL, extraction__views=4)
    before(PartStore, "write", lambda: plan_extraction(others))
    with pytest.raises(FingerprintError, match=r"share 0/2 on .*views"):
        extract_share(settings, Share(0, 2))
    assert not list(parts_folder(settings.extraction.output).glob("rows-*"))
    extract_share(others, Share(0, 1))
    assert consolidate(others).n_samples == 24


@pytest.mark.parametrize(
    ("change", "told"),
    [({"extraction__part_size": 8}, "part_size: 4 -> 8"), ({"extraction__batch_size": 4}, "batch_size: 2 -> 4")],
)
def test_share_does_not_replace_the_plan(
    change: dict[str, Any], told: str, settings: Settings, settings_for: MakeSettings
) -> None:
    plan_extraction(settings)
    record = (parts_folder(settings.extraction.output) / "run.json").read_bytes()
    with pytest.raises(FingerprintError, match=told):
        extract_share(settings_for(**SMALL | change), Share(0, 2))
    assert (parts_folder(settings.extraction.output) / "run.json").read_bytes() == record


@pytest.mark.slow
def test_processes_that_choose_otherwise_follow_the_first_plan(
    settings_for: MakeSettings, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any]
) -> None:
    first, settings = settings_for(**SMALL), settings_for(**SMALL | {"extraction__batch_size": "auto"})
    choose = run.choose_header

    def choose_late(context: Any) -> Any:
        header, _ = choose(context)
        monkeypatch.setattr(run, "choose_header", choose)
        plan_extraction(first)
        return replace(header, execution={**header.execution, "batch_size": 3}), None

    monkeypatch.setattr(run, "choose_header", choose_late)
    extract_share(settings, Share(0, 2))
    extract_share(first, Share(1, 2))
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
def test_bit_that_differs_in_a_later_part_is_found_by_comparison(
    settings: Settings,
    undisturbed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    parts_unseen: Callable[[], None],
    as_another_machine: Callable[[], None],
) -> None:
    extract_share(settings, Share(0, 1))
    parts_unseen()
    as_another_machine()
    embed = Embedder._embed

    def other_bits(self: Embedder, samples: Any) -> Any:
        embedded = embed(self, samples)
        if samples[0].row >= 16:
            embedded.result().view(np.uint32)[0, 0, 0] ^= 1
        return embedded

    monkeypatch.setattr(Embedder, "_embed", other_bits)
    with pytest.raises(BitsError, match=r"share 0/1 on node-b: part of rows 16 to 19.*was kept"):
        extract_share(settings, Share(0, 1))
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["later", "at once"])
def test_machines_that_see_different_images_do_not_undo_each_other(
    moment: str,
    settings_for: MakeSettings,
    images: Path,
    as_another_machine: Callable[[], None],
    parts_unseen: Callable[[], None],
) -> None:
    settings = settings_for(**SMALL, images__root=images)
    extract_share(settings, Share(1, 2))
    made = part_path(settings, 4).read_bytes()
    (images / "00006_blue.png").write_bytes((images / "00001_blue.png").read_bytes())
    as_another_machine()
    if moment == "at once":
        parts_unseen()
    with pytest.raises(ImageError, match=r"share 1/2 on node-b: row 5: .*node-b have read different pixels"):
        extract_share(settings, Share(1, 2))
    assert part_path(settings, 4).read_bytes() == made


def in_place_of(path: Path, kind: str) -> None:
    whole = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to nothing":
        path.symlink_to("nowhere")
    elif kind != "missing":
        other = path.with_name("rows-000000008.h5").read_bytes()
        damaged = {"empty": b"", "cut": whole[:-100], "part of other rows": other, "text": b"sorry"}
        path.write_bytes(damaged[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "part of other rows", "text"])
def test_spoilt_part_is_made_again_by_its_share(kind: str, settings: Settings, undisturbed: dict[str, Any]) -> None:
    extract_share(settings, Share(0, 1))
    in_place_of(part_path(settings, 12), kind)
    with pytest.raises(FeatureFileError, match="rows 12 to 15"):
        consolidate(settings)
    assert not settings.extraction.output.exists()
    result = extract_share(settings, Share(1, 2))
    assert result is not None
    assert [part.start for part in result.parts if not part.was_there] == [12]
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed
    assert left_beside(settings) == ["features.h5"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing"])
@pytest.mark.parametrize("name", ["rows-000000012.h5", "run.json"])
def test_what_is_no_file_is_named_and_kept(
    kind: str, name: str, settings: Settings, undisturbed: dict[str, Any]
) -> None:
    extract_share(settings, Share(0, 1))
    path = parts_folder(settings.extraction.output) / name
    whole = path.read_bytes()
    in_place_of(path, kind)
    for step in (consolidate, extract, lambda settings: extract_share(settings, Share(1, 2))):
        with pytest.raises(CellfeatError, match=f"{name}: is not a file"):
            step(settings)
    path.rmdir() if kind == "folder" else path.unlink()
    path.write_bytes(whole)
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
def test_damaged_plan_is_made_again_and_the_parts_are_kept(settings: Settings, undisturbed: dict[str, Any]) -> None:
    extract_share(settings, Share(0, 2))
    (parts_folder(settings.extraction.output) / "run.json").write_bytes(b"{")
    result = extract_share(settings, Share(0, 1))
    assert result is not None
    assert [part.start for part in result.parts if part.was_there] == [0, 8, 16]
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed


@pytest.mark.slow
def test_temporary_files_of_others_do_no_harm(settings: Settings, undisturbed: dict[str, Any]) -> None:
    extract_share(settings, Share(0, 2))
    target = part_path(settings, 4)
    mine = temporary_beside(target)
    other_host = mine.with_name(f".{target.name}.node-b.77.0123abcd.tmp")
    dead = mine.with_name(mine.name.replace(f".{os.getpid()}.", ".4194999."))
    for path in (mine, other_host, dead):
        path.write_bytes(b"half a part")
    extract_share(settings, Share(1, 2))
    assert (mine.exists(), other_host.exists(), dead.exists()) == (True, True, False)
    consolidate(settings)
    assert contents(settings.extraction.output) == undisturbed
    assert left_beside(settings) == ["features.h5"]


@pytest.mark.slow
@pytest.mark.parametrize("left", ["record", "record and share", "nothing", "temporary file"])
def test_removal_that_was_killed_is_completed(left: str, settings: Settings) -> None:
    extract_share(settings, Share(0, 1))
    folder = parts_folder(settings.extraction.output)
    kept = shutil.copytree(folder, folder.with_name("kept"))
    consolidate(settings)
    folder.mkdir()
    if left.startswith("record"):
        shutil.copy(kept / "run.json", folder)
    if left == "record and share":
        shutil.copy(kept / "share-0-of-1.json", folder)
    if left == "temporary file":
        (folder / ".rows-000000004.h5.node-b.77.0123abcd.tmp").write_bytes(b"half a part")
    consolidate(settings)
    assert left_beside(settings) == ["features.h5"]


@pytest.mark.slow
def test_folder_of_somebody_else_is_kept(settings: Settings) -> None:
    extract(settings)
    folder = parts_folder(settings.extraction.output)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    consolidate(settings)
    assert (folder / "notes.txt").read_text() == "mine"


def test_first_error_of_a_share_is_the_one_that_is_told(
    settings_for: MakeSettings, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / "00007_blue.png").write_bytes(b"")
    settings = settings_for(**SMALL, images__root=images)
    plan_extraction(settings)
    replaced = LocalStorage.replace

    def full(self: LocalStorage, name: str, content: bytes) -> None:
        if name.startswith("share-") and b'"error": ""' not in content:
            raise DiskFullError(f"{name}: {os.strerror(errno.ENOSPC)}")
        replaced(self, name, content)

    monkeypatch.setattr(LocalStorage, "replace", full)
    with pytest.raises(ImageError, match="sample 7"):
        extract_share(settings, Share(1, 2))
