"""How fast the heads are, beside what a user would write by hand, on the same folds and in one process.

    python benchmarks/heads.py                                     the whole work; most of it is plain LightGBM
    python benchmarks/heads.py --samples 3000 --folds 2 --rounds 10         a minute
    python benchmarks/heads.py --features features/cells.h5        your own features
    python benchmarks/heads.py --kinds --heads logreg --measured 1          easy, hard, few samples, many columns
    python benchmarks/heads.py --kinds --features features/cells.h5         and your own
    python benchmarks/heads.py --measured 2                        only the first 2 of the 5 folds
    python benchmarks/heads.py --record heads.jsonl                in pieces: the same command goes on where it stopped

The plain ways, each with the defaults of its library, one fold after another:

- `logreg`: scikit-learn's StandardScaler and LogisticRegression(class_weight="balanced"); its 100 iterations;
- `lightgbm`: LGBMClassifier(class_weight="balanced"), 100 rounds (`--rounds` takes fewer, and the table says so);
- `mlp`: StandardScaler, Linear(512), ReLU, Linear; Adam; 20 epochs of a DataLoader with batches of 256.

Ours are what `cellfeat compare --heads mlp,logreg,lightgbm` runs, with its defaults. Seconds are those of fitting and
predicting, summed over the folds; CPU seconds are summed over threads, and tell whether something else was running. The
generated embeddings have 1,024 correlated columns and 9 classes, the largest 3.5 times the smallest; samples come in
groups of three. `--kinds` measures one table for each of `KINDS`.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import lightgbm
import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from torch.utils.data import DataLoader, TensorDataset

import cellfeat
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.folds.grouped_folds import grouped_folds
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.heads.registry import head_inputs, make_head

HEADS = ("mlp", "logreg", "lightgbm")
N_CLASSES = 9
N_COLUMNS = 1024
N_FACTORS = 192
GROUP_SIZE = 3
CLASS_DISTANCE = 0.24
"""Chosen so that a linear head reaches a balanced accuracy of 0.80 to 0.85 on the whole work."""


@dataclass(frozen=True)
class Kind:
    """Generated embeddings."""

    n_samples: int
    n_columns: int = N_COLUMNS
    class_distance: float = CLASS_DISTANCE


KINDS = {
    "hard": Kind(28_896),
    "easy": Kind(28_896, class_distance=0.55),
    "few samples": Kind(1_500),
    "many columns": Kind(6_000, n_columns=4096),
}
"""Kinds of embeddings; on the easy ones a linear head scores 0.999."""

FitPredict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Fits on rows and class numbers, and gives class numbers of other rows."""


@dataclass(frozen=True)
class Samples:
    """What all contenders are given: embeddings (n_samples, n_views, n_columns), class numbers, and measured folds."""

    embeddings: np.ndarray
    y: np.ndarray
    folds: list[Fold]


@dataclass(frozen=True)
class Piece:
    """One fold of one contender."""

    contender: str
    fold: int
    seconds: float
    cpu_seconds: float
    predicted: list[int]


