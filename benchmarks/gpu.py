"""Check and time cellfeat on a GPU, in one command that stops after eight minutes.

    python benchmarks/gpu.py --wheels wheels --output gpu-report      on the machine with the GPU; no network needed
    python benchmarks/gpu.py prepare --wheels wheels --python 3.12    before, with a network: packages it may lack
    python benchmarks/gpu.py --device cpu --quick                     tries every step here, in small

The steps are the tests marked ``gpu``; then, for convnext_base at 224 px and the stages of efficientnet_lite0 at 96 px:
cellfeat in float32, in bfloat16 and by its own choice, beside two loops written by hand (eager with autocast and a
DataLoader; compiled in bfloat16 with uint8 batches in pinned memory), and the forward alone; decoding alone; the heads.
Each step is a process with its own time limit. A step that fails or takes too long is reported, and the next one runs.
After each step the results so far are written, as gpu.json and gpu.md. Steps for which no time is left are skipped: the
limits of all steps add up to more than eight minutes, and how long they take on a GPU has not been measured yet.

Needs torch 2.4 or newer with its torchvision, numpy, scipy, pandas, scikit-learn and matplotlib; the versions need not
be those of the lock. Weights are random: speed does not depend on them.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 470
LEAST_SECONDS = 5
ON_THE_CPU = 4
"""Factor on all limits where the steps are tried on a CPU, perhaps beside other work."""
MOST_MEGABYTES = 60
LINUX_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
WORKLOADS = ("convnext_base 224", "lite0 stages 96")
CONTENDERS = ("ours fp32", "ours bf16", "ours auto", "forward alone", "eager loop", "compiled loop")
TRIED = "**Only tried, with --quick: small networks, small inputs and few samples. No speed below means anything.**"
TABLE = "| what | samples/s | x eager loop | of the forward alone | least cosine | how |"
HEADS_TABLE = "| head | seconds here | seconds on the CPU | score here | on the CPU |"
CARRIED = {
    "click": "click", "filelock": "filelock", "h5py": "h5py", "imagecodecs": "imagecodecs", "joblib": "joblib",
    "lightgbm": "lightgbm", "pydantic": "pydantic", "pydantic-core": "pydantic_core",
    "annotated-types": "annotated_types",
    "typing-inspection": "typing_inspection",
    "typing-extensions": "typing_extensions", "pyyaml": "yaml", "rich": "rich",
    "markdown-it-py": "markdown_it", "mdurl": "mdurl", "pygments": "pygments", "safetensors": "safetensors",
    "simplejpeg": "simplejpeg", "threadpoolctl": "threadpoolctl", "tifffile": "tifffile", "pytest": "pytest",
    "pytest-timeout": "pytest_timeout", "pluggy": "pluggy", "iniconfig": "iniconfig", "packaging": "packaging",
}  # fmt: skip
"""What a machine with PyTorch may lack: packages of the index, by the module that shows whether they are there."""


@dataclass(frozen=True)
class Step:
    """A part of the run: what `benchmarks/gpu_steps.py` is called with, and how long it may take."""

    name: str
    arguments: tuple[str, ...]
    seconds: float


@dataclass
class Run:
    """Where and how steps run, and their results so far."""

    output: Path
    work: Path
    device: str
    quick: bool
    ends: float
    packages: Path | None = None
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, step: Step) -> None:
        """Run a step in a process of its own, and record its result or why there is none."""
        seconds = min(_patience(self.device) * step.seconds, self.ends - time.monotonic())
        if seconds < LEAST_SECONDS:
            self._record(step, {"error": "skipped: no time is left"})
            return
        began = time.perf_counter()
        result = self._outcome(step, seconds)
        self._record(step, {**result, "step_seconds": round(time.perf_counter() - began, 1)})

    def _outcome(self, step: Step, seconds: float) -> dict[str, Any]:
        command = [sys.executable, str(ROOT / "benchmarks" / "gpu_steps.py"), *step.arguments]
        command += ["--device", self.device, "--work", str(self.work), *(["--quick"] if self.quick else [])]
        log = self.work / f"{re.sub('[^a-z0-9]+', '_', step.name.lower())}.log"
        with log.open("w", encoding="utf-8") as file:
            # A session of its own: at the limit its reading processes are ended with it.
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=file, text=True, env=self._environment(), start_new_session=True
            )
            try:
                out, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                _end(process)
                return {"error": f"ended after its limit of {seconds:.0f} s"}
        try:
            return dict(json.loads(out.strip().splitlines()[-1]))
        except (IndexError, ValueError):
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return {"error": f"exit code {process.returncode}: {said[-1][:300] if said else 'no output'}"}

    def _environment(self) -> dict[str, str]:
        # In the environment, so that processes that a step starts find the carried packages too.
        path = [str(ROOT), os.environ.get("PYTHONPATH", ""), str(self.packages or "")]
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}

    def _record(self, step: Step, result: dict[str, Any]) -> None:
        self.results[step.name] = result
        print(f"{step.name}: {result.get('error') or json.dumps(result)}"[:400], flush=True)
        self.output.mkdir(parents=True, exist_ok=True)
        (self.output / "gpu.json").write_text(json.dumps(self.results, indent=1), encoding="utf-8")
        (self.output / "gpu.md").write_text(report(self.results, is_quick=self.quick), encoding="utf-8")


def _patience(device: str) -> int:
    return ON_THE_CPU if device == "cpu" else 1


def _end(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def steps() -> list[Step]:
    """All steps in their order: what must be known first, and what is worth most before the rest."""
    timed = [Step(f"{workload}: {name}", ("time", workload, name), 75) for workload in WORKLOADS for name in CONTENDERS]
    return [
        Step("machine", ("machine",), 60),
        Step("images and weights", ("images",), 60),
        Step("tests marked gpu", ("tests",), 150),
        Step("decoding alone", ("decode",), 40),
        *timed,
        Step("heads", ("heads",), 60),
    ]


def report(results: dict[str, dict[str, Any]], *, is_quick: bool) -> str:
    """The results as Markdown."""
    lines = ["# cellfeat on a GPU", "", *([TRIED, ""] if is_quick else [])]
    for name in ("machine", "images and weights", "tests marked gpu", "decoding alone"):
        if name in results:
            lines += [f"- {name}: {_told(results[name])}"]
    for workload in WORKLOADS:
        lines += ["", f"## {workload}", "", TABLE, "|---|---|---|---|---|---|"]
        base = results.get(f"{workload}: eager loop", {}).get("samples_per_second")
        top = results.get(f"{workload}: forward alone", {}).get("samples_per_second")
        lines += [
            _row(name, results.get(f"{workload}: {name}", {"error": "not run"}), base, top) for name in CONTENDERS
        ]
    lines += ["", "## Heads", "", HEADS_TABLE, "|---|---|---|---|---|"]
    for row in results.get("heads", {}).get("rows", []):
        lines.append("| " + " | ".join(str(value) for value in row) + " |")
    if "error" in results.get("heads", {}):
        lines.append(f"| {results['heads']['error']} | | | | |")
    return "\n".join(lines) + "\n"


def _row(name: str, result: dict[str, Any], base: float | None, top: float | None) -> str:
    rate = result.get("samples_per_second")
    if rate is None:
        return f"| {name} | {result.get('error', 'no rate')} | | | | |"
    ratios = [f"{rate / other:.2f}" if other else "" for other in (base, top)]
    cells = [name, f"{rate:,.1f}", *ratios, str(result.get("min_cosine", "")), str(result.get("how", ""))]
    return f"| {' | '.join(cells)} |"


def _told(result: dict[str, Any]) -> str:
    return str(result.get("error") or ", ".join(f"{key} {value}" for key, value in result.items()))


def prepare(wheels: Path, python: str, machine: str) -> None:
    """Download packages that a machine with PyTorch may lack, and check that they are small enough to be carried."""
    wheels.mkdir(parents=True, exist_ok=True)
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels)]
    options += ["--python-version", python, "--implementation", "cp"]
    options += [part for abi in (f"cp{python.replace('.', '')}", "abi3", "none") for part in ("--abi", abi)]
    options += [part for tag in LINUX_TAGS for part in ("--platform", f"{tag}_{machine}")]
    command = [sys.executable, "-m", "pip", "download", *options]
    for name in CARRIED:
        if subprocess.run([*command, name], check=False).returncode:
            print(f"{name}: no wheel for Python {python} on {machine}; the machine with the GPU must have it itself")
    sizes = {file.name: file.stat().st_size / 1e6 for file in wheels.glob("*.whl")}
    total = sum(sizes.values())
    print(f"{wheels}: {len(sizes)} wheels, {total:.1f} MB")
    if total > MOST_MEGABYTES:
        largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:3]
        raise SystemExit(f"more than {MOST_MEGABYTES} MB; the largest are {', '.join(largest)}")


def install_missing(wheels: Path, folder: Path) -> str:
    """Install carried packages that this Python lacks into a folder; says which."""
    missing = [name for name, module in CARRIED.items() if find_spec(module) is None]
    failed = []
    for name in missing:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        command += ["--find-links", str(wheels)]
        if subprocess.run([*command, "--target", str(folder), name], check=False).returncode:
            failed.append(name)
    return f"missing here: {', '.join(missing) or 'nothing'}" + (
        f"; not carried: {', '.join(failed)}" if failed else ""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["run", "prepare"], default="run")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to try the steps")
    parser.add_argument("--quick", action="store_true", help="small networks and few samples, to try the steps")
    parser.add_argument("--output", type=Path, default=Path("gpu-report"))
    parser.add_argument("--wheels", type=Path, help="folder that `prepare` filled")
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"for all steps together; default {MOST_SECONDS}, and {ON_THE_CPU} times as many with --device cpu",
    )
    parser.add_argument(
        "--python", default=f"{sys.version_info.major}.{sys.version_info.minor}", help="of the other machine"
    )
    parser.add_argument("--machine", default="x86_64", help="its processor, for `prepare`")
    parser.add_argument("--only", default="", help="steps whose name holds this text")
    arguments = parser.parse_args()
    if arguments.what == "prepare":
        prepare(arguments.wheels or Path("wheels"), arguments.python, arguments.machine)
        return
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        seconds = arguments.seconds or MOST_SECONDS * _patience(arguments.device)
        run = Run(arguments.output, work, arguments.device, arguments.quick, time.monotonic() + seconds)
        if arguments.wheels:
            run.packages = work / "packages"
            print(install_missing(arguments.wheels, run.packages))
        for step in steps():
            if arguments.only in step.name or step.name == "images and weights":
                run.run(step)
    print(f"\n{(arguments.output / 'gpu.md').read_text(encoding='utf-8')}\nalso in {arguments.output}/gpu.json")


if __name__ == "__main__":
    main()
