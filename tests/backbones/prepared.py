"""Images as a backbone is given them."""

import torch

from cellfeat.backbones.transform import Transform


def prepared(transform: Transform, x: torch.Tensor) -> torch.Tensor:
    """Make images square and normalise them."""
    mean, std = transform.moments(x.device)
    return (transform.square(x) - mean) / std
