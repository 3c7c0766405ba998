"""The feature file: published whole, finished after any kill, refused when damaged."""

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

from cellfeat import provenance
from cellfeat.errors import BusyError, DiskFullError, FeatureFileError, FingerprintError, MissingFileError
from cellfeat.extraction import store
from cellfeat.extraction.store import (
    NEW,
    PROPERTIES,
    Carried,
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    held_output,
    load_features,
    no_properties,
    parts_folder,
    read_pixel_digests,
    read_summary,
    read_table,
    remove_parts,
    replace_table,
    unfinished_run,
    verify_features,
)
from cellfeat.extraction.store.writing import Content, write_features

RecordProperty = Callable[[str, object], None]

N_SAMPLES = 10
RECIPE = {"backbone": {"name": "convnext_base"}, "passes": ["planes"], "views": 2, "precision": "fp32"}
HEADER = RunHeader(
    recipe=RECIPE,
    samples="sha256:samples",
    execution={"batch_size": 4},
    n_samples=N_SAMPLES,
    n_views=2,
    embedding_dim=3,
    part_size=4,
)
TABLE = SampleTable(
    sample_id=[f"s{i}" for i in range(N_SAMPLES)],
    label=["HeLa" if i % 2 else "U-2 OS" for i in range(N_SAMPLES)],
    group=[""] * N_SAMPLES,
    columns={"plate": [f"p{i // 5}" for i in range(N_SAMPLES)]},
)
PROVENANCE = {"request": {"views": 2}}


def make_rows(part: range) -> Rows:
    rng = np.random.default_rng(part.start)
    n = len(part)
    properties = np.array([("uint16", "12", 11, 64, 60 + row, "tiff+png") for row in part], PROPERTIES)
    rows = Rows(
        start=part.start,
        embeddings=rng.normal(size=(n, 2, 3)).astype(np.float32),
        status=np.zeros(n, np.uint8),
        pixel_digest=rng.integers(0, 256, (n, 32), dtype=np.uint8),
        properties=properties,
        failures={},
    )
    if part.start == 4:
        rows.embeddings[1], rows.status[1], rows.pixel_digest[1], rows.properties[1] = np.nan, 1, 0, 0
        return Rows.from_arrays(rows.start, rows.arrays(), {5: "truncated"})
    return rows


MakeRows = Callable[[range], Rows]


def run_to_end(output: Path, make: MakeRows = make_rows) -> int:
    """What an extraction does with the store; returns how many parts it had to make."""
    with held_output(output):
        if output.exists():
            verify_features(output)
            remove_parts(output)
            return 0
        parts = PartStore(output, HEADER)
        missing = [rows for rows in HEADER.part_rows() if parts.read(rows) is None]
        for part in missing:
            parts.write(make(part))
        parts.consolidate(TABLE, PROVENANCE)
        return len(missing)


MORE = "sha256:other samples"
SOURCE = np.array([7, 8, NEW, NEW, 5, 1, NEW, 0, NEW, NEW, NEW, 9], np.int64)
"""An update: some of the ten rows in another order, a failed one among them, and six new ones between them."""
NEW_HEADER = RunHeader(**{**HEADER.__dict__, "samples": "sha256:new samples", "n_samples": 6})
MORE_TABLE = SampleTable([f"t{i}" for i in range(12)], ["HeLa"] * 12, [""] * 12)


def update_to_end(output: Path, make: MakeRows = make_rows) -> int:
    """What an update does with the store; returns how many parts it had to make."""
    with held_output(output):
        if read_summary(output).samples == MORE:
            verify_features(output)
            remove_parts(output)
            return 0
        parts = PartStore(output, NEW_HEADER, Carried(output, SOURCE, MORE))
        missing = [rows for rows in NEW_HEADER.part_rows() if parts.read(rows) is None]
        for part in missing:
            parts.write(make(part))
        parts.consolidate(MORE_TABLE, PROVENANCE)
        return len(missing)


