"""The group of each sample, from columns of the labels table and of the names."""

import pandas as pd

from cellfeat.config import ImagesSettings, LabelsSettings
from cellfeat.samples.labels.table import group_columns
from cellfeat.samples.layouts.pattern_fields import further_fields


def without_pattern_groups(labels: LabelsSettings, images: ImagesSettings) -> LabelsSettings:
    """Settings of the labels table alone, without the columns of groups that the names of the images hold.

    Parameters
    ----------
    labels, images
        The settings.
    """
    in_names = further_fields(images)
    left = [name for name in group_columns(labels) if name not in in_names]
    return labels.model_copy(update={"group": left if len(left) != 1 else left[0]} if left else {"group": None})


def groups_of(columns: pd.DataFrame, labels: LabelsSettings) -> list[str]:
    """Give the group of each sample.

    Parameters
    ----------
    columns
        One row per sample, with the columns of the labels table and of the names, all str.
    labels
        Names the columns of groups. Of several columns, samples are one group where all values are equal.

    Returns
    -------
    list of str
        The value of the column, or the values joined by ``/``; ``""`` where one is empty, or where there is no column.
    """
    names = [name for name in group_columns(labels) if name in columns]
    if not names:
        return [""] * len(columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    return ["/".join(values) if all(values) else "" for values in rows]
