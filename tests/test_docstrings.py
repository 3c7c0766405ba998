"""Docstrings of the public API: every parameter is described, and every array has its shape."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cellfeat"
ARRAYS = re.compile(r"\b(NDArray|ndarray|Bools|Floats|Float32s|Integers|Strings|ArrayLike)\b")
SHAPE = re.compile(r"\bshape\b|``\(n|\bscalar\b")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(path: Path) -> Iterator[tuple[str, FunctionNode]]:
    """Functions and methods that a user of the package may call, by their dotted names."""

    def walk(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, FunctionNode]]:
        for child in node.body:
            if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, FunctionNode) and not child.name.startswith("_"):
                yield f"{prefix}{child.name}", child

    yield from walk(ast.parse(path.read_text()), "")


def parameters(function: FunctionNode) -> list[ast.arg]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument for argument in named if argument.arg not in ("self", "cls")]


def is_command(function: FunctionNode) -> bool:
    """Whether click calls it: its parameters are described by their options."""
    return any("click." in ast.unparse(decorator) for decorator in function.decorator_list)


def does_nothing(function: FunctionNode) -> bool:
    """Whether its body is a docstring alone, or an ellipsis: a hook that may be left out, or a protocol."""
    rest = function.body[1:] if ast.get_docstring(function) else function.body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in rest)


def described(docstring: str, section: str) -> str:
    """The text of a section, "" where it is absent."""
    found = re.search(rf"^ *{section}\n *-+\n(.*?)(?=^ *\w[\w ]*\n *-{{3,}}|\Z)", docstring, re.M | re.S)
    return found[1] if found else ""


def entry(section: str, name: str) -> str:
    """What a Parameters section says of one parameter; several may share an entry: ``low, high``."""
    blocks = re.split(r"^(?=\S)", re.sub(r"^ {4}", "", section, flags=re.M), flags=re.M)
    heads = ((block.partition("\n")[0], block) for block in blocks)
    return next((block for head, block in heads if name in re.split(r"[,\s*:]+", head)), "")


def undescribed(function: FunctionNode) -> list[str]:
    """Parameters that the docstring leaves out, where there are two or more."""
    asked = parameters(function)
    if len(asked) < 2 or is_command(function) or does_nothing(function):
        return []
    section = described(ast.get_docstring(function) or "", "Parameters")
    section = "\n".join(f"    {line}" for line in section.split("\n"))
    return [argument.arg for argument in asked if not entry(section, argument.arg)]


def without_shape(function: FunctionNode) -> list[str]:
    """Arrays among parameters and results whose shape the docstring does not tell."""
    docstring = ast.get_docstring(function) or ""
    arrays = [argument.arg for argument in parameters(function) if argument.annotation is not None
              and ARRAYS.search(ast.unparse(argument.annotation))]  # fmt: skip
    if function.returns is not None and ARRAYS.search(ast.unparse(function.returns)):
        arrays.append("the result")
    # "As for `other`" refers to a docstring that tells the shape.
    n_told = len(SHAPE.findall(docstring)) + len(re.findall(r"\b[Aa]s (?:for|in) `", docstring))
    return arrays if n_told < min(len(arrays), 1) else []


def findings(check: Callable[[FunctionNode], list[str]]) -> dict[str, list[str]]:
    """What a check finds in each public function, where it finds anything."""
    return {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}": missing
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, function in public_functions(path)
        if (missing := check(function))
    }


def test_every_parameter_of_a_public_function_is_described() -> None:
    assert findings(undescribed) == {}


def test_every_array_of_a_public_function_has_its_shape() -> None:
    assert findings(without_shape) == {}


def test_docstring_tests_can_fail() -> None:
    source = """
def f(x: int, y: Floats) -> int:
    '''Do it.

    Parameters
    ----------
    x
        A number.
    '''
    return x
"""
    (function,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    assert undescribed(function) == ["y"]
    assert without_shape(function) == ["y"]
