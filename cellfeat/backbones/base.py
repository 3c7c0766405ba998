"""What a backbone is: an entry of the table, and a network that was loaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cellfeat.errors import BackboneError
from cellfeat.registry import import_attribute

if TYPE_CHECKING:
    import torch

    from cellfeat.backbones.transform import Transform

Pool = Literal["norm", "raw", "stages"]


@dataclass(frozen=True)
class LoadedBackbone:
    """A frozen network, ready to embed.

    Attributes
    ----------
    name
        Its name in the table.
    family
        The architecture it is a size of: ``convnext``.
    module
        Maps ``(N, 3, H, W)`` float32, normalised by `transform`, to ``(N, embedding_dim)``. It is in eval mode and
        none of its parameters requires a gradient.
    transform
        The preprocessing that the weights' own record asks for.
    embedding_dim
        Length of an embedding.
    weights_name
        Name of the weights' record, or of the file.
    weights_digest
        ``"sha256:…"`` of the module's tensors, see `cellfeat.backbones.weights.state_digest`.
    """

    name: str
    family: str
    module: "torch.nn.Module"
    transform: "Transform"
    embedding_dim: int
    weights_name: str
    weights_digest: str


@dataclass(frozen=True)
class Backbone:
    """An entry of the table: what is known of a network without loading it.

    Attributes
    ----------
    name
        What ``--backbone`` says.
    family
        The architecture it is a size of.
    embedding_dim
        Length of an embedding; ``None`` where only the network itself can tell (``timm:<name>``).
    default_weights
        Name of the record that ``--weights default`` means.
    build
        ``"module:function"`` of a function with the parameters of `load`, the entry before them.
    extra
        The extra of cellfeat that brings the packages it needs.
    min_input_size
        Side in pixels below which the network has nothing left to pool.
    fixed_input_size
        The only side in pixels that the network accepts, where there is only one.
    stages
        Parts of the network whose maps have strides of 4, 8 and 16 pixels, for `pool` ``stages``; empty where there
        are none, or only the network itself can tell.
    """

    name: str
    family: str
    embedding_dim: int | None
    default_weights: str
    build: str
    extra: str | None = None
    min_input_size: int = 1
    fixed_input_size: int | None = None
    stages: tuple[str, ...] = ()

    def load(self, *, weights: str | None, pool: Pool, input_size: int | None) -> LoadedBackbone:
        """Load the network as it was published; with `weights` ``None`` its numbers are random.

        Random numbers are enough to see its shapes.

        Parameters
        ----------
        weights
            As for `load_backbone`; None for random numbers.
        pool
            ``norm`` or ``raw``; the stages of a loaded network are pooled by `cellfeat.backbones.pooling`.
        input_size
            As for `load_backbone`.

        Raises
        ------
        MissingExtraError
            If a package that `extra` brings is not installed.
        BackboneError
            If the network cannot take `input_size` or has no such `pool`.
        MissingFileError, WeightsError
            See `load_backbone`.
        """
        self.check_input_size(input_size)
        build = import_attribute(self.build, self.extra)
        loaded: LoadedBackbone = build(self, weights=weights, pool=pool, input_size=input_size)
        return loaded

    def check_input_size(self, input_size: int | None) -> None:
        """Raise `BackboneError` where the table knows that the network cannot take `input_size`."""
        if input_size is None:
            return
        if self.fixed_input_size not in (None, input_size):
            raise BackboneError(
                f"{self.name}: accepts images of {self.fixed_input_size} px only, got input_size {input_size}; "
                f"leave preprocessing.input_size out"
            )
        if input_size < self.min_input_size:
            raise BackboneError(
                f"{self.name}: needs images of at least {self.min_input_size} px, got input_size {input_size}"
            )
