"""Download weights once, read them without executing code, check them, and load them into a network."""

import pickle
import re
import socket
import struct
import sys
import warnings
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from cellfeat.errors import MissingFileError, WeightsError
from cellfeat.provenance import digest_bytes, digest_file
from cellfeat.text import first_line, first_ten

State = Mapping[str, torch.Tensor]

SUFFIXES = {".pth", ".pt", ".bin", ".safetensors"}
SILENCE_SECONDS = 30.0
"""How long a download waits for a silent server; torch itself would wait forever."""
_NAMED_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.")
"""The convention of torch.hub: a file name ends in the first digits of the file's sha256."""
_WRAPPERS = ("module.", "backbone.", "model.", "_orig_mod.")
"""Prefixes that training frameworks add to every name."""
# Errors that torch's reader raises for damaged files, in addition to UnpicklingError.
_PICKLE_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    TypeError, ValueError, struct.error,
)  # fmt: skip
_CODE = re.compile(r"GLOBAL (\S+)")


def state_digest(module: torch.nn.Module) -> str:
    """sha256 over a module's tensors in the order of their names: names, types, shapes and values.

    Device and memory layout do not change it.
    """
    return digest_bytes(*_chunks(module.state_dict()))


def _chunks(state: State) -> Iterator[bytes | memoryview]:
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode()
        # As bytes, because numpy lacks bfloat16; flat, because a tensor without axes cannot be viewed as another type.
        yield tensor.reshape(-1).view(torch.uint8).numpy().data


def is_weights_file(weights: str) -> bool:
    """Whether ``--weights`` is a file rather than the name of published weights."""
    return Path(weights).is_file() or Path(weights).suffix in SUFFIXES


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.safetensors`` file or one that ``torch.save`` wrote; nothing in it is executed.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    WeightsError
        If it is damaged, contains anything but tensors by name, or reading it would run code.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: this weights file does not exist; check --weights")
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: expected a state dict (tensors by name), got {type(state).__name__}")
    others = [key for key, value in state.items() if not (isinstance(key, str) and isinstance(value, torch.Tensor))]
    if others:
        raise WeightsError(
            f"{path}: expected a state dict (tensors by name), got other values under {first_ten(others)}; "
            f"if one of these contains the weights, save that part alone"
        )
    return state


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path}: damaged, or not a safetensors file: {error}") from None


def _read_pickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch also warns its caller about the error that follows
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = _CODE.search(str(error))
        if code is None:
            raise WeightsError(f"{path}: damaged, or not a file that torch.save wrote") from None
        raise WeightsError(
            f"{path}: refused, because reading it would run code in it ({code[1]}). Save the weights alone, "
            f"torch.save(model.state_dict(), FILE), or as safetensors"
        ) from None
    except _PICKLE_FAULTS as error:
        raise WeightsError(f"{path}: damaged, or not a file that torch.save wrote: {first_line(error)}") from None


def check_named_digest(path: Path) -> None:
    """Compare a file's sha256 with the digits in its name, as in ``resnet18-f37072fd.pth``; other names pass.

    Raises
    ------
    WeightsError
        If they differ.
    """
    expected = named_digest(path.name)
    if expected is None:
        return
    got = digest_file(path).removeprefix("sha256:")
    if not got.startswith(expected):
        raise WeightsError(
            f"{path}: damaged, or another file under this name: expected a sha256 that begins with {expected}, "
            f"got {got[: len(expected)]}. Weights of your own need another file name. "
            f"To download it again, move this file elsewhere first"
        )


def named_digest(name: str) -> str | None:
    """First digits of the sha256 in a file's name; ``None`` if it has none.

    Examples
    --------
    >>> named_digest("resnet18-f37072fd.pth")
    'f37072fd'
    """
    found = _NAMED_DIGEST.search(name)
    return found[1] if found else None


