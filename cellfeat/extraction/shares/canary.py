"""A small batch that every machine can make: equal embeddings of it prove that two machines compute alike."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from cellfeat.errors import BitsError
from cellfeat.extraction.forward.embedder import Embedder
from cellfeat.extraction.forward.tolerances import largest_difference
from cellfeat.extraction.read_ahead import Decoded
from cellfeat.extraction.shares.machine import machine_differences
from cellfeat.extraction.store import CLOSE, relative_difference
from cellfeat.provenance import digest_bytes
from cellfeat.types import Float32s

N_SAMPLES = 4
_BLOCK = 8
_LITTLE_ENDIAN = np.dtype("<f4")


def make_canary(embedder: Embedder) -> dict[str, Any]:
    """Embed the batch, one view and one pass of it, and give the result as JSON values.

    The pixels are computed by whole numbers alone, so they are the same on every machine, and a difference comes from
    the device, the network or the libraries. The batch is filled up as every batch is, so the kernels are those of the
    extraction.
    """
    embedded = embed_canary(embedder)
    return {
        "sha256": digest_bytes(embedded.astype(_LITTLE_ENDIAN).tobytes()),
        "shape": list(embedded.shape),
        "values": base64.b64encode(embedded.astype(_LITTLE_ENDIAN).tobytes()).decode(),
    }


def embed_canary(embedder: Embedder) -> Float32s:
    """Embed the batch: shape ``(N_SAMPLES, embedding_dim)``."""
    one = embedder.of_one_forward()
    return one(canary_samples(one.n_channels, one.input_size))[:, 0]


def canary_samples(n_channels: int, input_size: int) -> list[Decoded]:
    """Make the samples of the batch: blocks of grey with noise, somewhat larger than the network's input.

    Parameters
    ----------
    n_channels
        Number of channels of a sample.
    input_size
        Side of the network's input.
    """
    side = input_size + input_size // 4
    pixels = _grey(N_SAMPLES * n_channels, side).reshape(N_SAMPLES, n_channels, side, side)
    limits = np.tile(np.array([0, 255], np.float32), (n_channels, 1))
    return [Decoded(row, sample, limits) for row, sample in enumerate(pixels)]


def check_canary(planned: Mapping[str, Any], embedder: Embedder, here: Mapping[str, Any]) -> float:
    """Make the batch of a plan again, and compare it.

    Parameters
    ----------
    planned
        The plan of the run; see `cellfeat.extraction.shares.plan`.
    embedder
        What computes here.
    here
        This machine, as `describe_machine` gives it.

    Returns
    -------
    float
        The largest difference, relative to the length of an embedding; 0.0 for equal bits.

    Raises
    ------
    BitsError
        If the numbers differ by more than the plan allows.
    """
    expected = _embeddings_of(planned["canary"])
    got = embed_canary(embedder)
    if got.shape == expected.shape and got.tobytes() == expected.tobytes():
        return 0.0
    difference = relative_difference(got, expected) if got.shape == expected.shape else np.inf
    if planned["bits"] == CLOSE and difference <= largest_difference(embedder.precision):
        return difference
    allowed = (
        f"expected at most {largest_difference(embedder.precision):.1e} (--bits close)"
        if planned["bits"] == CLOSE
        else "expected the same bits; if numbers within the tolerance of the precision are enough: --bits close"
    )
    raise BitsError(
        f"this machine ({here['host']}) computes other numbers than {planned['machine']['host']}, which made the plan "
        f"(largest difference {difference:.1e} of an embedding's length): {allowed}. The machines differ in: "
        f"{machine_differences(planned['machine'], here)}. Nothing was written: {_way_out(planned['machine'], here)}"
    )


def _way_out(planned: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say how the bits may become equal: mostly the number of threads alone differs."""
    if here["device"] == "cpu" and planned["threads"] != here["threads"]:
        return f"try the number of threads of the plan, OMP_NUM_THREADS={planned['threads']}"
    return "use machines and environments that are alike"


def _embeddings_of(canary: Mapping[str, Any]) -> Float32s:
    values = np.frombuffer(base64.b64decode(canary["values"]), _LITTLE_ENDIAN)
    return values.astype(np.float32).reshape(canary["shape"])


def _grey(n: int, side: int) -> np.ndarray:
    """Make `n` grey pictures, shape ``(n, side, side)`` uint8."""
    n_blocks = -(-side // _BLOCK)
    coarse = _scattered(n * n_blocks * n_blocks, 1).reshape(n, n_blocks, n_blocks)
    blocks = coarse.repeat(_BLOCK, axis=1).repeat(_BLOCK, axis=2)[:, :side, :side]
    noise = _scattered(n * side * side, 2).reshape(n, side, side)
    grey: np.ndarray = (blocks // 4 * 3 + noise // 4).astype(np.uint8)
    return grey


def _scattered(n: int, seed: int) -> np.ndarray:
    """Scatter whole numbers from 0 to 255; the same on every machine and with every version of NumPy."""
    # The mixing function "lowbias32" of C. Wellons (2018): https://nullprogram.com/blog/2018/07/31/
    x = np.arange(n, dtype=np.uint32) + np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return (x ^ (x >> np.uint32(16))) >> np.uint32(24)
