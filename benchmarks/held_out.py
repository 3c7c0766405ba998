"""Whether the score out of fold holds on samples that were set aside.

    python benchmarks/held_out.py --features features/cells.h5 --heads logreg,knn --splits 20

A third of the samples is set aside, the head is evaluated and fitted on the others as `fit` does, and scored on the
third as `score` does; over so many splits. Three times: whole groups set aside (copies, and near copies where an audit
lies beside the file); samples at random, as most test sets are made; and the same, but without those of the third that
belong to a group that the head was fitted on, as `score --fitted-on` does. A row tells the means over the splits of the
score out of fold, of the score on the third without pixels that the head was fitted on, and of the score with all; the
difference of the first two with its standard deviation; and in how many splits its 95 % interval holds 0.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import cellfeat
from cellfeat.evaluation.folds import Fold, grouped_folds
from cellfeat.evaluation.groups import sample_groups
from cellfeat.evaluation.saved_heads.held_out import HeldOut
from cellfeat.extraction.store import Features

SHARE = 3
"""One of so many parts is set aside."""


def usable(features: Features) -> Features:
    return features.take(np.flatnonzero(features.samples.is_ok & features.samples.is_labelled))


def splits(features: Features, groups: np.ndarray, n_splits: int) -> list[Fold]:
    return [grouped_folds(features.samples.labels, groups, SHARE, random_state=seed)[0] for seed in range(n_splits)]


def scored(features: Features, fold: Fold, head: str) -> tuple[HeldOut, HeldOut]:
    """As the third is, and without what belongs to the others."""
    fitted, held_out = features.take(fold.train), features.take(fold.test)
    bundle, _ = cellfeat.fit(fitted, head)
    is_near_copy = np.isin(held_out.samples.groups, fitted.samples.groups)
    plain = cellfeat.score_held_out(bundle, held_out)
    return plain, cellfeat.score_held_out(bundle, held_out, is_near_copy=is_near_copy)


def row(kind: str, head: str, found: list[HeldOut]) -> str:
    differences = np.array([one.difference for one in found])
    holds = sum(one.difference_interval.low <= 0 <= one.difference_interval.high for one in found)
    scores = np.array([(one.out_of_fold, one.balanced_accuracy, one.with_all) for one in found], dtype=float)
    out_of_fold, without, with_all = scores.mean(axis=0)
    return (
        f"| {kind} | `{head}` | {out_of_fold:.3f} | {without:.3f} | {with_all:.3f} | "
        f"{differences.mean():+.3f} ± {differences.std(ddof=1):.3f} | {holds} of {len(found)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--heads", default="logreg,knn")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--groups", default="auto", help="what belongs together, as for compare")
    arguments = parser.parse_args()
    loaded = cellfeat.load_features(arguments.features)
    groups = sample_groups(loaded, arguments.groups)
    # The groups are written into the samples: a record of an audit is one of all of them, and not of a part.
    grouped = replace(loaded.samples, groups=np.char.mod("%d", groups))
    features = usable(replace(loaded, samples=grouped))
    print("| set aside | head | out of fold | set aside | with all that was left out | difference | holds 0 |")
    print("|---|---|---|---|---|---|---|")
    for kind, apart in (("whole groups", features.samples.groups), ("random samples", features.samples.ids)):
        for head in arguments.heads.split(","):
            found = [scored(features, fold, head) for fold in splits(features, apart, arguments.splits)]
            print(row(kind, head, [plain for plain, _ in found]), flush=True)
            if apart is not features.samples.groups:
                print(row(f"{kind}, without near copies", head, [strict for _, strict in found]), flush=True)


if __name__ == "__main__":
    main()
