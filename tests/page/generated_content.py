# ruff: noqa: E501
"""Pages of generated samples, of any number, for tests in a browser and for the benchmark."""

import math
from functools import partial
from typing import Any

import numpy as np
import simplejpeg

from cellfeat.page.content import Columns, PageContent, ShardMaker, probability_shards

CLASSES = ["PC-3", "U-251 MG", "HeLa", "A549", "U-2 OS", "MCF7", "HEK 293", "CACO-2", "RT4"]
HOSTILE = [
    '<img src=x onerror="document.title=`broken`">',
    "</script><script>document.title='broken'</script>",
    "a&amp;b",
]
HEADS = ["logreg", "mlp"]
CHANNELS = [("nucleus", "#4059ff"), ("microtubules", "#ff1a1a"), ("er", "#19e619")]
SIDE, ACROSS, PER_BLOCK = 64, 8, 64


def generated_content(n_samples: int, *, hostile: bool = False, with_pictures: bool = True) -> PageContent:
    """Make the content of a page of samples of nine classes, which two heads predict."""
    rng = np.random.default_rng(7)
    classes = [*CLASSES[:6], *HOSTILE] if hostile else CLASSES
    label = rng.integers(0, len(classes), n_samples)
    columns = Columns()
    columns.add_text("sample_id", [f"{'<b>&' if hostile else ''}cell_{n:07d}" for n in range(n_samples)], role="id")
    columns.add_category("label", label, classes, role="label")
    heads: list[dict[str, Any]] = []
    shards: dict[str, ShardMaker] = {}
    for place, name in enumerate(HEADS):
        probability = _probabilities(rng, label, len(classes), sharpness=4 + place)
        predicted = probability.argmax(axis=1) if n_samples else np.zeros(0, int)
        columns.add_category(f"predicted by {name}", predicted, classes, role="predicted", head=name)
        columns.add_number(f"confidence of {name}", probability.max(axis=1, initial=0), role="confidence", head=name)
        shards |= probability_shards(f"probabilities-{place}", probability)
        heads.append(_head(name, place, label, predicted, classes))
    columns.add_category("fold", np.arange(n_samples) % 5, [str(n + 1) for n in range(5)], role="fold")
    n_groups = max(n_samples // 3, 1)
    columns.add_category("group", np.arange(n_samples) // 3, [f"group_{n}" for n in range(n_groups)], role="group")
    columns.add_category("plate", rng.integers(-1, 12, n_samples), [f"P{n:02d}" for n in range(12)])
    columns.add_number("area", rng.gamma(4, 30, n_samples).astype(np.float32))
    centres = rng.normal(0, 10, (len(classes), 2))
    places = centres[label] + rng.normal(0, 2, (n_samples, 2))
    columns.add_number("x", places[:, 0], role="x")
    columns.add_number("y", places[:, 1], role="y")
    if with_pictures:
        blocks = range(math.ceil(n_samples / PER_BLOCK))
        shards |= {f"thumbnails-{block}": partial(_sheets, block, n_samples, label) for block in blocks}
    return PageContent(_page(n_samples, classes, heads, columns, with_pictures, hostile), columns.shards | shards)


def _page(
    n_samples: int,
    classes: list[str],
    heads: list[dict[str, Any]],
    columns: Columns,
    with_pictures: bool,
    hostile: bool,
) -> dict[str, Any]:
    heads = sorted(heads, key=lambda head: -head["score"]) if n_samples else []
    return {
        "format": 1,
        "kind": "comparison",
        "title": HOSTILE[1] if hostile else "generated cells",
        "created": "2026-11-28T12:00:00Z",
        "cellfeat": "0.2.0",
        "digest": f"sha256:generated-{n_samples}",
        "nSamples": n_samples,
        "textBlock": 4096,
        "classes": classes,
        "channels": [{"name": name, "colour": colour, "start": 0, "end": 4095} for name, colour in CHANNELS] if with_pictures else [],
        "thumbnails": {"side": SIDE, "perBlock": PER_BLOCK, "across": ACROSS, "from": "shards"} if with_pictures else None,
        "picturesNote": "" if with_pictures else "The images were not read: run `cellfeat view`.",
        "map": {"method": "t-SNE", "note": "Distances between clusters mean nothing."},
        "columns": columns.entries,
        "heads": heads,
        "overview": _overview(n_samples, heads),
        "audit": _audit(n_samples),
        "heldOut": [],
    }  # fmt: skip


def _probabilities(rng: np.random.Generator, label: np.ndarray, n_classes: int, sharpness: float) -> np.ndarray:
    scores = rng.normal(0, 1, (len(label), n_classes))
    scores[np.arange(len(label)), label] += sharpness / 2
    weights = np.exp(scores * 1.5)
    return weights / weights.sum(axis=1, keepdims=True)


def _head(name: str, place: int, label: np.ndarray, predicted: np.ndarray, classes: list[str]) -> dict[str, Any]:
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (label, predicted), 1)
    totals, found = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = np.diag(confusion) / np.maximum(totals, 1)
    score = float(recall.mean())
    bins = [{"confidence": 0.05 + n / 10, "correct": 0.04 + n / 10.5, "n": 10 * n} for n in range(2, 10)]
    return {
        "name": name, "score": score, "low": score - 0.01, "high": score + 0.01,
        "settings": {"C": 1.0}, "seconds": 1.5 + place, "verdict": ["worse", "best"][place],
        "behind": ["behind by 0.031 [0.022, 0.040]", ""][place],
        "confusion": confusion.tolist(), "predictedClasses": classes,
        "perClass": [
            {"name": one, "n": int(totals[n]), "recall": float(recall[n]), "low": max(float(recall[n]) - 0.03, 0),
             "high": min(float(recall[n]) + 0.03, 1), "precision": float(confusion[n, n] / max(found[n], 1))}
            for n, one in enumerate(classes)
        ],
        "reliability": {"before": bins, "after": bins, "errorBefore": 0.05, "errorAfter": 0.02},
        "probabilities": f"probabilities-{place}",
    }  # fmt: skip


def _overview(n_samples: int, heads: list[dict[str, Any]]) -> dict[str, Any]:
    points = [
        {"nTrain": 2**n * 100, "score": 0.5 + 0.1 * n, "low": 0.48 + 0.1 * n, "high": 0.52 + 0.1 * n} for n in range(4)
    ]
    return {
        "headline": f"{n_samples:,} samples, 9 classes, 5 folds: mlp scores best",
        "data": [{"name": "samples", "value": f"{n_samples:,}"}, {"name": "groups", "value": f"{n_samples // 3:,}"}],
        "recipe": [{"name": "backbone", "value": "convnext_base"}, {"name": "input", "value": "224 px"}],
        "verdicts": ["mlp is better than logreg: 0.031 [0.022, 0.040]"] if heads else [],
        "leak": {
            "sentences": ["Random folds would have claimed 0.021 more."],
            "rows": [{"name": name, "head": "logreg", "score": score, "low": score - 0.01, "high": score + 0.01}
                     for name, score in (("random folds", 0.9), ("copies together", 0.89), ("near copies together", 0.879))],
        },
        "curves": [{"head": head["name"], "points": points} for head in heads],
        "limits": ["One plate a class: a plate's brightness may tell the class."],
        "questions": [
            {"question": "How were samples split?", "answer": "Five folds; groups stay together."},
            {"question": "Which population do the samples stand for?", "answer": None},
        ],
    }  # fmt: skip


def _audit(n_samples: int) -> dict[str, Any]:
    if n_samples < 100:
        return {"pairs": [], "suspects": [], "quarantined": [], "findings": []}
    overlap = {"dx": 20, "dy": -8, "quarters": 0, "mirrored": False, "width": 64, "height": 64}
    turned = {"dx": 0, "dy": 0, "quarters": 1, "mirrored": True, "width": 64, "height": 64}
    kinds = [
        ("near copy", overlap),
        ("near copy", turned),
        ("copy", None),
        ("label conflict", None),
        ("look-alike", None),
    ]
    return {
        "pairs": [
            {"a": 2 * n, "b": 2 * n + 1, "finding": kind, "detail": f"{0.99 - n / 1000:.3f} of equal detail", "overlap": where}
            for n in range(8) for kind, where in kinds
        ],
        "suspects": [
            {"row": 50 + n, "label": "HeLa", "predicted": "A549", "confidence": 0.99 - n / 100, "head": "logreg",
             "detail": "out-of-fold probability of its label 0.003"} for n in range(20)
        ],
        "quarantined": [{"id": "broken<1>.png", "reason": "not a PNG: <b>truncated</b>"}],
        "findings": [{"finding": "confounded", "sample": "", "row": None, "partner": "", "detail": "plate P01: RT4 alone"}],
    }  # fmt: skip


def _sheets(block: int, n_samples: int, label: np.ndarray) -> bytes:
    """A sheet of thumbnails a channel: cells of a size and brightness that depend on their class."""
    content = b""
    rows = range(block * PER_BLOCK, min((block + 1) * PER_BLOCK, n_samples))
    y, x = np.mgrid[:SIDE, :SIDE]
    for channel in range(len(CHANNELS)):
        sheet = np.zeros((math.ceil(len(rows) / ACROSS) * SIDE, ACROSS * SIDE), np.uint8)
        for place, row in enumerate(rows):
            rng = np.random.default_rng((row, channel))
            radius = 8 + 2 * label[row] + rng.uniform(-2, 2)
            distance = np.hypot(x - 32 - rng.uniform(-6, 6), y - 32 - rng.uniform(-6, 6))
            cell = 230 * np.exp(-((distance / radius) ** (2 + channel))) + rng.uniform(0, 20, (SIDE, SIDE))
            top, left = place // ACROSS * SIDE, place % ACROSS * SIDE
            sheet[top : top + SIDE, left : left + SIDE] = cell
        encoded = simplejpeg.encode_jpeg(sheet[..., None], quality=85, colorspace="GRAY")
        content += len(encoded).to_bytes(4, "little") + encoded
    return content
