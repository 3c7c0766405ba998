"""Adam and AdamW by the functions behind PyTorch's classes, which would load its compiler first."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""The defaults of `torch.optim.Adam`."""


class Adam:
    """Adam, or AdamW, with the defaults of PyTorch, and the same bits as `torch.optim.Adam` and `torch.optim.AdamW`.

    Those classes import ``torch._dynamo`` when one is made: 1.4 s in each process that trains a head, and no use here.

    Parameters
    ----------
    parameters
        What is trained.
    lr
        Learning rate.
    weight_decay
        Share of the weights that is taken off, or the L2 penalty.
    is_decoupled
        Whether the weights shrink beside the gradient, as AdamW does, and not through it.
    fused
        Whether a step is computed by one kernel.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float, is_decoupled: bool, fused: bool
    ) -> None:
        self._parameters = list(parameters)
        self._lr, self._weight_decay, self._fused = lr, weight_decay, fused
        self._function = adamw if is_decoupled else adam
        self._means = [torch.zeros_like(one) for one in self._parameters]
        self._squares = [torch.zeros_like(one) for one in self._parameters]
        self._steps = [
            torch.zeros((), dtype=torch.float32, device=one.device if fused else None) for one in self._parameters
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for one in self._parameters:
            one.grad = None

    @torch.no_grad()
    def step(self, rate: float = 1.0) -> None:
        """Change the parameters by their gradients, which all of them have.

        Parameters
        ----------
        rate
            Factor on the learning rate.
        """
        gradients: list[Tensor] = [one.grad for one in self._parameters if one.grad is not None]
        self._function(
            list(self._parameters),
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            fused=self._fused or None,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self._lr * rate,
            weight_decay=self._weight_decay,
            eps=EPSILON,
            maximize=False,
        )
