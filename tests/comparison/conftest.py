"""Feature files in memory, as the tests of the comparison need them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellfeat.extraction.store import Features


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
    return Features(
        path=Path("features/test.h5"),
        sample_id=np.array([f"s{i}" for i in range(n)]),
        label=np.asarray(label, dtype=str),
        group=np.full(n, "") if group is None else np.asarray(group, dtype=str),
        columns=columns or {},
        status=np.zeros(n, np.uint8) if status is None else status,
        pixel_digest=np.array([f"digest{i}" for i in range(n)]) if pixel_digest is None else pixel_digest,
        embeddings=embeddings.astype(np.float32),
        failures={},
        fingerprint="sha256:test",
        recipe={"passes": ["planes"]},
        provenance={},
    )


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
