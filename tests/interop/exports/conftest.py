"""Features of 60 samples in memory, one of which could not be read, and a comparison of two heads on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cellfeat
from cellfeat.config import Settings
from cellfeat.evaluation.results.comparison import Comparison
from cellfeat.extraction.store import Features, Samples
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.provenance import digest_json
from cellfeat.samples.regions import Regions

N_SAMPLES, FAILED, DIM = 60, 7, 8


def make_features(n_views: int = 1) -> Features:
    rng = np.random.default_rng(3)
    codes = np.arange(N_SAMPLES) % 3
    embeddings = rng.standard_normal((N_SAMPLES, n_views, DIM)) + 2 * np.eye(DIM)[codes][:, None]
    embeddings[FAILED] = np.nan
    labels = np.array(["HeLa", "MCF7", "=1+1"])[codes]
    labels[11] = ""
    samples = Samples(
        ids=np.array([f"cell-{i}" for i in range(N_SAMPLES)]),
        labels=labels,
        groups=np.array([f"donor {i // 2}" if i else "" for i in range(N_SAMPLES)]),
        status=np.where(np.arange(N_SAMPLES) == FAILED, 1, 0).astype(np.uint8),
        digests=np.array([digest_json(i).removeprefix("sha256:") for i in range(N_SAMPLES)]),
        columns={
            "Plate": np.array([f"p{i % 2}" for i in range(N_SAMPLES)]),
            "WELL": np.array(["A01", "B02", "C03"])[codes],
            "dose/uM": np.array(["01", "", "0.50"])[codes],
            "dtype": np.array(["x"] * N_SAMPLES),
            "label": np.array(["other"] * N_SAMPLES),
        },
        failures={FAILED: "cut short"},
    )
    recipe = {"passes": ["planes", "ER mito"], "views": n_views, "channels": ["a", "b", "c"]}
    return Features(
        path=Path("cells.h5"),
        samples=samples,
        embeddings=embeddings.astype(np.float32),
        fingerprint=digest_json(recipe),
        recipe=recipe,
        provenance={"settings": Settings().record()},
    )


@pytest.fixture(scope="session")
def features() -> Features:
    return make_features()


@pytest.fixture(scope="session")
def viewed() -> Features:
    """The same with four views."""
    return make_features(4)


@pytest.fixture(scope="session")
def compared(features: Features) -> Comparison:
    return cellfeat.compare(features, ["logreg", "dummy"], design=cellfeat.Design(folds=3))


@pytest.fixture(scope="session")
def fitted(features: Features) -> Bundle:
    return cellfeat.fit(features, "logreg", design=cellfeat.Design(folds=3))[0]


@pytest.fixture
def readable(features: Features) -> np.ndarray:
    """The embeddings of the samples that could be read."""
    return features.embeddings[features.samples.is_ok][:, 0]


@pytest.fixture(scope="session")
def on_fields(features: Features) -> Features:
    """The same, cut out of two fields."""
    numbers = np.arange(N_SAMPLES)
    regions = Regions(
        field=np.array([f"field {i // 30}" for i in numbers]),
        centre=np.stack([1.5 * numbers, 20.0 * numbers], axis=1),
        box=np.stack([numbers, numbers, np.full(N_SAMPLES, 8), np.full(N_SAMPLES, 8)], axis=1),
        mask_value=numbers + 1,
    )
    return replace(features, samples=replace(features.samples, regions=regions))
