"""Files that hold tables and are not read: what they are, by their first bytes, and how to convert them."""

_MATLAB = "scipy.io.loadmat(FILE) reads it: save the arrays with numpy.savez('cells.npz', X=..., y=...)"
_MATLAB_73 = (
    "h5py.File(FILE)['X'][()].T reads the array X (MATLAB stores arrays transposed): save the arrays with "
    "numpy.savez('cells.npz', X=..., y=...)"
)
_JSON = "pandas.read_json(FILE).to_csv('cells.csv', index=False) makes a table of a list of records"
_SQL = "export its table as CSV, for example with pandas.read_sql and to_csv"
_R = "write it as CSV in R: write.csv(TABLE, 'cells.csv', row.names = FALSE)"
_KINDS: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    ((b"MATLAB 5.0", b"MATLAB 4"), "a MATLAB file", _MATLAB),
    ((b"MATLAB 7.3",), "a MATLAB 7.3 file", _MATLAB_73),
    ((b"ARROW1", b"FEA1"), "an Arrow or Feather file", "pandas.read_feather(FILE).to_parquet('cells.parquet')"),
    ((b"SQLite format 3",), "an SQLite database", _SQL),
    ((b"FCS2", b"FCS3"), "an FCS file of flow cytometry", "export it as CSV"),
    ((b"RDX", b"RDA", b"X\n\0\0", b"A\n"), "a file of R", _R),
    ((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle, which can run code and is never read",
     "save tables as Parquet or CSV, and arrays with numpy.savez(FILE, X=..., y=...)"),
    ((b"\x89HDF\r\n\x1a\n",), "an HDF5 file", "save the table as CSV or Parquet"),
    ((b"\x93NUMPY",), "a NumPy array", "save the table as CSV or Parquet"),
    ((b"{", b"[{", b"[\n", b"[["), "JSON", _JSON),
    ((b"<?xml", b"<html", b"<!DOCTYPE"), "XML or HTML", "export the table as CSV"),
)  # fmt: skip


def foreign_kind(head: bytes) -> str | None:
    """Say what a file is that is no table of text, and how to convert it; None where nothing says so.

    Parameters
    ----------
    head
        The first bytes.
    """
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f"{what}: {advice}" for starts, what, advice in _KINDS if plain.startswith(starts)), None)
