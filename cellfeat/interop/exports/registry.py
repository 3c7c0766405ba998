"""`EXPORTS`, the table of formats. Reading it imports no other library."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cellfeat.errors import WriteError
from cellfeat.registry import Registry


@dataclass(frozen=True)
class ExportFormat:
    """An entry of the table.

    Attributes
    ----------
    name
        Its name for ``--to``.
    writers
        What writes a file, as ``"module:function"``, by the end of the file's name; the first is the default. A writer
        of features takes `cellfeat.interop.exports.contents.Contents` and a path, one of a saved head
        `cellfeat.interop.exports.export.ModelExport` and a path.
    summary
        Description in one line.
    source
        What is exported: the samples of a feature file, or a saved head.
    extra
        The extra of cellfeat that installs the packages it needs.
    fixed_name
        The only name that the file may have, where a standard prescribes it.
    """

    name: str
    writers: Mapping[str, str]
    summary: str
    source: Literal["features", "model"] = "features"
    extra: str | None = None
    fixed_name: str | None = None

    def default_name(self, stem: str) -> str:
        """Name of the file that is made of ``<stem>.h5``, or of the folder ``<stem>`` of a saved head."""
        return self.fixed_name or f"{stem}{next(iter(self.writers))}"

    def writer_of(self, path: Path) -> str:
        """The writer for a file.

        Raises
        ------
        WriteError
            If its name has another end than those of this format.
        """
        if self.fixed_name not in (None, path.name):
            raise WriteError(f"{path}: a file of format {self.name} is called {self.fixed_name}; name its folder")
        # The longest first: a name that ends in .csv.gz also ends in .gz.
        for suffix in sorted(self.writers, key=len, reverse=True):
            if path.name.lower().endswith(suffix):
                return self.writers[suffix]
        ends = " or ".join(self.writers)
        raise WriteError(f"{path}: expected a name that ends in {ends} for format {self.name}; choose another --output")


EXPORTS = Registry[ExportFormat]("export format", "cellfeat.exports")
_HERE = "cellfeat.interop.exports"
EXPORTS.add(ExportFormat("h5ad", {".h5ad": f"{_HERE}.h5ad:write_h5ad"}, "AnnData, for scanpy and other scverse tools"))
EXPORTS.add(
    ExportFormat(
        "profiles",
        {
            ".profiles.parquet": f"{_HERE}.profiles:write_profiles",
            ".parquet": f"{_HERE}.profiles:write_profiles",
            ".csv.gz": f"{_HERE}.profiles:write_profiles_csv_gz",
        },
        "profiles of single cells, for pycytominer",
    )
)
EXPORTS.add(
    ExportFormat("parquet", {".parquet": f"{_HERE}.tables:write_parquet"}, "a table with a row for each sample")
)
EXPORTS.add(
    ExportFormat(
        "csv",
        {".csv": f"{_HERE}.tables:write_csv", ".csv.gz": f"{_HERE}.tables:write_csv_gz"},
        "the same table as text; numbers are exact",
    )
)
EXPORTS.add(ExportFormat("npz", {".npz": f"{_HERE}.npz:write_npz"}, "NumPy arrays, all views, without pickles"))
EXPORTS.add(
    ExportFormat(
        "croissant",
        {".croissant.json": f"{_HERE}.croissant:write_croissant", ".json": f"{_HERE}.croissant:write_croissant"},
        "a description of the files as a data set, in JSON-LD",
    )
)
EXPORTS.add(
    ExportFormat(
        "ro-crate",
        {".json": f"{_HERE}.ro_crate:write_ro_crate"},
        "the same as a Research Object Crate",
        fixed_name="ro-crate-metadata.json",
    )
)
EXPORTS.add(
    ExportFormat(
        "onnx",
        {".onnx": f"{_HERE}.onnx_model:write_onnx"},
        "a saved head, with its backbone if asked for, for ONNX Runtime",
        source="model",
        extra="onnx",
    )
)
