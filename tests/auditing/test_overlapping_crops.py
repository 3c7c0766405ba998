"""Audits of samples that are cut out of fields: overlapping crops, the price of separating them, positions."""

import numpy as np
import pytest

from cellfeat.auditing.audit import audit
from cellfeat.auditing.leak import EVERYTHING, FIELDS, NOTHING, OVERLAPS
from cellfeat.auditing.overlapping_crops import overlapping_crops
from cellfeat.near_copies.shared_pixels import overlap_blocks
from cellfeat.reporting.terminal.audit import render_leaks
from tests.feature_fixtures import SMALL, build_features, regions_at, save_pictures, with_samples
from tests.near_copies.fields import textured
from tests.reporting.rendering import NARROW, rendered


def cut(field, corners, label=None, side=64):
    n = len(field)
    features = build_features(np.array(label or ["a"] * n), np.zeros((n, 1, 1)))
    return with_samples(features, regions=regions_at(field, corners, side)).samples


def test_each_overlapping_crop_is_found_with_its_largest_partner():
    found = overlapping_crops(cut("aaaab", [(0, 0), (0, 60), (32, 60), (500, 0), (0, 0)]))
    assert [(one.sample_id, one.partner) for one in found.findings] == [("s0", "s1"), ("s1", "s2"), ("s2", "s1")]
    assert "shares 2,048 pixels of its field, 50% of the smaller crop, and some with 1 more" in found.findings[1].detail
    assert found.of_same_cell == ()


def test_one_cell_with_two_labels_is_a_conflict():
    samples = cut("aaa", [(0, 0), (3, 4), (0, 20)], label=["HeLa", "A549", "A549"])
    assert overlapping_crops(samples).of_same_cell == ((0, 1),)
    features = with_samples(
        build_features(np.array(["HeLa", "A549", "A549"]), np.zeros((3, 1, 1))), regions=samples.regions
    )
    kinds = [(one.finding, one.sample_id, one.partner) for one in audit(features, design=SMALL).findings]
    assert ("label conflict", "s1", "s0") in kinds
    assert [kind for kind, *_ in kinds].count("overlapping crop") == 3


def test_whole_images_have_no_overlapping_crops():
    assert overlapping_crops(build_features(np.array(["a"]), np.zeros((1, 1, 1))).samples).findings == ()


@pytest.fixture(scope="module")
def leaking():
    """Noise; labels are of the field, and each field has a background of its own: random cells know their field."""
    rng = np.random.default_rng(0)
    field = np.repeat(np.arange(24), 10)
    background = rng.normal(size=(24, 6))
    label = np.array(list("ab"))[rng.permutation(np.arange(24) % 2)][field]
    features = build_features(label, (background[field] + 0.2 * rng.normal(size=(240, 6)))[:, np.newaxis])
    corners = [(300 * (row % 10 // 2), 50 * (row % 2)) for row in range(240)]  # pairs that share pixels
    return with_samples(features, regions=regions_at([f"f{number}" for number in field], corners))


@pytest.mark.slow
def test_price_of_cell_level_folds_is_measured(leaking):
    found = audit(leaking, design=SMALL)
    assert found.counts()["overlapping crop"] == 240
    by_head = {leak.head: leak for leak in found.leaks}
    assert by_head["knn"].arms == (NOTHING, OVERLAPS, FIELDS, EVERYTHING)
    random, overlaps, fields, everything = by_head["knn"].means
    assert any("whole" in line for line in rendered(render_leaks(found), NARROW))
    assert random > 0.9
    assert overlaps > 0.9  # other cells of the field are still in the training part
    assert fields < 0.75
    assert by_head["knn"].claimed == pytest.approx(random - everything)


@pytest.mark.slow
def test_groups_of_an_audit_hold_the_overlaps(leaking):
    found = audit(leaking, design=SMALL)
    pairs = np.concatenate([block.pairs for block in overlap_blocks(leaking.samples.regions)])
    assert len(pairs)
    assert (found.group[pairs[:, 0]] == found.group[pairs[:, 1]]).all()


@pytest.mark.slow
def test_position_on_the_field_is_probed(leaking):
    left = leaking.samples.regions.centre[:, 0] < 60
    features = with_samples(leaking, labels=np.where(left, "a", "b"))
    found = audit(features, design=SMALL)
    (position,) = (probe for probe in found.probes.scores if probe.name == "position")
    assert position.balanced_accuracy > 0.95
    assert position.source == "x on the field"
    assert "shortcut" in found.counts()


def test_pixels_of_one_field_are_explained_by_boxes(tmp_path):
    """Overlapping crops are no near copies to be searched for; the same place on another field still is."""
    plane = (255 * textured(np.random.default_rng(0), 300, 1)[0].clip(0, 1)).astype(np.uint8)
    corners = [(0, 0), (0, 40), (80, 80), (160, 10), (10, 160)]
    pixels = np.stack([plane[row : row + 64, column : column + 64] for row, column in [*corners, (10, 0)]])
    features = build_features(np.array(list("aabbab")), np.zeros((6, 1, 1)))
    placed = with_samples(features, regions=regions_at([*"fffff", "saved again"], [*corners, (10, 0)]))
    found = audit(save_pictures(placed, pixels, tmp_path / "crops"), images=tmp_path / "crops", design=SMALL)
    pairs = {(one.finding, frozenset((one.sample_id, one.partner))) for one in found.findings if one.partner}
    assert {pair for kind, pair in pairs if kind == "overlapping crop"} == {frozenset(("s0", "s1"))}
    near = {pair for kind, pair in pairs if kind == "near copy"}
    assert {frozenset(("s0", "s5")), frozenset(("s1", "s5"))} <= near
    assert all("s5" in pair for pair in near)
