import csv

import imagecodecs
import numpy as np
import pytest

from cellfeat.audit.audit import audit, audit_images
from cellfeat.audit.channels import bad_channels
from cellfeat.audit.confounding import confounded
from cellfeat.audit.leak import Leak
from cellfeat.config import load_settings
from cellfeat.errors import FingerprintError, MissingFileError, SplitError
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.groups import sample_groups
from cellfeat.heads.registry import head_class
from cellfeat.near_copies.pictures import ChannelRange
from cellfeat.near_copies.turned import TURNS, turn
from cellfeat.reporting.files import write_audit
from cellfeat.samples.images import pixel_digest
from tests.feature_fixtures import with_samples

FOLDS = {"folds": 3}
PATTERN = {"images.pattern": "{sample_id}_{channel}.png", "images.channels": ["dapi"]}


def of_kind(found, kind):
    return [finding for finding in found.findings if finding.finding == kind]


@pytest.fixture
def with_images(tmp_path, make_features, with_pictures):
    """Sixty samples of two classes with one-channel images; sample 1 shows a part of what sample 0 shows."""
    rng = np.random.default_rng(0)
    label = np.tile(["a", "b"], 30)
    fields = np.kron(rng.integers(0, 200, (60, 24, 24)), np.ones((4, 4))).astype(np.uint8)
    pixels = fields[:, :64, :64].copy()
    pixels[1] = fields[0, 12:76, 20:84]
    pixels[2] = 7
    pixels[3, :40] = 255
    pixels[5] = pixels[4]
    centres = np.where(label == "a", -2, 2)[:, np.newaxis, np.newaxis]
    embeddings = centres + rng.normal(size=(60, 1, 5))
    embeddings[5], embeddings[1] = embeddings[4], embeddings[0] + 0.1
    folder = tmp_path / "images"
    return with_pictures(make_features(label, embeddings), pixels, folder), folder


def test_every_kind_of_pixel_finding_is_named_with_its_sample(with_images):
    features, folder = with_images
    found = audit(features, design=Design(**FOLDS), images=folder)
    (near,) = of_kind(found, "near copy")
    assert (near.sample_id, near.partner) == ("s1", "s0")
    assert near.detail == "correlation 1.000 when shifted by 12 rows and 20 columns"
    assert [(f.sample_id, f.partner) for f in of_kind(found, "copy")] == [("s5", "s4")]
    assert {(f.sample_id, f.partner) for f in of_kind(found, "label conflict")} == {("s1", "s0"), ("s5", "s4")}
    assert [f.detail for f in of_kind(found, "constant channel")] == ["dapi: every pixel is 7"]
    assert [(f.sample_id, f.detail) for f in of_kind(found, "saturated channel")] == [
        ("s3", "dapi: 62% of the pixels are 255")
    ]
    assert len(set(found.group)) == 58


def test_the_groups_it_writes_keep_near_copies_together(with_images, tmp_path):
    features, folder = with_images
    _, groups = write_audit(audit(features, design=Design(**FOLDS), images=folder), tmp_path / "audit")
    numbers = sample_groups(features, str(groups))
    assert numbers[0] == numbers[1]
    assert numbers[4] == numbers[5]
    assert len(set(numbers)) == 58
    assert len(set(sample_groups(features, "auto"))) == 59
    assert len(set(sample_groups(features, "copies"))) == 59
    predictions = compare(features, ["dummy"], design=Design(groups=str(groups), draws=100, **FOLDS)).predictions()
    assert predictions["fold"][0] == predictions["fold"][1]


def test_what_it_keeps_for_later_is_of_the_pixels_alone(with_images):
    """Groups of the manifest are corrected, or others are asked for; near copies are near copies still."""
    features, folder = with_images
    grouped = with_samples(features, groups=np.array([f"plate{row % 4}" for row in range(60)]))
    found = audit(grouped, design=Design(**FOLDS), images=folder)
    assert len(set(found.group)) < 5
    assert len(set(found.copies)) == 58
    assert found.copies[1] == found.copies[0]


def test_a_folder_without_features_is_audited_by_its_pixels(with_images):
    _, folder = with_images
    settings = load_settings(overrides={**PATTERN, "images.root": str(folder), "labels": {"file": None}})
    (folder / "s7_dapi.png").write_text("no image")
    said = []
    found = audit_images(settings, say=said.append)
    assert found.counts() == {
        "unreadable": 1, "copy": 1, "near copy": 1, "constant channel": 1, "saturated channel": 1
    }  # fmt: skip
    (near,) = of_kind(found, "near copy")
    assert {near.sample_id, near.partner} == {"s0", "s1"}
    (unreadable,) = of_kind(found, "unreadable")
    assert unreadable.sample_id == "s7"
    assert "s7_dapi.png" in unreadable.detail
    assert found.leaks == ()
    assert len(found.group) == 60


