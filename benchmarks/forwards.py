"""Time the forward alone: plain PyTorch, cellfeat's implementations, OpenVINO and ONNX Runtime used by hand.

All of them take the same batch in turn, round after round, in one process with one number of threads, so that other
load on the machine meets each alike. Weights are random unless the network's package brings them; the speed does not
depend on them. Prints the median of forwards a second, the range that holds half of the rounds, the ratio to plain
PyTorch, and the largest difference from it, relative to the largest number.

    python benchmarks/forwards.py --network efficientnet_lite0 --pool stages --input-size 96
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cellfeat.backbones.base import LoadedBackbone, Pool
from cellfeat.backbones.registry import find_backbone, load_entry
from cellfeat.errors import BackboneError
from cellfeat.extraction.forward.implementations import DTYPES, ComputeMethod, Target, build_module, methods_for
from cellfeat.text import first_line

CPU = torch.device("cpu")
Forward = Callable[[torch.Tensor], torch.Tensor]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="efficientnet_lite0", help="a name of `cellfeat list backbones`")
    parser.add_argument("--pool", default="stages", choices=["norm", "stages"])
    parser.add_argument("--input-size", type=int, default=96, help="side of the input in pixels")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "int8"])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9, help="times that each has its turn")
    parser.add_argument("--forwards", type=int, default=3, help="timed forwards of a turn")
    parser.add_argument("--leave-out", nargs="*", default=[], help="contenders to leave out, such as compiled")
    return parser.parse_args()


def load(name: str, pool: Pool, input_size: int) -> LoadedBackbone:
    """Load a network with weights for which each of its layers matters."""
    entry = find_backbone(name)
    own = "default" if name == "efficientnet_lite0" else None
    torch.manual_seed(0)
    loaded = load_entry(entry, weights=own, pool=pool, input_size=input_size)
    if own is None:
        generator = torch.Generator().manual_seed(1)
        for key, tensor in loaded.module.state_dict().items():
            # A new ConvNeXt starts with factors of 1e-6, which hide the numbers of its blocks.
            if key.endswith(("layer_scale", "gamma")):
                tensor.copy_(0.1 + 0.9 * torch.rand(tensor.shape, generator=generator))
    return loaded


def by_hand_openvino(module: torch.nn.Module, images: torch.Tensor, precision: str) -> Forward:
    if precision == "int8":
        raise BackboneError("OpenVINO needs NNCF and images to calibrate for int8")
    from cellfeat.backbones.rewrites.openvino import _imported

    openvino = _imported()  # without its telemetry
    model = openvino.convert_model(module, example_input=images, input=[list(images.shape)])
    hints = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.compile_model(model, "CPU", {**hints, "INFERENCE_NUM_THREADS": torch.get_num_threads()})
    return lambda batch: torch.from_numpy(compiled(batch.numpy(), share_inputs=True)[0])


def by_hand_onnxruntime(module: torch.nn.Module, images: torch.Tensor, precision: str) -> Forward:
    if precision != "fp32":
        raise BackboneError(f"ONNX Runtime has no {precision} on the CPU")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # Its threads would otherwise keep the processor busy for a while after each forward, and slow the next contender.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        torch.onnx.export(module, (images,), path, dynamo=False, input_names=["images"], opset_version=17)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: torch.from_numpy(session.run(None, {"images": batch.numpy()})[0])


def of_cellfeat(loaded: LoadedBackbone, method: ComputeMethod, shape: torch.Size) -> Forward:
    module, dtype = build_module(loaded, method, Target(CPU, shape)), DTYPES[method.precision]
    return lambda batch: module(batch.to(dtype))


def contenders(
    loaded: LoadedBackbone, images: torch.Tensor, args: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], Forward]]]:
    """Each contender: its name, and what builds it."""
    yield "plain PyTorch, fp32", partial(of_cellfeat, loaded, ComputeMethod("fp32", "plain"), images.shape)
    for method in methods_for(loaded, CPU, [args.precision]):
        if str(method) != "fp32 plain":
            yield f"cellfeat {method}", partial(of_cellfeat, loaded, method, images.shape)
    nchw = images.contiguous()
    for name, build in (("OpenVINO", by_hand_openvino), ("ONNX Runtime", by_hand_onnxruntime)):
        yield f"{name} by hand, {args.precision}", partial(build, loaded.module, nchw, args.precision)


def main() -> None:
    args = parse()
    warnings.simplefilter("ignore")
    shape = (args.batch_size, 3, args.input_size, args.input_size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(2)).contiguous(memory_format=torch.channels_last)
    loaded = load(args.network, args.pool, args.input_size)
    built: dict[str, tuple[Forward, torch.Tensor]] = {}
    expected: torch.Tensor | None = None
    print(f"{args.network}, pool {args.pool}, {args.input_size} px, batch {args.batch_size}, "
          f"{torch.get_num_threads()} threads, torch {torch.__version__}")  # fmt: skip
    with torch.inference_mode():
        for name, build in contenders(loaded, images, args):
            if any(word in name for word in args.leave_out):
                continue
            began = time.perf_counter()
            try:
                forward = build()
                batch = images.contiguous() if "by hand" in name else images
                embedded = forward(batch)
            except (BackboneError, RuntimeError) as error:
                print(f"{name}: {first_line(error)}")
                continue
            built[name] = forward, batch
            if expected is None:
                expected = embedded.double()
            difference = float((embedded.double() - expected).abs().max() / expected.abs().max())
            print(f"{name}: ready after {time.perf_counter() - began:.1f} s, largest difference {difference:.1e}")
        times = {name: list[float]() for name in built}
        for _ in range(args.rounds):
            for name, (forward, batch) in built.items():
                forward(batch)  # threads of the one before come to rest
                began = time.perf_counter()
                for _ in range(args.forwards):
                    forward(batch)
                times[name].append((time.perf_counter() - began) / args.forwards)
    rates = {name: args.batch_size / np.array(own) for name, own in times.items()}
    plain = rates.get("plain PyTorch, fp32", next(iter(rates.values())))
    print("\n| | forwards/s, median (half of the rounds) | to plain |\n|---|---|---|")
    for name, own in rates.items():
        low, high = np.quantile(own, [0.25, 0.75])
        print(f"| {name} | {np.median(own):.1f} ({low:.1f} to {high:.1f}) | {np.median(own / plain):.2f} |")


if __name__ == "__main__":
    main()
