"""A folder of images on an object store answers as the same folder on a disk does."""

import threading
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from cellfeat.errors import ImageError, ManifestError, MissingFileError, ReadError
from cellfeat.samples.folders.objects import ObjectFolder, RemoteFiles, _Room
from cellfeat.samples.folders.opening import name_below, open_folder
from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.url import Url
from tests.object_stores import Fault, FaultyServer
from tests.samples.remote_folders import upload

PNG = b"\x89PNG\r\n\x1a\n and more"
NAMES = (
    "A/1.png", "A/deep/2.PNG", "B/3.tif", "B/no ending", "top.jpg", ".hidden.png", ".folder/4.png", "B/.5.png",
    "stack.zarr/0/0.0", "stack.zarr/.zattrs", "notes.txt", "C/a b+c=1,2;3(4).png", "C/zellen-é-細胞.png", "C/100%.png",
    "C/1#2.png", "C/plate:1.png", "C/x%20y.png",
)  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG if "no ending" in name else name.encode())
    return root


@pytest.fixture
def folder(disk: Path, bucket: str) -> ObjectFolder:
    upload(disk, f"{bucket}/screen/images")
    ObjectStorage(Url.parse(bucket)).replace("screen/images-2/other.png", b"a folder whose name begins like the other")
    return ObjectFolder(Url.parse(f"{bucket}/screen/images"))


def test_names_are_those_of_the_disk(folder: ObjectFolder, disk: Path) -> None:
    assert folder.exists()
    assert folder.names() == open_folder(disk).names()


@pytest.mark.parametrize("named", [["A/9.png"], ["9.png", "B/9.png"], ["nowhere/9.png"]])
def test_names_beside_are_those_of_the_disk(folder: ObjectFolder, disk: Path, named: list[str]) -> None:
    assert folder.names_beside(named) == open_folder(disk).names_beside(named)


@pytest.mark.parametrize("depth", [1, 2])
def test_folders_are_those_of_the_disk(folder: ObjectFolder, disk: Path, depth: int) -> None:
    on_disk = open_folder(disk).folders(depth)
    # On a store a folder of Zarr is no folder but one image.
    assert folder.folders(depth) == {name for name in on_disk if not name.startswith("stack.zarr")}


@pytest.mark.slow
def test_first_bytes_are_those_of_the_disk(folder: ObjectFolder, disk: Path) -> None:
    names = ["B/no ending", "C/a b+c=1,2;3(4).png", "C/100%.png", "C/1#2.png", "C/x%20y.png", "missing.png"]
    assert dict(folder.starts(names, 6)) == dict(open_folder(disk).starts(names, 6))
    assert folder.starts([], 6) == {}


def test_listing_is_asked_for_once(faulty: FaultyServer, disk: Path, bucket: str) -> None:
    folder = ObjectFolder(Url.parse(upload(disk, f"{bucket}/images")))
    faulty.requests.clear()
    folder.exists()
    folder.names()
    folder.names_beside(["A/1.png"])
    folder.folders(1)
    assert [method for method, _ in faulty.requests] == ["GET"]


def test_empty_address_is_no_folder(bucket: str) -> None:
    assert not ObjectFolder(Url.parse(f"{bucket}/nothing")).exists()


def test_bucket_that_does_not_exist_is_an_error(bucket: str) -> None:
    with pytest.raises(ReadError, match=r"there is no bucket 'lab-none'"):
        ObjectFolder(Url.parse("s3://lab-none/images")).exists()


def test_web_server_is_not_listed() -> None:
    folder = ObjectFolder(Url.parse("https://server/images"))
    assert folder.names_beside(["a/1.png"]) == {"a/1.png"}
    with pytest.raises(ReadError, match="does not list its files"):
        folder.names()


@pytest.mark.parametrize("name", ["missing.png", "A", "A/1.png/x"])
def test_missing_object_is_an_error_of_its_sample(folder: ObjectFolder, name: str) -> None:
    files = RemoteFiles(folder.location)
    with pytest.raises(MissingFileError, match=f"{name}: the object does not exist"), files.opened([name], 100):
        pass


def test_object_above_the_limit_is_not_fetched(folder: ObjectFolder) -> None:
    files = RemoteFiles(folder.location)
    with pytest.raises(ImageError, match=r"A/1.png: has 7 bytes; expected at most 6"), files.opened(["A/1.png"], 6):
        pass


@pytest.mark.parametrize(
    "fault", [Fault(403, code="AccessDenied"), Fault(cut=3), Fault(500)], ids=["denied", "cut off", "broken"]
)
@pytest.mark.usefixtures("impatient")
def test_one_object_that_fails_is_an_error_of_its_sample(
    faulty: FaultyServer, disk: Path, bucket: str, fault: Fault
) -> None:
    address = upload(disk, f"{bucket}/images")
    faulty.plan = lambda _method, path, _number: fault if "A/1.png" in path else None
    files = RemoteFiles(Url.parse(address))
    with pytest.raises(ImageError, match=r"A/1\.png"), files.opened(["A/1.png"], 100):
        pass
    with files.opened(["top.jpg"], 100) as contents:
        assert contents == (b"top.jpg",)


@pytest.mark.parametrize(
    "fault",
    [Fault(403, code="ExpiredToken"), Fault(403, code="AccessDenied"), Fault(503, code="SlowDown")],
    ids=["expired", "denied", "busy"],
)
@pytest.mark.usefixtures("impatient")
def test_store_that_refuses_everything_is_an_error_of_the_run(
    faulty: FaultyServer, disk: Path, bucket: str, fault: Fault
) -> None:
    files = RemoteFiles(Url.parse(upload(disk, f"{bucket}/images")))
    faulty.plan = lambda *_: fault
    with pytest.raises(ReadError, match=r"cannot be read"), files.opened(["A/1.png"], 100):
        pass


@pytest.mark.slow
def test_short_outage_is_waited_for(faulty: FaultyServer, disk: Path, bucket: str, caplog) -> None:
    files = RemoteFiles(Url.parse(upload(disk, f"{bucket}/images")))
    faulty.fail_first(1, Fault(503, code="SlowDown"), path="A/1.png")
    with files.opened(["A/1.png"], 100) as contents:
        assert contents == (b"A/1.png",)
    assert "503 (SlowDown); trying again" in caplog.text


def test_key_with_an_empty_part_is_refused(bucket: str, s3_server: str) -> None:
    name = bucket.removeprefix("s3://")
    urlopen(Request(f"{s3_server}/{name}/images/a//b.png", data=b"x", method="PUT"))
    with pytest.raises((ManifestError, ReadError), match="images"):
        ObjectFolder(Url.parse(f"{bucket}/images")).names()


def test_room_lets_in_what_fits() -> None:
    room, inside, most = _Room(most=8, n_bytes=100), 0, 0
    lock = threading.Lock()

    def hold() -> None:
        nonlocal inside, most
        with room.taken() as tell_size:
            tell_size(40)
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=hold) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


@pytest.mark.parametrize(
    ("name", "below"),
    [("s3://lab/images/A/1.png", "A/1.png"), ("A/1.png", "A/1.png"), ("s3://lab/images-2/1.png",) * 2],
)
def test_whole_address_in_a_table_is_taken_below_the_root(name: str, below: str) -> None:
    assert name_below(Url.parse("s3://lab/images"), name) == below
