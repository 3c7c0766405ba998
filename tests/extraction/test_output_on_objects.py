"""Parts and feature file on an object store: the rows of a local run, whatever the server does meanwhile."""

import json
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cellfeat.config import Settings
from cellfeat.errors import FeatureFileError, WriteError
from cellfeat.extraction.extract import extract
from cellfeat.extraction.shares.consolidation import consolidate
from cellfeat.extraction.shares.share import Share
from cellfeat.extraction.shares.worker import extract_share
from cellfeat.extraction.store import load_features, read_summary, verify_features
from cellfeat.storage import retries
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Url
from tests.object_stores import ACCESS_KEY, SECRET_KEY, Fault, FaultyServer


@pytest.fixture
def to_bucket(
    bucket: str, settings_for: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings that extract into a bucket."""
    monkeypatch.setenv("CELLFEAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(retries.RetryPolicy, "wait", lambda *_: 0.01)
    return settings_for(extraction__output=f"{bucket}/run/cells.h5")


def assert_same_rows(url: object, path: Path) -> None:
    mine, local = load_features(url), load_features(path)
    assert mine.embeddings.tobytes() == local.embeddings.tobytes()
    assert mine.samples.digest == local.samples.digest
    assert mine.fingerprint == local.fingerprint


def names(bucket: str) -> list[str]:
    return sorted(name for name, _ in ObjectStorage(Url.parse(bucket)).sizes())


@pytest.mark.slow
def test_file_in_a_bucket_has_the_rows_of_a_local_one(
    bucket: str, to_bucket: Settings, finished: Callable[..., Path]
) -> None:
    extraction = extract(to_bucket)
    assert str(extraction.path) == f"{bucket}/run/cells.h5"
    assert names(bucket) == ["run/cells.h5"]
    assert_same_rows(extraction.path, finished())
    assert extract(to_bucket).n_extracted == 0
    assert verify_features(str(extraction.path)).n_samples == 24
    assert read_summary(Path(str(extraction.path))).n_samples == 24


@pytest.mark.slow
def test_shares_and_two_consolidators_give_the_rows_of_a_local_run(
    bucket: str, to_bucket: Settings, finished: Callable[..., Path]
) -> None:
    for index in (1, 0):
        extract_share(to_bucket, Share(index, 2))
    with ThreadPoolExecutor(2) as pool:
        paths = [done.path for done in pool.map(consolidate, [to_bucket, to_bucket])]
    assert len(set(paths)) == 1
    assert_same_rows(paths[0], finished())
    assert names(bucket) == ["run/cells.h5"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_faults_at_random_requests_end_in_the_same_rows(
    seed: int, faulty: FaultyServer, to_bucket: Settings, finished: Callable[..., Path]
) -> None:
    rng = random.Random(seed)
    faults = [
        Fault(500),
        Fault(503, code="SlowDown"),
        Fault(429),
        Fault(cut=50),
        Fault(500, after=True),
    ]
    faulty.plan = lambda *_: rng.choice(faults) if rng.random() < 0.2 else None
    assert_same_rows(extract(to_bucket).path, finished())


@pytest.mark.slow
def test_server_that_stays_down_loses_no_part(
    bucket: str, faulty: FaultyServer, to_bucket: Settings, finished: Callable[..., Path]
) -> None:
    faulty.plan = lambda method, path, _: Fault(503) if method == "PUT" and "rows-000000016" in path else None
    with pytest.raises(WriteError, match=r"rows-000000016\.h5.*503"):
        extract(to_bucket)
    assert [name for name in names(bucket) if "rows-" in name] == [
        "run/cells.h5.parts/rows-000000000.h5",
        "run/cells.h5.parts/rows-000000008.h5",
    ]
    faulty.plan = lambda *_: None
    faulty.requests.clear()
    assert_same_rows(extract(to_bucket).path, finished())
    made = [path for method, path in faulty.requests if method == "PUT" and "rows-" in path]
    assert len(made) == 1


@pytest.mark.slow
def test_listing_that_comes_late_hides_no_part(
    bucket: str, to_bucket: Settings, finished: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in (0, 1):
        extract_share(to_bucket, Share(index, 2))
    seen = ObjectStorage.sizes
    monkeypatch.setattr(
        ObjectStorage, "sizes", lambda self, prefix="": (one for one in seen(self, prefix) if "00008" not in one[0])
    )
    assert_same_rows(consolidate(to_bucket).path, finished())


@pytest.mark.slow
def test_damaged_part_is_recomputed(bucket: str, to_bucket: Settings, finished: Callable[..., Path]) -> None:
    extract_share(to_bucket, Share(0, 1))
    parts = open_storage(Url.parse(bucket) / "run/cells.h5.parts")
    content = bytearray(parts.read("rows-000000008.h5") or b"")
    content[len(content) // 2] ^= 1
    parts.replace("rows-000000008.h5", bytes(content))
    assert_same_rows(extract(to_bucket).path, finished())


@pytest.mark.slow
def test_damaged_file_at_an_address_is_refused_and_not_kept(bucket: str, to_bucket: Settings, tmp_path: Path) -> None:
    url = extract(to_bucket).path
    content = bytearray(open_storage(url.parent).read(url.name) or b"")
    content[len(content) // 2] ^= 1
    open_storage(url.parent).replace(url.name, bytes(content))
    with pytest.raises(FeatureFileError, match=f"{url}: .*checksum"):
        read_summary(url)
    assert [path for path in (tmp_path / "cache").rglob("*.h5") if path.read_bytes() == bytes(content)] == []


@pytest.mark.slow
def test_credentials_are_in_nothing_that_is_written(
    bucket: str, to_bucket: Settings, tmp_path: Path, faulty: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faulty.fail_first(1, Fault(403, code="InvalidAccessKeyId"), method="HEAD")
    lines: list[str] = []

    class Told:
        def say(self, line: str) -> None:
            lines.append(line)

        def advance(self, n_done: int, n_samples: int) -> None:
            pass

    extract_share(to_bucket, Share(0, 1), observer=Told())
    storage = ObjectStorage(Url.parse(bucket))
    written = b"".join(storage.read(name) or b"" for name in names(bucket))
    url = extract(to_bucket, observer=Told()).path
    written += storage.read("run/cells.h5") or b""
    written += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    written += json.dumps([*lines, caplog.text, repr(storage), repr(load_features(url))]).encode()
    assert len(written) > 100_000
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert secret.encode() not in written


@pytest.mark.slow
def test_audit_record_lies_beside_the_file(bucket: str, to_bucket: Settings) -> None:
    from cellfeat.near_copies.duplicate_record import audited_groups, save_audited

    features = load_features(extract(to_bucket).path)
    assert audited_groups(features) is None
    assert str(save_audited(features, features.samples.ids)) == f"{bucket}/run/cells.audit.json"
    groups = audited_groups(features)
    assert groups is not None
    assert np.array_equal(groups, features.samples.ids)


def test_features_in_memory_are_saved_to_an_address(
    bucket: str, to_bucket: Settings, finished: Callable[..., Path]
) -> None:
    features = load_features(finished())
    place = f"{bucket}/saved.h5"
    assert str(features.save(place).path) == place
    assert_same_rows(place, finished())
    with pytest.raises(WriteError, match="exists already"):
        features.save(place)


@pytest.mark.slow
def test_update_and_new_labels_change_a_file_in_a_bucket(
    to_bucket: Settings, finished: Callable[..., Path], tmp_path: Path
) -> None:
    table = Path(str(to_bucket.labels.file)).read_text().splitlines()
    (tmp_path / "first.csv").write_text("\n".join(table[:13]) + "\n")
    first = {"file": tmp_path / "first.csv", "unmatched": "listed"}
    some = to_bucket.model_copy(update={"labels": to_bucket.labels.model_copy(update=first)})
    assert extract(some).n_samples == 12
    assert extract(to_bucket, update=True).n_extracted == 12
    assert_same_rows(to_bucket.extraction.output, finished())
    (tmp_path / "other.csv").write_text("\n".join(table).replace("HeLa", "MCF7") + "\n")
    other = to_bucket.labels.model_copy(update={"file": tmp_path / "other.csv"})
    assert extract(to_bucket.model_copy(update={"labels": other})).n_extracted == 0
    assert "MCF7" in load_features(to_bucket.extraction.output).samples.labels
