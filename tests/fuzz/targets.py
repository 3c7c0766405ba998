"""What is fuzzed: for every reader its seeds, and a call on bytes that may end in a value or a `CellfeatError` alone.

Checksums would keep a fuzzer out of everything behind them, so where there are some, what it made is sealed anew:
PNG chunks get their CRC, records their digest. No file here comes from elsewhere: seeds are made by `Target.seeds`.
"""

import base64
import binascii
import hashlib
import json
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import imagecodecs
import numpy as np
import PIL.Image
import safetensors.torch
import tifffile
import torch

from cellfeat.backbones.weights import load_state, read_state
from cellfeat.config import ImagesSettings, IntensitySettings, LabelsSettings, Settings
from cellfeat.config_files import parse_assignment
from cellfeat.config_sources import load_settings
from cellfeat.errors import CellfeatError, ImageError
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.folds.fold import FoldOutcome
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.extraction.store import (
    INTENSITIES,
    PROPERTIES,
    PartStore,
    Rows,
    RunHeader,
    SampleTable,
    describe_summary,
    load_features,
    no_intensities,
    parts_folder,
    read_pixel_digests,
    read_properties,
    read_summary,
    read_table,
    unfinished_run,
    verify_features,
)
from cellfeat.extraction.store.columns import write_texts
from cellfeat.extraction.store.format import table_checksum, write_text_attribute
from cellfeat.extraction.store.geometry import FIELD, GEOMETRY, NUMBERS
from cellfeat.heads.registry import head_inputs, make_head
from cellfeat.heads.saved.bundle import SUM_TOLERANCE, Bundle, describe_bundle
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from cellfeat.heads.saved.training_digests import TrainingDigests
from cellfeat.provenance import digest_bytes, digest_json
from cellfeat.records import seal, unseal
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.formats.planes import PlaneChoice
from cellfeat.samples.image_file.properties import file_properties
from cellfeat.samples.intensity.advice import intensity_advice
from cellfeat.samples.intensity.policy import IntensityPolicy
from cellfeat.samples.manifest.build import build_manifest
from cellfeat.samples.reading.images import SampleImage, pixel_digest
from cellfeat.samples.regions import Regions
from cellfeat.statistics.conformal import ClassScores
from tests.fuzz import microscope_targets as microscopes
from tests.fuzz.field_targets import label_image_seeds, position_seeds, read_label_image, read_positions
from tests.fuzz.table_targets import hdf5_seeds, import_content, numpy_seeds, table_seeds

MAX_PIXELS = 2**20
IMAGE_FORMATS = (b"png", b"jpeg", b"tiff", b"bmp")
IDS = ("1", "2", "3")


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes
    ----------
    read
        Reads the bytes; a `CellfeatError` is an answer, and whatever else it raises is a finding.
    seeds
        Makes inputs that the reader takes, by name.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], dict[str, bytes]]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cellfeat-fuzz-") as folder:
        yield Path(folder)


def _noise(*shape: int, dtype: str = "uint8") -> np.ndarray:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


# Images.


def _read_image(content: bytes) -> None:
    _use_image(content)
    sealed = _with_png_checksums(content)
    if sealed != content:
        _use_image(sealed)


def _use_image(content: bytes) -> None:
    with suppress(ImageError):
        decode_image(content, MAX_PIXELS, PlaneChoice(z="max", t=0, series=0))
    with suppress(ImageError):
        image = decode_image(content, MAX_PIXELS)
        pixels = image.pixels
        properties = file_properties(pixels, [image])
        assert np.array([tuple(properties)], PROPERTIES)[0]["file_format"] in IMAGE_FORMATS
        assert pixels.ndim == 3, pixels.shape
        assert 0 < pixels.size <= MAX_PIXELS, pixels.shape
        assert len(pixel_digest(pixels)) == 64
        for setting in ("dtype", {"percentile": [1, 99]}):
            policy = IntensityPolicy.from_settings(IntensitySettings.model_validate(setting), len(pixels))
            limits = policy.limits(pixels)
            assert (limits[:, 0] < limits[:, 1]).all(), limits
            intensity_advice(policy, [SampleImage(pixels, properties, (image.bits_stated,) * len(pixels))])