def generated(n_samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, class numbers and groups: see `of_kind`."""
    return of_kind(Kind(n_samples), seed)


def of_kind(kind: Kind, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, class numbers and groups: hidden factors of falling variance, mixed into all columns, and noise."""
    n_samples = kind.n_samples
    rng = np.random.default_rng(seed)
    group = np.arange(n_samples) // GROUP_SIZE
    shares = np.geomspace(3.5, 1, N_CLASSES)
    y = rng.choice(N_CLASSES, size=group[-1] + 1, p=shares / shares.sum())[group]
    deviation = np.arange(1, N_FACTORS + 1) ** -0.5
    of_class = kind.class_distance * rng.standard_normal((N_CLASSES, N_FACTORS))
    of_group = 0.6 * rng.standard_normal((group[-1] + 1, N_FACTORS))
    factors = (of_class[y] + of_group[group] + rng.standard_normal((n_samples, N_FACTORS))) * deviation
    mixing = rng.standard_normal((N_FACTORS, kind.n_columns)) / np.linalg.norm(deviation)
    noise = 0.5 * rng.standard_normal((n_samples, kind.n_columns), dtype=np.float32)
    return factors.astype(np.float32) @ mixing.astype(np.float32) + noise, y, group


def read_samples(arguments: argparse.Namespace, kind: Kind | None) -> Samples:
    if kind is not None:
        rows, y, groups = of_kind(kind)
        embeddings = rows[:, None]
    else:
        features = cellfeat.load_features(arguments.features)
        used = np.flatnonzero((features.samples.status == 0) & (features.samples.labels != ""))[: arguments.samples]
        embeddings, groups = features.embeddings[used], sample_groups(features)[used]
        y = np.unique(features.samples.labels[used], return_inverse=True)[1]
    return Samples(embeddings, y, grouped_folds(y, groups, arguments.folds)[: arguments.measured])


def plain_logreg(X: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    predicted: np.ndarray = pipeline.fit(X, y).predict(others)
    return predicted


def plain_lightgbm(rounds: int) -> FitPredict:
    def fit_predict(X: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
        model = lightgbm.LGBMClassifier(n_estimators=rounds, class_weight="balanced", random_state=0, verbosity=-1)
        return np.asarray(model.fit(X, y).predict(others))

    return fit_predict


def plain_mlp(X: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    torch.manual_seed(0)
    scaler = StandardScaler().fit(X)
    weights = torch.from_numpy(compute_class_weight("balanced", classes=np.unique(y), y=y)).float()
    network = torch.nn.Sequential(torch.nn.Linear(X.shape[1], 512), torch.nn.ReLU(), torch.nn.Linear(512, len(weights)))
    optimizer, loss = torch.optim.Adam(network.parameters()), torch.nn.CrossEntropyLoss(weights)
    data = TensorDataset(torch.from_numpy(scaler.transform(X)), torch.from_numpy(y))
    loader = DataLoader(data, batch_size=256, shuffle=True)
    for _ in range(20):
        for rows, codes in loader:
            optimizer.zero_grad()
            loss(network(rows), codes).backward()
            optimizer.step()
    with torch.inference_mode():
        return network(torch.from_numpy(scaler.transform(others))).argmax(dim=1).numpy()


def our_head(name: str, n_views: int) -> FitPredict:
    def fit_predict(X: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
        return make_head(name, {}, n_views=n_views, random_state=0).fit(X, y).predict(others)

    return fit_predict


def contenders(names: Sequence[str], n_views: int, rounds: int) -> dict[str, FitPredict]:
    plain = {"mlp": plain_mlp, "logreg": plain_logreg, "lightgbm": plain_lightgbm(rounds)}
    return {f"{kind} {name}": way for name in names for kind, way in
            (("cellfeat", our_head(name, n_views)), ("plain", plain[name]))}  # fmt: skip


def inputs(contender: str, embeddings: np.ndarray) -> np.ndarray:
    kind, name = contender.split()
    return head_inputs(name, embeddings) if kind == "cellfeat" else embeddings.mean(axis=1)


def measure(samples: Samples, ways: dict[str, FitPredict], done: set[tuple[str, int]]) -> Iterator[Piece]:
    """Run the contenders in turn, fold by fold, so that what else the machine does meets all of them alike."""
    for number, fold in enumerate(samples.folds):
        train, test = samples.embeddings[fold.train], samples.embeddings[fold.test]
        for name, fit_predict in ways.items():
            if (name, number) in done:
                continue
            X, others = inputs(name, train), inputs(name, test)
            began, cpu_began = time.perf_counter(), time.process_time()
            predicted = fit_predict(X, samples.y[fold.train], others)
            seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
            yield Piece(name, number, seconds, cpu_seconds, predicted.tolist())


def warm_up(ways: dict[str, FitPredict]) -> None:
    """Load what is loaded at the first use, so that no contender pays for it."""
    rng = np.random.default_rng(0)
    for fit_predict in ways.values():
        fit_predict(rng.standard_normal((60, 8), dtype=np.float32), np.arange(60) % 2, np.zeros((1, 8), np.float32))


def read_record(path: Path | None) -> list[Piece]:
    if path is None or not path.exists():
        return []
    return [Piece(**json.loads(line)) for line in path.read_text().splitlines()]


def table(samples: Samples, pieces: list[Piece]) -> str:
    head = [
        "| head | plain, s | cellfeat, s | ratio | ratio of CPU s | cellfeat, s a fold | plain score | cellfeat score "
        "| difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    names = [name for name in HEADS if _of(pieces, f"plain {name}")]
    plain, ours = ({name: _of(pieces, f"{kind} {name}") for name in names} for kind in ("plain", "cellfeat"))
    rows = [_row(samples, name, plain[name], ours[name]) for name in names]
    both = [[piece for name in names for piece in side[name]] for side in (plain, ours)]
    return "\n".join([*head, *rows, f"| all | {_times(samples, *both)} | | | |"])


def _of(pieces: list[Piece], contender: str) -> list[Piece]:
    return [piece for piece in pieces if piece.contender == contender]


def _row(samples: Samples, name: str, plain: list[Piece], ours: list[Piece]) -> str:
    theirs, own = (_score(samples, pieces) for pieces in (plain, ours))
    return f"| `{name}` | {_times(samples, plain, ours)} | {theirs:.4f} | {own:.4f} | {own - theirs:+.4f} |"


def _times(samples: Samples, plain: list[Piece], ours: list[Piece]) -> str:
    wall = [sum(piece.seconds for piece in pieces) for pieces in (plain, ours)]
    cpu = [sum(piece.cpu_seconds for piece in pieces) for pieces in (plain, ours)]
    return (
        f"{wall[0]:.1f} | {wall[1]:.1f} | {wall[0] / wall[1]:.1f} | {cpu[0] / cpu[1]:.1f} | "
        f"{wall[1] / len(samples.folds):.2f}"
    )


def _score(samples: Samples, pieces: list[Piece]) -> float:
    """Balanced accuracy over the predictions of all measured folds together."""
    truth = np.concatenate([samples.y[samples.folds[piece.fold].test] for piece in pieces])
    return float(balanced_accuracy_score(truth, np.concatenate([piece.predicted for piece in pieces])))


def title(samples: Samples, arguments: argparse.Namespace, source: str) -> str:
    n_samples, n_views, n_columns = samples.embeddings.shape
    short = "" if arguments.rounds == 100 else f" Plain LightGBM: {arguments.rounds} rounds, not its default of 100."
    return (
        f"{source}: {n_samples:,} samples x {n_views} views x {n_columns:,} columns, {len(np.unique(samples.y))} "
        f"classes, {len(samples.folds)} of {arguments.folds} grouped folds; {platform.machine()}, {os.cpu_count()} "
        f"cores, {torch.get_num_threads()} threads; torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"lightgbm {lightgbm.__version__}, numpy {np.__version__}.{short}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=28_896)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--measured", type=int, help="measure the first of the folds only")
    parser.add_argument("--rounds", type=int, default=100, help="boosting rounds of plain LightGBM")
    parser.add_argument("--features", type=Path, help="a feature file, in place of generated embeddings")
    parser.add_argument("--record", type=Path, help="keep finished folds here; use one file for one work")
    parser.add_argument("--heads", default=",".join(HEADS), help="which of the heads")
    parser.add_argument("--kinds", action="store_true", help="each kind of embeddings, one table each")
    arguments = parser.parse_args()
    names = arguments.heads.split(",")
    warm_up(contenders(names, 1, 2))
    kinds: dict[str, Kind | None] = {"generated": Kind(arguments.samples)}
    if arguments.kinds:
        kinds = dict(KINDS)
    if arguments.features is not None:
        kinds = {**(kinds if arguments.kinds else {}), arguments.features.name: None}
    for source, kind in kinds.items():
        measure_kind(source, read_samples(arguments, kind), names, arguments)


def measure_kind(source: str, samples: Samples, names: Sequence[str], arguments: argparse.Namespace) -> None:
    """Measure what is not in the record, and print the table."""
    ways = contenders(names, samples.embeddings.shape[1], arguments.rounds)
    pieces = [piece for piece in read_record(arguments.record) if piece.fold < len(samples.folds)]
    for piece in measure(samples, ways, {(piece.contender, piece.fold) for piece in pieces}):
        pieces.append(piece)
        if arguments.record is not None:
            with arguments.record.open("a") as record:
                record.write(json.dumps(asdict(piece)) + "\n")
    print(f"{title(samples, arguments, source)}\n\n{table(samples, pieces)}\n", flush=True)


if __name__ == "__main__":
    main()
