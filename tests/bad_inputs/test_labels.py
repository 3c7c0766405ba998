"""Invalid labels tables and folders: one message that names the file and the line, and exit code 1."""

import sys
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import pytest

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.errors import ManifestError
from cellfeat.extraction.store import load_features
from cellfeat.samples.manifest.build import build_manifest

IDS = range(1, 11)
LABELS = ["HeLa", "A549"] * 5


def table(ids: Sequence[object] = IDS, labels: Sequence[str] = LABELS, *, separator: str = ",", head: str = "") -> str:
    rows = [f"{i}{separator}{label}" for i, label in zip(ids, labels, strict=True)]
    return head + "\n".join([f"file_id{separator}cell_line", *rows]) + "\n"


@pytest.fixture
def images(inside: Path) -> Path:
    """Ten samples of one file each, and the working directory above them."""
    (inside / "images").mkdir()
    for i in IDS:
        pixels = np.random.default_rng(i).integers(0, 256, (6, 6, 3), np.uint8)
        (inside / "images" / f"{i:05d}.png").write_bytes(imagecodecs.png_encode(pixels))
    return inside


ARGUMENTS = (
    "extract", "--images", "images", "--labels", "labels.csv", "--output", "features.h5",
    "--set", "images.pattern={sample_id:05d}.png", "--set", "images.channels=[0,1,2]",
)  # fmt: skip


class Refused(NamedTuple):
    text: bytes | str
    message: str
    arguments: tuple[str, ...] = ()