def _with_png_checksums(content: bytes) -> bytes:
    position, parts = 8, [content[:8]]
    while content.startswith(b"\x89PNG") and position + 12 <= len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        data = content[position + 4 : position + 8 + length]
        parts += [content[position : position + 4], data, struct.pack(">I", binascii.crc32(data))]
        position += 12 + length
    return b"".join(parts) + content[position:]


def _tiff(pixels: np.ndarray, **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def _jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def _bits_png() -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(_noise(9, 7) > 99).save(file, "PNG")
    return file.getvalue()


def _bmp(pixels: np.ndarray, mode: str | None = None) -> bytes:
    file = BytesIO()
    image = PIL.Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, "BMP")
    return file.getvalue()


def _turned() -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[274] = 6
    return exif


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _palette_png() -> bytes:
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0))
    rows = _png_chunk(b"IDAT", zlib.compress(b"\0\0\1\0\1\0"))
    return b"\x89PNG\r\n\x1a\n" + header + _png_chunk(b"PLTE", bytes(range(6))) + rows + _png_chunk(b"IEND", b"")


def _image_seeds() -> dict[str, bytes]:
    grey, deep, rgb = _noise(9, 7), _noise(9, 7, dtype="uint16"), _noise(9, 7, 3)
    return {
        "grey.png": imagecodecs.png_encode(grey),
        "deep.png": imagecodecs.png_encode(deep),
        "rgb.png": imagecodecs.png_encode(rgb),
        "opaque.png": imagecodecs.png_encode(np.dstack([rgb, np.full((9, 7), 255, np.uint8)])),
        "palette.png": _palette_png(),
        "bits.png": _bits_png(),
        "grey.jpg": _jpeg(grey),
        "turned.jpg": _jpeg(grey, exif=_turned()),
        "rgb.jpg": _jpeg(_noise(33, 20, 3)),
        "progressive.jpg": _jpeg(_noise(33, 20, 3), progressive=True),
        "restarts.jpg": _jpeg(_noise(33, 20, 3), restart_marker_blocks=2),
        "grey.bmp": _bmp(grey),
        "rgb.bmp": _bmp(rgb),
        "palette.bmp": _bmp(grey, "P"),
        "bits.bmp": _bmp(grey, "1"),
        "opaque.bmp": _bmp(rgb, "RGBA"),
        "bits.tif": _tiff(grey > 99, photometric="minisblack"),
        "bits-lzw.tif": _tiff(grey > 99, photometric="minisblack", compression="lzw"),
        "plain.tif": _tiff(deep),
        "big.tif": _tiff(grey, bigtiff=True),
        "motorola.tif": _tiff(deep, byteorder=">"),
        "deflate.tif": _tiff(deep, compression="deflate", rowsperstrip=4, predictor=True),
        "lzw-tiles.tif": _tiff(_noise(20, 20), compression="lzw", tile=(16, 16)),
        "packbits.tif": _tiff(grey, compression="packbits"),
        "jpeg.tif": _tiff(_noise(16, 16), compression="jpeg", metadata=None),
        "rgb-jpeg.tif": _tiff(_noise(16, 16, 3), compression="jpeg", photometric="rgb", metadata=None),
        "float.tif": _tiff(_noise(9, 7, dtype="f4")),
        "float-predictor.tif": _tiff(_noise(9, 7, dtype="f4"), compression="deflate", predictor=True),
        "half.tif": _tiff(_noise(9, 7, dtype="f2")),
        "pages.tif": _tiff(_noise(3, 9, 7), photometric="minisblack", metadata=None),
        "imagej.tif": _tiff(_noise(3, 9, 7, dtype="uint16"), imagej=True, metadata={"axes": "CYX"}),
        "stack.tif": _tiff(_noise(2, 3, 2, 9, 7), ome=True, metadata={"axes": "TZCYX"}),
        "imagej-stack.tif": _tiff(_noise(3, 2, 9, 7), imagej=True, metadata={"axes": "ZCYX", "unit": "um"}),
        "ome.tif": _tiff(_noise(2, 9, 7), ome=True, metadata={"axes": "CYX", "Channel": {"Name": ["a", "b"]}}),
    }


# Configurations.


def _read_config(content: bytes) -> None:
    with _folder() as folder:
        for name in ("settings.yaml", "settings.json"):
            file = folder / name
            file.write_bytes(content)
            with suppress(CellfeatError):
                settings = load_settings(file)
                assert Settings.model_validate(json.loads(json.dumps(settings.record()))) == settings
    with suppress(CellfeatError):
        key, value = parse_assignment(content.decode("utf-8", "replace"))
        load_settings(overrides={key: value})


