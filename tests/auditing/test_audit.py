from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from scipy import ndimage

from cellfeat.auditing.audit import audit, audit_images
from cellfeat.config_sources import load_settings
from cellfeat.errors import FingerprintError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.heads.registry import head_class
from cellfeat.near_copies.turned import TURNS, turn
from cellfeat.reporting.audit_files import write_audit
from cellfeat.samples.reading.images import pixel_digest
from tests.feature_fixtures import SMALL, save_pictures, with_samples

PATTERN = {"images.pattern": "{sample_id}_{channel}.png", "images.channels": ["dapi"]}


def noisy_overlaps():
    """Sixty textured samples: 1 shows a part of 0, and 40 a part of 2, both with other noise."""
    rng = np.random.default_rng(4)
    fields = ndimage.gaussian_filter(rng.normal(size=(60, 96, 96)), (0, 1.5, 1.5))
    fields = 128 + 40 * fields / fields.std()
    cut = fields[:, :64, :64].copy()
    cut[1], cut[40] = fields[0, 8:72, 12:76], fields[2, 10:74, 5:69]
    return np.clip(cut + rng.normal(0, 2, cut.shape), 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def found(shared_images):
    """One audit with pictures; shared, so leave it as it is."""
    features, folder = shared_images
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cellfeat.auditing.audit.LEAK_SETS", 1)
        return audit(features, design=SMALL, images=folder)


def test_every_kind_of_pixel_finding_is_made(found, kind):
    (near,) = kind(found, "near copy")
    assert (near.sample_id, near.partner) == ("s1", "s0")
    assert all(noun in near.detail for noun in ("equal pixels", "12 rows", "20 columns"))
    assert [(f.sample_id, f.partner) for f in kind(found, "copy")] == [("s5", "s4")]
    assert {(f.sample_id, f.partner) for f in kind(found, "label conflict")} == {("s5", "s4")}
    assert (near.placement.dx, near.placement.dy) in {(20, 12), (-20, -12), (20, -12), (-20, 12)}
    assert [str(f.placement) for f in kind(found, "copy")] == [str(f.placement) for f in kind(found, "label conflict")]
    assert [f.sample_id for f in kind(found, "constant channel")] == ["s2"]
    assert [f.sample_id for f in kind(found, "saturated channel")] == ["s3"]
    assert len(set(found.group)) == 58
    assert found.saw_pixels


def test_written_groups_keep_near_copies_together(shared_images, found, tmp_path):
    features, _ = shared_images
    _, groups, *_ = write_audit(found, tmp_path / "audit")
    numbers = sample_groups(features, str(groups))
    assert numbers[0] == numbers[1]
    assert numbers[4] == numbers[5]
    assert len(set(numbers)) == 58
    assert len(set(sample_groups(features, "auto"))) == 59
    assert len(set(sample_groups(features, "copies"))) == 59
    design = Design(folds=3, draws=100, groups=str(groups))
    predictions = compare(features, ["dummy"], design=design).predictions()
    assert predictions["fold"][0] == predictions["fold"][1]


def test_groups_of_copies_do_not_depend_on_the_manifest(shared_images, one_set):
    """Groups of the manifest may be corrected; near copies remain near copies."""
    features, folder = shared_images
    grouped = with_samples(features, groups=np.array([f"plate{row % 4}" for row in range(60)]))
    found = audit(grouped, design=SMALL, images=folder)
    assert len(set(found.group)) < 5
    assert len(set(found.copies)) == 58
    assert found.copies[1] == found.copies[0]


@pytest.mark.slow
def test_images_are_audited_without_features(with_images, kind):
    _, folder = with_images
    settings = load_settings(overrides={**PATTERN, "images.root": str(folder), "labels": {"file": None}})
    (folder / "s7_dapi.png").write_text("no image")
    found = audit_images(settings)
    assert found.counts() == {
        "unreadable": 1, "copy": 1, "near copy": 1, "constant channel": 1, "saturated channel": 1
    }  # fmt: skip
    (near,) = kind(found, "near copy")
    assert {near.sample_id, near.partner} == {"s0", "s1"}
    (unreadable,) = kind(found, "unreadable")
    assert unreadable.sample_id == "s7"
    assert "s7_dapi.png" in unreadable.detail
    assert found.leaks == ()
    assert len(found.group) == 60


@pytest.mark.slow
def test_turned_pictures_are_near_copies_whatever_their_embeddings(with_images, kind, one_set):
    """Sample 8 under every turn, each saved as another sample whose embedding is unrelated."""
    features, folder = with_images
    original = imagecodecs.png_decode((folder / "s8_dapi.png").read_bytes())
    digests = features.samples.digests.copy()
    rows = range(30, 30 + len(TURNS))
    for row in rows:
        turned = np.ascontiguousarray(turn(original, row - 30))
        (folder / f"s{row}_dapi.png").write_bytes(imagecodecs.png_encode(turned))
        digests[row] = pixel_digest(turned[np.newaxis])
    found = audit(with_samples(features, digests=digests), design=SMALL, images=folder)
    how = {near.sample_id: near.detail for near in kind(found, "near copy") if near.partner == "s8"}
    for row in rows:
        assert TURNS[row - 30] in how[f"s{row}"]
        assert found.group[row] == found.group[8]


def test_changed_or_missing_images_are_refused(with_images):
    features, folder = with_images
    (folder / "s9_dapi.png").write_bytes((folder / "s8_dapi.png").read_bytes())
    with pytest.raises(FingerprintError, match="'s9'"):
        audit(features, design=SMALL, images=folder)
    (folder / "s9_dapi.png").unlink()
    with pytest.raises(FingerprintError, match=r"no image.*'s9'"):
        audit(features, design=SMALL, images=folder)


@pytest.mark.slow
@pytest.mark.parametrize("failing", [("logreg",), ("logreg", "knn")])
def test_failed_heads_lose_no_pixel_finding(shared_images, monkeypatch, one_set, failing):
    def no_room(*_):
        raise MemoryError("no room")

    for name in failing:
        monkeypatch.setattr(head_class(name), "_fit_overwriting", no_room)
    features, folder = shared_images
    found = audit(features, design=SMALL, images=folder)
    assert found.counts()["near copy"] == 1
    assert [leak.head for leak in found.leaks] == [name for name in ("logreg", "knn") if name not in failing]


@pytest.mark.slow
def test_clean_data_set_has_no_findings(make_clusters, one_set):
    found = audit(make_clusters(separation=4), design=SMALL)
    assert found.findings == ()
    assert len(set(found.group)) == 180
    assert not found.saw_pixels


def test_unlabelled_samples_are_searched_for_copies(make_clusters):
    features = make_clusters()
    digests = features.samples.digests.copy()
    digests[8] = digests[3]
    said = []
    found = audit(with_samples(features, labels=np.full(180, ""), digests=digests), design=SMALL, say=said.append)
    assert found.counts() == {"copy": 1}
    assert found.leaks == ()
    assert "0 of 180" in said[-1]


@pytest.mark.slow
def test_wrong_label_among_clear_classes_is_suspicious(make_clusters, kind, one_set):
    features = make_clusters(separation=4)
    label = features.samples.labels.copy()
    assert label[30] == "a"
    label[30] = "b"
    (only,) = kind(audit(with_samples(features, labels=label), design=SMALL), "suspicious label")
    assert only.sample_id == "s30"
    assert "labelled b" in only.detail
    assert "looks like a" in only.detail


def test_confounded_and_rare_classes_are_found(make_features, kind):
    label = np.repeat(["a", "b", "c"], [60, 60, 5])
    plate = np.array([f"p{i % 4}" for i in range(125)])
    plate[:60] = "p9"
    columns = {"plate": plate, "serial": np.array([f"n{i}" for i in range(125)])}
    said = []
    # Six folds need every class in six groups, and c has five.
    features = make_features(label, np.zeros((125, 1, 3)), columns=columns)
    found = audit(features, design=Design(folds=6), say=said.append)
    tied, association = [finding.detail for finding in kind(found, "confounded")]
    assert all(noun in tied for noun in ("100% of a", "plate p9", "0% of the others"))
    assert "plate" in association
    assert [finding.detail.split(":")[0] for finding in kind(found, "rare class")] == ["c"]
    assert {leak.left_out for leak in found.leaks} == {("c",)}
    assert any("6 folds are left out" in line and "labels: c;" in line for line in said)
    assert "of fewer groups than folds: c" in str(found)


@pytest.mark.slow
def test_look_alikes_of_other_plates_are_shown_and_not_joined(with_images, kind, one_set):
    """Without equal pixels, samples of two plates do not show one place."""
    features, folder = with_images
    pixels = noisy_overlaps()
    features = save_pictures(features, pixels, folder)
    plates = np.where(np.arange(60) < 30, "P1", "P2")
    found = audit(with_samples(features, columns={"plate": plates}), design=SMALL, images=folder)
    assert {(one.sample_id, one.partner) for one in kind(found, "near copy")} == {("s1", "s0")}
    (apart,) = kind(found, "look-alike")
    assert (apart.sample_id, apart.partner) == ("s40", "s2")
    assert "P1 and P2" in apart.detail
    assert len(set(found.group)) == 59


@pytest.mark.slow
def test_equal_pixels_join_plates_and_are_counted(with_images, kind, one_set):
    features, folder = with_images
    plates = np.where(np.arange(60) == 1, "P1", "P2")
    found = audit(with_samples(features, columns={"plate": plates}), design=SMALL, images=folder)
    (crossing,) = kind(found, "crossing copy")
    assert (crossing.sample_id, crossing.partner) == ("s1", "s0")
    assert found.group[0] == found.group[1]


@pytest.mark.slow
def test_near_copies_can_be_left_out_of_the_groups(with_images, one_set):
    features, folder = with_images
    plates = np.array([f"P{row // 15}" for row in range(60)])
    named = with_samples(features, columns={"plate": plates})
    joined = {groups: audit(named, design=replace(SMALL, groups=groups), images=folder) for groups in ("plate", "auto")}
    assert len(set(joined["plate"].group)) == 4
    assert len(set(joined["auto"].group)) == 58
    assert joined["plate"].copies.tolist() == joined["auto"].copies.tolist(), "what the pixels show is kept"


@pytest.mark.slow
def test_a_group_of_more_than_a_fifth_is_found(with_images, kind, one_set):
    features, folder = with_images
    plates = np.where(np.arange(60) < 13, "P1", "")
    found = audit(with_samples(features, groups=plates), design=SMALL, images=folder)
    (large,) = kind(found, "large group")
    assert "13 of 60" in large.detail
    assert not kind(audit(features, design=SMALL, images=folder), "large group")


@pytest.mark.slow
def test_images_alone_show_a_class_of_other_files(tmp_path, kind):
    """Class b is in 16-bit TIFFs, class a in 8-bit PNGs."""
    rng = np.random.default_rng(0)
    for label, dtype, ending in (("a", np.uint8, "png"), ("b", np.uint16, "tif")):
        (tmp_path / label).mkdir()
        for i in range(12):
            pixels = rng.integers(0, 255, (32, 32)).astype(dtype)
            encode = imagecodecs.png_encode if ending == "png" else imagecodecs.tiff_encode
            (tmp_path / label / f"{i}.{ending}").write_bytes(encode(pixels))
    overrides = {"images.root": tmp_path, "images.layout": "folders", "images.channels": [0], "labels.file": None}

    details = [finding.detail for finding in kind(audit_images(load_settings(overrides=overrides)), "confounded")]

    assert any("100% of b have type uint16" in detail for detail in details)
    assert any("100% of b have file format tiff" in detail for detail in details)
