"""Files that hold tables and are not read: what they are, by their first bytes or ending, and how to convert them."""

from collections.abc import Collection
from pathlib import PurePath
from typing import NamedTuple


class Format(NamedTuple):
    """A format of tables that is not read.

    Attributes
    ----------
    what
        Its name.
    advice
        How to make a file that is read.
    starts
        First bytes of its files, white space aside.
    endings
        Endings of its files.
    members
        What a name in its zip archives ends with.
    """

    what: str
    advice: str
    starts: tuple[bytes, ...] = ()
    endings: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


_TO_CSV = "to_csv('cells.csv', index=False)"
_TO_NPZ = "numpy.savez('cells.npz', X=..., y=...)"
_FORMATS = (
    Format("a MATLAB 7.3 file", "h5py.File(FILE)['X'][()].T reads the array X (MATLAB stores arrays transposed): save "
           f"the arrays with {_TO_NPZ}", (b"MATLAB 7.3",)),
    Format("a MATLAB file", "scipy.io.loadmat(FILE) reads it: save the arrays with "
           f"{_TO_NPZ}, or in MATLAB writetable(T, 'cells.csv')", (b"MATLAB 5.0", b"MATLAB 4"), (".mat",)),
    Format("an Arrow or Feather file", "pandas.read_feather(FILE).to_parquet('cells.parquet')", (b"ARROW1", b"FEA1"),
           (".feather", ".arrow", ".ipc")),
    Format("a stream of Arrow", "pyarrow.ipc.open_stream(FILE).read_pandas()"
           ".to_parquet('cells.parquet')", (b"\xff\xff\xff\xff",)),
    Format("an SQLite database", "pandas.read_sql('SELECT * FROM TABLE', sqlite3.connect(FILE))." + _TO_CSV,
           (b"SQLite format 3",), (".sqlite", ".sqlite3")),
    Format("an FCS file of flow cytometry", f"fcsparser.parse(FILE)[1].{_TO_CSV}, in R "
           "write.csv(flowCore::exprs(flowCore::read.FCS(FILE)), 'cells.csv'), or export it as CSV",
           (b"FCS2", b"FCS3"), (".fcs", ".lmd")),
    Format("a file of R", "in R, write.csv(readRDS(FILE), 'cells.csv', row.names = FALSE), or load(FILE) and write.csv "
           "of the table that it names", (b"RDX", b"RDA", b"X\n\0\0", b"A\n"), (".rds", ".rda", ".rdata")),
    Format("a file of the R package qs", "in R, write.csv(qs::qread(FILE), 'cells.csv', row.names = FALSE)",
           (b"\x0b\x0e\x0a\x0c",), (".qs",)),
    Format("a Stata file", f"pandas.read_stata(FILE).{_TO_CSV}", (b"<stata_dta>", b"\x71\x01\x01\0", b"\x71\x02\x01\0",
           b"\x72\x01\x01\0", b"\x72\x02\x01\0", b"\x73\x01\x01\0", b"\x73\x02\x01\0"), (".dta",)),
    Format("an SPSS file", f"pandas.read_spss(FILE).{_TO_CSV} (needs pyreadstat)",
           (b"$FL2", b"$FL3", b"ASCII SPSS PORT"), (".sav", ".zsav", ".por")),
    Format("a SAS file", f"pandas.read_sas(FILE, encoding='latin-1').{_TO_CSV}",
           (b"\0" * 12 + b"\xc2\xea\x81\x60", b"HEADER RECORD*******"), (".sas7bdat", ".xpt")),
    Format("an ORC file", "pandas.read_orc(FILE).to_parquet('cells.parquet')", (b"ORC",), (".orc",)),
    Format("a Python pickle, which can run code and is never read", "save tables as Parquet or CSV, and arrays with "
           "numpy.savez(FILE, X=..., y=...)", (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"(lp",
           b"ccopy_reg\n", b"cpandas.", b"cnumpy."), (".pkl", ".pickle", ".joblib")),
    Format("a file of PyTorch, which holds a pickle and is never read",
           "numpy.savez('cells.npz', X=torch.load(FILE).numpy())", (), (".pt", ".pth"), ("/data.pkl",)),
    Format("a file of safetensors", "numpy.savez('cells.npz', X=safetensors.numpy.load_file(FILE)[NAME])", (),
           (".safetensors",)),
    Format("an HDF5 file", "save the table as CSV or Parquet", (b"\x89HDF\r\n\x1a\n",)),
    Format("a NumPy array", "save the table as CSV or Parquet", (b"\x93NUMPY",)),
    Format("JSON", f"pandas.read_json(FILE).{_TO_CSV} makes a table of a list of records (with lines=True where each "
           "line is one)", (b"{", b"[{", b"[\n", b"[["), (".json", ".jsonl", ".ndjson")),
    Format("YAML", f"pandas.DataFrame(yaml.safe_load(open(FILE))).{_TO_CSV} makes a table of a list of records", (),
           (".yaml", ".yml")),
    Format("XML or HTML", f"export the table as CSV; pandas.read_html(FILE)[0].{_TO_CSV} reads tables of pages, which "
           "some programs save as .xls", (b"<?xml", b"<html", b"<!DOCTYPE", b"<table", b"<HTML"), (".xml", ".html")),
    Format("an ARFF file of Weka", f"pandas.DataFrame(scipy.io.arff.loadarff(FILE)[0]).{_TO_CSV}",
           (b"@relation", b"@RELATION"), (".arff",)),
    Format("a sparse table of LIBSVM", "X, y = sklearn.datasets.load_svmlight_file(FILE) reads it: "
           "numpy.savez('cells.npz', X=X.toarray(), y=y)", (), (".libsvm", ".svm", ".svmlight")),
    Format("an Excel file of before 2007", "save it as .xlsx or CSV UTF-8", (), (".xls",)),
    Format("an OpenDocument table", "save it as .xlsx or CSV UTF-8, or "
           f"pandas.read_excel(FILE, engine='odf').{_TO_CSV}", (), (".ods",), ("content.xml",)),
    Format("a binary Excel file", "save it as .xlsx or CSV UTF-8", (), (".xlsb",), ("xl/workbook.bin",)),
    Format("a table of Apple Numbers", "export it as Excel or CSV", (), (".numbers",), (".iwa",)),
)  # fmt: skip
_PACKED = (
    Format("a file packed by bzip2", "unpack it: bunzip2 FILE", (b"BZh",)),
    Format("a file packed by xz", "unpack it: unxz FILE", (b"\xfd7zXZ",)),
    Format("a file packed by Zstandard", "unpack it: unzstd FILE", (b"\x28\xb5\x2f\xfd",)),
    Format("an archive", "unpack it", (b"7z\xbc\xaf\x27\x1c", b"Rar!")),
)
_COPY = "it is damaged or has another format: copy or save it again"
_READ = {
    ".parquet": "Parquet", ".xlsx": "Excel", ".xlsm": "Excel", ".npy": "NumPy", ".npz": "NumPy", ".h5": "HDF5",
    ".hdf5": "HDF5", ".h5ad": "AnnData",
}  # fmt: skip
BINARY_ENDINGS = tuple(
    ending for one in _FORMATS if one.what not in ("JSON", "YAML", "XML or HTML") for ending in one.endings
)
"""Endings of files that hold tables, are not read, and are no text in which names could be looked for."""