def _config_seeds() -> dict[str, bytes]:
    root = Path(__file__).parents[2] / "configs"
    files = {file.name: file.read_bytes() for file in sorted(root.glob("*.yaml"))}
    sections = {name: section for name, section in Settings().record().items() if name != "heads"}
    return files | {
        "defaults.json": json.dumps(Settings().record()).encode(),
        **{f"{name}.json": json.dumps({name: section}).encode() for name, section in sections.items()},
        "ranges.yaml": b"images: {intensity: {range: [[0, 1.5], [2, .inf]]}}\nheads: {mlp: {hidden: [3, 4]}}\n",
        "assignment": b"images.pattern={sample_id:05d}_{channel}.png",
    }


# Tables.


@cache
def _images_root() -> Path:
    """A folder of files called like images, which no table's reader opens."""
    root = Path(tempfile.mkdtemp(prefix="cellfeat-fuzz-images-"))
    for name in (f"{sample}_{channel}.png" for sample in IDS for channel in ("red", "blue")):
        (root / name).touch()
    return root


def _read_labels(content: bytes) -> None:
    with _folder() as folder:
        file = folder / "labels.csv"
        file.write_bytes(content)
        for pattern, files in (("{sample_id:d}_{channel}.png", None), ("{sample_id}_{channel}.png", ["red", "blue"])):
            images = ImagesSettings(root=_images_root(), pattern=pattern, channels=["red", "blue"])
            labels = LabelsSettings(file=file, id="id", label="label", group="group", files=files, unmatched="ignore")
            with suppress(CellfeatError):
                manifest = build_manifest(images, labels)
                assert manifest.table["sample_id"].is_unique
                assert all(path.is_file() for row in range(len(manifest)) for path in manifest.files(row))
                assert len(manifest.digest()) == 71


LABELS = "id,label,group,red,blue,plate\n1,A,g,1_red.png,1_blue.png,p\n2,B,,2_red.png,2_blue.png,q\n"


def _labels_seeds() -> dict[str, bytes]:
    return {
        "commas": LABELS.encode(),
        "semicolons": LABELS.replace(",", ";").encode(),
        "tabs": LABELS.replace(",", "\t").replace("\n", "\r\n").encode("utf-8-sig"),
        "quotes": b'id,label,group,red,blue\n"1","A ""x""","g\n",1_red.png,1_blue.png\n',
        "letters": "id,label,group,red,blue\n1,Zé\u200b,é,1_red.png,1_blue.png\n".encode(),
    }


def _read_groups(content: bytes) -> None:
    with _folder() as folder:
        file = folder / "groups.csv"
        file.write_bytes(content)
        digests = np.array(["a", "b", "a"])
        samples = SimpleNamespace(ids=np.array(IDS), digests=digests, columns={}, regions=None)
        features = SimpleNamespace(path=file, samples=samples)
        assert sample_groups(features, str(file)).shape == (3,)  # type: ignore[arg-type]


def _groups_seeds() -> dict[str, bytes]:
    return {
        "groups": b"sample_id,group\n1,a\n2,\n3,a\n",
        "quotes": b'group,sample_id,"x,y"\n"a\nb",1,\n"",2,\nc,3,""\n',
    }


# The feature file.

RECIPE = {
    "backbone": {"name": "convnext_base", "pool": "norm"},
    "transform": {"resize": 8},
    "intensity": {"range": None, "percentile": None},
    "channels": ["a"],
    "channels_as": "planes",
    "precision": "fp32",
    "passes": ["planes"],
    "views": 1,
}
PROVENANCE = {
    "times": {"finished": "2026", "seconds": {"wall": 1.5}},
    "weights": "random",
    "execution": {"implementation": "eager"},
    "device": "cpu",
    "versions": {"python": "3.11"},
}
HEADER = RunHeader(RECIPE, "sha256:samples", {"batch_size": 2}, len(IDS), 1, 2, part_size=2)
TABLE = SampleTable(list(IDS), ["A", "B", "A"], ["", "g", ""], {"plate": ["p", "q", "r"]})
FILES = ("uint8", "8", 7, 9, 7, "png")
_FAILURE = {2: "broken.png: not an image"}


