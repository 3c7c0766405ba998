"""Files that hold tables in another format are called by their names, in labels and in `import`."""

import pytest

from cellfeat.errors import ManifestError
from cellfeat.interop.tables.reading import read_source
from cellfeat.samples.tables.file import read_table_file

FILES = {
    "a.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(90), "MATLAB file", "loadmat"),
    "b.mat": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(500), "MATLAB 7.3", "transposed"),
    "c.feather": (b"ARROW1\0\0" + b"\xff" * 60, "Feather", "read_feather"),
    "d.sqlite": (b"SQLite format 3\0" + b"\xff" * 60, "SQLite", "CSV"),
    "e.fcs": (b"FCS3.1    " + bytes(60), "FCS", "CSV"),
    "f.json": (b'[{"id": 1, "class": "a"}]', "JSON", "read_json"),
    "g.pkl": (b"\x80\x04\x95\0\0", "pickle", "never read"),
    "h.xml": (b'<?xml version="1.0"?><a/>', "XML", "CSV"),
    "i.rds": (b"X\n\0\0\0\3\0\4", "file of R", "write.csv"),
}


@pytest.mark.parametrize("read", [read_table_file, read_source])
@pytest.mark.parametrize("name", FILES)
def test_other_formats_are_named_with_the_way_to_convert(tmp_path, name, read):
    content, kind, advice = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError) as raised:
        read(tmp_path / name)
    assert name in str(raised.value)
    assert kind in str(raised.value)
    assert advice in str(raised.value)


def test_plain_tables_are_read(tmp_path):
    (tmp_path / "a.csv").write_text('"{id}",class\n1,a\n')
    assert len(read_table_file(tmp_path / "a.csv").cells) == 1
