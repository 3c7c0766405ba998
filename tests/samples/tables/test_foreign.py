"""Files that hold tables in another format are called by their names, in labels and in `import`."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.io

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.importing import import_table
from cellfeat.interop.tables.reading import read_source
from cellfeat.samples.tables.file import read_table_file

FRAME = pd.DataFrame({"id": ["a", "b"], "label": ["A", "B"], "area": [1.5, 2.5]})
LETTERS = bytes(range(1, 255)) * 2


def _stream(file: Path) -> None:
    table = pa.Table.from_pandas(FRAME)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _sqlite(file: Path) -> None:
    connection = sqlite3.connect(file)
    FRAME.to_sql("cells", connection)
    connection.close()


def _zip(*names: str):
    def write(file: Path) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return write


def _bytes(content: bytes):
    return lambda file: file.write_bytes(content)


FILES = {
    "a.mat": (lambda file: scipy.io.savemat(file, {"X": np.eye(3)}), "MATLAB file", "loadmat"),
    "old.mat": (lambda file: scipy.io.savemat(file, {"X": np.eye(3)}, format="4"), "MATLAB file", "loadmat"),
    "b.mat": (_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(500)), "MATLAB 7.3", "transposed"),
    "c.feather": (FRAME.to_feather, "Feather", "read_feather"),
    "c.arrows": (_stream, "stream of Arrow", "open_stream"),
    "d.sqlite": (_sqlite, "SQLite", "read_sql"),
    "d.db": (_sqlite, "SQLite", "read_sql"),
    "e.fcs": (_bytes(b"FCS3.1    " + bytes(60)), "FCS", "fcsparser"),
    "f.json": (lambda file: FRAME.to_json(file, orient="records"), "JSON", "read_json"),
    "indented.json": (_bytes(b'[\n  {"id": 1}]'), "JSON", "read_json"),
    "numbers.json": (_bytes(b"[1, 2, 3]"), "JSON", "read_json"),
    "f.jsonl": (lambda file: FRAME.to_json(file, orient="records", lines=True), "JSON", "lines=True"),
    "g.pkl": (FRAME.to_pickle, "pickle", "never read"),
    "text.pkl": (_bytes(pickle.dumps({"a": 1}, protocol=0)), "pickle", "never read"),
    "packed.pkl.gz": (FRAME.to_pickle, "pickle", "never read"),
    "h.xml": (_bytes(b'<?xml version="1.0"?><a/>'), "XML", "CSV"),
    "page.xls": (_bytes(b"<table><tr><td>id</td></tr></table>"), "HTML", "read_html"),
    "old.xls": (_bytes(b"\xd0\xcf\x11\xe0" + bytes(99)), "before 2007", ".xlsx"),
    "i.rds": (_bytes(gzip.compress(b"X\n\0\0\0\3\0\4")), "file of R", "readRDS"),
    "i.RData": (_bytes(bz2.compress(b"RDX3\nX\n")), "file of R", "write.csv"),
    "xz.rds": (_bytes(lzma.compress(b"X\n")), "file of R", "write.csv"),
    "j.dta": (FRAME.to_stata, "Stata", "read_stata"),
    "old.dta": (lambda file: FRAME.to_stata(file, version=114), "Stata", "read_stata"),
    "k.sav": (_bytes(b"$FL2@(#) SPSS DATA FILE" + LETTERS), "SPSS", "read_spss"),
    "l.xpt": (_bytes(b"HEADER RECORD*******LIBRARY HEADER RECORD" + bytes(99)), "SAS", "read_sas"),
    "l.sas7bdat": (_bytes(bytes(12) + b"\xc2\xea\x81\x60" + LETTERS), "SAS", "read_sas"),
    "m.orc": (FRAME.to_orc, "ORC", "read_orc"),
    "n.ods": (_zip("mimetype", "content.xml"), "OpenDocument", ".xlsx"),
    "n.xlsb": (_zip("xl/workbook.bin"), "binary Excel", ".xlsx"),
    "n.numbers": (_zip("Index/Document.iwa"), "Apple Numbers", "CSV"),
    "o.pt": (_zip("archive/data.pkl"), "PyTorch", "numpy.savez"),
    "o.zip": (_zip("cells.csv"), "zip archive", "unpack"),
    "p.arff": (_bytes(b"@relation cells\n@attribute area numeric\n@data\n1.5\n"), "ARFF", "loadarff"),
    "q.csv.bz2": (lambda file: FRAME.to_csv(file), "bzip2", "unpack"),
    "q.csv.xz": (lambda file: FRAME.to_csv(file), "xz", "unpack"),
    "r.safetensors": (_bytes(LETTERS), "safetensors", "numpy.savez"),
    "s.parquet": (_bytes(b"PAR" + LETTERS), "ending is that of Parquet", "copy or save it again"),
    "s.h5": (_bytes(b"xxxx"), "ending is that of HDF5", "copy or save it again"),
}  # fmt: skip


@pytest.mark.parametrize("read", [read_table_file, read_source])
@pytest.mark.parametrize("name", FILES)
def test_other_formats_are_named_with_the_way_to_convert(tmp_path, name, read):
    write, kind, advice = FILES[name]
    write(tmp_path / name)
    with pytest.raises(ManifestError) as raised:
        read(tmp_path / name)
    told = str(raised.value)
    assert told.count(name) == 1
    assert kind in told
    assert advice in told


@pytest.mark.parametrize("name", ["a.yaml", "a.libsvm"])
def test_text_without_columns_of_numbers_is_named_by_its_ending(tmp_path, name):
    (tmp_path / name).write_text("- id: a\n  label: A\n- id: b\n  label: B\n")
    with pytest.raises(ManifestError, match=r"its ending is that of .*(YAML|LIBSVM)"):
        import_table(tmp_path / name)


def test_text_of_another_ending_is_read_and_its_faults_are_told(tmp_path):
    # Programs of microscopes write text that is called .xls.
    FRAME.to_csv(tmp_path / "a.xls", sep="\t", index=False)
    assert len(read_table_file(tmp_path / "a.xls").cells) == 2
    (tmp_path / "a.xls").write_text("id\tid\n1\t2\n")
    with pytest.raises(ManifestError, match=r"column id occurs more than once.*ending"):
        read_table_file(tmp_path / "a.xls")


@pytest.mark.parametrize(
    ("name", "advice"), [("a.zarr", "zarr.open"), ("a.parquet", "read_parquet"), ("plain", "expected one file")]
)
def test_folders_are_named_with_the_way_to_make_one_file(tmp_path, name, advice):
    (tmp_path / name).mkdir()
    with pytest.raises(ManifestError, match=rf"{name}: is a folder.*{advice}"):
        read_source(tmp_path / name)


def _loom(file):
    file["matrix"] = np.eye(4)
    file.create_group("row_attrs")
    file.create_group("col_attrs")


def _ten_x(file):
    file.create_group("matrix")["barcodes"] = np.arange(3)


def _store(file):
    group = file.create_group("cells")
    group.attrs["pandas_type"] = np.bytes_("frame")
    group["block0_values"] = np.eye(4)


@pytest.mark.parametrize(("write", "advice"), [(_loom, "read_loom"), (_ten_x, "read_10x"), (_store, "read_hdf")])
def test_hdf5_of_other_programs_is_named_with_the_way_to_convert(tmp_path, write, advice):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write(file)
    with pytest.raises(ManifestError, match=rf"a\.h5: is a .*{advice}"):
        read_source(tmp_path / "a.h5")


def test_arrays_of_other_programs_are_read_where_they_are_named(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        _store(file)
    assert read_source(tmp_path / "a.h5", "/cells/block0_values").array.shape == (4, 4)


def test_lines_that_convert_make_tables_that_are_read(tmp_path):
    stata, buffer = tmp_path / "a.dta", io.StringIO()
    FRAME.to_stata(stata, write_index=False)
    pd.read_stata(stata).to_csv(buffer, index=False)
    (tmp_path / "cells.csv").write_text(buffer.getvalue())
    assert read_table_file(tmp_path / "cells.csv").cells["id"].tolist() == ["a", "b"]


def test_plain_tables_are_read(tmp_path):
    (tmp_path / "a.csv").write_text('"{id}",class\n1,a\n')
    assert len(read_table_file(tmp_path / "a.csv").cells) == 1