def _rows(part: range) -> Rows:
    failures = {row: reason for row, reason in _FAILURE.items() if row in part}
    status = np.array([row in failures for row in part], np.uint8)
    embeddings = np.where(status[:, None, None], np.nan, 0.5).repeat(2, axis=2).astype(np.float32)
    digests = np.where(status[:, None], 0, _noise(len(part), 32)).astype(np.uint8)
    properties = np.array([("", "", 0, 0, 0, "") if row in failures else FILES for row in part], PROPERTIES)
    intensities = no_intensities(len(part))
    intensities[status == 0] = (0.25, 0.125, 1)
    return Rows(part.start, embeddings, status, digests, properties, intensities, failures)


REGIONS = Regions(
    np.array(["f", "f", "ü"]), np.array([[3.5, 4.0], [2, 2], [-1, 9]]), np.tile([-1, 0, 7, 9], (3, 1)), np.arange(3)
)


def _feature_file(regions: Regions | None = None) -> bytes:
    with _folder() as folder:
        store = PartStore(folder / "cells.h5", HEADER)
        for part in HEADER.part_rows():
            store.write(_rows(part))
        store.consolidate(replace(TABLE, regions=regions), PROVENANCE)
        return (folder / "cells.h5").read_bytes()


def _use_features(path: Path) -> None:
    for read in (load_features, verify_features, read_table, read_pixel_digests, read_properties):
        with suppress(CellfeatError):
            read(path)
    with suppress(CellfeatError):
        describe_summary(read_summary(path))


def _read_features(content: bytes) -> None:
    with _folder() as folder:
        path = folder / "cells.h5"
        path.write_bytes(content)
        _use_features(path)


def _features_seeds() -> dict[str, bytes]:
    return {"whole": _feature_file(), "cut out of fields": _feature_file(REGIONS)}


def _read_forged_features(content: bytes) -> None:
    """A file that says anything of itself, with every checksum right."""
    with _folder() as folder:
        path = folder / "cells.h5"
        if _write_forged(content, path):
            _use_features(path)


def _write_forged(content: bytes, path: Path) -> bool:
    try:
        said = json.loads(content)
        table = SampleTable(**said["table"])
        failures = {int(row): str(reason) for row, reason in said["failures"]}
        rows = Rows(
            start=0,
            embeddings=np.array(said["embeddings"], np.float32),
            status=np.array(said["status"], np.uint8),
            pixel_digest=np.array(said["pixel_digest"], np.uint8).repeat(32).reshape(-1, 32),
            properties=np.array([tuple(files) for files in said["properties"]], PROPERTIES),
            intensities=np.array([[tuple(one) for one in of_row] for of_row in said["intensities"]], INTENSITIES),
            failures=failures,
        )
        shape = (len(table.sample_id), *rows.embeddings.shape[1:])
        n_channels = rows.intensities.shape[1]
        header = RunHeader(said["recipe"], str(said["samples"]), {}, *shape, part_size=100, n_channels=n_channels)
        store = PartStore(path, header)
        store.write(rows)
        store.consolidate(table, said["provenance"])
        if "geometry" in said:
            _forge_geometry(path, said["geometry"])
    except (CellfeatError, ValueError, TypeError, KeyError, AttributeError, OSError, ArithmeticError, RecursionError):
        return False
    return True


def _forge_geometry(path: Path, said: dict[str, Any]) -> None:
    with h5py.File(path, "r+") as file:
        group = file.create_group(GEOMETRY)
        write_texts(group, FIELD, said[FIELD])
        for name, (dtype, _) in NUMBERS.items():
            if name in said:
                group[name] = np.array(said[name], dtype)
        write_text_attribute(file, "checksum", table_checksum(file))


def _forged_features_seeds() -> dict[str, bytes]:
    said = {
        "recipe": RECIPE,
        "provenance": PROVENANCE,
        "samples": "sha256:samples",
        "table": {
            "sample_id": IDS,
            "label": ["A", "", "B"],
            "group": ["", "g", ""],
            "columns": {"a/b": ["", ".", "x"]},
        },
        "failures": [[2, "broken.png: not an image"]],
        "status": [0, 0, 1],
        "pixel_digest": [1, 2, 0],
        "properties": [FILES, ["uint16", "12", 12, 1, 2, "tiff+png"], ["", "", 0, 0, 0, ""]],
        "intensities": [[[0.25, 0.125, 1]], [[0, float("nan"), -5]], [[float("nan")] * 3]],
        "embeddings": [[[1, 0.5]], [[-1, 0]], [[float("nan"), float("nan")]]],
    }
    geometry = {"field": ["f", "f", "g"], "centre": [[1.5, 2]] * 3, "box": [[0, -3, 8, 9]] * 3, "mask_value": [1, 2, 0]}
    cut_out = said | {"geometry": geometry | {"field_size": [[40, 50]] * 3}}
    return {"said": json.dumps(said).encode(), "cut out": json.dumps(cut_out).encode()}


