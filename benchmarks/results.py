"""Which heads, channels and views score what, from a feature file that holds them all (docs/studies/real-images.md).

    python benchmarks/results.py --features both.h5 --heads mlp,logreg,lightgbm,knn --output results/inputs

The file is one extraction with ``channels_as: both`` and all views (or ``planes``, for these alone). Planes or separate
alone, and the first view alone, are slices of it, which hold the same numbers as an extraction of their own. Each head
is compared on grouped folds (as cellfeat does) and on random ones (``--groups none``, as others do); scores are those
of the first set of folds. One set scatters: what random folds claim is worth reading over several, ``--sets 5``.
Finished folds are kept: a stopped run goes on where it was. Seconds are those of all folds, fitting and predicting.
"""

import argparse
from pathlib import Path

import numpy as np
from settings import slices

import cellfeat
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.fold_predictions.cache import FoldCache
from cellfeat.evaluation.results.head_results import HeadResult
from cellfeat.extraction.store import Features


def row(head: str, channels_as: str, n_views: int, pairs: list[tuple[HeadResult, HeadResult]]) -> str:
    grouped, random = pairs[0]
    seconds = grouped.seconds.total
    columns = [f"`{head}`", channels_as, n_views, told(grouped), told(random), claims(pairs), f"{seconds:.0f}"]
    return f"| {' | '.join(map(str, columns))} |"


def claims(pairs: list[tuple[HeadResult, HeadResult]]) -> str:
    """By how much random folds claim too much: the mean over sets of folds, and its standard deviation over them."""
    differences = [random.balanced_accuracy - grouped.balanced_accuracy for grouped, random in pairs]
    scatter = f" ± {np.std(differences, ddof=1):.3f}" if len(pairs) > 1 else ""
    return f"{np.mean(differences):+.3f}{scatter}"


def told(result: HeadResult) -> str:
    low, high = result.scores.overall.interval
    return f"{result.balanced_accuracy:.3f} [{low:.3f}, {high:.3f}]"


def score(features: Features, head: str, groups: str, seed: int, cache: FoldCache) -> HeadResult:
    return cellfeat.compare(features, [head], design=Design(groups=groups, random_state=seed), cache=cache).best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--heads", default="mlp,logreg,lightgbm,knn")
    parser.add_argument("--sets", type=int, default=1, help="sets of folds that the claims are averaged over")
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
            pairs = [
                (score(part, head, arguments.groups, seed, cache), score(part, head, "none", seed, cache))
                for seed in range(arguments.sets)
            ]
            print(row(head, channels_as, n_views, pairs), flush=True)


if __name__ == "__main__":
    main()
