"""What `--tune` brings over the default settings, and what it costs, on feature files and on generated embeddings.

    python benchmarks/tuning.py                                            generated, 3,000 samples
    python benchmarks/tuning.py --features features/cells.h5 --heads logreg,knn --tune 27
    python benchmarks/tuning.py --features a.h5 b.h5 --samples 500 1000 0  parts of them; 0 is all
    python benchmarks/tuning.py --cache study/                             goes on where it was stopped

A row is one head on one set: balanced accuracy out of 5 grouped folds with its default settings, and with settings
found inside the training part of each fold; their difference, paired over samples, with its 95 % interval; what was
chosen in how many folds; seconds of all folds, without and with the search. The generated embeddings are those of
`benchmarks/heads.py`: 1,024 correlated columns, 9 classes, groups of three.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from heads import generated

import cellfeat
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.folds.grouped_folds import thinned_rows
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scoring.score import evaluate
from cellfeat.evaluation.task.task import Task, prepare
from cellfeat.extraction.store import Features, Samples
from cellfeat.reporting.terminal.head import tuning_lines


def generated_features(n_samples: int) -> Features:
    rows, y, groups = generated(n_samples)
    samples = Samples(
        ids=np.arange(n_samples).astype(str),
        labels=np.char.mod("class %d", y),
        groups=groups.astype(str),
        status=np.zeros(n_samples, np.uint8),
        digests=np.full(n_samples, ""),
    )
    recipe = {"passes": ["generated"]}
    return Features(Path("generated"), samples, rows[:, np.newaxis], fingerprint="", recipe=recipe, provenance={})


def labelled_part(features: Features, n_samples: int) -> Features:
    """About so many of the labelled samples: whole groups, classes in proportion."""
    labelled = np.flatnonzero(features.samples.is_ok & features.samples.is_labelled)
    fraction = min(1, n_samples / len(labelled)) if n_samples else 1
    rng = np.random.default_rng(0)
    rows = thinned_rows(labelled, features.samples.labels, sample_groups(features), fraction, rng)
    return features.take(rows)


def some_passes(features: Features, channels_as: str, n_views: int) -> Features:
    """The first views, and of a file made with ``channels_as: both`` the columns of one of the ways."""
    width = features.embeddings.shape[2] // len(features.recipe["passes"])
    columns = {"all": slice(None), "planes": slice(width), "separate": slice(width, None)}[channels_as]
    return replace(features, embeddings=features.embeddings[:, :n_views, columns])


def sets(arguments: argparse.Namespace) -> Iterator[Features]:
    if not arguments.features:
        yield from (generated_features(n_samples or 3000) for n_samples in arguments.samples)
    for path in arguments.features:
        features = some_passes(cellfeat.load_features(path), arguments.channels, arguments.views)
        yield from (labelled_part(features, n_samples) for n_samples in arguments.samples)


def row(task: Task, head: str, n_candidates: int, cache: FoldCache | None) -> str:
    plain = evaluate(task, head, {}, cache=cache)
    tuned = evaluate(replace(task, design=replace(task.design, tune=n_candidates)), head, {}, cache=cache)
    gap = task.bootstrap.difference(tuned.predictions["predicted"], plain.predictions["predicted"])
    _, _, chosen = "".join(tuning_lines([tuned])[:1]).partition(": ")
    scores = f"{plain.balanced_accuracy:.4f} | {tuned.balanced_accuracy:.4f}"
    difference = f"{gap.estimate:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    return f"| `{head}` | {scores} | {difference} | {chosen} | {seconds(plain):.0f} / {seconds(tuned):.0f} |"


def seconds(result: HeadResult) -> float:
    return result.seconds.total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, nargs="*", default=[], help="feature files, in place of generated")
    parser.add_argument("--samples", type=int, nargs="+", default=[0], help="about so many samples; 0: all")
    parser.add_argument("--groups", default="auto", help="what folds keep together, as for compare")
    parser.add_argument("--channels", choices=["all", "planes", "separate"], default="all")
    parser.add_argument("--views", type=int, help="the first views only")
    parser.add_argument("--heads", default="logreg,knn,mlp,lightgbm")
    parser.add_argument("--tune", type=int, default=27)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder where finished folds are kept")
    arguments = parser.parse_args()
    cache = FoldCache(arguments.cache) if arguments.cache else None
    for features in sets(arguments):
        task = prepare(features, Design(groups=arguments.groups, random_state=arguments.seed))
        shape = " x ".join(f"{size:,}" for size in features.embeddings.shape)
        print(f"\n{features.path.name}: samples x views x columns {shape}; --tune {arguments.tune}\n")
        print("| head | as given | tuned | difference | chosen | seconds |\n|---|---|---|---|---|---|")
        for head in arguments.heads.split(","):
            print(row(task, head, arguments.tune, cache), flush=True)


if __name__ == "__main__":
    main()
