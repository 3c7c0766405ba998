"""Feature files in memory, comparisons of them, and a head that fails: shared by the tests of several packages."""

import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from cellfeat.config_sources import load_settings
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.extraction.store import Features, Samples
from cellfeat.heads.registry import HEADS, Head
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.samples.reading.images import pixel_digest
from cellfeat.samples.regions import Regions

SMALL = Design(folds=3, draws=100)
"""Few folds and draws, for tests that are not about their number."""

THREE = ("HeLa", "A549", "U-2 OS")  # on purpose not sorted
HOSTILE = ("[red]A549[/red]", "$\\frac$ He\x1b[2JLa", "U-2 OS\u202e with a name far too long for any table or picture")


@pytest.fixture
def labelled():
    """Labels of three classes of different sizes, and predictions that are mostly right."""
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
    """Features with other values in some columns of their samples."""
    return replace(features, samples=replace(features.samples, **changes))


def regions_at(field: Sequence[str], corners: Sequence[tuple[int, int]], side: int = 64) -> Regions:
    """Square boxes of one size on fields; `corners` are their upper left ones, as row and column."""
    corner = np.array(corners, dtype=np.int64).reshape(-1, 2)
    box = np.column_stack([corner, np.full_like(corner, side)])
    centre = corner[:, ::-1] + (side - 1) / 2
    return Regions(np.array(list(field), dtype=str), centre, box, np.arange(1, len(corner) + 1))


def build_clusters(
    *, n: int = 180, dim: int = 6, separation: float = 1.5, seed: int = 0, classes: tuple[str, ...] = ("a", "b", "c")
) -> Features:
    """Gaussian clouds of one view, one for each class."""
    rng = np.random.default_rng(seed)
    number = np.arange(n) % len(classes)
    centres = rng.normal(0, separation, (len(classes), dim))
    return build_features(np.array(classes)[number], centres[number, np.newaxis] + rng.normal(size=(n, 1, dim)))


@pytest.fixture(scope="session")
def make_features() -> Callable[..., Features]:
    return build_features


@pytest.fixture(scope="session")
def make_clusters() -> Callable[..., Features]:
    return build_clusters


def save_pictures(features: Features, pixels: np.ndarray, folder: Path) -> Features:
    """Save a picture of one channel for each sample, and give the features that are extracted from them."""
    folder.mkdir(exist_ok=True)
    for sample_id, image in zip(features.samples.ids, pixels, strict=True):
        (folder / f"{sample_id}_dapi.png").write_bytes(imagecodecs.png_encode(image))
    settings = load_settings(
        overrides={
            "images.pattern": "{sample_id}_{channel}.png",
            "images.channels": ["dapi"],
            "images.root": str(folder),
            "extraction.workers": 0,
            "labels.file": "gone.csv",
        }
    )
    digests = np.array([pixel_digest(image[np.newaxis]) for image in pixels])
    made = replace(features, provenance={"settings": settings.record()})
    return with_samples(made, digests=digests)


@pytest.fixture(scope="session")
def with_pictures() -> Callable[..., Features]:
    return save_pictures


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Three heads compared; shared, so leave it as it is."""
    return compare(build_clusters(separation=0.8), ["logreg", "knn", "dummy"], design=Design(folds=3, draws=200))


@pytest.fixture(scope="session")
def hostile() -> Comparison:
    """Two heads compared on classes with hostile names; shared, so leave it as it is."""
    return compare(build_clusters(classes=HOSTILE), ["logreg", "dummy"], design=Design(folds=3, draws=200))


class Failing(BaseEstimator):
    """A head that cannot be fitted: a singular matrix, say, or a lack of memory."""

    error: type[BaseException] = ValueError

    def fit(self, X, y):
        raise self.error("singular matrix")


def register(monkeypatch: pytest.MonkeyPatch, name: str, kind: type) -> type:
    """Add a head to the registry, as a plug-in would, until the test ends."""
    module = types.ModuleType(f"{name}_head")
    setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(HEADS._entries, name, Head(name, f"{module.__name__}:{kind.__name__}", "mean", "for tests"))
    return kind


@pytest.fixture
def failing_head(monkeypatch):
    """Add a head ``failing`` that raises the given error."""

    def add(error):
        register(monkeypatch, "failing", type("FailingHead", (Failing,), {"error": error}))

    return add


N_FITTED = 240
"""Samples that `bundle` is fitted on: the first of `samples`."""


def part(features: Features, rows: slice) -> Features:
    """Some rows of features, copied: a test may change them."""
    return features.take(np.arange(len(features))[rows])


@pytest.fixture
def samples() -> Features:
    """Samples of which `bundle` is fitted on the first 240."""
    return build_clusters(n=420, separation=0.9)


@pytest.fixture
def held_out(samples: Features) -> Features:
    """The other samples."""
    return part(samples, slice(N_FITTED, None))


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """A saved head; shared, so leave it as it is."""
    fitted = part(build_clusters(n=420, separation=0.9), slice(N_FITTED))
    return fit(fitted, "logreg", design=Design(folds=3, draws=200))[0]
