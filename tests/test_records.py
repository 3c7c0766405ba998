"""JSON records: sealed, unsealed, and checked field by field."""

import json
from dataclasses import dataclass

import pytest

from cellfeat.errors import RecordError
from cellfeat.records import check_fields, parse_record, seal, unseal


@dataclass(frozen=True)
class Model:
    """A record as this test writes it."""

    name: str
    n: int
    names: list[str]


CONTENT = {"name": "é", "n": 3, "names": ["a", ""]}


def test_sealed_record_is_read_back() -> None:
    assert unseal(seal(CONTENT)) == CONTENT
    assert parse_record(json.dumps(seal(CONTENT), indent=1).encode(), Model) == Model("é", 3, ["a", ""])


def test_every_changed_byte_is_found() -> None:
    data = json.dumps(seal(CONTENT)).encode()
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(RecordError):
            parse_record(changed, Model)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]", b"1", b"null", b"\xff", b"[" * 100_000, b'{"digest": NaN}', b'{"a": NaN}', b'{"a": "\\ud800"}'],
)
def test_data_without_a_valid_digest_are_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        parse_record(data, Model)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"n": "3"}, "n"),
        ({"n": True}, "n"),
        ({"n": None}, "n"),
        ({"names": ["a", 1]}, "names.1"),
        ({"names": "ab"}, "names"),
        ({"more": 1}, "more"),
    ],
)
def test_wrong_field_is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(RecordError, match=f"^{field}: "):
        check_fields(CONTENT | changes, Model)


def test_missing_field_is_named() -> None:
    with pytest.raises(RecordError, match=r"^names: "):
        check_fields({"name": "", "n": 1}, Model)


def test_content_with_a_digest_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="digest"):
        seal({"digest": ""})
