"""The structure of the package: what may import what, and how large a file and a package may be."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Set
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import click
import pytest

from cellfeat.commands import COMMANDS
from cellfeat.commands import cellfeat as command_line

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

INNER_FLOORS = {
    "heads": {
        "": 0,
        "preprocessing": 1,
        "linear_models": 2,
        "neural_networks": 2,
        "trees": 2,
        "baselines": 2,
        "scikit_learn": 2,
        "saved": 2,
    },
    "samples": {
        "": 0,
        "formats": 1,
        "column_names": 1,
        "tables": 2,
        "folders": 2,
        "image_file": 2,
        "labels": 3,
        "layouts": 4,
        "fields": 5,
        "single_cells": 5,
        "manifest": 6,
        "reading": 7,
        "intensity": 8,
        "sheets": 9,
    },
    "evaluation": {
        "": 0,
        "relabelling": 1,
        "groups": 1,
        "scores": 1,
        "folds": 2,
        "figures": 2,
        "parallel": 3,
        "task": 3,
        "fold_predictions": 4,
        "results": 4,
        "tuning": 5,
        "cross_validation": 6,
        "scoring": 7,
        "comparison": 8,
        "learning_curves": 8,
        "saved_heads": 8,
    },
    "commands": {
        "output": 0,
        "options": 1,
        "steps": 2,
        "": 3,
    },
}
"""Floors of the rooms of a package, its subpackages; ``""`` are the modules of the package itself."""

ENTRIES = {
    ("heads", "linear_models"): {"logreg"},
    ("heads", "neural_networks"): {"mlp", "linear_relu"},
    ("heads", "trees"): {"boosting"},
    ("heads", "baselines"): {"knn", "dummy"},
    ("heads", "scikit_learn"): {"entries", "given", "restored"},
    ("samples", "tables"): {
        "file",
        "foreign",
        "numpy_headers",
        "header",
        "separators",
        "encoded_images",
    },
    ("samples", "single_cells"): {"layout"},
    ("samples", "manifest"): {"manifest", "build", "class_checks", "value_remarks"},
    ("samples", "reading"): {"images", "worker_pool", "in_order", "file_differences", "cell_places"},
    ("evaluation", "folds"): {"fold", "grouped_folds", "given_folds"},
    ("evaluation", "parallel"): {"choice", "pieces", "schedule", "workers", "ray_cluster"},
    ("evaluation", "tuning"): {"tuner", "search"},
    ("evaluation", "scoring"): {"score", "full_size", "prediction_sets"},
}
"""The only modules of a room that other rooms and packages may import."""

OWNERS = {
    "h5py": {
        "extraction/store/",
        "interop/exports/h5ad_encoding.py",
        "interop/tables/hdf5.py",
        "samples/formats/h5sc.py",
    },
    "onnx": {"interop/exports/"},
    "openvino": {"backbones/rewrites/openvino.py"},
    "pyarrow": {"interop/", "samples/tables/file.py", "samples/tables/encoded_images.py"},
    "filelock": {"extraction/store/lock.py"},
    "joblib": {"evaluation/parallel/"},
    "obstore": {"storage/"},
    "ray": {"ray_connection.py", "extraction/shares/ray/", "evaluation/parallel/ray_cluster.py"},
    "yaml": {"config_files.py"},
    "pydantic": {"config.py", "config_values.py", "config_sources.py", "records.py"},
    "lightgbm": {"heads/trees/boosting.py"},
    "skops": {"heads/scikit_learn/saved.py"},
    "openpyxl": {"samples/tables/excel.py"},
    "timm": {"backbones/timm.py"},
    "matplotlib": {  # outside figures/ types alone
        "evaluation/figures/",
        "figures/",
        "recommending/figure.py",
        "evaluation/results/tables_and_figures.py",
        "evaluation/learning_curves/curves.py",
        "reporting/figure_files.py",
        "reporting/map_figure.py",
        "reporting/sheets.py",
        "saved_results/reading.py",
        "commands/figure.py",
    },
    "openTSNE": {"maps/"},
    "rich": {"reporting/terminal/", "commands/output/"},
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


@cache
def modules() -> dict[str, str]:
    """Source of every module of the package, by its place in it: ``heads/neural_networks/mlp.py``."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def known_modules() -> frozenset[str]:
    return frozenset(map(dotted, modules()))


