"""The public names: `dir`, type checkers and the table of homes agree, and naming them imports nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import cellfeat

ROOT = Path(__file__).parent.parent


def names_for_type_checkers() -> dict[str, str]:
    """Module by name, of the imports in the ``TYPE_CHECKING`` block."""
    tree = ast.parse((ROOT / "cellfeat" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: str(node.module) for node in imports for alias in node.names}


def test_type_checkers_see_the_public_names() -> None:
    assert names_for_type_checkers() == cellfeat._HOMES


def test_dir_lists_every_public_name() -> None:
    assert set(cellfeat.__all__) <= set(dir(cellfeat))
    assert "__doc__" in dir(cellfeat)


def test_dir_loads_no_heavy_library() -> None:
    code = (
        "import cellfeat, sys; dir(cellfeat); print({'torch', 'sklearn', 'pandas', 'h5py', 'numpy'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "set()"


def test_unknown_public_name_is_an_attribute_error() -> None:
    assert not hasattr(cellfeat, "comapre")
