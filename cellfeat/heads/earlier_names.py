"""Modules of heads under their names of version 0.1, for scripts and pickled heads that name them so.

``import cellfeat.heads.logreg`` gives `cellfeat.heads.linear_models.logreg`, the module itself and no copy of it:
a class that a pickle names is then the class that heads are made of.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    **dict.fromkeys(["lbfgs", "logreg", "softmax_regression", "threads"], "linear_models"),
    **dict.fromkeys(["linear_relu", "mlp", "training"], "neural_networks"),
    **dict.fromkeys(["boosting"], "trees"),
    **dict.fromkeys(["dummy", "knn"], "baselines"),
    **dict.fromkeys(["group_standards", "moments", "scaling", "transforms"], "preprocessing"),
    **dict.fromkeys(["bundle", "bundle_files", "neighbourhood", "samples_summary", "training_digests"], "saved"),
}
"""The package that each module is in now."""

PREFIX = "cellfeat.heads."


class EarlierNames(MetaPathFinder, Loader):
    """Finds the modules in `MOVED`; Python asks it after its own finders, so that it costs nothing elsewhere."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Give a specification for a name in `MOVED`, and None for any other.

        Parameters
        ----------
        fullname
            Dotted name of a module.
        path, target
            As Python's import passes them; they change nothing.
        """
        is_moved = fullname.startswith(PREFIX) and fullname.removeprefix(PREFIX) in MOVED
        return ModuleSpec(fullname, self) if is_moved else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today in place of an empty `module`."""
        name = module.__name__.removeprefix(PREFIX)
        # Python hands on what stands here after the import.
        sys.modules[module.__name__] = import_module(f"{PREFIX}{MOVED[name]}.{name}")


def find_earlier_names() -> None:
    """Add the finder to those that Python asks, once."""
    if not any(isinstance(finder, EarlierNames) for finder in sys.meta_path):
        sys.meta_path.append(EarlierNames())