@pytest.mark.parametrize("number", range(len(TURNS)))
def test_a_turned_picture_saved_beside_its_own_is_a_near_copy_however_its_embedding_differs(with_images, number):
    features, folder = with_images
    original = imagecodecs.png_decode((folder / "s8_dapi.png").read_bytes())
    turned = np.ascontiguousarray(turn(original, number))
    (folder / "s30_dapi.png").write_bytes(imagecodecs.png_encode(turned))
    digest = features.samples.digests.copy()
    digest[30] = pixel_digest(turned[np.newaxis])
    found = audit(with_samples(features, digests=digest), design=Design(**FOLDS), images=folder)
    (near,) = [finding for finding in of_kind(found, "near copy") if finding.sample_id == "s30"]
    assert (near.partner, near.detail) == ("s8", f"correlation 1.000 when {TURNS[number]}")
    assert found.group[30] == found.group[8]


def test_a_camera_of_twelve_bits_saturates_below_the_limit_of_its_file():
    rows = [ChannelRange(row, "dapi", 3, highest, 0.2) for row, highest in enumerate([4095, 4095, 2000])]
    dark = ChannelRange(3, "dapi", 65_535, 65_535, 1.0)
    hot = ChannelRange(4, "dapi", 3, 65_535, 0.0001)
    bad = bad_channels([*rows, dark, hot])
    assert [(one.row, one.finding) for one in bad] == [
        (0, "saturated channel"), (1, "saturated channel"), (3, "constant channel")
    ]  # fmt: skip
    few_levels = [ChannelRange(0, "dapi", 0, 3, 0.2), *(ChannelRange(row, "dapi", 0, 200, 0.01) for row in (1, 2))]
    assert list(bad_channels(few_levels)) == []


def test_other_images_than_those_that_were_embedded_are_refused(with_images):
    features, folder = with_images
    (folder / "s9_dapi.png").write_bytes((folder / "s8_dapi.png").read_bytes())
    with pytest.raises(FingerprintError, match="'s9' is not the one"):
        audit(features, design=Design(**FOLDS), images=folder)
    (folder / "s9_dapi.png").unlink()
    with pytest.raises(FingerprintError, match="no image of the sample 's9'"):
        audit(features, design=Design(**FOLDS), images=folder)


def test_a_wrong_label_among_clear_classes_is_suspicious(make_clusters):
    features = make_clusters(separation=4)
    label = features.samples.labels.copy()
    label[30] = "b"
    assert features.samples.labels[30] == "a"
    (only,) = of_kind(audit(with_samples(features, labels=label), design=Design(**FOLDS)), "suspicious label")
    assert only.sample_id == "s30"
    assert only.detail.startswith("labelled b (0.0")
    assert "looks like a (" in only.detail


def test_the_price_of_the_leak_is_told_by_heads_that_can_remember(make_features):
    rng = np.random.default_rng(0)
    original = np.tile(np.arange(60), 3)
    features = make_features(
        np.tile(rng.permutation(np.repeat(["a", "b"], 30)), 3),
        rng.normal(size=(60, 1, 8))[original],
        pixel_digest=np.array([f"pixels{i}" for i in original]),
    )
    by_head = {leak.head: leak for leak in audit(features, design=Design(**FOLDS)).leaks}
    random, copies, near_copies = by_head["knn"].means
    assert random > 0.8
    assert copies < 0.65
    assert by_head["knn"].claimed == pytest.approx(random - near_copies)
    assert by_head["knn"].claimed > 0.15
    assert len(by_head["knn"].scores) == 5
    assert not by_head["knn"].is_scatter


def test_a_small_leak_that_every_set_of_folds_shows_is_no_scatter():
    claims = [0.004, 0.006, 0.010, 0.012, 0.018]
    assert not Leak("knn", tuple((0.5 + claim, 0.5, 0.5) for claim in claims)).is_scatter
    assert Leak("knn", tuple((0.5 + claim, 0.5, 0.5) for claim in (-0.004, 0.006, 0.010, -0.002, 0.004))).is_scatter


def no_room():
    raise MemoryError("no room")


@pytest.mark.parametrize("failing", [("logreg",), ("logreg", "knn")])
def test_what_the_pixels_show_is_told_although_heads_fail(with_images, monkeypatch, failing):
    features, folder = with_images
    for name in failing:
        monkeypatch.setattr(head_class(name), "_fit", lambda *_: no_room())
    found = audit(features, design=Design(**FOLDS), images=folder)
    assert found.counts()["near copy"] == 1
    assert [leak.head for leak in found.leaks] == [name for name in ("logreg", "knn") if name not in failing]


