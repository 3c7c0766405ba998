"""Formats `parquet` and `csv`: a table with a row for each sample; embeddings are the mean over views.

The table is written a block of rows at a time, so that a large one is never in memory twice.
"""

from collections.abc import Iterator
from gzip import GzipFile
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cellfeat.evaluation.results.head_results import PROBABILITY_PREFIX
from cellfeat.interop.exports.contents import Column, Contents
from cellfeat.interop.exports.names import plain_text, unique_names
from cellfeat.text import harmless_cell


def write_parquet(contents: Contents, path: Path) -> None:
    """Write the table as Parquet.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    write_as_parquet(table_blocks(contents, sample_columns(contents), contents.feature_names), path)


def write_csv(contents: Contents, path: Path) -> None:
    """Write the table as CSV; each number has as many digits as it takes to be read back exactly.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    with path.open("wb") as file:
        write_as_csv(table_blocks(contents, sample_columns(contents), contents.feature_names), file)


def write_csv_gz(contents: Contents, path: Path) -> None:
    """Write the table as compressed CSV; as `write_csv`.

    Parameters
    ----------
    contents
        What is exported.
    path
        The file.
    """
    write_as_csv_gz(table_blocks(contents, sample_columns(contents), contents.feature_names), path)


def sample_columns(contents: Contents) -> dict[str, Column]:
    """Collect the columns before the embeddings, by name: ids, labels, predictions; shape ``(n_samples,)`` each."""
    columns: dict[str, Column] = {
        "sample_id": contents.samples.ids, "label": contents.labels, "group": contents.samples.groups,
    }  # fmt: skip
    if contents.folds is not None:
        columns["fold"] = contents.folds
    for head, found in contents.heads.items():
        columns[f"{head}_predicted"] = found.predicted
        columns |= {
            f"{head}_{PROBABILITY_PREFIX}{name}": found.probabilities[:, number]
            for number, name in enumerate(found.classes)
        }
    taken = [*columns, *contents.feature_names]
    further = contents.further_columns
    return columns | dict(zip(unique_names(further, taken), further.values(), strict=True))


def table_blocks(contents: Contents, columns: dict[str, Column], feature_names: list[str]) -> Iterator[pa.Table]:
    """Make the table, a block of rows at a time.

    Parameters
    ----------
    contents
        What is exported.
    columns
        Columns before the embeddings, shape ``(n_samples,)`` each.
    feature_names
        Names of the columns of the embeddings.
    """
    for rows, block in contents.blocks():
        first = [_arrow(values[rows]) for values in columns.values()]
        yield pa.Table.from_arrays(
            [*first, *(pa.array(column, from_pandas=True) for column in block.T)], names=[*columns, *feature_names]
        )


def write_as_parquet(blocks: Iterator[pa.Table], path: Path) -> None:
    """Write blocks of a table as Parquet.

    Parameters
    ----------
    blocks
        Blocks of equal columns.
    path
        The file.
    """
    first = next(blocks)
    # Embeddings do not compress, and have hardly a value twice.
    with pyarrow.parquet.ParquetWriter(path, first.schema, use_dictionary=_texts(first)) as writer:
        writer.write_table(first)
        for block in blocks:
            writer.write_table(block)


def write_as_csv(blocks: Iterator[pa.Table], file: IO[bytes] | GzipFile) -> None:
    """Write blocks of a table as CSV.

    Parameters
    ----------
    blocks
        Blocks of equal columns.
    file
        Where to write.
    """
    first = _harmless(next(blocks))
    with pyarrow.csv.CSVWriter(
        file, first.schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed")
    ) as writer:
        writer.write_table(first)
        for block in blocks:
            writer.write_table(_harmless(block))


def write_as_csv_gz(blocks: Iterator[pa.Table], path: Path) -> None:
    """Write blocks of a table as compressed CSV.

    Parameters
    ----------
    blocks
        Blocks of equal columns.
    path
        The file.
    """
    # Without the name and the time, equal tables are equal files.
    with path.open("wb") as raw, GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        write_as_csv(blocks, file)


def _arrow(values: Column) -> pa.Array:
    """A column for Arrow; an empty text, a probability of NaN and a fold of 0 are missing."""
    if values.dtype.kind == "U":
        return pa.array([plain_text(value) or None for value in values.tolist()], pa.string())
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values))
    return pa.array(values)


def _texts(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if pa.types.is_string(field.type)]


def _harmless(table: pa.Table) -> pa.Table:
    """Keep spreadsheets from running texts as formulas."""
    columns: list[Any] = [
        pa.array([None if text is None else harmless_cell(text) for text in column.to_pylist()], pa.string())
        if pa.types.is_string(column.type)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=[harmless_cell(name) for name in table.column_names])
