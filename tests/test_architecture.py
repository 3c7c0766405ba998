"""The structure of the package: what may import what, and how large a file and a package may be."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cellfeat"

FLOORS = {
    "errors": 0,
    "processors": 0,
    "text": 0,
    "html_text": 1,
    "types": 1,
    "device": 1,
    "registry": 1,
    "provenance": 1,
    "ray_connection": 1,
    "config_files": 1,
    "storage": 2,
    "records": 2,
    "config_values": 3,
    "config": 4,
    "config_sources": 5,
    "samples": 5,
    "backbones": 5,
    "statistics": 5,
    "figures": 5,
    "extraction": 6,
    "proposing": 6,
    "heads": 6,
    "thumbnails": 7,
    "maps": 7,
    "near_copies": 7,
    "evaluation": 8,
    "auditing": 9,
    "recommending": 9,
    "saved_results": 10,
    "interop": 11,
    "reporting": 12,
    "doctor": 12,
    "page": 13,
    "commands": 14,
}

OWNERS = {
    "h5py": {
        "extraction/store/",
        "interop/exports/h5ad_encoding.py",
        "interop/tables/hdf5.py",
        "samples/formats/h5sc.py",
    },
    "onnx": {"interop/exports/"},
    "openvino": {"backbones/rewrites/openvino.py"},
    "pyarrow": {"interop/", "samples/table_file.py"},
    "filelock": {"extraction/store/lock.py"},
    "joblib": {"evaluation/parallel/"},
    "obstore": {"storage/"},
    "ray": {"ray_connection.py", "extraction/shares/ray/", "evaluation/parallel/ray_cluster.py"},
    "yaml": {"config_files.py"},
    "pydantic": {"config.py", "config_values.py", "config_sources.py", "records.py"},
    "lightgbm": {"heads/boosting.py"},
    "skops": {"heads/scikit_learn/saved.py"},
    "openpyxl": {"samples/excel_file.py"},
    "timm": {"backbones/timm.py"},
    "matplotlib": {  # outside figures/ types alone
        "evaluation/figures/",
        "figures/",
        "recommending/figure.py",
        "evaluation/showing.py",
        "evaluation/learning_curve.py",
        "reporting/figure_files.py",
        "reporting/map_figure.py",
        "reporting/sheets.py",
        "saved_results/reading.py",
        "commands/figure.py",
    },
    "openTSNE": {"maps/"},
    "rich": {"reporting/terminal/", "commands/"},
    "tifffile": {"samples/formats/"},
    "imagecodecs": {
        "samples/formats/png.py",
        "samples/formats/jpeg.py",
        "samples/synthetic.py",
        "samples/formats/tiff_streams.py",
        "samples/formats/microscopes/czi.py",
    },
    "simplejpeg": {"samples/formats/"},
    "zarr": {"samples/formats/microscopes/zarr.py"},
    "nd2": {"samples/formats/microscopes/nd2.py"},
    "czifile": {"samples/formats/microscopes/czi.py"},
    "liffile": {"samples/formats/microscopes/lif.py"},
    "click": {"commands/"},
}

HEAVY = (
    "torch",
    "torchvision",
    "sklearn",
    "pandas",
    "lightgbm",
    "scipy",
    "h5py",
    "numpy",
    "pydantic",
    "yaml",
    "rich",
    "ray",
    "obstore",
    "joblib",
    "openvino",
)


MOST_LINES = 350
"""Longest file of the package: a longer one holds more than one subject."""

LARGEST_SHARE = 0.15
"""Largest share of the code that one package, without its subpackages, may have."""


def modules() -> dict[str, str]:
    """Source of every module of the package, by its place in it: ``heads/mlp.py``."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def dotted(place: str) -> str:
    return f"cellfeat.{place.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def imported_names(source: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "." * node.level)
    return names


