"""The orientation that Exif states, of whole and damaged notes."""

import struct

import pytest

from cellfeat.samples.formats.orientation import exif_orientation, known_orientation


def exif(order: str, value: int, *, start: int = 8, kind: int = 3, n_tags: int = 2) -> bytes:
    names = {"<": b"II", ">": b"MM"}
    make = struct.pack(f"{order}HHII", 271, 2, 4, 0)
    turned = struct.pack(f"{order}HHIHH", 274, kind, 1, value, 0)
    head = names[order] + struct.pack(f"{order}HI", 42, start)
    return b"Exif\0\0" + head + struct.pack(f"{order}H", n_tags) + make + turned


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_read(order: str, value: int) -> None:
    assert exif_orientation(exif(order, value)) == value


@pytest.mark.parametrize(
    "segment",
    [
        b"",
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        exif("<", 6)[:-10],
        exif("<", 6, start=2**31),
        exif("<", 6, n_tags=1),
        exif("<", 6, kind=7),
        exif("<", 0),
        exif("<", 9),
    ],
)
def test_without_a_sound_note_a_picture_is_as_it_is_stored(segment: bytes) -> None:
    assert exif_orientation(segment) == 1


@pytest.mark.parametrize("value", [None, 0, 9, "6", (6, 6), 6.0])
def test_what_is_no_orientation_is_none(value: object) -> None:
    assert known_orientation(value) == 1
