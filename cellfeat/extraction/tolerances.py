"""How far an embedding may lie from the one that float32 gives, by precision."""

from math import sqrt

MIN_COSINE = {"fp32": 1 - 5e-9, "bf16": 0.9995, "fp16": 0.9995, "int8": 0.999}
"""The least cosine of a sample's embedding to its float32 one. In float32 it leaves room for another order of sums (a
ten-thousandth of an embedding's length), and for nothing else."""


def largest_difference(precision: str) -> float:
    """The most that two embeddings of one precision may lie apart, in shares of their length.

    Each lies within `MIN_COSINE` of the same third one; unit vectors of cosine c are ``sqrt(2 - 2 c)`` apart.

    Examples
    --------
    >>> round(largest_difference("fp32"), 6)
    0.0002
    """
    return 2 * sqrt(2 - 2 * MIN_COSINE[precision])