def _read_part(content: bytes) -> None:
    """An unfinished run, one part of which, or whose record, is anything."""
    with _folder() as folder:
        output = folder / "cells.h5"
        store = PartStore(output, HEADER)
        (parts_folder(output) / "rows-000000000.h5").write_bytes(content)
        assert (part := store.read(range(2))) is None or part.checksum() == _rows(range(2)).checksum()
        (parts_folder(output) / "run.json").write_bytes(content)
        unfinished_run(output)
        with suppress(ValueError, RecursionError, AttributeError, TypeError):
            (parts_folder(output) / "run.json").write_text(json.dumps(seal(json.loads(content))))
            with suppress(CellfeatError):
                PartStore(output, HEADER)


def _part_seeds() -> dict[str, bytes]:
    with _folder() as folder:
        store = PartStore(folder / "cells.h5", HEADER)
        store.write(_rows(range(2)))
        record = unseal(json.loads((store.folder / "run.json").read_bytes()))
        return {"part": (store.folder / "rows-000000000.h5").read_bytes(), "record": json.dumps(record).encode()}


# Saved heads: a JSON record, and its files in base64.


def _read_bundle(content: bytes) -> None:
    with _folder() as folder:
        if not _write_bundle(content, folder):
            return
        bundle = load_bundle(folder)
        describe_bundle(bundle)
        if bundle.class_scores is not None:
            assert bundle.class_scores.thresholds(0.9).shape == (len(bundle.classes),)
        if bundle.training_digests is not None:
            assert bundle.training_digests.contains(np.array(["", "0" * 64])).shape == (2,)
        if bundle.n_views * bundle.embedding_dim < 10_000:
            probabilities = bundle.predict_proba(np.zeros((2, bundle.n_views, bundle.embedding_dim), np.float32))
            assert np.isfinite(probabilities).all()
            assert np.allclose(probabilities.sum(axis=1), 1, atol=SUM_TOLERANCE)


def _write_bundle(content: bytes, folder: Path) -> bool:
    try:
        members = json.loads(content)
        record, files = dict(members["record"]), {str(name): str(text) for name, text in members["files"].items()}
        raw = {name: base64.b64decode(text) for name, text in files.items() if re.fullmatch(r"[\w.]+", name, re.ASCII)}
        record["files"] = {**dict.fromkeys(files, ""), **{name: digest_bytes(data) for name, data in raw.items()}}
        record["digest"] = digest_json({key: value for key, value in record.items() if key != "digest"})
        for name, data in raw.items():
            (folder / name).write_bytes(data)
        (folder / "bundle.json").write_text(json.dumps(record))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
        return False
    return True


def _bundle_seeds() -> dict[str, bytes]:
    settings: dict[str, dict[str, Any]] = {
        "mlp": {"hidden": 2, "epochs": 1, "device": "cpu"},
        "linear_relu": {"epochs": 1, "device": "cpu"},
        "lightgbm": {"n_estimators": 1, "n_jobs": 1},
        "logreg": {},
        "knn": {},
        "dummy": {},
    }
    return {name: _bundle_seed(name, given) for name, given in settings.items()}


def _bundle_seed(name: str, settings: dict[str, Any]) -> bytes:
    labels = np.array(["A", "B"])[np.arange(12) % 2]
    embeddings = np.random.default_rng(0).normal(size=(12, 1, 2)).astype(np.float32)
    head = make_head(name, settings, n_views=1, random_state=0).fit(head_inputs(name, embeddings), labels)
    bundle = Bundle(
        head=head, head_name=name, classes=["A", "B"], fingerprint="sha256:0", recipe={}, settings=settings, scores={},
        provenance={}, n_views=1, embedding_dim=2,
        class_scores=ClassScores.of(np.full((12, 2), 0.5), np.arange(12) % 2, np.arange(12)),
        training_digests=TrainingDigests.of(np.array([f"{number:064x}" for number in range(12)])),
    )  # fmt: skip
    with _folder() as folder:
        save_bundle(bundle, folder / "head")
        record = json.loads((folder / "head" / "bundle.json").read_text())
        files = {file: base64.b64encode((folder / "head" / file).read_bytes()).decode() for file in record["files"]}
    return json.dumps({"record": record, "files": files}).encode()


