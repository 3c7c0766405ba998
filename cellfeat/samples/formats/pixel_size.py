"""Width of a pixel in the specimen, as files state it in different units."""

import math

MICROMETRES = {
    "pm": 1e-6, "picometer": 1e-6, "nm": 1e-3, "nanometer": 1e-3, "angstrom": 1e-4, "å": 1e-4,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4, "m": 1e6, "meter": 1e6,
    "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
"""Micrometres in each unit, by its name in lower case."""

_SQUARE = 0.01
"""Largest difference between width and height of a square pixel, as a share of its width."""
_SMALLEST, _LARGEST = 1e-4, 1e3


def unit_in_micrometres(name: object) -> float | None:
    r"""Give the micrometres of a unit; None for one that is unknown, such as ``pixel``.

    ImageJ writes the letter µ as ``\u00B5``.
    """
    written = str(name).strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ")
    lower = written.lower().removesuffix("s") if len(written) > 3 else written.lower()
    return MICROMETRES.get(lower.replace("metre", "meter"))


def square_size(width: float | None, height: float | None) -> float | None:
    """Give the width of a pixel if pixels are square and the number can be that of a microscope.

    Parameters
    ----------
    width, height
        Size of a pixel in micrometres; None where it is not stated. A width alone is believed.
    """
    if width is None or not math.isfinite(width) or not _SMALLEST <= width <= _LARGEST:
        return None
    other = width if height is None else height
    return float(width) if abs(width - other) <= _SQUARE * width else None
