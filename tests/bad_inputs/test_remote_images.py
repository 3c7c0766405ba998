"""Images and labels at an address that cannot be used: one message that says where and what to do next."""

import gzip
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from cellfeat.storage.objects import ObjectStorage
from cellfeat.storage.url import Url
from tests.object_stores import ACCESS_KEY, SECRET_KEY, Fault, FaultyServer

PNG = imagecodecs.png_encode(np.arange(64, dtype=np.uint8).reshape(8, 8))
CELLS = {f"images/{folder}/{number}.png": PNG for folder in ("A", "B") for number in (1, 2)}
TABLE = b"file_id,cell_line,path\n1,A,A/1.png\n2,B,B/2.png\n"
FOLDERS = ("--labels", "none", "--set", "images.channels=[0]")
LISTED = ("--labels", "{bucket}/labels.csv", "--set", "images.channels=[0]", "--set", "labels.files=path")
PATTERN = ("--set", "images.layout=pattern", "--set", "images.pattern={{sample_id}}_x.png", *FOLDERS)


@dataclass(frozen=True)
class Case:
    """Objects of the bucket, arguments of ``extract``, and what the message says; ``{bucket}`` is the address."""

    message: str
    arguments: tuple[str, ...] = FOLDERS
    objects: Mapping[str, bytes] = field(default_factory=lambda: CELLS)
    images: str = "{bucket}/images"


CASES = {
    "no such folder": Case(r"s3://lab-\d+/pictures does not exist.*--images", images="{bucket}/pictures"),
    "no such bucket": Case(r"there is no bucket 'lab-unknown'", images="s3://lab-unknown/images"),
    "file in place of a folder": Case(r"A/1\.png does not exist.*--images", images="{bucket}/images/A/1.png"),
    "no images": Case(r"contains no PNG, JPEG", objects={"images/A/1.txt": b"text", "images/B/2.csv": b"a,b"}),
    "no labels": Case(r"s3://lab-\d+/labels\.csv do not exist.*--labels", LISTED),
    "labels that are no table": Case(r"labels\.csv: .*UTF-8", LISTED, CELLS | {"labels.csv": PNG}),
    "labels of a damaged gzip": Case(
        r"labels\.csv: a damaged gzip file", LISTED, CELLS | {"labels.csv": gzip.compress(TABLE * 50)[:40]}
    ),
    "empty labels": Case(r"labels\.csv: is empty", LISTED, CELLS | {"labels.csv": b""}),
    "table of missing files": Case(
        r"1 of 2 labelled samples have no image: 2 \(line 3\)",
        LISTED,
        CELLS | {"labels.csv": TABLE.replace(b"B/2", b"B/7")},
    ),
    "table of another case": Case(
        r"upper and lower case: 'a/1\.PNG' exists as 'A/1\.png'",
        LISTED,
        CELLS | {"labels.csv": b"file_id,cell_line,path\n1,A,a/1.PNG\n"},
    ),
    "table in another normal form": Case(
        r"differ in Unicode.*NFC",
        LISTED,
        {
            unicodedata.normalize("NFD", "images/é1.png"): PNG,
            "labels.csv": "file_id,cell_line,path\n1,A,é1.png\n".encode(),
        },
    ),
    "names that lead outside": Case(
        r"lead out of images\.root: \.\./1\.png", LISTED, CELLS | {"labels.csv": TABLE.replace(b"A/1.png", b"../1.png")}
    ),
    "names outside, allowed": Case(
        r"images\.allow_outside: .*cannot lead out of an address", (*FOLDERS, "--set", "images.allow_outside=true")
    ),
    "whole fields": Case(
        r"crops out of whole fields.*copy the folder to this machine.*aws s3 sync",
        (*FOLDERS, "--set", "images.layout=fields"),
    ),
    "scPortrait": Case(r"scPortrait.*copy", objects={"images/cells.h5sc": b"\x89HDF"}),
    "ND2": Case(
        r"1\.nd2: ND2 cannot be read from an address: copy", objects={f"images/{i}/1.nd2": PNG for i in "AB"}
    ),
    "OME-Zarr": Case(
        r"1\.zarr: OME-Zarr cannot be read from an address: copy",
        objects={f"images/{i}/1.zarr/0/{j}": b"x" for i in "AB" for j in range(3)},
    ),
    "cut-off image": Case(r"sample A/1\.png .*images/A/1\.png: ", objects=CELLS | {"images/A/1.png": PNG[:40]}),
    "empty image": Case(r"sample A/1\.png .*images/A/1\.png: ", objects=CELLS | {"images/A/1.png": b""}),
    "too large image": Case(r"A/1\.png: .*images\.max_pixels", (*FOLDERS, "--set", "images.max_pixels=10")),
    "wrong channel": Case(r"A/1\.png: .*channel", ("--labels", "none", "--set", "images.channels=[0, 1, 2]")),
    "pattern that fits nothing": Case(
        r"no file fits the layout.*folders of images: A, B.*images\.layout=folders", PATTERN
    ),
    "web server": Case(r"does not list its files", images="https://127.0.0.1:1/images"),
    "unknown scheme": Case(r"ftp://host/x: expected an address", images="ftp://host/x"),
}  # fmt: skip


