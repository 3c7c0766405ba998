"""What the shortcut probes tell of generated cells whose class shows only where a test puts it."""

import io

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from cellfeat.auditing.audit import audit, audit_images
from cellfeat.auditing.probes import probe_shortcuts, split_samples
from cellfeat.config_sources import load_settings
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.task.task import prepare
from cellfeat.extraction.store import PROPERTIES, Properties, Samples, Status
from cellfeat.samples.formats.decoding import decode_image
from cellfeat.samples.image_file.properties import file_properties
from cellfeat.samples.reading.images import pixel_digest
from cellfeat.samples.synthetic import write_synthetic_cells
from tests.feature_fixtures import SMALL, build_clusters, build_features, with_samples

SIDE = 32


def draw_cell(rng, *, background=0.05, gradient=0.0, brightness=1.0):
    """One cell of no class, with room around it, as floats in [0, 1]; its texture makes it no near copy of others."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = rng.uniform(0.42, 0.58, 2) * SIDE
    body = 1 / (1 + np.exp((np.hypot(y - centre[0], x - centre[1]) - SIDE * rng.uniform(0.2, 0.26)) / 0.5))
    texture = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 0.8)
    light = background + gradient * x / SIDE + rng.normal(0, 0.004, (SIDE, SIDE))
    return np.clip(light + brightness * body * (0.5 + 0.5 * texture), 0, 1)


def two_classes(n, seed=0):
    return np.random.default_rng(seed).permutation(np.arange(n) % 2)


class Folder:
    """A folder of TIFF images with a table of labels, and its audit."""

    def __init__(self, root):
        self.root = root
        self.rows = []
        (root / "images").mkdir(parents=True)

    def add(self, name, label, pixels, **columns):
        tifffile.imwrite(self.root / "images" / f"{name}.tif", pixels)
        self.rows.append({"sample_id": name, "label": label, **columns})

    def audit(self, say=lambda _: None, **overrides):
        pd.DataFrame(self.rows).to_csv(self.root / "labels.csv", index=False)
        settings = {
            "images.root": str(self.root / "images"),
            "images.pattern": "{sample_id}.tif",
            "images.channels": [0],
            "labels.file": str(self.root / "labels.csv"),
            "labels.id": "sample_id",
            "labels.label": "label",
            "extraction.workers": 0,
            "comparison.draws": 300,
        }
        return audit_images(load_settings(overrides=settings | overrides), say=say)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def eight_bits(cell):
    return np.round(cell * 255).astype(np.uint8)


def names(probes):
    return {probe.name for probe in probes.telling}


def shortcuts(found):
    return [finding.detail for finding in found.findings if finding.finding == "shortcut"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "difference", [{"background": 0.09}, {"gradient": 0.06}], ids=["level", "illumination from one side"]
)
def test_border_that_carries_the_class_is_told(folder, difference):
    rng = np.random.default_rng(1)
    for row, code in enumerate(two_classes(80)):
        folder.add(f"c{row}", "ab"[code], eight_bits(draw_cell(rng, **(difference if code else {}))))
    found = folder.audit()
    assert "border" in names(found.probes)
    (detail,) = shortcuts(found)
    assert all(noun in detail for noun in ("border", "chance is 0.50", "channel 0"))


@pytest.mark.slow
def test_frame_around_pictures_without_background_is_told_as_no_shortcut(folder):
    """Where no border is background, cells may reach it: the score is shown, and is no finding."""
    rng = np.random.default_rng(1)
    for row, code in enumerate(two_classes(80)):
        pixels = np.kron(rng.integers(0, 200, (8, 8)), np.ones((4, 4))).astype(np.uint8)
        pixels[[0, -1]] = 90 + 60 * code
        pixels[:, [0, -1]] = 90 + 60 * code
        folder.add(f"c{row}", "ab"[code], pixels)
    found = folder.audit()
    (border,) = (probe for probe in found.probes.telling if probe.name == "border")
    assert not border.is_shortcut
    assert "cells reach" in found.probes.sentence(border)
    assert shortcuts(found) == []


@pytest.mark.slow
@pytest.mark.parametrize("n_blocks", [2, 6])
def test_acquisition_order_is_told(folder, n_blocks):
    """Classes were imaged in turns of a block each; the running number of the picture says when."""
    rng = np.random.default_rng(1)
    for row in range(96):
        code = row * n_blocks // 96 % 2
        folder.add(f"img_{row + 1:04d}", "ab"[code], eight_bits(draw_cell(rng)))
    found = folder.audit()
    assert "names and order" in names(found.probes)
    assert any("number 1 of the names" in detail for detail in shortcuts(found))


@pytest.mark.slow
def test_order_of_the_rows_is_told_where_names_say_nothing(folder):
    rng = np.random.default_rng(1)
    for row in range(96):
        name = "".join(rng.choice(list("ghijkmnpqr"), 10))
        folder.add(name, "ab"[row // 24 % 2], eight_bits(draw_cell(rng)))
    found = folder.audit()
    assert "names and order" in names(found.probes)
    assert any("order of the rows" in detail for detail in shortcuts(found))


@pytest.mark.slow
def test_plate_in_the_name_is_told(folder):
    rng = np.random.default_rng(1)
    for row, code in enumerate(two_classes(80)):
        plate = f"P{1 + code + 2 * rng.integers(2)}"
        folder.add(f"{plate}_{rng.integers(10**6):06d}", "ab"[code], eight_bits(draw_cell(rng)), note=row)
    assert "names and order" in names(folder.audit().probes)


@pytest.mark.slow
@pytest.mark.parametrize("numbering", ["in each class", "anew, with the class in short"])
def test_class_in_the_name_is_harmless(tmp_path, numbering):
    """The folder of a class, its name in the file name, and a counter that starts again in each class."""
    rng = np.random.default_rng(1)
    for label, short, n in (("U-2 OS", "u2os", 40), ("HeLa", "hela", 20), ("neutrophil", "NEU", 30)):
        (tmp_path / label).mkdir()
        for number in range(n):
            name = f"{short}_{number:03d}.tif" if "short" in numbering else f"{number}.tif"
            tifffile.imwrite(tmp_path / label / name, eight_bits(draw_cell(rng)))
    overrides = {"images.root": str(tmp_path), "images.layout": "folders", "images.channels": [0]}
    settings = load_settings(overrides={**overrides, "labels.file": None, "extraction.workers": 0})
    found = audit_images(settings)
    assert "names and order" in found.probes.left_out
    assert found.probes.telling == ()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [("x", "y"), ("Nuclei_Location_Center_X", "Nuclei_Location_Center_Y"), ("well",)])
def test_position_is_told(folder, columns):
    """One class lies in the left half of the field, or of the plate."""
    rng = np.random.default_rng(1)
    for row, code in enumerate(two_classes(80)):
        column, line = rng.integers(1, 6) + 6 * code, rng.integers(8)
        place = dict(zip(columns, (column, line), strict=False))
        if columns == ("well",):
            place = {"well": f"{'ABCDEFGH'[line]}{column:02d}"}
        folder.add(f"c{row}", "ab"[code], eight_bits(draw_cell(rng)), **place)
    found = folder.audit()
    assert "position" in names(found.probes)
    assert any(columns[0] in detail for detail in shortcuts(found))


def with_files(pixels):
    """File properties of TIFF images, as extraction stores them."""
    records = []
    for plane in pixels:
        file = io.BytesIO()
        tifffile.imwrite(file, plane)
        image = decode_image(file.getvalue(), 10**6)
        records.append(tuple(file_properties(plane[np.newaxis], [image])))
    return Properties(np.array(records, PROPERTIES))


def samples_of(pixels, codes):
    return Samples(
        ids=np.array([f"{row:x}" for row in range(len(codes))]),
        labels=np.array(["a", "b"])[codes],
        groups=np.full(len(codes), ""),
        status=np.full(len(codes), Status.OK, np.uint8),
        digests=np.array([pixel_digest(plane[np.newaxis]) for plane in pixels]),
        properties=with_files(pixels),
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bit depth", "8 bits in 16", "height"])
def test_file_properties_are_told(kind):
    """The same cells, of which one class is saved in another way."""
    rng = np.random.default_rng(1)
    codes = two_classes(60)

    def saved(cell, code):
        if kind == "height":
            return eight_bits(cell)[: SIDE - 4 * code]
        if code:
            return np.round(cell * 4095).astype(np.uint16)
        return eight_bits(cell).astype(np.uint8 if kind == "bit depth" else np.uint16)

    pixels = [saved(draw_cell(rng), code) for code in codes]
    samples = samples_of(pixels, codes)
    probes = probe_shortcuts(samples, split_samples(samples, SMALL), None)
    (told,) = probes.telling
    assert (told.name, told.balanced_accuracy) == ("file properties", 1.0)
    # A deeper file differs in type, stated and used bits, and either of them may be named.
    assert (told.source == "height") == (kind == "height")


def test_equal_files_are_not_probed():
    rng = np.random.default_rng(1)
    codes = two_classes(60)
    samples = samples_of([eight_bits(draw_cell(rng)) for _ in codes], codes)
    probes = probe_shortcuts(samples, split_samples(samples, SMALL), None)
    assert probes.left_out["file properties"] == "equal in all samples"
    assert {"border", "intensity statistics", "position"} <= set(probes.left_out)


@pytest.mark.slow
def test_brightness_of_the_cells_is_no_finding(folder):
    rng = np.random.default_rng(1)
    for row, code in enumerate(two_classes(80)):
        folder.add(f"c{row}", "ab"[code], eight_bits(draw_cell(rng, brightness=1 - 0.4 * code)))
    found = folder.audit()
    assert "intensity statistics" in names(found.probes)
    assert shortcuts(found) == []


@pytest.mark.slow
def test_random_labels_are_not_told():
    """Each audit is wrong with a probability of about 0.05."""
    rng = np.random.default_rng(0)
    n_told = 0
    for seed in range(12):
        features = build_features(rng.choice(["a", "b"], 60), rng.normal(size=(60, 1, 3)), columns=places(rng, 60))
        split = split_samples(features.samples, Design(random_state=seed, draws=500))
        n_told += bool(probe_shortcuts(features.samples, split, None).telling)
    assert n_told <= 2


def places(rng, n):
    return {name: rng.integers(1000, size=n).astype(str) for name in ("x", "y")}


@pytest.mark.slow
def test_plates_of_differing_brightness_with_balanced_classes_are_not_told(folder):
    rng = np.random.default_rng(3)
    for row, code in enumerate(two_classes(120)):
        plate = row // 40
        cell = draw_cell(rng, background=0.04 + 0.03 * plate, brightness=1 - 0.15 * plate)
        folder.add(f"plate{plate}_{row:03d}", "ab"[code], eight_bits(cell), plate=f"plate{plate}")
    assert folder.audit(**{"labels.group": None}).probes.telling == ()


@pytest.mark.slow
def test_cells_that_touch_the_border_make_no_shortcut(tmp_path):
    write_synthetic_cells(tmp_path, 250, 0, size=32)
    overrides = {"images.root": str(tmp_path / "images"), "labels.file": str(tmp_path / "labels.csv")}
    found = audit_images(load_settings(overrides={**overrides, "extraction.workers": 0, "comparison.draws": 300}))
    assert shortcuts(found) == []
    assert "names and order" not in names(found.probes)


@pytest.mark.slow
def test_probes_are_scored_on_the_folds_of_the_head(make_clusters, one_set):
    features = make_clusters(separation=4)
    digests = features.samples.digests.copy()
    digests[8] = digests[2]
    features = with_samples(features, digests=digests, groups=np.array([f"g{row % 60}" for row in range(180)]))
    task = prepare(features, SMALL)
    split = split_samples(features.samples, SMALL)
    for ours, theirs in zip(split.folds, task.folds, strict=True):
        np.testing.assert_array_equal(ours.test, theirs.test)
    found = audit(features, design=SMALL)
    assert found.probes.head.name == "logreg"
    assert found.probes.head.balanced_accuracy > 0.9
    assert found.probes.left_out["border"] == "the images were not read"


@pytest.mark.parametrize(
    "labels", [[""] * 60, ["a"] * 60, ["a"] * 58 + ["b"] * 2, [f"{row}" for row in range(60)]],
    ids=["none", "one class", "a rare class", "a class each"],
)  # fmt: skip
def test_labels_that_give_no_folds_leave_the_probes_out(labels, one_set):
    said = []
    features = with_samples(build_clusters(n=60), labels=np.array(labels))
    found = audit(features, design=SMALL, say=said.append)
    assert found.probes is None
    assert sum("probes left out" in line for line in said) == 1
