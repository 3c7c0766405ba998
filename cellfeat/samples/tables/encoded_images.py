"""Parquet files that hold images, as data sets of Hugging Face do: the column, and lines that write them out."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cellfeat.samples.column_names.profiles import plain_name

_STARTS = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"II*\0": ".tif", b"MM\0*": ".tif", b"BM": ".bmp",
}  # fmt: skip
_LABELS = ("label", "labels", "class", "classes", "classname", "target", "category", "celltype", "cellline", "y")
_ROWS = 4
_DAMAGED = (pa.ArrowException, OSError, ValueError, TypeError, KeyError)


def image_columns(table: pa.Table) -> dict[str, str]:
    """Find the columns of encoded images: bytes, or bytes beside a path.

    Parameters
    ----------
    table
        The table, or its first rows.

    Returns
    -------
    dict
        The ending of the first image by the name of the column.
    """
    found = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        first = next(filter(None, _contents(column.slice(0, _ROWS))), b"")
        ending = next((ending for start, ending in _STARTS.items() if first.startswith(start)), "")
        if ending:
            found[name] = ending
    return found


def _contents(column: pa.ChunkedArray) -> Iterator[bytes | None]:
    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        yield from (value and value["bytes"] for value in column.to_pylist() if _is_binary(kind.field("bytes").type))
    elif _is_binary(kind):
        yield from column.to_pylist()


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def encoded_images(file: Path, files: str | None = None) -> str | None:
    """Say that a Parquet file holds images, with lines of Python that write them out; None where it does not.

    Parameters
    ----------
    file
        The file, which may be damaged or no Parquet.
    files
        Python that lists the files to take; None for this one.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            head = next(parquet.iter_batches(batch_size=_ROWS), None)
            table = pa.Table.from_batches([head] if head is not None else [], parquet.schema_arrow)
    except _DAMAGED:
        return None
    images = image_columns(table)
    if not images:
        return None
    name, ending = next(iter(images.items()))
    label = next((one for one in table.column_names if one not in images and plain_name(one) in _LABELS), None)
    folder = "'images'" if label is None else f"'images', str(row[{label!r}])"
    content = f"row[{name!r}]" + ("['bytes']" if pa.types.is_struct(table.schema.field(name).type) else "")
    return (
        f"column {name} holds encoded images: write each as a file"
        f"{'' if label is None else ' in a folder of its class'}, and run cellfeat init images; in Python:\n"
        "import pandas, pathlib\n"
        f"for file in {files or f'[pathlib.Path({str(file)!r})]'}:\n"
        "    for number, row in pandas.read_parquet(file).iterrows():\n"
        f"        path = pathlib.Path({folder}, f'{{file.stem}}_{{number}}{ending}')\n"
        "        path.parent.mkdir(parents=True, exist_ok=True)\n"
        f"        path.write_bytes({content})"
    )
