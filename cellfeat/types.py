"""Array types, named once. Docstrings state the shapes."""

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]
Float32s = NDArray[np.float32]
Integers = NDArray[np.integer]
Strings = NDArray[np.str_]