def test_without_copies_the_price_of_the_leak_is_the_scatter_of_the_folds(make_clusters):
    features = make_clusters(separation=0.5)
    # One copy makes the folds others than random ones, and nothing else.
    digests = features.samples.digests.copy()
    digests[9] = digests[3]
    for leak in audit(with_samples(features, digests=digests), design=Design(**FOLDS)).leaks:
        assert leak.deviation > 0
        assert leak.is_scatter


@pytest.mark.parametrize(
    ("n_at_first_site", "sizes", "told"),
    [
        ({"a": 100, "b": 95}, {"a": 100, "b": 100}, []),
        ({"a": 90, "b": 90, "c": 2}, {"a": 100, "b": 100, "c": 2}, []),
        ({"a": 50, "b": 60, "c": 1}, {"a": 100, "b": 100, "c": 1}, []),
        ({"a": 100, "b": 30}, {"a": 100, "b": 100}, ["100% of a have site A, 30% of the others: the two can hardly"]),
        ({"a": 90, "b": 0}, {"a": 100, "b": 100}, ["90% of a have site A, 0%", "100% of b have site B, 10% of the"]),
    ],
)
def test_a_class_is_confounded_only_with_what_the_others_mostly_lack(make_features, n_at_first_site, sizes, told):
    label = np.repeat(list(sizes), list(sizes.values()))
    site = np.concatenate([np.arange(size) >= n_at_first_site[name] for name, size in sizes.items()])
    columns = {"site": np.where(site, "B", "A")}
    features = make_features(label, np.zeros((len(label), 1, 3)), columns=columns)
    tied = [detail for detail in confounded(features.samples) if "Cramér" not in detail]
    assert len(tied) == len(told)
    assert all(detail.startswith(start) for detail, start in zip(tied, told, strict=True))


def test_a_class_of_one_plate_is_confounded_and_a_small_one_rare(make_features):
    label = np.repeat(["a", "b", "c"], [60, 60, 5])
    plate = np.array([f"p{i % 4}" for i in range(125)])
    plate[:60] = "p9"
    serial = np.array([f"n{i}" for i in range(125)])
    features = make_features(
        label, np.random.default_rng(0).normal(size=(125, 1, 3)), columns={"plate": plate, "serial": serial}
    )
    found = audit(features, design=Design(**FOLDS))
    tied, association = [f.detail for f in of_kind(found, "confounded")]
    assert tied == "100% of a have plate p9, 0% of the others: the two cannot be told apart"
    assert association.startswith("plate tells the class: Cramér's V 0.6")
    assert [f.detail for f in of_kind(found, "rare class")] == ["c: 5 samples, the largest class has 60"]


def test_a_clean_data_set_has_no_findings_and_no_group_of_two(make_clusters):
    found = audit(make_clusters(separation=4), design=Design(**FOLDS))
    assert found.findings == ()
    assert len(set(found.group)) == 180


def test_without_labels_it_still_finds_copies(make_clusters):
    features = make_clusters()
    digests = features.samples.digests.copy()
    digests[8] = digests[3]
    said = []
    found = audit(
        with_samples(features, labels=np.full(180, ""), digests=digests), design=Design(**FOLDS), say=said.append
    )
    assert found.counts() == {"copy": 1}
    assert found.leaks == ()
    assert "0 of 180 are labelled" in said[-1]


def test_findings_are_a_table_that_a_spreadsheet_can_open(make_clusters, tmp_path):
    features = make_clusters(separation=4)
    digests = features.samples.digests.copy()
    digests[9] = digests[3]
    names = features.samples.ids.copy()
    names[3] = "=1"
    path, groups = write_audit(
        audit(with_samples(features, digests=digests, ids=names), design=Design(**FOLDS)), tmp_path
    )
    assert list(csv.reader(path.open())) == [
        ["sample", "finding", "partner", "detail"],
        ["s9", "copy", "'=1", "the same pixels"],
    ]
    assert ["=1", "=1"] in list(csv.reader(groups.open()))


BAD_TABLES = {
    "id,donor\ns0,a\n": (SplitError, "expected the columns sample_id and group, got id, donor"),
    "sample_id,group\ns0,a\n": (SplitError, "lacks 179 samples of .*: s1, s2"),
    "": (SplitError, "cannot be read as a table of groups"),
    None: (MissingFileError, "does not exist"),
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_a_table_of_groups_that_does_not_fit_is_one_message(make_clusters, tmp_path, text):
    error, message = BAD_TABLES[text]
    path = tmp_path / "groups.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=message):
        sample_groups(make_clusters(), str(path))
