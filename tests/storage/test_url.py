"""Addresses are read as they are typed, and hold no credentials."""

from pathlib import Path

import pytest

from cellfeat.errors import ConfigError
from cellfeat.storage.url import Url, as_location


@pytest.mark.parametrize("text", ["s3://lab/cells/images", "s3:/lab/cells/images/", "S3://lab/cells/images"])
def test_one_address_has_many_spellings(text: str) -> None:
    assert str(Url.parse(text)) == "s3://lab/cells/images"


def test_parts_are_those_of_a_path() -> None:
    url = Url.parse("gs://lab/features/cells.h5")
    assert (url.name, url.stem, url.suffix, str(url.parent)) == ("cells.h5", "cells", ".h5", "gs://lab/features")
    assert str(url.with_name("run.json")) == "gs://lab/features/run.json"
    assert str(url.parent / "a/b") == "gs://lab/features/a/b"


@pytest.mark.parametrize("text", ["s3://key:secret@lab/cells", "https://lab.org/cells?sig=secret"])
def test_credentials_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="environment") as error:
        Url.parse(text)
    assert "secret" not in str(error.value)


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ftp://lab.*s3://"):
        Url.parse("ftp://lab/cells")


def test_paths_stay_paths() -> None:
    assert as_location("data/images") == Path("data/images")
    assert as_location("C:/data") == Path("C:/data")
    assert as_location(Path("s3://lab/cells")) == Url("s3", "lab", "cells")
    assert as_location(None) is None
