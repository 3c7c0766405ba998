"""Networks compiled by OpenVINO for the processor: in float32 or bfloat16, for one fixed shape.

A batch is cut into pieces of a few pictures, which OpenVINO computes side by side, in streams of one thread or few: the
maps of a piece stay in the cache, and threads need not wait for one another after every layer.

OpenVINO is imported when a network is compiled, and never earlier. It works without a cache on disk.
"""

import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from cellfeat.errors import BackboneError
from cellfeat.text import first_line

PACKAGE = "openvino"
_TELEMETRY = "openvino_telemetry"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_ERRORS_OF_CODE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What code of a network may raise while it is traced: its sizes are tensors then, and it may do anything with them."""
_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16"}
_TYPES = {"fp32": "f32", "bf16": "bf16"}
MOST_PICTURES = 4
"""Pictures of a piece. Of 1 to 32, pieces of 4 were among the fastest for each network measured (docs/studies)."""
MOST_STREAMS = 4
"""Pieces that are computed at once: a batch of 16 has no more. With more threads, each stream has several."""


def openvino_is_installed() -> bool:
    """Whether OpenVINO can be imported; it is not imported to find out."""
    if PACKAGE in sys.modules:
        return sys.modules[PACKAGE] is not None
    return find_spec(PACKAGE) is not None


def compile_with_openvino(module: nn.Module, *, precision: str, images: torch.Size) -> nn.Module:
    """Compile a module of the CPU.

    Parameters
    ----------
    module
        In eval mode, in float32; it is not changed, and its weights are shared until they are packed.
    precision
        ``fp32`` or ``bf16``: the type that OpenVINO computes in.
    images
        Shape ``(N, 3, H, W)`` of the input batches. Another shape is compiled when it comes.

    Returns
    -------
    module
        Takes ``(N, 3, H, W)`` of any floating type, best in channels-last layout, and returns float32.

    Raises
    ------
    BackboneError
        If OpenVINO is not installed, cannot convert the module, or this processor lacks the precision.
    """
    return OpenVinoNetwork(module, precision, images)


class OpenVinoNetwork(nn.Module):
    """A module whose forward is computed by OpenVINO; several threads may call it at once.

    Parameters
    ----------
    module, precision, images
        As for `compile_with_openvino`.
    """

    def __init__(self, module: nn.Module, precision: str, images: torch.Size) -> None:
        super().__init__()
        self._openvino = _imported()
        self._precision = precision
        self._module = module
        self._lock = threading.Lock()
        self._compile(images)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map ``(N, 3, H, W)`` to ``(N, embedding_dim)`` float32."""
        pieces = self._pieces(images.shape)
        # For a batch in the type of the precision and in channels-last layout this is a view: nothing is copied.
        rows = images.to(DTYPES[self._precision]).permute(0, 2, 3, 1).contiguous()
        embedded = torch.empty(len(rows), pieces.n_columns)
        requests = pieces.taken()
        with ExitStack() as started:
            for n, request in enumerate(requests):
                here = slice(n * pieces.size, (n + 1) * pieces.size)
                request.set_input_tensor(_tensor(self._openvino, rows[here]))
                request.set_output_tensor(_tensor(self._openvino, embedded[here]))
                # Each of them is waited for, even if another fails: the memory of the batch is used for the next one.
                started.callback(request.wait)
                request.start_async()
        pieces.give_back(requests)
        return embedded

    def _pieces(self, images: torch.Size) -> "_Pieces":
        with self._lock:
            if images != self._shape:
                self._compile(images)
            return self._compiled_pieces

    def _compile(self, images: torch.Size) -> None:
        openvino, size = self._openvino, _largest_divisor(images[0], MOST_PICTURES)
        shape = torch.Size((size, *images[1:]))
        try:
            core = _core()
            _check_precision(core, self._precision)
            # Kept, because the constants of the model are tensors of the decoder, not copies.
            self._decoder = _decoder(_traced(self._module, shape))
            model = _as_batches_come(openvino, _converted(openvino, self._decoder, shape), self._precision)
            compiled = core.compile_model(model, "CPU", _properties(self._precision))
            self._compiled_pieces = _Pieces(compiled, size, images[0] // size)
        except _errors(openvino) as error:
            raise BackboneError(f"OpenVINO cannot compile this network: {_reason(error)}") from error
        self._shape = images


class _Pieces:
    """A compiled model of a few pictures, and its requests, which are used again.

    Parameters
    ----------
    compiled
        The model of OpenVINO.
    size
        Its number of pictures.
    n
        Number of pieces of a batch.
    """

    def __init__(self, compiled: Any, size: int, n: int) -> None:
        self.size = size
        self.n_columns = int(compiled.output(0).shape[1])
        self._compiled = compiled
        self._n = n
        self._idle: deque[list[Any]] = deque()

    def taken(self) -> list[Any]:
        """Take the requests of a batch, one for each piece."""
        try:
            return self._idle.pop()
        except IndexError:
            return [self._compiled.create_infer_request() for _ in range(self._n)]

    def give_back(self, requests: list[Any]) -> None:
        """Give requests back, whose results were taken."""
        self._idle.append(requests)


@cache
def _core() -> Any:
    """The one core of this process, which is never released.

    As it starts, the CPU plugin may give the thread another stack for signals, and puts the earlier one back when it is
    released. Of two cores the one released last puts back what the other has freed: in a process with faulthandler,
    such as a notebook's, the next Ctrl-C would be a segmentation fault.
    """
    import openvino

    return openvino.Core()


def _largest_divisor(n: int, most: int) -> int:
    return next(divisor for divisor in range(min(n, most), 0, -1) if n % divisor == 0)


def _errors(openvino: Any) -> tuple[type[Exception], ...]:
    """The errors of tracing, compiling and converting; those of the converter are no RuntimeErrors."""
    frontend = openvino.frontend
    return (
        RuntimeError,
        frontend.GeneralFailure,
        frontend.InitializationFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    )


def _tensor(openvino: Any, rows: torch.Tensor) -> Any:
    """Give a contiguous float32 or bfloat16 tensor to OpenVINO, which reads its memory."""
    if rows.dtype == torch.float32:
        return openvino.Tensor(rows.numpy(), shared_memory=True)
    # NumPy has no bfloat16: the bytes are handed over as integers of that width.
    return openvino.Tensor(rows.view(torch.int16).numpy(), openvino.Shape(list(rows.shape)), openvino.Type.bf16)


def _reason(error: Exception) -> str:
    """The lines of an error without the first, which names a file of OpenVINO's own sources where there are several."""
    _, _, rest = str(error).strip().partition("\n")
    return " ".join(rest.split()) or first_line(error)


def _properties(precision: str) -> dict[str, str]:
    return {
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
        # For float32: no approximations of lower precision.
        "EXECUTION_MODE_HINT": "ACCURACY" if precision == "fp32" else "PERFORMANCE",
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": str(_largest_divisor(torch.get_num_threads(), MOST_STREAMS)),
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
        # Threads tied to cores would meet on the same ones where several processes run on a machine.
        "ENABLE_CPU_PINNING": "NO",
    }


def _check_precision(core: Any, precision: str) -> None:
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if _CAPABILITIES[precision] not in able:
        raise BackboneError(f"OpenVINO has no fast {precision} on this processor; it has {', '.join(sorted(able))}")


@torch.no_grad()
def _traced(module: nn.Module, images: torch.Size) -> Any:
    example = torch.zeros(images).contiguous(memory_format=torch.channels_last)
    with warnings.catch_warnings():
        # Warnings that tracing fixes the shape, which is wanted, and that PyTorch favours another tracer.
        warnings.simplefilter("ignore")
        try:
            return torch.jit.trace(module, example, check_trace=False)
        except _ERRORS_OF_CODE as error:
            raise BackboneError(
                f"OpenVINO cannot follow the code of this network: {type(error).__name__}: {first_line(error)}"
            ) from error


def _decoder(traced: Any) -> Any:
    """Make what the converter reads."""
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    return TorchScriptPythonDecoder(traced)


def _converted(openvino: Any, decoder: Any, images: torch.Size) -> Any:
    # The converter is used directly: `openvino.convert_model` reports each call to the package of telemetry.
    converter = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    model = converter.convert(converter.load(decoder))
    model.reshape(openvino.PartialShape(list(images)))
    return model


def _as_batches_come(openvino: Any, model: Any, precision: str) -> Any:
    """Let a model take ``(N, H, W, 3)`` in the type of the precision: the layout in memory that batches have."""
    changed = openvino.preprocess.PrePostProcessor(model)
    changed.input().tensor().set_layout(openvino.Layout("NHWC")).set_element_type(
        getattr(openvino.Type, _TYPES[precision])
    )
    changed.input().model().set_layout(openvino.Layout("NCHW"))
    return changed.build()


def _imported() -> Any:
    """Import OpenVINO without its telemetry.

    Raises
    ------
    BackboneError
        If it is not installed.
    """
    try:
        with _hidden(_TELEMETRY):
            import openvino
            import openvino.frontend
            import openvino.preprocess
    except ImportError as error:
        raise BackboneError(
            f"the implementation openvino needs the package openvino ({first_line(error)}): pip install openvino"
        ) from error
    return openvino


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Make an import of a package fail inside the block.

    `import openvino` sends a message to a server and writes files into the home directory of the user, unless the
    package of telemetry is missing. Then OpenVINO takes a stub of its own, for as long as the process lives.
    """
    before = sys.modules.get(package)
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules[package]
        else:
            sys.modules[package] = before
