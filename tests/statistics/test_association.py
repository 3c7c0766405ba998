import numpy as np
import pytest

from cellfeat.statistics.association import cramers_v

CLASSES = np.array(["A549", "HeLa", "RT4"])


def test_determined_property_has_association_1():
    labels = np.repeat(CLASSES, 50)
    assert cramers_v(labels, np.char.add("plate of ", labels)) == pytest.approx(1)


def test_independent_properties_have_almost_no_association():
    rng = np.random.default_rng(0)
    found = [cramers_v(rng.choice(CLASSES, 60), rng.choice(["p1", "p2"], 60)) for _ in range(200)]
    assert np.median(found) < 0.05, "corrected for the bias of small samples"


def test_association_is_symmetric():
    rng = np.random.default_rng(1)
    labels = rng.choice(CLASSES, 90)
    plates = np.where(rng.random(90) < 0.5, labels, rng.choice(CLASSES, 90))
    assert cramers_v(labels, plates) == pytest.approx(cramers_v(plates, labels))
    assert 0.2 < cramers_v(labels, plates) < 0.8
