"""Digests of the samples that a head was fitted on."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cellfeat.errors import HeadError
from cellfeat.heads.state import HeadState
from cellfeat.types import Bools, Strings

DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class TrainingDigests:
    """Identifies the training samples of a head by their pixels: scores on these samples would be too high.

    Attributes
    ----------
    digests
        sha256 of each sample's decoded pixels, shape ``(n_samples, 32)``, uint8.
    """

    digests: NDArray[np.uint8]

    @classmethod
    def of(cls, pixel_digest: Strings) -> Self:
        """Collect digests in hex, as they are in a feature file, shape ``(n_samples,)``."""
        digests = np.frombuffer(bytes.fromhex("".join(pixel_digest.tolist())), np.uint8)
        return cls(digests.reshape(len(pixel_digest), DIGEST_BYTES))

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Restore digests from the result of `arrays`: one array of shape ``(n_samples, 32)``.

        Raises
        ------
        HeadError
            If the arrays are not such digests.
        """
        digests = HeadState(arrays).array("pixel_digest", -1, DIGEST_BYTES)
        if digests.dtype != np.uint8:
            raise HeadError(f"pixel_digest: expected bytes, got {digests.dtype}: fit and save the head again")
        return cls(digests)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The digests as an array to save, shape ``(n_samples, 32)``."""
        return {"pixel_digest": self.digests}

    def __len__(self) -> int:
        return len(self.digests)

    def hex(self) -> list[str]:
        """The digests in hex, as they are in a feature file."""
        return [digest.tobytes().hex() for digest in self.digests]

    def contains(self, pixel_digest: Strings) -> Bools:
        """Whether the head was fitted on samples with these pixels.

        Parameters
        ----------
        pixel_digest
            Digests in hex, shape ``(n_samples,)``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return np.isin(pixel_digest, self.hex())
