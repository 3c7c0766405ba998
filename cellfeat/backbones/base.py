"""The two forms of a backbone: an entry of the table, and a loaded network."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cellfeat.backbones.trained_on import UNKNOWN
from cellfeat.errors import BackboneError
from cellfeat.registry import import_attribute

if TYPE_CHECKING:
    import torch

    from cellfeat.backbones.transform import Transform

Pool = Literal["norm", "raw", "stages", "blocks"]
WantedPool = Literal["auto"] | Pool
"""A pool, or ``auto``: the stages of a network that has them, else `norm`."""


@dataclass(frozen=True)
class LoadedBackbone:
    """A frozen network, ready to embed.

    Attributes
    ----------
    name
        Its name in the table.
    family
        The architecture that it is a variant of, such as ``convnext``.
    module
        Maps ``(N, 3, H, W)`` float32, normalised by `transform`, to ``(N, embedding_dim)``. It is in eval mode and
        its parameters do not require gradients.
    transform
        The preprocessing that was published with the weights.
    embedding_dim
        Length of an embedding.
    weights_name
        Name of the published weights, or of the file.
    weights_digest
        ``"sha256:…"`` of the module's tensors, see `cellfeat.backbones.weights.state_digest`.
    pool
        Which layer the embedding is read from, see `cellfeat.backbones.registry.load_backbone`.
    """

    name: str
    family: str
    module: "torch.nn.Module"
    transform: "Transform"
    embedding_dim: int
    weights_name: str
    weights_digest: str
    pool: Pool = "norm"


@dataclass(frozen=True)
class Backbone:
    """An entry of the table: the properties of a network that are known without loading it.

    Attributes
    ----------
    name
        The name for ``--backbone``.
    family
        The architecture that it is a variant of.
    embedding_dim
        Length of an embedding; ``None`` where it is known only after loading (``timm:<name>``).
    default_weights
        Name of the weights that ``--weights default`` selects.
    build
        ``"module:function"`` of a function that takes this entry and the parameters of `load`.
    extra
        The extra of cellfeat that installs the required packages.
    min_input_size
        Smallest side in pixels at which the network still has something to pool.
    fixed_input_size
        The only side in pixels that the network accepts; ``None`` if it accepts several.
    stages
        Modules whose maps have strides of 4, 8 and 16 pixels, for `pool` ``stages``; empty if there are none, or if
        they are known only after loading.
    trained_on
        What the default weights were trained on, in a few words.
    seen_cells
        Microscopy images that it was trained on, such as "images of the Human Protein Atlas"; None for none. With it,
        an extraction says that scores on such images may be too high.
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
    trained_on: str = UNKNOWN
    seen_cells: str | None = None

    def load(self, *, weights: str | None, pool: Pool, input_size: int | None) -> LoadedBackbone:
        """Load the published network, without pooling of stages or blocks.

        Parameters
        ----------
        weights
            As for `load_backbone`; None for random weights, which are enough to see the shapes.
        pool
            ``norm`` or ``raw``. `cellfeat.backbones.pooling` pools the stages of a loaded network, and
            `cellfeat.backbones.blocks` its blocks.
        input_size
            As for `load_backbone`.

        Raises
        ------
        MissingExtraError
            If a package from `extra` is not installed.
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
        """Raise `BackboneError` if the network is known not to accept `input_size`."""
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
