"""Tables that cannot be imported: one message that says what and where, exit code 1, and nothing written."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.bad_inputs.conftest import Cli
from tests.interop.tables.measured import cellprofiler, labels, numbers, write_anndata


def table(**more: object) -> pd.DataFrame:
    return pd.DataFrame(numbers(), columns=list("abcdef")).assign(label=labels(), **more)


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


class Refused(NamedTuple):
    make: Callable[[Path], object]
    message: str
    arguments: tuple[str, ...] = ()


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def hdf5(fill: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with h5py.File(path, "w") as file:
            fill(file)

    return make


def anndata(change: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        write_anndata(path)
        with h5py.File(path, "r+") as file:
            change(file)

    return make


def sparse(file: h5py.File) -> None:
    del file["X"]
    group = file.create_group("X")
    group.attrs["encoding-type"], group.attrs["shape"] = "csr_matrix", (90, 6)
    group["data"], group["indices"] = np.ones(3), np.array([0, 1, 99])
    group["indptr"] = np.minimum(np.arange(91), 3)


def npz(**arrays: object) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    return make


def npy(array: object) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, array)

    return make


WORD = table().astype({"b": object})
WORD.loc[7, "b"] = "broken"

REFUSED = {
    "nothing": Refused(write(b""), r"t: is empty"),
    "header alone": Refused(write(b"id,a,b\n"), "header but no samples"),
    "ragged rows": Refused(write(b"id,a,b\nx,1,2\ny,1\n"), "line 3: expected 3 cells"),
    "not text": Refused(
        write(b"\xff\xfa\x00\x01" * 9), "t: line 1: contains a NUL character, so this is not a text table"
    ),
    "no numbers": Refused(write(b"id,label\nx,one\ny,two\nz,one\nw,two\n"), "no column of numbers"),
    "constant numbers": Refused(write(b"id,a\nx,1\ny,1\n"), "no column of numbers.*constant: a"),
    "ids twice": Refused(
        write(csv(table(id=["x"] * 2 + [str(i) for i in range(88)]))), r"'x' .rows 2, 3", ("--id", "id")
    ),
    "id missing": Refused(write(csv(table(id=["", *map(str, range(89))]))), "no id in row 2", ("--id", "id")),
    "no such id": Refused(write(csv(table())), "--id: no column is called 'cell'", ("--id", "cell")),
    "no such label": Refused(
        write(csv(table())), "--label: no column is called 'lable'.*'label'", ("--label", "lable")
    ),
    "no such group": Refused(write(csv(table())), "--group: no column is called 'plate'", ("--group", "plate")),
    "two labels": Refused(
        write(csv(table(cell_type=labels()[::-1]))), r"several columns.*label .3 values.*cell_type.*--label"
    ),
    "no such feature": Refused(write(csv(table())), "--features: no column fits 'Cells_.'", ("--features", "Cells_*")),
    "feature of text": Refused(write(csv(WORD)), "'b'.*'broken' in row 9", ("--features", "a,b")),
    "columns twice": Refused(write(b"id,a,a\nx,1,2\ny,2,3\n"), "column a occurs more than once"),
    "other columns": Refused(write(csv(table())), "lacks 6 of the 6.*Cells_AreaShape_Area", ("--like", "known.h5")),
    "like images": Refused(write(csv(table())), "does not exist", ("--like", "elsewhere.h5")),
    "dataset of a CSV": Refused(write(csv(table())), "--dataset", ("--dataset", "X")),
    "labels elsewhere": Refused(write(csv(table())), "none.csv does not exist", ("--labels", "none.csv")),
    "labels of others": Refused(
        write(csv(table(id=[f"c{i}" for i in range(90)]).drop(columns="label"))),
        "none of its rows",
        ("--labels", "y.csv"),
    ),
    "damaged Parquet": Refused(write(b"PAR1" + bytes(60)), "cannot be read as Parquet"),
    "pickle": Refused(write(b"\x80\x04\x95" + bytes(30)), "pickle.*never read"),
    "objects in npz": Refused(npz(X=numbers(), y=labels().astype(object)), "y.npy.*pickle"),
    "no array of numbers": Refused(npz(y=labels()), "no array of numbers"),
    "two arrays": Refused(npz(one=numbers(), two=numbers()), "2 arrays.*one, two"),
    "labels of another length": Refused(npz(X=numbers(), y=labels()[:9]), "90 rows, and its array y 9"),
    "cut npz": Refused(write(b"PK\x03\x04" + bytes(40)), "NumPy file"),
    "one dimension": Refused(npy(np.arange(5.0)), r"shape .5,."),
    "cut npy": Refused(
        write(b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9)}"), "NumPy file"
    ),
    "npy and fewer labels": Refused(npy(numbers()[:50]), "50 rows and no ids.*90 rows", ("--labels", "y.csv")),
    "several datasets": Refused(
        hdf5(lambda file: [file.create_dataset(name, data=numbers()) for name in "ab"]), "2 datasets.*/a, /b.*--dataset"
    ),
    "no dataset": Refused(hdf5(lambda file: file.create_dataset("a", data=1)), "no dataset of numbers"),
    "no such dataset": Refused(
        hdf5(lambda file: file.create_dataset("deep", data=numbers())), "'/dep'.*/deep", ("--dataset", "/dep")
    ),
    "no such matrix": Refused(anndata(lambda file: None), "'X_umap'.*obsm/X_pca", ("--dataset", "X_umap")),
    "AnnData without obs": Refused(
        hdf5(lambda file: [file.create_group("obs"), file.create_dataset("X", data=numbers())]), "90 rows, and obs 0"
    ),
    "sparse beyond its columns": Refused(anndata(sparse), "cannot be read as HDF5|damaged"),
    "codes beyond categories": Refused(
        anndata(lambda file: file["obs/cell_type/codes"].write_direct(np.full(90, 9, np.int8))), "codes beyond its 3"
    ),
    "cut HDF5": Refused(write(b"\x89HDF\r\n\x1a\n" + bytes(100)), "cannot be read as HDF5"),
    "web address": Refused(write(b""), "not supported yet", ()),
}


@pytest.fixture
def around(inside: Path, cli: Cli) -> Path:
    """A feature file of other columns, and a table of labels for ids 0 to 89."""
    cellprofiler().to_csv("known.csv", index=False)
    assert cli("import", "known.csv", "--output", "known.h5").code == 0
    pd.DataFrame({"sample": np.arange(90), "label": labels()}).to_csv("y.csv", index=False)
    return inside


@pytest.mark.parametrize("name", REFUSED)
def test_bad_table_is_refused_and_nothing_written(around, cli, name):
    case = REFUSED[name]
    case.make(Path("t"))
    given = "https://example.org/t.csv" if name == "web address" else "t"
    before = sorted(path.name for path in around.iterdir())
    cli("import", given, "--output", "out.h5", *case.arguments).is_refusal(case.message)
    assert sorted(path.name for path in around.iterdir()) == before


def test_existing_feature_file_is_kept(around, cli):
    before = Path("known.h5").read_bytes()
    cli("import", "known.csv", "--output", "known.h5").is_refusal("exists already.*--replace")
    cli("import", "known.h5", "--output", "other.h5").is_refusal("is a feature file already")
    cli("import", "known.csv", "--output", "known.csv", "--replace").is_refusal("is a file that is read here")
    assert Path("known.h5").read_bytes() == before


def test_folder_is_no_table(around, cli):
    Path("folder").mkdir()
    cli("import", "folder").is_refusal("is a folder")