def dotted(place: str) -> str:
    return f"cellfeat.{place.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


@cache
def import_statements(source: str) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported_names(source: str) -> list[str]:
    names = []
    for node in import_statements(source):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        else:
            names.append(node.module or "." * node.level)
    return names


def imported_modules(source: str, known: Set[str]) -> set[str]:
    """Modules of the package that a source imports, those imported as a name of their package included."""
    found = {name for name in imported_names(source) if name.startswith("cellfeat.")}
    for node in import_statements(source):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & known
    return found


def forbidden_floors(place: str, source: str) -> list[str]:
    """Imports of a module that go to its own floor or a higher one, outside its own package."""
    own = place.split("/")[0].removesuffix(".py")
    if own == "__init__":
        return []
    inner = [name.split(".")[1] for name in imported_names(source) if name.startswith("cellfeat.")]
    return [name for name in inner if name != own and FLOORS[name] >= FLOORS[own]]


def forbidden_rooms(place: str, source: str) -> list[str]:
    """Imports of a module that go to another room of its package, on the floor of its own room or a higher one."""
    package, own = room(dotted(place))
    floors = INNER_FLOORS.get(package, {})
    found = [(name, *room(name)) for name in imported_modules(source, known_modules())]
    return [name for name, of, other in found if of == package and other != own and floors[other] >= floors[own]]


def forbidden_entries(place: str, source: str) -> list[str]:
    """Modules inside rooms, but not among their entries, that a module of another room imports or names in a table."""
    named = imported_modules(source, known_modules()) | set(re.findall(r"(cellfeat[\w.]+):\w+", source))
    found = [(name, room(name)) for name in named & known_modules() if room(name) != room(dotted(place))]
    return [name for name, of in found if of in ENTRIES and name.rpartition(".")[2] not in {of[1], *ENTRIES[of]}]


def forbidden_commands(place: str, source: str) -> list[str]:
    """Other commands that a command imports: what several of them do is a step."""
    own = dotted(place)
    others = imported_modules(source, known_modules()) - {own, "cellfeat.commands"}
    return [name for name in others if room(own) == room(name) == ("commands", "")]


def room(name: str) -> tuple[str, str]:
    """Package and room of a module: ``heads`` and ``trees`` for ``cellfeat.heads.trees.boosting``."""
    _, package, inside, *_ = [*name.split("."), "", ""]
    return package, inside if inside in INNER_FLOORS.get(package, {}) else ""


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


def test_modules_import_only_from_floors_below() -> None:
    assert offences(forbidden_floors) == {}


def test_floors_test_can_fail() -> None:
    assert forbidden_floors("heads/neural_networks/mlp.py", "from cellfeat.extraction.store import Features") == [
        "extraction"
    ]
    assert forbidden_floors("samples/reading/images.py", "import cellfeat.evaluation.task.task") == ["evaluation"]


def test_rooms_import_only_from_floors_below() -> None:
    assert offences(forbidden_rooms) == {}


def test_rooms_test_can_fail() -> None:
    knn = "cellfeat.heads.baselines.knn"
    assert forbidden_rooms("heads/trees/boosting.py", f"import {knn}") == [knn]
    assert forbidden_rooms("heads/preprocessing/moments.py", f"from {knn} import KNNHead") == [knn]
    assert knn in forbidden_rooms("heads/base.py", "from cellfeat.heads.baselines import knn")
    assert forbidden_rooms("heads/baselines/dummy.py", f"import {knn}, cellfeat.heads.base") == []
    assert forbidden_rooms("evaluation/saved_heads/fit.py", f"import {knn}") == []
    images = "cellfeat.samples.reading.images"
    assert forbidden_rooms("samples/manifest/build.py", f"import {images}") == [images]
    assert forbidden_rooms("samples/sheets/windows.py", f"import {images}") == []
    compare = "cellfeat.evaluation.comparison.compare"
    assert forbidden_rooms("evaluation/saved_heads/fit.py", f"import {compare}") == [compare]
    assert forbidden_rooms("evaluation/design.py", f"import {compare}") == [compare]
    assert forbidden_rooms("auditing/leak.py", f"import {compare}") == []


