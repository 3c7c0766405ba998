"""The table of a file of scPortrait is read in a process of its own."""

import pytest

from cellfeat.errors import ImageError, MissingFileError
from cellfeat.samples.formats.h5sc import read_cells, read_channels
from cellfeat.samples.single_cells.table_process import read_in_process
from tests.samples.formats.h5sc_files import write_h5sc


def test_process_gives_what_reading_here_gives(tmp_path):
    path = write_h5sc(tmp_path / "a.h5sc")

    assert read_in_process(path) == (read_cells(path), read_channels(path))


def test_process_that_takes_too_long_is_an_error_of_the_file(tmp_path):
    path = write_h5sc(tmp_path / "a.h5sc")

    with pytest.raises(ImageError, match=r"within 0.01 s"):
        read_in_process(path, 0.01)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        read_in_process(tmp_path / "nowhere.h5sc")
