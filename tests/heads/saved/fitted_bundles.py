"""Small fitted heads for the tests of bundles, and changes of saved ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.heads.registry import head_inputs, make_head
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.provenance import digest_bytes
from cellfeat.records import seal
from cellfeat.statistics.conformal import ClassScores

CLASSES = ["A-549", "HEK 293", "RT4"]
SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [32, 16], "epochs": 60, "device": "cpu"},
    "linear_relu": {"epochs": 3, "device": "cpu"},
    "lightgbm": {"n_estimators": 3, "n_jobs": 1},
}
DIM = 8


def embeddings_of(n_views: int, n_samples: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((3, 1, DIM))
    codes = np.arange(n_samples) % 3
    return (centres[codes] + rng.standard_normal((n_samples, n_views, DIM))).astype(np.float32)


def fitted_bundle(name: str = "knn", *, n_views: int = 1, **fields: Any) -> Bundle:
    embeddings = embeddings_of(n_views)
    labels = np.array(CLASSES)[np.arange(len(embeddings)) % 3]
    head = make_head(name, SETTINGS.get(name, {}), n_views=n_views, random_state=0)
    record: dict[str, Any] = {
        "classes": CLASSES,
        "fingerprint": "sha256:" + "0" * 64,
        "recipe": {"backbone": {"name": "convnext_base"}, "passes": ["planes"]},
        "settings": SETTINGS.get(name, {}),
        "scores": {"balanced_accuracy": 0.75},
        "provenance": {"python": "3.12"},
        "n_views": n_views,
        "embedding_dim": DIM,
    }
    head.fit(head_inputs(name, embeddings), labels)
    return Bundle(head=head, head_name=name, **record | fields)


def scores_of_samples() -> ClassScores:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 60)
    return ClassScores.of(probabilities, np.arange(60) % 3, np.arange(60) // 2)


def digests_of(n_samples: int) -> np.ndarray:
    return np.array([f"{number:064x}" for number in range(n_samples)])


def change_record(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change ``bundle.json`` and seal it again, as an attacker would."""
    record = json.loads((folder / "bundle.json").read_text())
    record.pop("digest")
    change(record)
    (folder / "bundle.json").write_text(json.dumps(seal(record)))


def plant(folder: Path, name: str, content: bytes) -> None:
    """Put a file into a bundle with its right digest."""
    (folder / name).write_bytes(content)
    change_record(folder, lambda record: record["files"].update({name: digest_bytes(content)}))
