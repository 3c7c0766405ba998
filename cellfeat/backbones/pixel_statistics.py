"""Simple measurements of the pixels, as a backbone without weights.

Profiling programs begin with such measurements (CellProfiler: Stirling et al. 2021, BMC Bioinformatics 22, 433):
intensity, area, granularity, and the correlation of channels. Alone they give the score that a network has to beat.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellfeat.backbones.base import Backbone, LoadedBackbone, Pool
from cellfeat.backbones.transform import Transform
from cellfeat.backbones.weights import state_digest
from cellfeat.errors import BackboneError, WeightsError

SIDE = 224
"""Side in pixels of the pictures, unless the settings name another; that of most networks."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
REDUCED_SIDE = 48
"""Side that pictures are reduced to before their pixels are sorted, which would take longer than a small network."""
N_SCALES = 4
"""Scales of the granularity: the picture, and its halves, quarters and eighths."""
N_OF_A_PLANE = 2 + len(QUANTILES) + 4 + 2 * N_SCALES - 1
EMBEDDING_DIM = 3 * N_OF_A_PLANE + 3


class PixelStatistics(nn.Module):
    """Maps pictures ``(N, 3, S, S)`` with values from 0 to 1 to ``(N, EMBEDDING_DIM)`` float32.

    First come the numbers of each plane: mean, standard deviation and quantiles; the share of pixels brighter than the
    middle between the 5th and the 99th percentile, their mean and deviation, and how far the brightness spreads around
    its centre; granularity. The correlations of the planes follow: first and second, second and third, third and
    first. What a constant plane leaves undefined is 0.
    """

    def forward(self, pictures: Tensor) -> Tensor:
        """Measure pictures."""
        planes = pictures.float()
        reduced = functional.adaptive_avg_pool2d(planes, REDUCED_SIDE)
        quantiles = _quantiles(reduced)
        numbers = [*_intensities(reduced), *quantiles, *_foreground(reduced, quantiles), *_granularity(planes)]
        return torch.cat([torch.stack(numbers, dim=2).flatten(1), _correlations(reduced)], dim=1)


def _intensities(planes: Tensor) -> list[Tensor]:
    pixels = planes.flatten(2)
    return [pixels.mean(dim=2), _deviation(pixels)]


def _quantiles(planes: Tensor) -> list[Tensor]:
    pixels = planes.flatten(2)
    ranks = [round(share * (REDUCED_SIDE**2 - 1)) for share in QUANTILES]
    return list(pixels.sort(dim=2).values[:, :, ranks].unbind(2))


def _foreground(planes: Tensor, quantiles: list[Tensor]) -> list[Tensor]:
    pixels, dark, bright = planes.flatten(2), quantiles[1], quantiles[-1]
    is_bright = (pixels > (dark + bright)[:, :, None] / 2).float()
    mean = _ratio((pixels * is_bright).sum(2), is_bright.sum(2))
    square = _ratio((pixels - mean[:, :, None]).square().mul(is_bright).sum(2), is_bright.sum(2))
    return [is_bright.mean(2), mean, square.sqrt(), _spread(planes, dark[:, :, None, None])]


def _spread(planes: Tensor, background: Tensor) -> Tensor:
    """Root mean square distance of the brightness from its centre, in sides of the picture."""
    weights = (planes - background).clamp(min=0)
    total = weights.sum((2, 3))
    places = torch.linspace(0, 1, planes.shape[-1], device=planes.device)
    across, down = (
        _ratio((profile * places.square()).sum(2), total) - _ratio((profile * places).sum(2), total).square()
        for profile in (weights.sum(2), weights.sum(3))
    )
    return (across + down).clamp(min=0).sqrt()


def _granularity(planes: Tensor) -> list[Tensor]:
    """Mean differences of neighbours at each scale, and deviations at the coarser ones."""
    differences, deviations = [], []
    for scale in range(N_SCALES):
        if scale:
            planes = functional.avg_pool2d(planes, 2, ceil_mode=True)
            deviations.append(_deviation(planes.flatten(2)))
        across = (planes[..., 1:] - planes[..., :-1]).abs().mean((2, 3))
        down = (planes[..., 1:, :] - planes[..., :-1, :]).abs().mean((2, 3))
        differences.append((across + down) / 2)
    return [*differences, *deviations]


def _correlations(planes: Tensor) -> Tensor:
    pixels = planes.flatten(2)
    centred = pixels - pixels.mean(dim=2, keepdim=True)
    others = centred.roll(-1, dims=1)
    products = (centred * others).mean(2)
    return _ratio(products, _deviation(pixels) * _deviation(others))


def _deviation(pixels: Tensor) -> Tensor:
    return (pixels - pixels.mean(dim=2, keepdim=True)).square().mean(2).sqrt()


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    return torch.where(denominator > 0, numerator / denominator.clamp(min=torch.finfo(torch.float32).tiny), 0.0)


def load_pixel_statistics(
    backbone: Backbone, *, weights: str | None, pool: Pool, input_size: int | None
) -> LoadedBackbone:
    """Make the module; there is nothing to load.

    Parameters
    ----------
    backbone
        Its entry.
    weights, pool, input_size
        As for `cellfeat.backbones.registry.load_backbone`.

    Raises
    ------
    WeightsError
        If weights are given.
    BackboneError
        If another pool than ``norm`` is asked for.
    """
    if weights not in (None, "default", backbone.default_weights):
        raise WeightsError(f"{backbone.name}: has no weights, got {weights!r}; leave --weights out")
    if pool != "norm":
        raise BackboneError(f"{backbone.name}: has no pool {pool}; use pool auto or norm")
    module = PixelStatistics().eval()
    # Values stay as the images' intensities give them, from 0 to 1.
    whole = Transform(None, None, SIDE, "bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return LoadedBackbone(
        name=backbone.name,
        family=backbone.family,
        module=module,
        transform=whole.sized(input_size),
        embedding_dim=EMBEDDING_DIM,
        weights_name=backbone.default_weights,
        weights_digest=state_digest(module),
    )
