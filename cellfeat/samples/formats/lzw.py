"""Find damage in LZW data that its decoder does not: the first code after a clear code names no string.

A clear code empties the decoder's table of strings, so that only single bytes are left (TIFF 6.0, section 13). The
decoder of imagecodecs does not look at the code that follows: for one beyond the bytes it takes a string out of memory
that it never wrote, which ends the process or gives pixels of another image.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_CLEAR, _END, _FIRST_STRING = 256, 257, 258
_NARROWEST = 9
# The decoder's table ends here, and it refuses what goes on.
_MOST_STRINGS = 5120
# Most tables are full when they are cleared; a small one should not cost as much.
_FEW_CODES = 64


def names_lost_string(stream: bytes) -> bool:
    """Whether a code that follows a clear code names a string that the table no longer has.

    Parameters
    ----------
    stream
        A strip or tile. One that does not begin with a clear code is refused by the decoder.
    """
    codes = _Codes(stream)
    position: int | None = 0
    while position is not None:
        code = codes.narrow(position)
        position += _NARROWEST
        if code >= _FIRST_STRING:
            return True
        if code == _END:
            return False
        if code != _CLEAR:
            position = codes.after_next_clear(position)
    return False


class _Layout(NamedTuple):
    """Where the codes of a table lie that begins at a bit of a byte.

    Attributes
    ----------
    byte
        First byte of each code.
    shift, mask
        What takes a code out of the 24 bits from there.
    end
        Bits from the first code to the end of each.
    """

    byte: NDArray[np.int32]
    shift: NDArray[np.int32]
    mask: NDArray[np.int32]
    end: NDArray[np.int32]

    def part(self, where: slice) -> "_Layout":
        return _Layout(self.byte[where], self.shift[where], self.mask[where], self.end[where])


@cache
def _layout(bit: int, from_lowest: bool) -> _Layout:
    # Codes become a bit wider when the table holds so many strings; a writer of TIFF changes one string early.
    full = np.array([512, 1024, 2048]) - (not from_lowest)
    widths = _NARROWEST + np.searchsorted(full, np.arange(_FIRST_STRING, _MOST_STRINGS), side="right")
    end = np.cumsum(widths)
    start = bit + end - widths
    shift = start % 8 if from_lowest else 24 - start % 8 - widths
    mask = (1 << widths) - 1
    return _Layout((start // 8).astype(np.int32), shift.astype(np.int32), mask.astype(np.int32), end.astype(np.int32))


class _Codes:
    """The codes of a stream: from 9 to 12 bits, wider the more strings the table has.

    Parameters
    ----------
    stream
        Its bytes. TIFF fills them from the highest bit; files of old writers, from the lowest.
    """

    def __init__(self, stream: bytes) -> None:
        self.n_bits = 8 * len(stream)
        self.from_lowest = len(stream) > 1 and stream[0] == 0 and stream[1] & 1 == 1
        values = np.frombuffer(stream + b"\0\0", np.uint8).astype(np.int32)
        first, second, third = values[:-2], values[1:-1], values[2:]
        # The 24 bits from each byte on: no code needs more.
        self.words = first | second << 8 | third << 16 if self.from_lowest else first << 16 | second << 8 | third

    def narrow(self, position: int) -> int:
        """The code of 9 bits at a bit; the end code where none is left."""
        if position + _NARROWEST > self.n_bits:
            return _END
        word, bit = int(self.words[position >> 3]), position & 7
        return (word >> (bit if self.from_lowest else 24 - _NARROWEST - bit)) & ((1 << _NARROWEST) - 1)

    def after_next_clear(self, position: int) -> int | None:
        """The bit after the next clear code of a table that begins at `position`; None where the data end before."""
        layout = _layout(position & 7, self.from_lowest)
        n_left = int(layout.end.searchsorted(self.n_bits - position, side="right"))
        for where in (slice(0, min(_FEW_CODES, n_left)), slice(_FEW_CODES, n_left)):
            codes, ends = self._read(position >> 3, layout.part(where))
            stops = np.flatnonzero((codes == _CLEAR) | (codes == _END))
            if len(stops):
                stop = stops[0]
                return None if codes[stop] == _END else position + int(ends[stop])
        return None

    def _read(self, byte: int, layout: _Layout) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        codes = (self.words[byte:].take(layout.byte) >> layout.shift) & layout.mask
        return codes, layout.end
