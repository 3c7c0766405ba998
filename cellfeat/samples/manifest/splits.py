"""What is wrong with a predefined split of the samples, and what the user should know about it."""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from cellfeat.config import split_column
from cellfeat.samples.layouts.class_folders import FoldersLayout, SplitFoldersLayout
from cellfeat.samples.layouts.search import Search
from cellfeat.samples.splits import (
    EXPECTED_VALUES,
    GROUPS_ADVICE,
    count_parts,
    is_split_word,
    looks_like_split,
    part_of,
    parts_of,
    spread_groups,
)
from cellfeat.text import first_ten


def split_problems(samples: pd.DataFrame, search: Search) -> list[str]:
    """Lines of an error message about the split.

    Parameters
    ----------
    samples
        One row per sample, with ``label`` and the column of the split.
    search
        The settings and the files on disk.
    """
    return [*_parts_as_classes(samples, search), *_unknown_parts(samples, search)]


def split_remarks(samples: pd.DataFrame, search: Search) -> Iterator[str]:
    """Lines about the split: its counts, groups that it cuts, and columns and folders that look like a split.

    Parameters
    ----------
    samples, search
        As for `split_problems`, without samples that are left out.
    """
    column = split_column(search.images, search.labels)
    if column is None or column not in samples:
        yield from _unused_columns(samples)
        yield from _unused_folders(search)
        return
    parts = parts_of(samples[column], column)
    yield (
        f"split by {column!r}: {count_parts(parts)}; compare and fit use the training part, and score the test part "
        "(comparison.parts)"
    )
    spread = spread_groups(samples["group"].to_numpy(str), parts)
    if spread:
        told = first_ten(f"{group} ({', '.join(found)})" for group, found in spread.items())
        n_groups = samples.loc[samples["group"] != "", "group"].nunique()
        yield f"{len(spread)} of {n_groups} groups are in more than one part: {told}; {GROUPS_ADVICE}"


def _parts_as_classes(samples: pd.DataFrame, search: Search) -> list[str]:
    """Classes that are named like the parts of a split, or like folds."""
    counts = Counter(label for label in samples["label"] if label)
    words = sorted(filter(is_split_word, counts))
    has_column = search.labels.file and search.labels.label
    is_folder = isinstance(search.layout, FoldersLayout) and not has_column
    if len(words) < 2 and not (words and len(counts) == 1 and is_folder and _is_above_classes(words[0], search)):
        return []
    told = first_ten(f"{word} ({counts[word]} samples)" for word in words)
    return [f"- the classes are named like the parts of a split: {told}; {_split_advice(words, search)}"]


def _is_above_classes(folder: str, search: Search) -> bool:
    return any(sample.label == folder and sample.sample_id.count("/") > 1 for sample in search.found)


def _split_advice(words: list[str], search: Search) -> str:
    if not all(map(part_of, words)):
        return (
            "if they are folds, take the folders or the column of the classes instead; cellfeat makes its own folds, "
            "and --groups COLUMN keeps the samples of one of your folds together"
        )
    if search.labels.file and search.labels.label:
        return (
            f"if they are parts, say --set labels.split={search.labels.label} --set labels.label=COLUMN with the "
            "column of the classes; if they are classes, give them other names"
        )
    if isinstance(search.layout, SplitFoldersLayout):
        return "the class folders are inside folders of classes: name the right folder with --images FOLDER"
    if isinstance(search.layout, FoldersLayout):
        return (
            "if there are class folders inside, say --set images.layout=split_folders; if they are classes, give the "
            "folders other names"
        )
    return "if they are parts, write {split} in place of {label} in images.pattern, and {label} where the classes are"


def _unknown_parts(samples: pd.DataFrame, search: Search) -> list[str]:
    column = split_column(search.images, search.labels)
    if column is None or column not in samples:
        return []
    unknown = Counter(value for value in samples[column] if part_of(value) is None)
    if not unknown:
        return []
    told = first_ten(f"{value!r} ({count} samples)" for value, count in unknown.most_common())
    if search.images.names_split:
        advice = "for class folders without a split: --set images.layout=folders"
        return [f"- the names of folders or files that should say the part: {EXPECTED_VALUES}, got {told}; {advice}"]
    return [f"- column {column!r} of labels.split: {EXPECTED_VALUES}, got {told}"]


def _unused_columns(samples: pd.DataFrame) -> Iterator[str]:
    for column in samples.columns.difference(["sample_id", "label", "group"]):
        if looks_like_split(samples[column]):
            counts = count_parts(parts_of(samples[column], column))
            yield (
                f"column {column!r} looks like a split ({counts}) and is not used as one: all samples go into the "
                f"folds of compare and fit; to keep the parts apart: --set labels.split={column}"
            )


def _unused_folders(search: Search) -> Iterator[str]:
    """Folders of a split below the class folders."""
    if not isinstance(search.layout, FoldersLayout):
        return
    inner = {sample.sample_id.split("/")[1] for sample in search.found if sample.sample_id.count("/") > 1}
    words = sorted(filter(part_of, inner))
    if len(words) > 1:
        yield (
            f"folders inside the class folders are named like the parts of a split, {first_ten(words)}, and are not "
            "used as one; to keep the parts apart: --set images.layout=split_folders"
        )