def foreign_kind(head: bytes, name: str = "") -> str | None:
    """Say what a file is that is no table of text, and how to convert it; None where nothing says so.

    Parameters
    ----------
    head
        The first bytes.
    name
        The name of the file: its ending says what was packed.
    """
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    # A list of records may be indented.
    plain = plain.replace(b" ", b"", 1) if plain.startswith((b"[ {", b"[ [")) else plain
    found = next((one for one in _FORMATS if plain.startswith(one.starts)), None)
    packed = next((one for one in _PACKED if plain.startswith(one.starts)), None)
    if found is None and packed is not None:
        found = _of_ending(name) or packed
    return None if found is None else _told(found)


def foreign_zip(names: Collection[str]) -> str | None:
    """Say what a zip archive is by the names in it, and how to convert it; None where nothing says so.

    Parameters
    ----------
    names
        Names of what it holds.
    """
    found = next((one for one in _FORMATS if any(name.endswith(one.members) for name in names)), None)
    return None if found is None else _told(found)


def foreign_ending(name: str) -> str | None:
    """Say what a file that cannot be read as text is by its ending, and what to do; None where that says nothing.

    Parameters
    ----------
    name
        The name of the file.
    """
    found = _of_ending(name)
    return None if found is None else f"its ending is that of {_told(found)}"


def damaged_ending(name: str) -> str | None:
    """Say that a file is not of the format that is read and its ending names; None where it names none.

    Parameters
    ----------
    name
        The name of the file, which is text or unknown bytes.
    """
    kind = _READ.get(PurePath(name).suffix.lower())
    return None if kind is None else f"its ending is that of {kind}, which it is not: {_COPY}"


def _of_ending(name: str) -> Format | None:
    ending = PurePath(name).suffix.lower()
    return next((one for one in _FORMATS if ending in one.endings), None)


def _told(found: Format) -> str:
    return f"{found.what}: {found.advice}"
