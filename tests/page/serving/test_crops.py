import json

import numpy as np
import pytest

from cellfeat.page.serving.crops import crop_bytes


@pytest.mark.parametrize(
    ("given", "sent"),
    [("uint8", "uint8"), (">u2", "uint16"), ("<i4", "int32"), (">f4", "float32"), ("float16", "float32"),
     ("int64", "float64"), ("uint64", "float64"), ("bool", "uint8"), ("float64", "float64")],
)  # fmt: skip
def test_every_type_of_pixels_reaches_the_browser(given: str, sent: str) -> None:
    pixels = np.array([[[0, 1, 1], [1, 0, 1]]], dtype=given)
    content = crop_bytes(pixels, ["ü"])
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    assert header == {"dtype": sent, "shape": [1, 2, 3], "channels": ["ü"]}
    values = np.frombuffer(content[4 + length :], np.dtype(sent).newbyteorder("<"))
    assert values.tolist() == pixels.ravel().tolist()