# Weights.


def _read_weights(content: bytes) -> None:
    with _folder() as folder:
        for name in ("weights.pth", "weights.safetensors"):
            (folder / name).write_bytes(content)
            with suppress(CellfeatError):
                state = read_state(folder / name)
                load_state(torch.nn.Linear(2, 3), state, source=name)


def _weights_seeds() -> dict[str, bytes]:
    state = torch.nn.Linear(2, 3).state_dict()
    saved, legacy = BytesIO(), BytesIO()
    torch.save(state, saved)
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    plain = {name: tensor.contiguous() for name, tensor in state.items()}
    return {
        "zip.pth": saved.getvalue(),
        "legacy.pth": legacy.getvalue(),
        "x.safetensors": safetensors.torch.save(plain),
    }


# Entries of the comparison's cache.

_KEY = "sha256:" + hashlib.sha256(b"").hexdigest()


def _read_cache_entry(content: bytes) -> None:
    with _folder() as folder:
        cache_of_folds = FoldCache(folder)
        path = folder / f"{_KEY.removeprefix('sha256:')}.json"
        path.write_bytes(content)
        cache_of_folds.load(_KEY, (2, 2))
        with suppress(ValueError, RecursionError, AttributeError):
            record = {name: value for name, value in json.loads(content).items() if name != "digest"} | {"key": _KEY}
            path.write_text(json.dumps(record | {"digest": digest_json(record)}))
            outcome = cache_of_folds.load(_KEY, (2, 2))
            assert outcome is None or outcome.probabilities.shape == (2, 2)


def _cache_entry_seeds() -> dict[str, bytes]:
    with _folder() as folder:
        FoldCache(folder).save(_KEY, FoldOutcome(np.array([[0.25, 0.75], [0.5, 0.5]]), 1.0, 0.5))
        (entry,) = folder.glob("*.json")
        return {"entry": entry.read_bytes()}


TARGETS = {
    "image": Target(_read_image, _image_seeds),
    "config": Target(_read_config, _config_seeds),
    "labels": Target(_read_labels, _labels_seeds),
    "label-image": Target(read_label_image, label_image_seeds),
    "positions": Target(read_positions, position_seeds),
    "groups": Target(_read_groups, _groups_seeds),
    "features": Target(_read_features, _features_seeds),
    "forged-features": Target(_read_forged_features, _forged_features_seeds),
    "part": Target(_read_part, _part_seeds),
    "bundle": Target(_read_bundle, _bundle_seeds),
    "weights": Target(_read_weights, _weights_seeds),
    "cache-entry": Target(_read_cache_entry, _cache_entry_seeds),
    "h5sc": Target(microscopes.read_h5sc, microscopes.h5sc_seeds),
    "hdf5-table": Target(import_content, hdf5_seeds),
    "numpy-table": Target(import_content, numpy_seeds),
    "table": Target(import_content, table_seeds),
}
# Readers of extras are fuzzed where the extra is installed.
_EXTRAS = {
    "nd2": ("nd2", Target(microscopes.read_file("a.nd2"), microscopes.nd2_seeds)),
    "czi": ("czifile", Target(microscopes.read_file("a.czi"), microscopes.czi_seeds)),
    "lif": ("liffile", Target(microscopes.read_file("a.lif"), microscopes.lif_seeds)),
    "zarr-metadata": ("zarr", Target(microscopes.read_zarr_metadata, microscopes.zarr_seeds)),
}
TARGETS |= {name: target for name, (library, target) in _EXTRAS.items() if find_spec(library) is not None}


def finding(target: Target, content: bytes) -> BaseException | None:
    """Let a target read; what it raised that is no `CellfeatError`, or None."""
    try:
        target.read(content)
    except CellfeatError:
        return None
    except Exception as error:  # noqa: BLE001, whatever it is
        return error
    return None
