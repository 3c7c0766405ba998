"""Which heads, channels and views score what: the tables of docs/results.md, from a feature file that holds them all.

    python benchmarks/results.py --features both.h5 --heads mlp,logreg,lightgbm,knn --output results/inputs

The file is one extraction with ``channels_as: both`` and all views. Planes or separate alone, and the first view alone,
are slices of it, which hold the same numbers as an extraction of their own. Each head is compared on grouped folds (as
cellfeat does) and on random ones (``--groups none``, as others do). Finished folds are kept: a stopped run goes
on where it was. Seconds are those of all folds, fitting and predicting.
"""

import argparse
from pathlib import Path

from settings import slices

import cellfeat
from cellfeat.comparison.cache import FoldCache
from cellfeat.comparison.compare import HeadResult


def row(head: str, channels_as: str, n_views: int, grouped: HeadResult, random: HeadResult) -> str:
    seconds = sum(grouped.metrics["seconds"].values())
    price = random.balanced_accuracy - grouped.balanced_accuracy
    return f"| `{head}` | {channels_as} | {n_views} | {told(grouped)} | {told(random)} | {price:+.3f} | {seconds:.0f} |"


def told(result: HeadResult) -> str:
    scores = result.metrics
    return f"{scores['balanced_accuracy']:.3f} [{scores['ci_low']:.3f}, {scores['ci_high']:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--heads", default="mlp,logreg,lightgbm,knn")
    parser.add_argument("--groups", default="auto", help="what the grouped folds keep together, as for compare")
    parser.add_argument("--output", type=Path, required=True, help="folder in which finished folds are kept")
    arguments = parser.parse_args()

    cache = FoldCache(arguments.output)
    print("| head | channels | views | grouped | random | random claims | seconds |\n|---|---|---|---|---|---|---|")
    features = cellfeat.load_features(arguments.features)
    most_views = features.embeddings.shape[1]
    for channels_as, n_views, part in slices(features, most_views):
        if n_views not in (1, most_views):
            continue
        for head in arguments.heads.split(","):
            grouped, random = (
                cellfeat.compare(part, heads=[head], groups=groups, cache=cache).best
                for groups in (arguments.groups, "none")
            )
            print(row(head, channels_as, n_views, grouped, random), flush=True)


if __name__ == "__main__":
    main()
