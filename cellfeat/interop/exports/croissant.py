"""Format `croissant`: a description of the files in JSON-LD, as Croissant 1.1 defines it.

Record sets of the predictions and the classes can be read by Croissant's own library. It cannot read HDF5: the record
set of the samples says where each dataset is in the feature file.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cellfeat.interop.exports.contents import Contents
from cellfeat.interop.exports.described_files import (
    HDF5,
    PARQUET,
    DescribedFile,
    class_counts,
    described_files,
    description_of,
    write_description,
)
from cellfeat.interop.exports.names import unique_names

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_TERMS = (
    "citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes",
    "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "samplingRate", "separator", "source", "subField", "transform", "equivalentProperty",
)  # fmt: skip
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}


def write_croissant(contents: Contents, path: Path) -> None:
    """Write the description.

    Parameters
    ----------
    contents
        What is described.
    path
        The file; files are named relative to its folder.
    """
    write_description(croissant_of(contents, described_files(contents, path.parent)), path)


def croissant_of(contents: Contents, files: list[DescribedFile]) -> dict[str, Any]:
    """Make the description.

    Parameters
    ----------
    contents
        What is described.
    files
        The files.
    """
    record_sets = [_samples(contents, file) for file in files if file.media_type == HDF5]
    record_sets += [_predictions(contents, file) for file in files if file.media_type == PARQUET]
    counts = class_counts(contents)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": contents.path.stem,
        "description": description_of(contents),
        "version": "1.0.0",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "keywords": ["cell images", "embeddings", "microscopy", contents.fingerprint],
        "distribution": [_file(file) for file in files],
        "recordSet": [*record_sets, *([_classes(counts)] if counts else [])],
    }


def _file(file: DescribedFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.url,
        "name": file.name,
        "description": file.description,
        "contentUrl": file.url,
        "contentSize": f"{file.size} B",
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _samples(contents: Contents, file: DescribedFile) -> dict[str, Any]:
    _, n_views, n_columns = contents.embeddings.shape
    fields = [
        _field("samples", "sample_id", "sc:Text", file, "sample_id", "Id of the sample"),
        _field("samples", "label", "sc:Text", file, "manifest/label", "Class at extraction; empty where unknown"),
        _field("samples", "group", "sc:Text", file, "manifest/group", "Samples that stay together in one fold"),
        _field("samples", "embeddings", "cr:Float32", file, "embeddings", "Embedding of each view")
        | {"isArray": True, "arrayShape": f"{n_views},{n_columns}"},
    ]
    for number, name in enumerate(contents.samples.columns):
        place = f"manifest/columns/{number}"
        fields.append(_field("samples", f"column_{number}", "sc:Text", file, place, f"Column of the table: {name}"))
    return _record_set("samples", "A row for each sample, in HDF5 datasets of equal length", fields)


def _predictions(contents: Contents, file: DescribedFile) -> dict[str, Any]:
    assert contents.results is not None
    dtypes = contents.results.table.dtypes
    kinds = {"i": "sc:Integer", "f": "sc:Float"}
    fields = [
        _field("predictions", unique, kinds.get(dtype.kind, "sc:Text"), file, str(name), f"Column {name}")
        for unique, (name, dtype) in zip(unique_names(map(str, dtypes.index)), dtypes.items(), strict=True)
    ]
    return _record_set("predictions", "A row for each sample and head", fields)


def _classes(counts: Mapping[str, int]) -> dict[str, Any]:
    fields = [
        {"@type": "cr:Field", "@id": f"classes/{name}", "name": f"classes/{name}", "dataType": kind}
        for name, kind in (("label", "sc:Text"), ("count", "sc:Integer"))
    ]
    rows = [{"classes/label": label, "classes/count": count} for label, count in counts.items()]
    return _record_set("classes", "The classes and their numbers of samples", fields) | {"data": rows}


def _record_set(name: str, description: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "field": fields}


def _field(record_set: str, name: str, kind: str, file: DescribedFile, column: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": f"{record_set}/{name}",
        "description": description,
        "dataType": kind,
        "source": {"fileObject": {"@id": file.url}, "extract": {"column": column}},
    }
