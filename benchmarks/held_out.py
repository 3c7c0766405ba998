"""Whether the score that a saved head lets expect holds on samples that were set aside.

    python benchmarks/held_out.py --features features/cells.h5 --heads logreg,knn --splits 20 --output held_out.jsonl
    python benchmarks/held_out.py --generated --splits 20 --output generated.jsonl

A third of the samples is set aside, the head is evaluated and fitted on the others as `fit` does, and scored on the
third as `score` does; over so many splits. Three times: whole groups set aside (copies, and near copies where an audit
lies beside the file); samples at random, as most test sets are made; and the same, but without those of the third that
belong to a group that the head was fitted on, as `score --fitted-on` does. Finished splits are kept in the output file:
started again, the script continues there.

A row tells the means over the splits of the score out of fold, of the score to expect with all samples, and of the
score on the third without pixels that the head was fitted on; the difference of the last two with its standard
deviation; and in how many splits its 95 % interval holds 0, with the mean width, for the interval as `score` gives it
and for that of version 0.1, from the score out of fold and without other training samples.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import cellfeat
from cellfeat.evaluation.folds.fold import Fold
from cellfeat.evaluation.folds.grouped_folds import grouped_folds
from cellfeat.evaluation.groups.sample_groups import sample_groups
from cellfeat.evaluation.saved_heads.held_out import HeldOut
from cellfeat.extraction.store import Features
from cellfeat.statistics.interval_types import independent_difference

SHARE = 3
"""One of so many parts is set aside."""
KINDS = ("whole groups", "random samples", "random samples, without near copies")


def usable(features: Features) -> Features:
    return features.take(np.flatnonzero(features.samples.is_ok & features.samples.is_labelled))


def generated() -> Features:
    """1,800 samples of six classes, of which one in eight comes three times, nearly the same."""
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(6), 240)
    columns = 0.5 * rng.normal(size=(6, 24))[y] + rng.normal(size=(len(y), 24))
    groups = np.arange(len(y))
    copied = rng.choice(len(y), len(y) // 8, replace=False)
    near = columns[copied] + 0.2 * rng.normal(size=(2, len(copied), 24))
    columns, y, groups = np.vstack([columns, *near]), np.r_[y, y[copied], y[copied]], np.r_[groups, copied, copied]
    names = np.array([f"class {number}" for number in y])
    return cellfeat.Features.from_arrays(columns.astype(np.float32), labels=names, groups=groups.astype(str))


def read(path: Path, groups: str) -> Features:
    loaded = cellfeat.load_features(path)
    numbers = sample_groups(loaded, groups)
    # The groups are written into the samples: a record of an audit is one of all of them, and not of a part.
    return usable(replace(loaded, samples=replace(loaded.samples, groups=np.char.mod("%d", numbers))))


def split(features: Features, kind: str, seed: int) -> Fold:
    apart = features.samples.groups if kind == KINDS[0] else features.samples.ids
    return grouped_folds(features.samples.labels, apart, SHARE, random_state=seed)[0]


def scored(features: Features, fold: Fold, head: str, kind: str) -> dict[str, HeldOut]:
    """The third as it is, and for random samples without what belongs to the others."""
    fitted, held_out = features.take(fold.train), features.take(fold.test)
    bundle, _ = cellfeat.fit(fitted, head)
    found = {kind: cellfeat.score_held_out(bundle, held_out)}
    if kind == KINDS[1]:
        is_near_copy = np.isin(held_out.samples.groups, fitted.samples.groups)
        found[KINDS[2]] = cellfeat.score_held_out(bundle, held_out, is_near_copy=is_near_copy)
    return found


def numbers(found: HeldOut) -> dict[str, Any]:
    here = found.scores.overall.interval
    old = independent_difference(found.balanced_accuracy, here, found.out_of_fold, found.out_of_fold_interval)
    return {
        "out_of_fold": found.out_of_fold,
        "expected": found.expected.score,
        "here": found.balanced_accuracy,
        "interval": list(found.difference_interval),
        "old": list(old),
    }


def row(kind: str, head: str, found: list[dict[str, Any]]) -> str:
    scores = np.array([(one["out_of_fold"], one["expected"], one["here"]) for one in found])
    differences = scores[:, 2] - scores[:, 1]
    cells = [f"{value:.3f}" for value in scores.mean(axis=0)]
    cells.append(f"{differences.mean():+.3f} ± {differences.std(ddof=1):.3f}")
    for name in ("interval", "old"):
        low, high = np.array([one[name] for one in found]).T
        n_held = np.count_nonzero((low <= 0) & (high >= 0))
        cells.append(f"{n_held} of {len(found)} ({np.mean(high - low):.3f})")
    return f"| {kind} | `{head}` | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--features", type=Path)
    source.add_argument("--generated", action="store_true", help="samples of this script")
    parser.add_argument("--heads", default="logreg,knn")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--groups", default="auto", help="what belongs together, as for compare")
    parser.add_argument("--output", type=Path, required=True, help="file of finished splits")
    arguments = parser.parse_args()
    features = generated() if arguments.generated else read(arguments.features, arguments.groups)
    heads = arguments.heads.split(",")
    done: dict[tuple[str, str], dict[int, Any]] = defaultdict(dict)
    for line in arguments.output.read_text().splitlines() if arguments.output.exists() else []:
        kept = json.loads(line)
        done[kept["kind"], kept["head"]][kept["seed"]] = kept["numbers"]
    with arguments.output.open("a") as file:
        for seed in range(arguments.splits):
            for kind, head in ((kind, head) for kind in KINDS[:2] for head in heads):
                if seed in done[kind, head]:
                    continue
                for name, found in scored(features, split(features, kind, seed), head, kind).items():
                    done[name, head][seed] = numbers(found)
                    line = {"kind": name, "head": head, "seed": seed, "numbers": numbers(found)}
                    file.write(json.dumps(line) + "\n")
                file.flush()
    print("| set aside | head | out of fold | expected | set aside | difference | holds 0 (width) | old: holds 0 |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in KINDS:
        for head in heads:
            print(row(kind, head, [done[kind, head][seed] for seed in range(arguments.splits)]))


if __name__ == "__main__":
    main()
