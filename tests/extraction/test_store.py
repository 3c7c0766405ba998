"""The feature file: written as parts, read back whole, refused when damaged."""

import errno
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cellfeat.errors import (
    BusyError,
    FeatureFileError,
    FingerprintError,
    MissingFileError,
    WriteError,
)
from cellfeat.extraction.store import (
    NEW,
    Carried,
    PartStore,
    RunHeader,
    SampleTable,
    held_output,
    load_features,
    parts_folder,
    read_pixel_digests,
    read_properties,
    read_summary,
    read_table,
    replace_table,
    unfinished_run,
    verify_features,
)
from tests.extraction.store_runs import (
    HEADER,
    MORE,
    MORE_TABLE,
    N_SAMPLES,
    NEW_HEADER,
    PROVENANCE,
    RECIPE,
    SOURCE,
    TABLE,
    make_rows,
    run_to_end,
    update_to_end,
)


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    output = tmp_path / "cells.h5"
    run_to_end(output)
    return output


def test_written_content_is_read_back(finished: Path) -> None:
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
    properties = features.samples.properties
    assert properties is not None
    np.testing.assert_array_equal(properties.records, np.concatenate([part.properties for part in parts]))
    np.testing.assert_array_equal(read_properties(finished).records, properties.records)
    assert (properties.dtype[0], properties.bits_stated[0], properties.bits_used[0]) == ("uint16", "12", 11)
    assert (properties.height[9], properties.width[9], properties.file_format[9]) == (64, 69, "tiff+png")
    assert (properties.dtype[5], properties.height[5]) == ("", 0)
    few = features.take(np.array([9, 0])).samples.properties
    assert few is not None
    assert few.width.tolist() == [69, 60]
    assert features.fingerprint == HEADER.fingerprint
    assert features.provenance == {**PROVENANCE, "machines": [{"rows": [[0, N_SAMPLES]]}]}


def test_replaced_table_leaves_rows_unchanged(finished: Path) -> None:
    before = load_features(finished)
    table = SampleTable(
        TABLE.sample_id, ["RT4"] * N_SAMPLES, ["donor"] * N_SAMPLES, {"a/b": TABLE.label, ".": TABLE.label}
    )
    replace_table(finished, table, PROVENANCE)
    after = load_features(finished)
    assert read_table(finished) == table
    np.testing.assert_array_equal(after.embeddings, before.embeddings)
    assert after.samples.failures == before.samples.failures
    np.testing.assert_array_equal(read_properties(finished).records, before.samples.properties.records)


def test_unfinished_run_without_parts_is_replaced(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, RunHeader(**{**HEADER.__dict__, "recipe": {**RECIPE, "precision": "bf16"}}))
    assert run_to_end(output) == 3


def test_only_the_file_is_left(finished: Path) -> None:
    assert [path.name for path in finished.parent.iterdir()] == ["cells.h5"]


def test_summary_gives_shape_and_failures(finished: Path) -> None:
    summary = read_summary(finished)
    assert (summary.n_samples, summary.n_views, summary.embedding_dim, summary.n_failed) == (10, 2, 3, 1)


def test_embeddings_lie_in_one_piece(finished: Path) -> None:
    with h5py.File(finished) as file:
        assert file["embeddings"].chunks is None
        assert file["embeddings"].id.get_offset() is not None


def test_update_puts_carried_and_new_rows_in_place(finished: Path) -> None:
    before = load_features(finished)
    assert update_to_end(finished) == 2
    after = load_features(finished)
    new = [make_rows(part) for part in NEW_HEADER.part_rows()]
    is_new = SOURCE == NEW
    assert after.samples.properties is not None
    assert before.samples.properties is not None
    for old, now in (
        (before.embeddings, after.embeddings),
        (before.samples.status, after.samples.status),
        (before.samples.digests, after.samples.digests),
        (before.samples.properties.records, after.samples.properties.records),
    ):
        np.testing.assert_array_equal(now[~is_new], old[SOURCE[~is_new]])
    np.testing.assert_array_equal(
        after.samples.properties.records[is_new], np.concatenate([rows.properties for rows in new])
    )
    np.testing.assert_array_equal(after.embeddings[is_new], np.concatenate([rows.embeddings for rows in new]))
    # Row 5 failed before and is row 4 now; of the new rows, the sixth failed.
    assert after.samples.failures == {4: "truncated", 10: "truncated"}
    assert read_table(finished) == MORE_TABLE
    assert read_summary(finished).samples == MORE