@pytest.fixture
def extract(cli, network, inside: Path, bucket: str) -> Callable[..., object]:
    """Runs ``extract`` in an empty folder, of objects that are put into the bucket first."""

    def run(case: Case) -> object:
        for name, content in case.objects.items():
            ObjectStorage(Url.parse(bucket)).replace(name, content)
        arguments = [text.format(bucket=bucket) for text in case.arguments]
        return cli("extract", *network, "--images", case.images.format(bucket=bucket), *arguments)

    return run


@pytest.mark.parametrize("name", CASES)
def test_images_at_an_address_are_refused(name: str, extract, inside: Path) -> None:
    ending = extract(CASES[name])
    ending.is_refusal(CASES[name].message)
    assert ACCESS_KEY not in ending.err
    assert SECRET_KEY not in ending.err
    assert not list(inside.rglob("*.png"))


FAULTS = {
    "wrong key": (Fault(403, code="InvalidAccessKeyId"), r"InvalidAccessKeyId\).*valid credentials.*AWS_ACCESS_KEY_ID"),
    "expired": (Fault(400, code="ExpiredToken"), r"ExpiredToken\).*valid credentials"),
    "denied": (Fault(403, code="AccessDenied"), r"permission is denied"),
    "busy": (Fault(503, code="SlowDown"), r"503 \(SlowDown\), 2 times; start the same command again later"),
    "other region": (Fault(301, code="PermanentRedirect"), r"AWS_REGION"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_store_that_refuses_is_explained(name: str, extract, faulty: FaultyServer) -> None:
    fault, message = FAULTS[name]
    case = Case(message)
    extract(case)  # puts the objects
    faulty.plan = lambda *_: fault
    extract(Case(message, objects={})).is_refusal(message)


@pytest.mark.usefixtures("impatient")
def test_server_that_is_down_is_explained(extract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    extract(Case("", objects={})).is_refusal(r"no connection to the server, 2 times; .*AWS_ENDPOINT_URL")


@pytest.mark.parametrize("place", ["s3://me:hunter2@lab/images", "https://server/images?X-Amz-Signature=hunter2"])
def test_password_in_an_address_is_refused_and_not_shown(place: str, cli, network, inside: Path) -> None:
    ending = cli("extract", *network, "--images", place)
    ending.is_refusal("holds a user, a password or a key")
    assert "hunter2" not in ending.err


def test_init_names_the_way_out(cli, inside: Path) -> None:
    cli("init", "s3://lab/images").is_refusal(
        r"init looks at folders of this machine.*extract --images s3://lab/images"
    )


@pytest.mark.parametrize("setting", ["masks_root", "table"])
def test_other_settings_take_no_address(setting: str, cli, inside: Path) -> None:
    cli("extract", "--set", f"images.fields.{setting}=s3://lab/x").is_refusal(rf"images\.fields\.{setting}: ")