def imported_modules(source: str, known: Collection[str]) -> set[str]:
    """Modules of the package that a source imports, those imported as a name of their package included."""
    found = {name for name in imported_names(source) if name.startswith("cellfeat.")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & set(known)
    return found


def forbidden_floors(place: str, source: str) -> list[str]:
    """Imports of a module that go to its own floor or a higher one, outside its own package."""
    own = place.split("/")[0].removesuffix(".py")
    if own == "__init__":
        return []
    inner = [name.split(".")[1] for name in imported_names(source) if name.startswith("cellfeat.")]
    return [name for name in inner if name != own and FLOORS[name] >= FLOORS[own]]


def forbidden_owners(place: str, source: str) -> list[str]:
    """Libraries that a module imports although another module owns them."""
    tops = {name.split(".")[0] for name in imported_names(source)}
    return [top for top in tops & OWNERS.keys() if not any(place.startswith(home) for home in OWNERS[top])]


def catch_alls(source: str) -> set[str]:
    handlers = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler)]
    caught = {ast.unparse(handler.type) if handler.type else "everything" for handler in handlers}
    return caught & {"everything", "Exception"}


def offences(check: Callable[[str, str], Collection[str]]) -> dict[str, Collection[str]]:
    """What a check finds in each module, where it finds anything."""
    found = {place: check(place, source) for place, source in modules().items()}
    return {place: names for place, names in found.items() if names}


@pytest.mark.slow
def test_modules_import_only_from_floors_below() -> None:
    assert offences(forbidden_floors) == {}


def test_floors_test_can_fail() -> None:
    assert forbidden_floors("heads/mlp.py", "from cellfeat.extraction.store import Features") == ["extraction"]
    assert forbidden_floors("samples/images.py", "import cellfeat.evaluation.task") == ["evaluation"]


@pytest.mark.slow
def test_each_library_has_one_home() -> None:
    assert offences(forbidden_owners) == {}


def test_owners_test_can_fail() -> None:
    assert forbidden_owners("heads/mlp.py", "def f():\n    import h5py.h5f") == ["h5py"]


@pytest.mark.slow
def test_no_handler_catches_everything() -> None:
    assert offences(lambda _place, source: catch_alls(source)) == {}


def import_graph() -> dict[str, set[str]]:
    sources = {dotted(place): source for place, source in modules().items()}
    return {name: imported_modules(source, sources) - {name} for name, source in sources.items()}


@pytest.mark.slow
def test_every_imported_module_exists() -> None:
    graph = import_graph()
    assert {name: missing for name, imported in graph.items() if (missing := imported - graph.keys())} == {}


@pytest.mark.slow
def test_no_modules_import_each_other_in_a_circle() -> None:
    list(TopologicalSorter(import_graph()).static_order())


def test_no_module_is_too_long() -> None:
    lengths = {place: source.count("\n") for place, source in modules().items()}
    assert {place: length for place, length in lengths.items() if length > MOST_LINES} == {}


def test_no_package_is_too_large() -> None:
    lines: Counter[str] = Counter()
    for place, source in modules().items():
        lines[place.rpartition("/")[0]] += source.count("\n")
    limit = LARGEST_SHARE * lines.total()
    assert {package: size for package, size in lines.items() if size > limit} == {}


LIGHT = {
    "import cellfeat": "import cellfeat",
    "cellfeat --help": "from cellfeat.commands import exit_code; exit_code(['--help'])",
    "cellfeat extract --help": "from cellfeat.commands import exit_code; exit_code(['extract', '--help'])",
    "completion": (
        "from cellfeat.commands import completion; "
        "completion.complete_heads(None, None, ''), completion.complete_export(None, None, '')"
    ),
    "the tables": "import cellfeat.backbones.registry, cellfeat.heads.registry; list(cellfeat.BACKBONES)",
}


@pytest.mark.parametrize("name", LIGHT)
def test_light_things_load_no_heavy_library(name: str) -> None:
    heavy = set(HEAVY) - ({"numpy"} if name in {"completion", "the tables"} else set())
    assert loaded_after(LIGHT[name]) & heavy == set()


def test_the_light_test_can_fail() -> None:
    assert "numpy" in loaded_after("import cellfeat.samples.images")


def loaded_after(code: str) -> set[str]:
    report = f"{code}\nimport sys; print('loaded:', *(name for name in sys.modules if '.' not in name))"
    ended = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ended.stdout.rpartition("loaded:")[2].split())
