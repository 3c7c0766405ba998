"""Feature files in memory, comparisons of them, and a head that fails, as the tests of the comparison need them."""

import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from cellfeat.config import load_settings
from cellfeat.evaluation.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results import Comparison
from cellfeat.extraction.store import Features, Samples
from cellfeat.heads.registry import HEADS, Head
from cellfeat.samples.images import pixel_digest

THREE = ("HeLa", "A549", "U-2 OS")  # on purpose not sorted
HOSTILE = ("[red]A549[/red]", "$\\frac$ He\x1b[2JLa", "U-2 OS\u202e with a name far too long for any table or picture")


@pytest.fixture
def labelled():
    """Labels of three classes of other sizes, and predictions that are mostly right."""
    rng = np.random.default_rng(0)
    y = np.array(THREE)[rng.choice(3, 200, p=[0.6, 0.3, 0.1])]
    predicted = np.where(rng.random(200) < 0.7, y, np.array(THREE)[rng.integers(3, size=200)])
    return y, predicted


def build_features(
    label: np.ndarray,
    embeddings: np.ndarray,
    *,
    group: np.ndarray | None = None,
    pixel_digest: np.ndarray | None = None,
    columns: dict[str, np.ndarray] | None = None,
    status: np.ndarray | None = None,
) -> Features:
    n = len(label)
    samples = Samples(
        ids=np.array([f"s{i}" for i in range(n)]),
        labels=np.asarray(label, dtype=str),
        groups=np.full(n, "") if group is None else np.asarray(group, dtype=str),
        status=np.zeros(n, np.uint8) if status is None else status,
        digests=np.array([f"{i:064x}" for i in range(n)]) if pixel_digest is None else pixel_digest,
        columns=columns or {},
    )
    return Features(
        path=Path("features/test.h5"),
        samples=samples,
        embeddings=embeddings.astype(np.float32),
        fingerprint="sha256:test",
        recipe={"passes": ["planes"]},
        provenance={},
    )


def with_samples(features: Features, **changes: object) -> Features:
    """Features of which something about the samples is changed."""
    return replace(features, samples=replace(features.samples, **changes))


def build_clusters(
    *, n: int = 180, dim: int = 6, separation: float = 1.5, seed: int = 0, classes: tuple[str, ...] = ("a", "b", "c")
) -> Features:
    """Gaussian clouds, one a class, of one view."""
    rng = np.random.default_rng(seed)
    number = np.arange(n) % len(classes)
    centres = rng.normal(0, separation, (len(classes), dim))
    return build_features(np.array(classes)[number], centres[number, np.newaxis] + rng.normal(size=(n, 1, dim)))


@pytest.fixture
def make_features() -> Callable[..., Features]:
    return build_features


@pytest.fixture
def make_clusters() -> Callable[..., Features]:
    return build_clusters


@pytest.fixture
def with_pictures() -> Callable[..., Features]:
    """Save a picture of one channel for each sample, and give the features that were made from these."""

    def save(features: Features, pixels: np.ndarray, folder: Path) -> Features:
        folder.mkdir(exist_ok=True)
        for sample_id, image in zip(features.samples.ids, pixels, strict=True):
            (folder / f"{sample_id}_dapi.png").write_bytes(imagecodecs.png_encode(image))
        settings = load_settings(
            overrides={
                "images.pattern": "{sample_id}_{channel}.png",
                "images.channels": ["dapi"],
                "images.root": str(folder),
                "labels.file": "gone.csv",
            }
        )
        digests = np.array([pixel_digest(image[np.newaxis]) for image in pixels])
        made = replace(features, provenance={"settings": settings.record()})
        return with_samples(made, digests=digests)

    return save


@pytest.fixture
def comparison(make_clusters: Callable[..., Features]) -> Comparison:
    return compare(make_clusters(separation=0.8), ["logreg", "knn", "dummy"], design=Design(folds=3, draws=200))


@pytest.fixture
def hostile(make_clusters: Callable[..., Features]) -> Comparison:
    return compare(make_clusters(classes=HOSTILE), ["logreg", "dummy"], design=Design(folds=3, draws=200))


class Failing(BaseEstimator):
    """A head that cannot be fitted, as a singular matrix or a lack of memory would have it."""

    error: type[BaseException] = ValueError

    def fit(self, X, y):
        raise self.error("singular matrix")


@pytest.fixture
def failing_head(monkeypatch):
    """Put a head that raises the given error into the table, as a plug-in would."""

    def add(error):
        module = types.ModuleType("failing_head")
        module.FailingHead = type("FailingHead", (Failing,), {"error": error})
        monkeypatch.setitem(sys.modules, "failing_head", module)
        monkeypatch.setitem(HEADS._entries, "failing", Head("failing", "failing_head:FailingHead", "mean", "fails"))

    return add
