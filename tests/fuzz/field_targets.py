"""What is fuzzed of whole fields of view: label images, headers, and tables of positions and of fields."""

import tempfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from cellfeat.config_sources import load_settings
from cellfeat.errors import CellfeatError
from cellfeat.samples.fields.objects import find_objects
from cellfeat.samples.formats.headers import read_header
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.worker_pool import sample_reader

LABELS = np.repeat(np.repeat(np.arange(6, dtype=np.uint16).reshape(2, 3), 8, axis=0), 8, axis=1)
MAX_PIXELS = 2**16


def _tiff(pixels: np.ndarray, **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def read_label_image(content: bytes) -> None:
    """Read bytes as a label image, and as the header of a field."""
    with tempfile.TemporaryDirectory(prefix="cellfeat-fuzz-") as folder:
        path = Path(folder) / "a_masks.tif"
        path.write_bytes(content)
        with suppress(CellfeatError):
            header = read_header(path)
            assert header.pixel_size is None or header.pixel_size > 0
        with suppress(CellfeatError):
            objects = find_objects(path, path.name, MAX_PIXELS)
            assert np.isfinite(objects.centres).all()
            assert len(objects.values) == len(objects.centres) == len(objects.sides)


def label_image_seeds() -> dict[str, bytes]:
    """Label images as programs save them."""
    return {
        "labels.png": imagecodecs.png_encode(LABELS.astype(np.uint8)),
        "labels.tif": _tiff(LABELS, compression="zlib"),
        "float.tif": _tiff(LABELS.astype(np.float32)),
        "ome.tif": _tiff(LABELS, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.3}),
        "imagej.tif": _tiff(LABELS, imagej=True, resolution=(3, 3), metadata={"unit": "um"}),
    }


def read_positions(content: bytes) -> None:
    """Read bytes as the table of positions of one field, and as the table of fields."""
    with tempfile.TemporaryDirectory(prefix="cellfeat-fuzz-") as folder:
        root = Path(folder)
        (root / "images").mkdir()
        tifffile.imwrite(root / "images" / "a.tif", LABELS)
        (root / "t.csv").write_bytes(content)
        (root / "cells.csv").write_text("file,x,y\na.tif,3,4\n")
        for key in ("positions", "table"):
            overrides = {
                "images.root": root / "images",
                "images.layout": "fields",
                "images.channels": ["DNA"] if key == "table" else [0],
                "images.fields.crop_size": 5,
                "images.fields.positions": str(root / ("cells.csv" if key == "table" else "t.csv")),
                "images.fields.table": root / "t.csv" if key == "table" else None,
                "labels.file": None,
            }
            with suppress(CellfeatError):
                settings = load_settings(overrides=overrides)
                found = build_manifest(settings.images, settings.labels)
                reader = sample_reader(found, None, max_pixels=MAX_PIXELS)
                assert len(found.regions) == len(found) > 0
                for row in range(min(len(found), 3)):
                    with suppress(CellfeatError):
                        assert reader.read(row).shape == (1, 5, 5)


def position_seeds() -> dict[str, bytes]:
    """Tables as CellProfiler and others write them."""
    return {
        "plain": b"file,x,y,cell\na.tif,3,4,1\na.tif,9.5,4,2\n",
        "cellprofiler": b"FileName_DNA,PathName_DNA,ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y\n"
        b"a.tif,C:\\x,1,1,3,4\na.tif,C:\\x,1,2,,4\n",
        "load_data": b"FileName_OrigDNA,PathName_OrigDNA,Metadata_Plate,Metadata_Well\na.tif,D:\\p,P1,A01\n",
        "scikit-image": b"file;label;centroid-0;centroid-1\na;1;3.5;4\na;2;5;6\n",
    }
