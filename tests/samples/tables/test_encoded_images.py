"""Parquet files of images, as Hugging Face keeps them, are named with lines that write the images out."""

import os
import subprocess
import sys

import imagecodecs
import numpy as np
import pandas as pd
import pytest

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.importing import import_table
from cellfeat.proposing.survey import survey_folder
from cellfeat.samples.tables.encoded_images import encoded_images

PIXELS = [np.full((8, 8), value, np.uint8) for value in range(4)]


def bytes_of(image):
    return imagecodecs.png_encode(image)


def dict_of(image):
    return {"bytes": imagecodecs.jpeg_encode(image, level=95), "path": None}


def save(folder, encoded, name="train-00000.parquet", **columns):
    folder.mkdir(exist_ok=True)
    frame = pd.DataFrame({"image": [encoded(image) for image in PIXELS], "label": [0, 1, 0, 1], **columns})
    frame.to_parquet(folder / name)
    return folder / name


@pytest.mark.slow
@pytest.mark.parametrize("read", [lambda file: survey_folder(file.parent), import_table])
@pytest.mark.parametrize(("encoded", "ending"), [(bytes_of, "png"), (dict_of, "jpg")])
def test_lines_write_each_image_into_the_folder_of_its_class(tmp_path, encoded, ending, read):
    file = save(tmp_path / "data", encoded)
    with pytest.raises(ManifestError, match="column image holds encoded images") as raised:
        read(file)
    lines = str(raised.value).partition("in Python:\n")[2]
    subprocess.run([sys.executable, "-c", lines], check=True, cwd=tmp_path, env=dict(os.environ))
    found = survey_folder(tmp_path / "images")
    assert found.names == tuple(f"{label}/train-00000_{number}.{ending}" for label, number in ("00", "02", "11", "13"))


def test_images_beside_features_are_ignored_and_named(tmp_path):
    file = save(tmp_path, bytes_of, area=[1.5, 2.5, 3.5, 4.25])
    imported = import_table(file)
    assert "image" not in imported.features.samples.columns
    assert any("ignored: column image" in line for line in imported.remarks)


def test_images_without_classes_go_into_one_folder(tmp_path):
    pd.DataFrame({"img": [bytes_of(image) for image in PIXELS]}).to_parquet(tmp_path / "a.parquet")
    assert "pathlib.Path('images', f'" in encoded_images(tmp_path / "a.parquet")


def test_other_parquet_holds_no_images(tmp_path):
    pd.DataFrame({"id": [b"a", b"b"], "area": [1.5, 2.5]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"image": [{"bytes": None, "path": "a.png"}]}).to_parquet(tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"PAR1" + bytes(20))
    assert [encoded_images(tmp_path / f"{name}.parquet") for name in "abc"] == [None] * 3
