"""What a file says about how its picture is to be turned; pixels are read as they are stored."""

import struct

AS_STORED = 1
_TAG = 274
_LAST = 8
_SHORT = 3
_EXIF = b"Exif\0\0"


def exif_orientation(segment: bytes) -> int:
    """Give the orientation in a segment APP1 of a JPEG: 1 to 8, and 1 where it states none.

    Parameters
    ----------
    segment
        Its content.
    """
    exif = segment.removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if len(exif) == len(segment) or order is None:
        return AS_STORED
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (n_tags,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(n_tags):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * number)
            if (tag, kind, count) == (_TAG, _SHORT, 1):
                return known_orientation(value)
    except struct.error:
        # A damaged note is no reason to refuse the picture.
        return AS_STORED
    return AS_STORED


def known_orientation(value: object) -> int:
    """Give the orientation that a file states, 1 to 8; 1 where it states anything else."""
    return int(value) if isinstance(value, int) and AS_STORED <= value <= _LAST else AS_STORED
