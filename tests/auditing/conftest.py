"""Fixtures of the tests in this folder."""

import numpy as np
import pytest

from tests.feature_fixtures import (  # noqa: F401, pytest finds fixtures by name
    build_features,
    make_clusters,
    make_features,
    save_pictures,
)


def write_pictures(folder):
    """Features of sixty samples of two classes, with pictures of one channel.

    Sample 1 overlaps with sample 0 and sample 5 is a copy of sample 4, each under another label; sample 2 is constant
    and sample 3 saturated.
    """
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
    return save_pictures(build_features(label, embeddings), pixels, folder)


@pytest.fixture
def with_images(tmp_path):
    """Features, and the folder of their pictures: a test may change both."""
    folder = tmp_path / "images"
    return write_pictures(folder), folder


@pytest.fixture(scope="session")
def shared_images(tmp_path_factory):
    """The same as `with_images`, shared, so leave it as it is."""
    folder = tmp_path_factory.mktemp("shared") / "images"
    return write_pictures(folder), folder


@pytest.fixture
def one_set(monkeypatch):
    """A study of leaks on a single set of folds, for tests that are not about their number."""
    monkeypatch.setattr("cellfeat.auditing.audit.LEAK_SETS", 1)


def of_kind(found, kind):
    return [finding for finding in found.findings if finding.finding == kind]


@pytest.fixture(scope="session")
def kind():
    """Select the findings of one kind."""
    return of_kind