@pytest.mark.parametrize("source", [[NEW] * 6, [9, 8, 7, 7, 0]], ids=["nothing is carried over", "nothing is new"])
def test_update_may_carry_nothing_or_everything(source: list[int], finished: Path) -> None:
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


def test_finished_part_is_kept(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    assert run_to_end(output) == 2


def test_corrupt_part_is_recomputed(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    part = next(parts_folder(output).glob("rows-*.h5"))
    with h5py.File(part, "r+") as file:
        file["embeddings"][0, 0, 0] += 1
    assert run_to_end(output) == 3
    np.testing.assert_array_equal(load_features(output).embeddings[:4], make_rows(range(0, 4)).embeddings)


def test_truncated_part_is_recomputed(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    part = next(parts_folder(output).glob("rows-*.h5"))
    part.write_bytes(part.read_bytes()[:-100])
    assert run_to_end(output) == 3


def test_unfinished_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    PartStore(output, HEADER).write(make_rows(range(0, 4)))
    other = RunHeader(**{**HEADER.__dict__, "recipe": {**RECIPE, "precision": "bf16"}})
    with pytest.raises(FingerprintError, match=r"recipe.precision: fp32 -> bf16"):
        PartStore(output, other)
    assert unfinished_run(output) == HEADER


def test_output_that_is_a_link_stays_one(tmp_path: Path) -> None:
    disk, link = tmp_path / "disk", tmp_path / "cells.h5"
    disk.mkdir()
    link.symlink_to(disk / "large.h5")
    PartStore(link, HEADER).write(make_rows(range(0, 4)))
    assert [path.name for path in tmp_path.iterdir() if not path.is_symlink()] == ["disk"]  # parts are on the disk, too
    with held_output(link), pytest.raises(BusyError), held_output(disk / "large.h5"):
        pass
    assert run_to_end(disk / "large.h5") == 2
    replace_table(link, TABLE, PROVENANCE)
    assert update_to_end(link) == 2
    assert link.is_symlink()
    assert [path.name for path in disk.iterdir()] == ["large.h5"]
    assert read_summary(link).samples == MORE


def test_disk_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Played, because few test machines have such a disk."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(WriteError, match=r"no locks.*--output"), held_output(tmp_path / "cells.h5"):
        pass


def test_second_run_is_told_who_writes_the_output(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    with held_output(output), pytest.raises(BusyError, match=f"pid {os.getpid()}"), held_output(output):
        pass


@pytest.mark.slow
def test_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
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


def test_truncated_file_is_refused(finished: Path) -> None:
    finished.write_bytes(finished.read_bytes()[:-200])
    with pytest.raises(FeatureFileError, match=r"cells\.h5: damaged"):
        load_features(finished)


def test_changed_row_is_refused_by_range(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        file["embeddings"][6, 0, 0] += 1
    with pytest.raises(FeatureFileError, match="rows 4 to 7 do not match"):
        verify_features(finished)


def test_changed_label_is_refused(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        file["manifest/label"][0] = "RT4"
    with pytest.raises(FeatureFileError, match="ids, labels or provenance"):
        load_features(finished)


def test_changed_recipe_is_refused(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        content = file["recipe"][:].tobytes().replace(b"fp32", b"bf16")
        file["recipe"][:] = np.frombuffer(content, np.uint8)
    with pytest.raises(FeatureFileError, match="not the digest of its recipe"):
        read_summary(finished)


def test_file_is_readable_in_one_line_of_h5py(finished: Path) -> None:
    expected = load_features(finished)
    np.testing.assert_array_equal(h5py.File(finished)["embeddings"][:], expected.embeddings)
    assert h5py.File(finished)["sample_id"].asstr()[:].tolist() == TABLE.sample_id
    assert h5py.File(finished)["manifest/label"].asstr()[:].tolist() == TABLE.label
    assert h5py.File(finished)["properties"]["width"].tolist() == [60, 61, 62, 63, 64, 0, 66, 67, 68, 69]
    assert json.loads(h5py.File(finished)["recipe"][:].tobytes()) == RECIPE


def test_nothing_in_file_or_part_has_variable_length(finished: Path, tmp_path: Path) -> None:
    parts = PartStore(tmp_path / "other.h5", HEADER)
    parts.write(make_rows(range(4, 8)))
    for path in (finished, parts.folder / "rows-000000004.h5"):
        assert b"GCOL" not in path.read_bytes(), "the mark of a heap of HDF5"


def as_other_type(name: str, values: object, dtype: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=np.array(values, dtype))

    return change


def as_link_elsewhere(file: h5py.File) -> None:
    del file["status"]
    file["status"] = h5py.ExternalLink("/etc/passwd", "/x")


FOREIGN_PARTS: dict[str, Callable[[h5py.File], None]] = {
    "run of variable length": lambda file: file.attrs.__setitem__("run", HEADER.digest()),
    "reasons of variable length": as_other_type("failures/reason", ["truncated"], h5py.string_dtype()),
    "a failure in row infinity": as_other_type("failures/row", [np.inf], "f8"),
    "other properties": as_other_type("properties", [0] * 4, "u1"),
    "a status elsewhere": as_link_elsewhere,
}


@pytest.mark.parametrize("name", FOREIGN_PARTS)
def test_part_of_other_types_is_recomputed(name: str, tmp_path: Path) -> None:
    parts = PartStore(tmp_path / "cells.h5", HEADER)
    parts.write(make_rows(range(4, 8)))
    path = parts.folder / "rows-000000004.h5"
    with h5py.File(path, "r+") as file:
        FOREIGN_PARTS[name](file)
    assert parts.read(range(4, 8)) is None
    assert not parts.write(make_rows(range(4, 8))), "it is made again in its place"
    assert parts.read(range(4, 8)) is not None


def test_unfinished_run_of_format_1_is_refused_and_kept(tmp_path: Path) -> None:
    folder = parts_folder(tmp_path / "cells.h5")
    folder.mkdir()
    (folder / "run.json").write_text('{"content": {}, "sha256": "sha256:"}')
    (folder / "rows-000000000.h5").write_bytes(b"an earlier part")
    with pytest.raises(FingerprintError, match=r"cellfeat 0\.1.*another --output"):
        PartStore(tmp_path / "cells.h5", HEADER)
    assert (folder / "rows-000000000.h5").exists()


def test_missing_file_names_the_unfinished_run(tmp_path: Path) -> None:
    output = tmp_path / "cells.h5"
    with pytest.raises(MissingFileError, match="does not exist; make it with"):
        load_features(output)
    PartStore(output, HEADER)
    with pytest.raises(MissingFileError, match="unfinished run"):
        load_features(output)


def test_orphans_of_an_output_with_brackets_are_removed(tmp_path: Path) -> None:
    output = tmp_path / "cells[1].h5"
    orphan, fresh = tmp_path / f".{output.name}.node7.4242.0a.tmp", tmp_path / f".{output.name}.node7.4243.0b.tmp"
    orphan.touch()
    fresh.touch()
    two_days_ago = time.time() - 2 * 86_400
    os.utime(orphan, (two_days_ago, two_days_ago))
    PartStore(output, HEADER)
    assert not orphan.exists()
    assert fresh.exists(), "another machine may be writing it"


def test_missing_file_names_its_neighbours_and_results_say_what_they_are(tmp_path):
    (tmp_path / "cells.h5").write_bytes(b"")
    with pytest.raises(MissingFileError, match=r"cellfeat import.*beside it: cells\.h5"):
        load_features(tmp_path / "none.h5")
    (tmp_path / "samples.json").write_text("{}")
    with pytest.raises(FeatureFileError, match=r"folder of results.*--results"):
        load_features(tmp_path)