def contents(path: Path) -> dict[str, Any]:
    """Every dataset and attribute, with the bytes behind it."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            values = item[:]
            found[name] = values.tolist() if values.dtype.hasobject else (values.dtype, values.shape, values.tobytes())

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)
    return found


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    output = tmp_path / "cells.h5"
    run_to_end(output)
    return output


def test_what_was_written_is_read_back(finished: Path) -> None:
    features = load_features(finished)
    parts = [make_rows(part) for part in HEADER.part_rows()]
    np.testing.assert_array_equal(features.embeddings, np.concatenate([part.embeddings for part in parts]))
    assert features.samples.ids.tolist() == TABLE.sample_id
    assert features.samples.labels.tolist() == TABLE.label
    assert read_table(finished) == TABLE
    assert read_pixel_digests(finished).tolist() == features.samples.digests.tolist()
    assert features.samples.columns["plate"].tolist() == TABLE.columns["plate"]
    assert features.samples.failures == {5: "truncated"}
    assert features.samples.status.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert features.samples.digests[0] == parts[0].pixel_digest[0].tobytes().hex()
    assert features.samples.digests[5] == ""
    assert features.fingerprint == HEADER.fingerprint
    assert features.provenance == PROVENANCE


def test_other_labels_leave_the_embeddings_as_they_are(finished: Path) -> None:
    before = load_features(finished)
    table = SampleTable(
        TABLE.sample_id, ["RT4"] * N_SAMPLES, ["donor"] * N_SAMPLES, {"a/b": TABLE.label, ".": TABLE.label}
    )
    replace_table(finished, table, PROVENANCE)
    after = load_features(finished)
    assert read_table(finished) == table
    np.testing.assert_array_equal(after.embeddings, before.embeddings)
    assert after.samples.failures == before.samples.failures


def test_an_unfinished_run_without_a_single_part_gives_way(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, RunHeader(**{**HEADER.__dict__, "recipe": {**RECIPE, "precision": "bf16"}}))
    assert run_to_end(output) == 3


def test_nothing_but_the_file_is_left(finished: Path) -> None:
    assert [path.name for path in finished.parent.iterdir()] == ["cells.h5"]


def test_summary_tells_shape_and_failures(finished: Path) -> None:
    summary = read_summary(finished)
    assert (summary.n_samples, summary.n_views, summary.embedding_dim, summary.n_failed) == (10, 2, 3, 1)


def test_each_chunk_spans_whole_rows(finished: Path) -> None:
    with h5py.File(finished) as file:
        assert file["embeddings"].chunks[1:] == (2, 3)


def test_carried_rows_and_new_ones_stand_where_they_belong(finished: Path) -> None:
    before = load_features(finished)
    assert update_to_end(finished) == 2
    after = load_features(finished)
    new = [make_rows(part) for part in NEW_HEADER.part_rows()]
    is_new = SOURCE == NEW
    for name in ("embeddings", "status", "pixel_digest"):
        np.testing.assert_array_equal(getattr(after, name)[~is_new], getattr(before, name)[SOURCE[~is_new]])
    np.testing.assert_array_equal(after.embeddings[is_new], np.concatenate([rows.embeddings for rows in new]))
    # Row 5 failed before and is row 4 now; of the new rows, the sixth failed.
    assert after.samples.failures == {4: "truncated", 10: "truncated"}
    assert read_table(finished) == MORE_TABLE
    assert read_summary(finished).samples == MORE


@pytest.mark.parametrize("source", [[NEW] * 6, [9, 8, 7, 7, 0]], ids=["nothing is carried over", "nothing is new"])
def test_an_update_may_carry_over_nothing_or_everything(source: list[int], finished: Path) -> None:
    before = load_features(finished)
    n_new = source.count(NEW)
    header = RunHeader(**{**NEW_HEADER.__dict__, "n_samples": n_new})
    parts = PartStore(finished, header, Carried(finished, np.array(source), MORE))
    for part in header.part_rows():
        parts.write(make_rows(part))
    parts.consolidate(SampleTable(["t"] * len(source), [""] * len(source), [""] * len(source)), PROVENANCE)
    embeddings = load_features(finished).embeddings
    if n_new:
        np.testing.assert_array_equal(
            embeddings, np.concatenate([make_rows(part).embeddings for part in header.part_rows()])
        )
    else:
        np.testing.assert_array_equal(embeddings, before.embeddings[source])


Run = Callable[[Path, MakeRows], int]


class Killed(NamedTuple):
    """How a run in a process of its own came to its end."""

    was_killed: bool
    n_made: int
    """Parts that it had made by then."""


def killed_at_event(k: int, run: Run, output: Path) -> Killed:
    """Run to the end in a process that is killed at its k-th line inside the store, if it has as many."""
    made, tell_made = os.pipe()

    def make_and_tell(part: range) -> Rows:
        rows = make_rows(part)
        os.write(tell_made, b"1")
        return rows

    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        n_events = 0
        files = {*map(str, Path(store.__file__).parent.glob("*.py")), provenance.__file__}

        def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
            nonlocal n_events
            if frame.f_code.co_filename not in files:
                return None
            if event == "line":
                n_events += 1
                if n_events == k:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            run(output, make_and_tell)
        finally:
            sys.settrace(None)
            os._exit(0)
    os.close(tell_made)
    with os.fdopen(made, "rb") as told:
        return Killed(os.WIFSIGNALED(os.waitpid(pid, 0)[1]), len(told.read()))


def nothing_yet(output: Path) -> None:
    output.parent.mkdir()


def finished_before(output: Path) -> None:
    run_to_end(output)


def check_kills(
    folder: Path,
    step: int,
    run: Run = run_to_end,
    prepare: Callable[[Path], None] = nothing_yet,
    first: int = 1,
) -> int:
    undisturbed = folder / "undisturbed" / "cells.h5"
    prepare(undisturbed)
    n_parts = run(undisturbed, make_rows)
    expected = contents(undisturbed)
    n_killed, k = 0, first
    n_made_twice = set()
    while True:
        output = folder / f"killed-{k}" / "cells.h5"
        prepare(output)
        killed = killed_at_event(k, run, output)
        if not killed.was_killed:
            assert n_made_twice == {0, 1}
            return n_killed
        n_killed += 1
        if output.exists():
            verify_features(output)
        n_made = killed.n_made + run(output, make_rows)
        assert n_parts <= n_made <= n_parts + 1, f"killed at line event {k}: one part at most is computed again"
        n_made_twice.add(n_made - n_parts)
        assert contents(output) == expected, f"killed at line event {k}"
        assert [path.name for path in output.parent.iterdir()] == ["cells.h5"], f"killed at line event {k}"
        k += step


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_anywhere_the_next_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    assert check_kills(tmp_path, step=11) > 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_anywhere_in_an_update_the_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    assert check_kills(tmp_path, step=37, run=update_to_end, prepare=finished_before) > 10


SHARES = 4
"""Of the lines, so that test processes beside one another share them."""

EVERY = 1 if "CELLFEAT_KILLS" in os.environ else 7
"""Of these lines the one that a run is killed at: all are thousands, for ``make torture``, which has half an hour."""


@pytest.mark.slow
@pytest.mark.timeout(1800)  # two processes for each of some hundred kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("first", range(1, SHARES + 1))
def test_killed_at_lines_of_an_update_the_file_is_the_old_one_or_the_new_one(
    first: int, tmp_path: Path, record_property: RecordProperty
) -> None:
    n_killed = check_kills(tmp_path, step=SHARES * EVERY, run=update_to_end, prepare=finished_before, first=first)
    record_property("faults", n_killed)
    assert n_killed > 300 / (SHARES * EVERY)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # two processes for each of some hundred kills
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("first", range(1, SHARES + 1))
def test_killed_at_lines_of_the_store_the_next_run_ends_with_the_same_bytes(
    first: int, tmp_path: Path, record_property: RecordProperty
) -> None:
    n_killed = check_kills(tmp_path, step=SHARES * EVERY, first=first)
    record_property("faults", n_killed)
    assert n_killed > 300 / (SHARES * EVERY)


def test_a_finished_part_is_not_made_again(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    assert run_to_end(output) == 2


def test_numbers_that_look_like_a_heap_of_texts_are_numbers(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    rows = make_rows(range(0, 4))
    rows.embeddings[0, 0, :2] = np.frombuffer(b"GCOL\1\0\0\0", np.float32)
    parts = PartStore(output, HEADER)
    parts.write(rows)
    part = parts.read(range(0, 4))
    assert part is not None
    np.testing.assert_array_equal(part.embeddings, rows.embeddings)


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    part = next(parts_folder(output).glob("rows-*.h5"))
    with h5py.File(part, "r+") as file:
        file["embeddings"][0, 0, 0] += 1
    assert run_to_end(output) == 3
    np.testing.assert_array_equal(load_features(output).embeddings[:4], make_rows(range(0, 4)).embeddings)


def test_a_truncated_part_is_made_again(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    part = next(parts_folder(output).glob("rows-*.h5"))
    part.write_bytes(part.read_bytes()[:-100])
    assert run_to_end(output) == 3


def test_an_unfinished_run_with_other_settings_is_refused_with_the_difference(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    other = RunHeader(**{**HEADER.__dict__, "recipe": {**RECIPE, "precision": "bf16"}})
    with pytest.raises(FingerprintError, match=r"recipe.precision: fp32 -> bf16"):
        PartStore(output, other)
    assert unfinished_run(output) == HEADER


def test_a_second_holder_is_told_who_holds_the_output(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    with held_output(output), pytest.raises(BusyError, match=f"pid {os.getpid()}"), held_output(output):
        pass


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    context = multiprocessing.get_context("spawn")
    holds = context.Event()
    holder = context.Process(target=hold, args=(output, holds))
    holder.start()
    try:
        assert holds.wait(60)
        with pytest.raises(BusyError, match=f"pid {holder.pid}"), held_output(output):
            pass
    finally:
        holder.kill()
        holder.join()
    with held_output(output):
        pass


def hold(output: Path, holds: Any) -> None:
    with held_output(output):
        holds.set()
        time.sleep(60)


def test_every_flipped_byte_is_found_or_changes_nothing(finished: Path, record_property: RecordProperty) -> None:
    whole = finished.read_bytes()
    record_property("faults", len(range(0, len(whole), 23)))
    expected = load_features(finished)
    n_found = 0
    for position in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        finished.write_bytes(damaged)
        try:
            features = load_features(finished)
        except FeatureFileError:
            n_found += 1
            continue
        np.testing.assert_array_equal(features.embeddings, expected.embeddings)
        for name in ("sample_id", "label", "group", "status", "pixel_digest"):
            np.testing.assert_array_equal(getattr(features, name), getattr(expected, name))
        assert (features.fingerprint, features.provenance) == (expected.fingerprint, expected.provenance)
    assert n_found > 50


def test_every_flipped_byte_of_a_part_is_found_or_changes_nothing(
    tmp_path: Path, record_property: RecordProperty
) -> None:
    output, part = tmp_path / "cells.h5", range(4, 8)
    store_of_parts = PartStore(output, HEADER)
    store_of_parts.write(make_rows(part))
    path = next(parts_folder(output).glob("rows-*.h5"))
    whole = path.read_bytes()
    expected = store_of_parts.read(part)
    assert expected is not None
    record_property("faults", len(range(0, len(whole), 11)))
    n_found = 0
    for position in range(0, len(whole), 11):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        rows = store_of_parts.read(part)
        if rows is None:
            n_found += 1
            assert not path.exists(), "so that it is made again"
        else:
            assert rows.checksum() == expected.checksum()
            assert rows.failures == expected.failures
    assert n_found > 50


def test_every_flipped_byte_of_the_runs_record_is_found(tmp_path: Path, record_property: RecordProperty) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER)
    path = parts_folder(output) / "run.json"
    whole = path.read_bytes()
    record_property("faults", len(whole))
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        assert unfinished_run(output) in (None, HEADER)


def fill(disk: Path, *, leave: int) -> Path:
    """Write a file that leaves so many bytes free."""
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    return filler


@pytest.mark.parametrize("n_parts", [0, 1, 2, 3])
def test_on_a_full_disk_the_run_says_what_it_needs_and_goes_on_after_room_was_made(
    n_parts: int, small_disk: Path, tmp_path: Path
) -> None:
    output = small_disk / "cells.h5"
    store_of_parts = PartStore(output, HEADER)
    for part in HEADER.part_rows()[:n_parts]:
        store_of_parts.write(make_rows(part))
    filler = fill(small_disk, leave=50_000)
    expected = r"cells\.h5: the disk is full: about 0\.\d MB are still needed there, and 0\.\d MB are free.*make room"
    if n_parts < 3:
        with pytest.raises(DiskFullError, match=expected):
            store_of_parts.write(make_rows(HEADER.part_rows()[n_parts]))
    else:
        with pytest.raises(DiskFullError, match=expected):
            store_of_parts.consolidate(TABLE, PROVENANCE)
    with pytest.raises(DiskFullError, match=expected):
        run_to_end(output)
    kept = {path.name for path in parts_folder(output).iterdir()}
    assert kept == {"run.json", *(f"rows-{rows.start:09d}.h5" for rows in HEADER.part_rows()[:n_parts])}
    filler.unlink()
    assert run_to_end(output) == 3 - n_parts, "what was finished is not made again"
    run_to_end(tmp_path / "undisturbed.h5")
    assert contents(output) == contents(tmp_path / "undisturbed.h5")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_disk_that_is_full_at_any_byte_of_a_file_ends_the_process_with_a_word(
    small_disk: Path, record_property: RecordProperty
) -> None:
    lefts = range(0, 110_000, 8_192)
    record_property("faults", len(lefts))
    for left in lefts:
        filler = fill(small_disk, leave=left)
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = 1
            try:
                write_vast(small_disk / "cells.h5")
            except DiskFullError:
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0, f"{left} bytes were left"
        filler.unlink()
        assert list(small_disk.iterdir()) == []


def write_vast(path: Path) -> None:
    """Write a file of 120 kB without a look at the disk."""
    failures = {row: f"truncated {row:050d}" for row in range(400)}
    arrays = (np.ones((400, 2, 25), "f4"), np.ones(400, "u1"), np.zeros((400, 32), "u1"), no_properties(400))
    rows = Rows.from_arrays(0, arrays, failures)
    table = SampleTable([f"s{i}" for i in range(400)], [""] * 400, [""] * 400)
    write_features(path, (400, 2, 25), Content([rows], table, RECIPE, "sha256:samples", PROVENANCE))


def test_a_run_that_the_disk_cannot_hold_is_refused_before_it_begins(small_disk: Path) -> None:
    vast = RunHeader(**{**HEADER.__dict__, "n_samples": 10**6, "embedding_dim": 1024, "part_size": 1024})
    with pytest.raises(DiskFullError, match=r"about 16,\d+\.\d MB are still needed there, and [01]\.\d MB are free"):
        PartStore(small_disk / "cells.h5", vast)


def zero_the_heap(path: Path) -> None:
    """Overwrite all texts with zeros but the first, as a loss of power can: HDF5 itself reads that without end."""
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL")
    content[start + 40 : start + 4096] = bytes(len(content[start + 40 : start + 4096]))
    path.write_bytes(content)


def test_a_file_whose_texts_were_zeroed_is_refused_at_once(finished: Path) -> None:
    zero_the_heap(finished)
    for read in (load_features, verify_features, read_summary, read_table, read_pixel_digests):
        with pytest.raises(FeatureFileError, match="overwritten or never written"):
            read(finished)


def test_a_part_whose_texts_were_zeroed_is_made_again(tmp_path: Path) -> None:
    parts = PartStore(tmp_path / "cells.h5", HEADER)
    parts.write(make_rows(range(4)))
    path = parts.folder / "rows-000000000.h5"
    zero_the_heap(path)
    assert parts.read(range(4)) is None
    assert not path.exists()


def test_a_truncated_file_is_refused(finished: Path) -> None:
    finished.write_bytes(finished.read_bytes()[:-200])
    with pytest.raises(FeatureFileError, match=r"cells\.h5: damaged"):
        load_features(finished)


def test_changed_embeddings_are_refused_by_row_range(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        file["embeddings"][6, 0, 0] += 1
    with pytest.raises(FeatureFileError, match="rows 4 to 7 do not match"):
        verify_features(finished)


def test_changed_labels_are_refused(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        file["manifest/label"][0] = "RT4"
    with pytest.raises(FeatureFileError, match="ids, labels or provenance"):
        load_features(finished)


def test_a_changed_recipe_is_refused(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        file.attrs["recipe"] = file.attrs["recipe"].replace("fp32", "bf16")
    with pytest.raises(FeatureFileError, match="not the digest of its recipe"):
        read_summary(finished)


def test_a_newer_format_is_refused(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(FeatureFileError, match="format 99, expected 1"):
        read_summary(finished)


def test_another_tools_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = np.zeros((3, 4))
    with pytest.raises(FeatureFileError, match="not a feature file of cellfeat"):
        load_features(tmp_path / "other.h5")


def test_a_missing_file_names_the_unfinished_run(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    with pytest.raises(MissingFileError, match="does not exist; make it with"):
        load_features(output)
    PartStore(output, HEADER)
    with pytest.raises(MissingFileError, match="unfinished run"):
        load_features(output)


@pytest.mark.parametrize("hostile", ["external link", "soft link", "external storage", "virtual"])
def test_data_that_lies_elsewhere_is_refused(finished: Path, tmp_path: Path, hostile: str) -> None:
    with h5py.File(finished, "r+") as file:
        shape = file["embeddings"].shape
        del file["embeddings"]
        if hostile == "external link":
            file["embeddings"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        elif hostile == "soft link":
            file["embeddings"] = h5py.SoftLink("/status")
        elif hostile == "external storage":
            file.create_dataset("embeddings", shape, np.float32, external=[("/etc/passwd", 0, 240)])
        else:
            layout = h5py.VirtualLayout(shape, np.float32)
            layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape)
            file.create_virtual_dataset("embeddings", layout)
    with pytest.raises(FeatureFileError, match="elsewhere"):
        load_features(finished)


def test_a_shape_without_data_is_refused_before_it_is_read(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        del file["embeddings"]
        file.create_dataset("embeddings", (N_SAMPLES, 2, 10**12), np.float32, chunks=(1, 1, 1024))
    with pytest.raises(FeatureFileError, match="'embeddings' holds less than its shape"):
        load_features(finished)


def test_a_part_whose_failure_is_in_row_infinity_is_made_again(tmp_path: Path) -> None:
    parts = PartStore(tmp_path / "cells.h5", HEADER)
    parts.write(make_rows(range(4)))
    with h5py.File(parts.folder / "rows-000000000.h5", "r+") as file:
        del file["failures"]
        file["failures"] = np.array([(np.inf, "gone")], [("row", "f8"), ("reason", h5py.string_dtype())])
    assert parts.read(range(4)) is None