REFUSED = {
    "nothing": Refused("", "labels.csv: is empty"),
    "blank lines": Refused("\n\n   \n", "labels.csv: is empty"),
    "a header alone": Refused("file_id,cell_line\n", "a header but no samples"),
    "no header": Refused(table().partition("\n")[2], r"no column 'file_id' \(labels.id\).*--set labels.id=NAME"),
    "other headers": Refused(table().replace("file_id", "id"), "no column 'file_id' .*Valid: cell_line, id"),
    "a case off": Refused(table().replace("cell_line", "Cell_Line"), "no column 'cell_line'.*did you mean 'Cell_Line'"),
    "utf-16 without a mark": Refused(table().encode("utf-16-le"), "NUL.*save it as CSV UTF-8"),
    "mac roman": Refused(table(labels=["Zürich", "A549"] * 5).encode("mac_roman"), "not UTF-8 text.*uncertain"),
    "a spreadsheet": Refused(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xff\xfe", "damaged Excel or zip"),
    "nul bytes": Refused(table().replace("HeLa", "He\0La", 1), "line 2: .*NUL"),
    "missing cell": Refused(table().replace("3,HeLa", "3"), "line 4: expected 2 cells as in the header"),
    "an extra cell": Refused(table().replace("3,HeLa", "3,HeLa,x"), "line 4: expected 2 cells"),
    "an open quote": Refused(table().replace("3,HeLa", '3,"HeLa'), "not a CSV table"),
    "text behind a quote": Refused(table().replace("3,HeLa", '3,"He"La'), "line 4: not a CSV table"),
    "an endless cell": Refused(table().replace("3,HeLa", f"3,{'x' * 200_000}"), "line 4: .*field larger"),
    "no id": Refused(table().replace("3,HeLa", ",HeLa"), "no file_id in line 4; every sample needs its own id"),
    "an id of spaces": Refused(table().replace("3,HeLa", "   ,HeLa"), "no file_id in line 4"),
    "ids twice": Refused(table([*range(1, 10), 1]), r"more than one sample: 1 \(line 2, line 11\)"),
    "ids that mean one": Refused(table(["1", "00001", *range(3, 11)]), r"more than one sample: 1 \(line 2, line 3\)"),
    "ids as fractions": Refused(table(["1.5", *range(2, 11)]), "expected whole numbers.*'1.5'"),
    "ids of words": Refused(table(["one", *range(2, 11)]), "expected whole numbers.*'one'"),
    "negative ids": Refused(table(["-1", *range(2, 11)]), "expected whole numbers.*'-1'"),
    "ids with exponents": Refused(table(["1e3", *range(2, 11)]), "expected whole numbers.*'1e3'"),
    "arabic digits": Refused(table(["١", *range(2, 11)]), "expected whole numbers.*'١'"),
    "an id of 5,000 digits": Refused(table(["9" * 5000, *range(2, 11)]), r"expected whole numbers.*9{40}…"),
    "an id without images": Refused(table([*range(1, 10), 99]), r"1 of 10 .*have no image: 99 \(line 11\)"),
    "images without a row": Refused(table(range(1, 10), LABELS[:9]), "1 samples have images and no row.*: 10;"),
    "other ids": Refused(table(range(101, 111)), "no sample has an image: expected files such as 00101.png"),
    "labels of mixed case": Refused(table(labels=["HeLa", "Hela"] * 5), r"'HeLa' \(5 samples\) and 'Hela'"),
    "labels of mixed spaces": Refused(table(labels=["U2 OS", "U2OS"] * 5), "differ only in case, spaces"),
    "labels of two normal forms": Refused(table(labels=["Zu\u0308rich", "Z\u00fcrich"] * 5), r"only in.*Z\\xfcrich"),
    "labels of numbers": Refused(table(labels=["1", "1.0"] * 5), r"'1' \(5 samples\) and '1.0'"),
    "labels with invisible marks": Refused(table(labels=["HeLa", "HeLa\u200b"] * 5), "invisible characters"),
    "one class": Refused(table(labels=["HeLa"] * 10), "1 classes .HeLa.; expected two or more"),
    "a column twice": Refused("file_id,cell_line,cell_line\n1,HeLa,RT4\n", "cell_line occurs more than once"),
    "a column of ours": Refused(
        "file_id,cell_line,sample_id\n" + "".join(f"{i},{label},x\n" for i, label in zip(IDS, LABELS, strict=True)),
        "column sample_id has a reserved name",
    ),
    "files outside": Refused(
        "file_id,cell_line,path\n" + "".join(f"{i},{x},../secret.png\n" for i, x in zip(IDS, LABELS, strict=True)),
        "lead out of images.root", ("--set", "labels.files=path"),
    ),
    "absolute files": Refused(
        "file_id,cell_line,path\n" + "".join(f"{i},{x},/etc/passwd\n" for i, x in zip(IDS, LABELS, strict=True)),
        "lead out of images.root", ("--set", "labels.files=path"),
    ),
    "windows files": Refused(
        "file_id,cell_line,path\n" + "".join(f"{i},{x},C:\\a.png\n" for i, x in zip(IDS, LABELS, strict=True)),
        "lead out of images.root", ("--set", "labels.files=path"),
    ),
    "no file name": Refused(
        "file_id,cell_line,path\n"
        + "".join(f"{i},{x},{f'{i:05d}.png' if i > 1 else ''}\n" for i, x in zip(IDS, LABELS, strict=True)),
        "1 of 10 labelled samples have no image: 1 .line 2.", ("--set", "labels.files=path"),
    ),
    "a nul in a file name": Refused(
        "file_id,cell_line,path\n" + "".join(f"{i},{x},a\0b.png\n" for i, x in zip(IDS, LABELS, strict=True)),
        "line 2: .*NUL", ("--set", "labels.files=path"),
    ),
    "a pattern without an id": Refused(table(), "expected {sample_id}", ("--set", "images.pattern={channel}.png")),
    "a pattern that is code": Refused(
        table(), r"images\.pattern", ("--set", "images.pattern={sample_id.__class__}.png"),
    ),
    "a pattern of gigabytes": Refused(
        table(), r"images\.pattern", ("--set", "images.pattern={sample_id:09999999999d}.png"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_table_is_refused_with_its_line(name, images, cli):
    text, message, further = REFUSED[name]
    (images / "secret.png").touch()
    (images / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    cli(*ARGUMENTS, *further).is_refusal(message)
    assert not (images / "features.h5").exists()


ACCEPTED = {
    "a byte-order mark": table(head="\ufeff"),
    "semicolons": table(separator=";"),
    "tabs": table(separator="\t"),
    "utf-16": table().encode("utf-16"),
    "windows line ends": table().replace("\n", "\r\n"),
    "old mac line ends": table().replace("\n", "\r"),
    "spaces around": table([f"  {i} " for i in IDS], [f" {label}  " for label in LABELS]),
    "ids as floats": table([f"{i}.0" for i in IDS]),
    "padded ids": table([f"{i:07d}" for i in IDS]),
    "blank lines": table().replace("\n", "\n\n"),
    "quotes": table([f'"{i}"' for i in IDS], [f'"{label}"' for label in LABELS]),
    "no last line end": table().rstrip("\n"),
    "another order": table(list(IDS)[::-1], LABELS[::-1]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_table_is_read(name, images):
    text = ACCEPTED[name]
    (images / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    manifest = build_manifest(
        ImagesSettings(root=Path("images"), pattern="{sample_id:05d}.png", channels=[0, 1, 2]),
        LabelsSettings(file=Path("labels.csv")),
    )
    found = dict(zip(manifest.table["sample_id"], manifest.table["label"], strict=True))
    assert found == {str(i): label for i, label in zip(IDS, LABELS, strict=True)}


ODD_NAMES = [
    "with space.png", " leading.png", "trailing .png", "new\nline.png", "tab\t.png", "quote'\".png", "semi;comma,.png",
    "percent%20.png", "{braces}.png", "back\\slash.png", "-rf.png", "日本語.png", "é-composed.png",
    "e\u0301-decomposed.png", "\u202egnp.png", "😀.png", "esc\x1b[31m.png", "a" * 240 + ".png", "$(touch x).png",
    "..hidden.png", "folder.png/inside.png", "two.dots.png", "=cmd().png", "UPPER.PNG", "CON.png", "*.png",
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="these are no names on every system")
def test_samples_with_unusual_names_are_found(inside, cli, network):
    shown = [name for name in ODD_NAMES if not name.startswith(".")]
    for path in (inside / "images" / label / name for label in ("HeLa", "A549") for name in ODD_NAMES):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(imagecodecs.png_encode(np.zeros((6, 6, 3), np.uint8)))
    (inside / "images" / "HeLa" / "loop.png").symlink_to("..", target_is_directory=True)
    ending = cli(
        "extract", "--images", "images", "--labels", "none", "--set", "images.layout=folders", "--set",
        "images.channels=[0,1,2]", "--output", "features.h5", *network,
    )  # fmt: skip
    assert ending.code == 0, ending.err
    features = load_features(Path("features.h5"))
    assert sorted(features.samples.ids) == sorted(f"{label}/{name}" for label in ("HeLa", "A549") for name in shown)
    assert not features.samples.status.any()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems normalise names themselves")
@pytest.mark.parametrize(("on_disk", "in_table"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_normal_form_are_explained(on_disk, in_table, images, cli):
    for i in IDS:
        name = unicodedata.normalize(on_disk, f"zelle-é{i}.png")
        (images / "images" / f"{i:05d}.png").rename(images / "images" / name)
    rows = [f"{i},{x},{unicodedata.normalize(in_table, f'zelle-é{i}.png')}" for i, x in zip(IDS, LABELS, strict=True)]
    (images / "labels.csv").write_text("\n".join(["file_id,cell_line,path", *rows]))
    cli(*ARGUMENTS, "--set", "labels.files=path").is_refusal(r"exists as .*one normal form")


@pytest.mark.slow
def test_files_named_in_a_windows_1252_table_are_found(images, cli, network):
    for i in IDS:
        (images / "images" / f"{i:05d}.png").rename(images / "images" / f"größe-{i} µm.png")
    rows = [f"{i};{'Zürich' if i % 2 else 'Genève'};größe-{i} µm.png" for i in IDS]
    (images / "labels.csv").write_bytes("\r\n".join(["file_id;cell_line;path", *rows]).encode("cp1252"))
    ending = cli(*ARGUMENTS, "--set", "labels.files=path", *network)
    assert ending.code == 0, ending.err
    assert "read as Windows-1252: Zürich, größe-1, µm" in ending.err
    assert set(load_features(Path("features.h5")).samples.labels) == {"Zürich", "Genève"}


def write_rows(folder, n_rows, n_files):
    """A table of many rows, and its image files, which are empty."""
    (folder / "images").mkdir()
    for i in range(n_files):
        (folder / "images" / f"{i}.png").touch()
    rows = (f"{i},{'HeLa' if i % 2 else 'A549'},p{i % 96},{i % n_files}.png" for i in range(n_rows))
    (folder / "labels.csv").write_text("\n".join(["file_id,cell_line,plate,path", *rows]))
    return (
        ImagesSettings(root=folder / "images", channels=[0]),
        LabelsSettings(file=folder / "labels.csv", files="path", group="plate"),
    )


@pytest.mark.slow
def test_many_files_are_listed_in_seconds(tmp_path):
    settings = write_rows(tmp_path, 200_000, 200_000)
    began = time.process_time()  # others may keep the machine busy
    manifest = build_manifest(*settings)
    seconds = time.process_time() - began
    assert len(manifest) == 200_000
    assert seconds < 30, f"{seconds:.1f} s"


@pytest.mark.slow
def test_million_rows_on_one_file_are_refused_in_seconds(tmp_path):
    settings = write_rows(tmp_path, 1_000_000, 1)
    began = time.process_time()
    with pytest.raises(ManifestError, match=r"1000000 of 1000000 rows.*images\.layout=fields"):
        build_manifest(*settings)
    seconds = time.process_time() - began
    assert seconds < 120, f"{seconds:.1f} s"
