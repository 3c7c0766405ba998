"""What transforming the columns brings each head, and what it costs, on feature files and on generated embeddings.

    python benchmarks/transforms.py --heads logreg,knn                             generated, 3,000 samples
    python benchmarks/transforms.py --features features/cells.h5 --groups groups.csv
    python benchmarks/transforms.py --features features/cells.h5 --channels planes --views 1 --components 64 256

A row is one head with one transform: balanced accuracy out of 5 grouped folds, its difference to the head as it is
(`standardise`), paired over samples, with its 95 % interval, and the seconds of all folds.
"""

import argparse
from pathlib import Path
from typing import Any

from tuning import generated_features, seconds, some_passes

import cellfeat
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.evaluation.scoring.score import evaluate
from cellfeat.evaluation.task.task import Task, prepare
from cellfeat.extraction.store import Features
from cellfeat.heads.preprocessing.transforms import PROJECTIONS, ROW_STEPS


def settings_tried(components: list[int]) -> list[dict[str, Any]]:
    """The other transforms; those with components once for each number of them."""
    plain = [{"feature_transform": name} for name in ROW_STEPS if name not in ("standardise", *PROJECTIONS)]
    return plain + [{"feature_transform": name, "feature_components": n} for name in PROJECTIONS for n in components]


def row(task: Task, result: HeadResult, standardised: HeadResult, settings: dict[str, Any]) -> str:
    gap = task.bootstrap.difference(result.predictions["predicted"], standardised.predictions["predicted"])
    difference = "" if result is standardised else f"{gap.estimate:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    name = " ".join(map(str, settings.values()))
    return f"| `{result.head}` | {name} | {result.balanced_accuracy:.3f} | {difference} | {seconds(result):.0f} |"


def study(features: Features, arguments: argparse.Namespace, cache: FoldCache | None) -> None:
    task = prepare(features, Design(groups=arguments.groups))
    shape = " x ".join(f"{size:,}" for size in features.embeddings.shape)
    print(f"\n{features.path.name}: samples x views x columns {shape}\n")
    print("| head | transform | balanced accuracy | difference | seconds |\n|---|---|---|---|---|")
    for head in arguments.heads.split(","):
        standardised = evaluate(task, head, {}, cache=cache)
        print(row(task, standardised, standardised, {"feature_transform": "standardise"}), flush=True)
        for settings in settings_tried(arguments.components):
            print(row(task, evaluate(task, head, settings, cache=cache), standardised, settings), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, help="a feature file, in place of generated embeddings")
    parser.add_argument("--groups", default="auto", help="what folds keep together, as for compare")
    parser.add_argument("--channels", choices=["all", "planes", "separate"], default="all")
    parser.add_argument("--views", type=int, help="the first views only")
    parser.add_argument("--heads", default="mlp,logreg,knn,lightgbm")
    parser.add_argument("--components", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--cache", type=Path, help="folder where finished folds are kept")
    arguments = parser.parse_args()
    cache = FoldCache(arguments.cache) if arguments.cache else None
    if arguments.features:
        features = some_passes(cellfeat.load_features(arguments.features), arguments.channels, arguments.views)
    else:
        features = generated_features(3000)
    study(features, arguments, cache)


if __name__ == "__main__":
    main()
