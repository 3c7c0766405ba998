"""How far an embedding may differ from the float32 embedding, by precision."""

from math import sqrt

MIN_COSINE = {"fp32": 1 - 5e-9, "bf16": 0.9995, "fp16": 0.9995, "int8": 0.999}
"""Smallest allowed cosine between a sample's embedding and its float32 embedding. For float32 it allows another order
of summation (a ten-thousandth of an embedding's length) and nothing else."""


def largest_difference(precision: str) -> float:
    """Largest allowed distance between two embeddings of one precision, relative to their length.

    Both are within `MIN_COSINE` of the same reference; unit vectors of cosine c are ``sqrt(2 - 2 c)`` apart.

    Examples
    --------
    >>> round(largest_difference("fp32"), 6)
    0.0002
    """
    return 2 * sqrt(2 - 2 * MIN_COSINE[precision])
