"""The floors and the owners: what may import what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cellfeat"

FLOORS = {
    "errors": 0,
    "text": 0,
    "types": 1,
    "registry": 1,
    "provenance": 1,
    "records": 2,
    "config": 2,
    "samples": 3,
    "backbones": 3,
    "statistics": 3,
    "extraction": 4,
    "heads": 4,
    "near_copies": 5,
    "evaluation": 6,
    "audit": 7,
    "reporting": 8,
    "commands": 9,
}

OWNERS = {
    "h5py": {"extraction/store/"},
    "filelock": {"extraction/store/lock.py"},
    "yaml": {"config.py"},
    "pydantic": {"config.py", "records.py"},
    "lightgbm": {"heads/boosting.py"},
    "timm": {"backbones/timm.py"},
    "matplotlib": {"reporting/figures.py"},
    "rich": {"reporting/terminal.py", "commands/"},
    "tifffile": {"samples/decoding.py"},
    "imagecodecs": {"samples/decoding.py", "samples/synthetic.py"},
    "simplejpeg": {"samples/decoding.py"},
    "click": {"commands/"},
}

HEAVY = ("torch", "torchvision", "sklearn", "pandas", "lightgbm", "scipy", "h5py", "numpy", "pydantic", "yaml", "rich")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_names(source: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "." * node.level)
    return names


def forbidden_floors(place: str, source: str) -> list[str]:
    """Imports of `source`, standing at `place` inside the package, that go up or sideways."""
    own = place.split("/")[0].removesuffix(".py")
    if own == "__init__":
        return []
    floor = FLOORS[own]
    inner = [name.split(".")[1] for name in imported_names(source) if name.startswith("cellfeat.")]
    return [name for name in inner if name != own and FLOORS[name] >= floor]


def forbidden_owners(place: str, source: str) -> list[str]:
    tops = {name.split(".")[0] for name in imported_names(source)}
    return [top for top in tops & OWNERS.keys() if not any(place.startswith(home) for home in OWNERS[top])]


def place_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", modules(), ids=place_of)
def test_a_module_imports_only_from_floors_below(path: Path) -> None:
    assert forbidden_floors(place_of(path), path.read_text()) == []


@pytest.mark.parametrize("path", modules(), ids=place_of)
def test_each_library_has_one_home(path: Path) -> None:
    assert forbidden_owners(place_of(path), path.read_text()) == []


def test_the_floors_test_can_fail() -> None:
    assert forbidden_floors("heads/mlp.py", "from cellfeat.extraction.store import Features") == ["extraction"]
    assert forbidden_floors("samples/images.py", "import cellfeat.evaluation.task") == ["evaluation"]


def test_the_owners_test_can_fail() -> None:
    assert forbidden_owners("heads/mlp.py", "def f():\n    import h5py.h5f") == ["h5py"]


@pytest.mark.parametrize("path", modules(), ids=place_of)
def test_nothing_catches_everything(path: Path) -> None:
    handlers = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler)]
    caught = {ast.unparse(handler.type) if handler.type else "everything" for handler in handlers}
    assert not caught & {"everything", "Exception"}


LIGHT = {
    "import cellfeat": "import cellfeat",
    "cellfeat --help": "from cellfeat.commands import exit_code; exit_code(['--help'])",
    "cellfeat extract --help": "from cellfeat.commands import exit_code; exit_code(['extract', '--help'])",
    "the tables": "import cellfeat.backbones.registry, cellfeat.heads.registry; list(cellfeat.BACKBONES)",
}


@pytest.mark.parametrize("name", LIGHT)
def test_light_things_load_no_heavy_library(name: str) -> None:
    heavy = set(HEAVY) - ({"numpy"} if name == "the tables" else set())
    assert loaded_after(LIGHT[name]) & heavy == set()


def test_the_light_test_can_fail() -> None:
    assert "numpy" in loaded_after("import cellfeat.samples.images")


def loaded_after(code: str) -> set[str]:
    report = f"{code}\nimport sys; print('loaded:', *(name for name in sys.modules if '.' not in name))"
    ended = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ended.stdout.rpartition("loaded:")[2].split())