def fetch(url: str) -> Path:
    """Download a file into torch's cache, unless it is there, and compare it with the digest in its name.

    Raises
    ------
    WeightsError
        If there is no network, file or disk space, or the file does not match the digest in its name.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.exists():
        _download(url, path)
    check_named_digest(path)
    return path


def _download(url: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _silence_limit(SILENCE_SECONDS):
            torch.hub.download_url_to_file(url, str(path), named_digest(path.name), progress=sys.stderr.isatty())
    except HTTPError as error:
        raise WeightsError(_no_download(url, path, f"the server says {error.code} {error.reason}")) from None
    except (OSError, HTTPException) as error:
        raise WeightsError(_no_download(url, path, first_line(error))) from None
    except RuntimeError as error:  # torch's error for a wrong digest: truncated, or another file
        raise WeightsError(_no_download(url, path, f"the download is damaged: {first_line(error)}")) from None


def _no_download(url: str, path: Path, reason: str) -> str:
    return (
        f"{url}: cannot be downloaded ({reason}). Download it elsewhere and put it into {path.parent} as {path.name} "
        f"(its sha256 begins with {named_digest(path.name)}), or give a file with --weights FILE; "
        f"--backbone efficientnet_lite0 needs no download"
    )


@contextmanager
def _silence_limit(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    # torch's download has no timeout of its own; it uses the default of all sockets.
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def load_state(module: torch.nn.Module, state: State, *, source: str, ignored: Collection[str] = ()) -> None:
    """Load a state dict into a module; the state must contain every tensor of the module.

    Parameters
    ----------
    module
        The network, which is changed in place.
    state
        Tensors by name.
    source
        Where the state was read from, for messages.
    ignored
        Names of parts, such as ``classifier.2``, that the state may contain although the module lacks them.

    Raises
    ------
    WeightsError
        If names are missing or not expected, shapes differ, or a value is not finite.
    """
    prefixes = tuple(f"{part}." for part in ignored)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}
    own = module.state_dict()
    misshapen = {
        name: f"{name}: expected {tuple(own[name].shape)}, got {tuple(tensor.shape)}"
        for name, tensor in kept.items()
        if name in own and own[name].shape != tensor.shape
    }
    # Without tensors of other shapes: `load_state_dict` raises for these, even if it is not strict.
    missing, unexpected = _load_fitting(module, state, [name for name in kept if name not in misshapen])
    problems = {
        "missing": [name for name in missing if name not in misshapen],
        "not expected": unexpected,
        "of another shape": list(misshapen.values()),
    }
    if any(problems.values()):
        listed = "; ".join(f"{len(names)} {what} ({first_ten(names)})" for what, names in problems.items() if names)
        raise WeightsError(f"{source}: these weights do not fit: {listed}{_wrapper_hint(state)}")
    _check_finite(module, source)


def _load_fitting(module: torch.nn.Module, state: State, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Load tensors of the right shapes; return the names that are missing and those that are not expected."""
    fitting = OrderedDict((name, state[name]) for name in names)
    # Versions tell a module how older files named its tensors. Files without them get the root's, which mnasnet needs.
    root = module.state_dict()._metadata[""]  # type: ignore[attr-defined]
    fitting._metadata = {"": root, **getattr(state, "_metadata", {})}  # type: ignore[attr-defined]
    result = module.load_state_dict(fitting, strict=False)
    return result.missing_keys, result.unexpected_keys


def _wrapper_hint(names: Iterable[str]) -> str:
    names = list(names)
    for wrapper in _WRAPPERS:
        if names and all(name.startswith(wrapper) for name in names):
            return f". Every name begins with {wrapper!r}: save the network inside, or remove it from the names"
    return ". Expected a state dict of exactly this network"


def _check_finite(module: torch.nn.Module, source: str) -> None:
    bad = [name for name, tensor in module.state_dict().items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise WeightsError(
            f"{source}: NaN or infinity in {len(bad)} tensors that the embedding needs: {first_ten(bad)}"
        )
