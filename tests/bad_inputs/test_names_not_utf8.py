"""Names of files and folders that are not valid UTF-8: refused before any work, with the bytes shown."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")


def fill(folder: str, names: list[bytes]) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
        Path(folder, os.fsdecode(name)).write_bytes(imagecodecs.png_encode(pixels))


def extract(cli: Callable, *further: str, images: str = "cells"):
    return cli("extract", "--images", images, "--labels", "none", "--set", "images.channels=[0]", *further)


@pytest.mark.parametrize("layout", ["folders", "split_folders"])
def test_class_folder_is_refused(cli, inside, layout):
    fill("cells/a/a", [b"1.png"])
    fill(os.fsdecode(b"cells/b/cl\xff"), [b"2.png", b"3.png"])
    ended = extract(cli, "--set", f"images.layout={layout}")
    ended.is_refusal(r"names of 2 image files.*UTF-8.*b/cl\\xff/2\.png.*rename")


def test_file_that_fits_the_pattern_is_refused(cli, inside):
    fill("cells", [b"1.png", b"\xb5m.png"])
    extract(cli, "--set", "images.pattern={sample_id}.png").is_refusal(r"UTF-8: \\xb5m\.png")


def test_files_that_are_no_samples_do_no_harm(cli, inside, network):
    fill("cells/a", [b"1.png"])
    fill("cells/b", [b"2.png"])
    for name in (b"cells/a/notes\xe9", b"cells/b/notes\xe9.txt"):
        Path(os.fsdecode(name)).write_text("text")
    ended = extract(cli, *network, "--set", "images.layout=folders", "--output", "cells.h5")
    assert ended.code == 0, ended.err
    assert r"a/notes\xe9" in ended.err


@pytest.mark.parametrize("option", ["--images", "--output", "--labels", "--config"])
def test_argument_is_refused_before_any_work(cli, inside, option):
    name = os.fsdecode(b"zellen\xe4")
    cli("extract", option, name).is_refusal(r"zellen\\xe4.*UTF-8")
    assert list(Path().iterdir()) == []


def test_working_folder_is_refused_before_any_work(cli, inside):
    folder = Path(os.fsdecode(b"zellen\xe4"))
    folder.mkdir()
    os.chdir(folder)
    cli("extract").is_refusal(r"zellen\\xe4.*UTF-8")
