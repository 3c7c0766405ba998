"""The self-test: every step on small generated images, with a network of random weights that needs no download."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torchvision.models import mobilenet_v3_small

from cellfeat.config import Settings
from cellfeat.config_sources import load_settings
from cellfeat.doctor.findings import Finding
from cellfeat.errors import CellfeatError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.saved_heads.fit import fit
from cellfeat.evaluation.saved_heads.predict import predict
from cellfeat.extraction.extract import extract
from cellfeat.extraction.store import load_features, verify_features
from cellfeat.heads.saved.bundle_files import load_bundle, save_bundle
from cellfeat.samples.synthetic import write_synthetic_cells
from cellfeat.text import first_line

N_SAMPLES = 180
N_CLASSES = 9
FOLDS = 3
HEADS = ("logreg", "mlp", "lightgbm")


def run_self_test() -> Iterator[Finding]:
    """Yield one finding a step, with its seconds; the first step that fails is the last."""
    with tempfile.TemporaryDirectory(prefix="cellfeat-doctor-") as folder:
        trial = _Trial(Path(folder))
        for step in (trial.extract, trial.verify, *map(trial.comparing, HEADS), trial.save_and_predict):
            finding = _timed(step)
            yield finding
            if finding.state == "problem":
                return


@dataclass(frozen=True)
class _Step:
    """A step: its name, and a function that does it and says what came out."""

    name: str
    run: Callable[[], str]


def _timed(step: _Step) -> Finding:
    began = time.perf_counter()
    try:
        found = step.run()
    except CellfeatError as error:
        return Finding(step.name, str(error), "problem", "mend what the message names, and run cellfeat doctor again")
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return Finding(
            step.name,
            f"{type(error).__name__}: {first_line(error)}",
            "problem",
            "report this line and the versions above",
        )
    return Finding(step.name, f"{found}, {time.perf_counter() - began:.1f} s")


@dataclass
class _Trial:
    """The steps in their order; each leaves what the next one needs in the folder."""

    folder: Path
    _settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self._settings = load_settings(
            overrides={
                "images.root": str(self.folder / "images"),
                "labels.file": str(self.folder / "labels.csv"),
                "backbone.name": "mobilenet_v3_small",
                "backbone.weights": str(self.folder / "random.pt"),
                "preprocessing.input_size": 64,
                "preprocessing.crop": "none",
                "extraction.output": str(self._features),
            }
        )

    @property
    def _features(self) -> Path:
        return self.folder / "features.h5"

    @property
    def extract(self) -> _Step:
        return _Step("self-test: extract", self._extract)

    def _extract(self) -> str:
        write_synthetic_cells(self.folder, n_samples=N_SAMPLES, seed=0)
        # The same weights each time, and the caller's random numbers stay as they are.
        with torch.random.fork_rng():
            torch.manual_seed(0)
            torch.save(mobilenet_v3_small(weights=None).state_dict(), self.folder / "random.pt")
        extract(self._settings)
        return f"{N_SAMPLES} samples"

    @property
    def verify(self) -> _Step:
        return _Step("self-test: verify", lambda: f"{verify_features(self._features).n_samples} samples whole")

    def comparing(self, head: str) -> _Step:
        """The step that evaluates a head."""
        return _Step(f"self-test: {head}", lambda: self._evaluate(head))

    def _evaluate(self, head: str) -> str:
        comparison = compare(load_features(self._features), [head], design=Design(folds=FOLDS))
        if comparison.failures:
            raise CellfeatError(comparison.failures[0].reason)
        score = comparison[head].scores.overall.balanced_accuracy
        if score <= 1 / N_CLASSES:
            raise CellfeatError(f"balanced accuracy {score:.3f}, no better than guessing: the numbers are wrong")
        return f"balanced accuracy {score:.2f} on a few generated cells (chance: {1 / N_CLASSES:.2f})"

    @property
    def save_and_predict(self) -> _Step:
        return _Step("self-test: save, predict", self._save_and_predict)

    def _save_and_predict(self) -> str:
        features = load_features(self._features)
        bundle, _ = fit(features, "logreg", design=Design(folds=FOLDS))
        save_bundle(bundle, self.folder / "head")
        before, after = (predict(one, features) for one in (bundle, load_bundle(self.folder / "head")))
        if not np.array_equal(before.probabilities, after.probabilities):
            raise CellfeatError("a saved head predicts other probabilities than before it was saved")
        return "the same predictions after saving"
