"""Objects under an address as a `Storage`: one writer wins, faults are tried again, messages say what to do."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cellfeat.errors import ReadError, WriteError
from cellfeat.storage import downloads
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.opening import open_storage
from cellfeat.storage.retries import RetryPolicy
from cellfeat.storage.url import Url
from tests.object_stores import ACCESS_KEY, SECRET_KEY, Fault, FaultyServer

QUICK = RetryPolicy(tries=6, seconds=20, first_wait=0.01, longest_wait=0.05)


def storage_of(bucket: str, folder: str = "cells.h5.parts") -> ObjectStorage:
    return ObjectStorage(Url.parse(bucket) / folder, QUICK)


@pytest.mark.slow
def test_one_of_many_writers_creates_an_object(bucket: str) -> None:
    contents = [bytes([i]) * 100_000 for i in range(32)]
    barrier = threading.Barrier(32)

    def write(content: bytes) -> bool:
        storage = storage_of(bucket)
        barrier.wait()
        return storage.create("part.h5", content)

    with ThreadPoolExecutor(32) as pool:
        won = list(pool.map(write, contents))
    assert won.count(True) == 1
    assert storage_of(bucket).read("part.h5") == contents[won.index(True)]


def test_objects_are_a_folder(bucket: str) -> None:
    storage = storage_of(bucket)
    assert storage.read("run.json") is None
    assert storage.state("run.json") is None
    storage.remove("run.json")
    storage.replace("run.json", b"1")
    storage.replace("run.json", b"22")
    storage.create("part-000.h5", b"")
    storage.create("part-001 µ#1.h5", b"333")
    storage_of(bucket, "cells.h5.parts2").create("part-000.h5", b"other")
    assert storage.read("run.json") == b"22"
    assert dict(storage.sizes()) == {"run.json": 2, "part-000.h5": 0, "part-001 µ#1.h5": 3}
    assert [name for name, _ in storage.sizes("part-001")] == ["part-001 µ#1.h5"]
    storage.remove("run.json")
    storage.remove_all()
    assert list(storage.sizes()) == []
    assert storage_of(bucket, "cells.h5.parts2").read("part-000.h5") == b"other"


def test_listing_has_pages(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellfeat.storage.objects._PAGE", 3)
    storage = storage_of(bucket)
    names = [f"part-{i}.h5" for i in range(7)]
    for name in names:
        storage.replace(name, b"x")
    assert [name for name, _ in storage.sizes()] == names


@pytest.mark.slow
def test_large_files_go_up_and_down_in_pieces(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PIECE", 1_000_000)
    source, target = tmp_path / "cells.h5", tmp_path / "back.h5"
    source.write_bytes(bytes(range(256)) * 80_000)
    storage = storage_of(bucket, "")
    state = storage.upload("cells.h5", source)
    assert state == storage.state("cells.h5") == storage.download("cells.h5", target)
    assert target.read_bytes() == source.read_bytes()
    assert storage.download("none.h5", tmp_path / "none.h5") is None
    assert not (tmp_path / "none.h5").exists()


def test_pickled_storage_holds_the_address_alone(bucket: str) -> None:
    storage = storage_of(bucket)
    storage.replace("run.json", b"1")
    pickled = pickle.dumps(storage)
    assert pickle.loads(pickled).read("run.json") == b"1"
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert secret.encode() not in pickled
        assert secret not in repr(storage)


def test_open_storage_takes_addresses_and_files(bucket: str, tmp_path: Path) -> None:
    assert repr(open_storage(Url.parse(bucket))) == f"ObjectStorage('{bucket}')"
    storage = open_storage(Url.parse(f"file://{tmp_path}"))
    storage.create("run.json", b"1")
    assert (tmp_path / "run.json").read_bytes() == b"1"


FAULTS = {
    "500": Fault(500),
    "503": Fault(503, code="SlowDown"),
    "429": Fault(429, code="TooManyRequests"),
    "lost answer": Fault(500, after=True),
    "cut": Fault(cut=40),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_faults_end_in_the_same_bytes(
    name: str, bucket: str, faulty: FaultyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faulty.fail_first(2, FAULTS[name])
    storage, content = storage_of(bucket), bytes(range(256)) * 40
    assert storage.create("part.h5", content)
    assert not storage.create("part.h5", b"another")
    assert storage.read("part.h5") == content
    (tmp_path / "up.h5").write_bytes(content)
    storage.upload("up.h5", tmp_path / "up.h5")
    storage.download("up.h5", tmp_path / "down.h5")
    assert (tmp_path / "down.h5").read_bytes() == content
    assert dict(storage.sizes()) == {"part.h5": len(content), "up.h5": len(content)}
    assert f"{bucket}/cells.h5.parts/part.h5" in caplog.text
    assert "trying again" in caplog.text
    assert "(2 of 6)" in caplog.text
    assert SECRET_KEY not in caplog.text


def test_slow_answers_are_given_up_and_asked_for_again(
    bucket: str, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CELLFEAT_STORAGE_TIMEOUT", "0.3")
    storage = storage_of(bucket)
    storage.replace("run.json", b"1")
    faulty.fail_first(1, Fault(wait=1.0), method="GET")
    assert storage.read("run.json") == b"1"
    assert "did not answer in time" in caplog.text


def test_download_goes_on_where_it_was_cut_off(
    bucket: str, faulty: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_CHUNK", 10_000)
    storage, content = storage_of(bucket), bytes(range(256)) * 4000
    storage.replace("cells.h5", content)
    faulty.requests.clear()
    faulty.fail_first(3, Fault(cut=400_000), method="GET")
    storage.download("cells.h5", tmp_path / "cells.h5")
    assert (tmp_path / "cells.h5").read_bytes() == content
    assert len([method for method, _ in faulty.requests if method == "GET"]) == 3


def test_file_that_is_replaced_while_it_is_read_is_an_error(
    bucket: str, faulty: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PIECE", 1000)
    storage = storage_of(bucket)
    storage.replace("cells.h5", b"a" * 3000)

    def plan(method: str, path: str, number: int) -> None:
        if method == "GET" and number > 3 and not plan.done:
            plan.done = True
            faulty.lock.release()
            ObjectStorage(Url.parse(bucket) / "cells.h5.parts", QUICK).replace("cells.h5", b"b" * 3000)
            faulty.lock.acquire()

    plan.done = False
    faulty.plan = plan
    with pytest.raises(ReadError, match="replaced while it was read"):
        storage.download("cells.h5", tmp_path / "cells.h5")
    assert not (tmp_path / "cells.h5").exists()


def test_failure_that_stays_names_address_status_and_advice(bucket: str, faulty: FaultyServer) -> None:
    storage = storage_of(bucket)
    storage.create("run.json", b"1")
    faulty.plan = lambda *_: Fault(503, code="SlowDown")
    with pytest.raises(WriteError, match=rf"{bucket}/cells.h5.parts/part.h5: .*503 \(SlowDown\), 6 times; .*later"):
        storage.create("part.h5", b"1")


def test_server_without_conditional_writing_is_refused(bucket: str, faulty: FaultyServer) -> None:
    faulty.fail_first(9, Fault(501, code="NotImplemented"), method="PUT")
    with pytest.raises(WriteError, match="If-None-Match"):
        storage_of(bucket).create("part.h5", b"1")


def test_server_that_ignores_the_condition_is_refused(bucket: str, faulty: FaultyServer) -> None:
    faulty.drops = ("if-none-match",)
    with pytest.raises(WriteError, match="If-None-Match"):
        storage_of(bucket).create("part.h5", b"1")
    assert dict(storage_of(bucket).sizes()) == {}


def test_refusals_name_what_is_wrong(bucket: str, faulty: FaultyServer) -> None:
    storage = storage_of(bucket)
    for fault, noun in {
        ("InvalidAccessKeyId", 403): "AWS_ACCESS_KEY_ID",
        ("AccessDenied", 403): "permission",
        ("PermanentRedirect", 301): "AWS_REGION",
        ("NoSuchBucket", 404): "no bucket 'lab",
    }.items():
        faulty.plan = lambda *_, fault=fault: Fault(fault[1], code=fault[0])
        with pytest.raises(ReadError, match=noun):
            storage.read("part.h5")
        assert len(faulty.requests) == 1
        faulty.requests.clear()