def test_rooms_are_entered_by_their_entries() -> None:
    assert offences(forbidden_entries) == {}


def test_entries_test_can_fail() -> None:
    lbfgs, logreg = "cellfeat.heads.linear_models.lbfgs", "cellfeat.heads.linear_models.logreg"
    assert forbidden_entries("evaluation/saved_heads/fit.py", f"import {lbfgs}, {logreg}") == [lbfgs]
    assert forbidden_entries("evaluation/saved_heads/fit.py", "from cellfeat.heads.linear_models import lbfgs") == [
        lbfgs
    ]
    assert forbidden_entries("heads/registry.py", f'BUILD = "{lbfgs}:lbfgs"') == [lbfgs]
    assert forbidden_entries("heads/linear_models/logreg.py", f"import {lbfgs}") == []


def test_no_command_imports_another() -> None:
    in_commands = {place: source for place, source in modules().items() if place.startswith("commands/")}
    found = {place: forbidden_commands(place, source) for place, source in in_commands.items()}
    assert {place: names for place, names in found.items() if names} == {}


def test_commands_test_can_fail() -> None:
    fit, fitting = "cellfeat.commands.fit", "cellfeat.commands.steps.fitting"
    assert forbidden_commands("commands/run.py", f"import {fit}, {fitting}") == [fit]
    assert forbidden_commands("commands/run.py", "from cellfeat.commands import fit, Terminated") == [fit]
    assert forbidden_rooms("commands/steps/fitting.py", f"import {fit}") == [fit]
    assert forbidden_rooms("commands/options/jobs.py", f"import {fitting}") == [fitting]


def test_modules_of_commands_are_commands() -> None:
    files = {dotted(place) for place in modules() if place.startswith("commands/") and place.count("/") == 1}
    found = [command_line.get_command(click.Context(command_line), name) for name in COMMANDS]
    assert {command.callback.__module__ for command in found} == files - {"cellfeat.commands"}


def test_each_library_has_one_home() -> None:
    assert offences(forbidden_owners) == {}


def test_owners_test_can_fail() -> None:
    assert forbidden_owners("heads/neural_networks/mlp.py", "def f():\n    import h5py.h5f") == ["h5py"]


def forbidden_prints(place: str, source: str) -> list[str]:
    """Ways to print that a module uses although `commands/output/` owns them: there, text of data is made safe."""
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    return [] if place.startswith("commands/output/") else sorted(called & {"click.echo", "click.secho", "print"})


def test_one_package_prints() -> None:
    # The server prints its own faults from other threads.
    assert offences(forbidden_prints) == {"page/serving/server.py": ["print"]}


def test_prints_test_can_fail() -> None:
    assert forbidden_prints("commands/audit.py", "import click\nclick.echo(label)") == ["click.echo"]
    assert forbidden_prints("heads/base.py", "print(label)") == ["print"]


def test_no_handler_catches_everything() -> None:
    assert offences(lambda _place, source: catch_alls(source)) == {}


def import_graph() -> dict[str, set[str]]:
    sources = {dotted(place): source for place, source in modules().items()}
    return {name: imported_modules(source, sources.keys()) - {name} for name, source in sources.items()}


def test_every_imported_module_exists() -> None:
    graph = import_graph()
    assert {name: missing for name, imported in graph.items() if (missing := imported - graph.keys())} == {}


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
        "from cellfeat.commands.options import completion; "
        "completion.complete_heads(None, None, ''), completion.complete_export(None, None, '')"
    ),
    "the tables": "import cellfeat.backbones.registry, cellfeat.heads.registry; list(cellfeat.BACKBONES)",
}


@pytest.mark.parametrize("name", LIGHT)
def test_light_things_load_no_heavy_library(name: str) -> None:
    heavy = set(HEAVY) - ({"numpy"} if name in {"completion", "the tables"} else set())
    assert loaded_after(LIGHT[name]) & heavy == set()


def test_the_light_test_can_fail() -> None:
    assert "numpy" in loaded_after("import cellfeat.samples.reading.images")


def loaded_after(code: str) -> set[str]:
    report = f"{code}\nimport sys; print('loaded:', *(name for name in sys.modules if '.' not in name))"
    ended = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(ended.stdout.rpartition("loaded:")[2].split())
