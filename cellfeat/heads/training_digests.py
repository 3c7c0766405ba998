"""The samples that a head was fitted on, known again by the digests of their pixels."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.heads.state import HeadState

DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class SeenSamples:
    """What a head was fitted on: a score on any of it would flatter.

    Attributes
    ----------
    digests
        sha256 of each sample's decoded pixels, shape ``(n_samples, 32)``, uint8.
    """

    digests: NDArray[np.uint8]

    @classmethod
    def of(cls, pixel_digest: NDArray[np.str_]) -> Self:
        """Take digests in hex, as feature files tell them."""
        digests = np.frombuffer(bytes.fromhex("".join(pixel_digest.tolist())), np.uint8)
        return cls(digests.reshape(len(pixel_digest), DIGEST_BYTES))

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Take digests out of the arrays that `arrays` gave.

        Raises
        ------
        HeadError
            If the arrays are no such digests.
        """
        digests = HeadState(arrays).array("pixel_digest", -1, DIGEST_BYTES)
        if digests.dtype != np.uint8:
            raise HeadError(f"pixel_digest: expected bytes, got {digests.dtype}: fit and save the head again")
        return cls(digests)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The digests as an array that a file can hold: 32 bytes a sample."""
        return {"pixel_digest": self.digests}

    def __len__(self) -> int:
        return len(self.digests)

    def hex(self) -> list[str]:
        """The digests as feature files tell them."""
        return [digest.tobytes().hex() for digest in self.digests]

    def holds(self, pixel_digest: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Tell of samples, by their digests in hex, whether the head was fitted on these pixels."""
        return np.isin(pixel_digest, self.hex())
