"""Tables of entries by name: the base of `BACKBONES` and `HEADS`.

Entries contain only strings and numbers, so listing a table does not import torch, scikit-learn or lightgbm. The class
or function of an entry is given as ``"module:attribute"`` and imported when it is needed.
"""

import logging
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from cellfeat.errors import CellfeatError, DuplicateNameError, MissingExtraError, UnknownNameError
from cellfeat.text import near_names

_LOG = logging.getLogger(__name__)
_ERRORS_OF_IMPORT = (ImportError, AttributeError, OSError, RuntimeError, TypeError, ValueError)
"""What packages raise while they are imported: a missing module or library, or another version of one."""


class Named(Protocol):
    """An entry of a table."""

    @property
    def name(self) -> str:
        """The key of the entry."""
        ...


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry]):
    """Entries by name, in the order in which they were added.

    Parameters
    ----------
    kind
        What an entry is, for messages, such as ``"head"``.
    group
        Entry-point group of installed packages that add entries; each entry point is one entry.
    """

    def __init__(self, kind: str, group: str) -> None:
        self._kind = kind
        self._group = group
        self._entries: dict[str, Entry] = {}
        self._families: dict[str, str] = {}
        self._plugins_loaded = False
        self._left_out: list[str] = []

    def add(self, entry: Entry) -> Entry:
        """Add an entry and return it.

        Raises
        ------
        DuplicateNameError
            If an entry of this name exists already.
        """
        if entry.name in self._entries:
            raise DuplicateNameError(
                f"a {self._kind} named {entry.name!r} exists already; give the new one another name"
            )
        self._entries[entry.name] = entry
        return entry

    def add_family(self, prefix: str, resolve: str) -> None:
        """Resolve all names of a prefix by a function; such names are not listed.

        Parameters
        ----------
        prefix
            Beginning of the names, such as ``"sklearn:"``.
        resolve
            Function that makes the entry of the rest of a name, as ``"module:function"``; it raises
            `UnknownNameError` for a name that does not exist.
        """
        self._families[prefix] = resolve

    def __getitem__(self, name: str) -> Entry:
        self._load_plugins()
        for prefix, resolve in self._families.items():
            if isinstance(name, str) and name.startswith(prefix):
                entry: Entry = import_attribute(resolve)(name.removeprefix(prefix))
                return entry
        try:
            return self._entries[name]
        except KeyError:
            told = "; ".join([f"no {self._kind} is named {name!r}", self._advice(name), *self._left_out])
            raise UnknownNameError(told) from None

    def __repr__(self) -> str:
        names = [*self, *(f"{prefix}NAME" for prefix in self._families)]
        return f"<Registry of {len(self)} entries ({self._kind}): {', '.join(names)}>"

    def _advice(self, name: Any) -> str:
        """Names that may be meant. A class of another library is written with a capital: ``SVC``."""
        advice = near_names(str(name), [*self._entries, *(f"{prefix}NAME" for prefix in self._families)])
        # Not looked up: that would import the library, which takes seconds. The next message says what it lacks.
        classes = [f"{prefix}{name}" for prefix in self._families if isinstance(name, str) and name[:1].isupper()]
        is_near = advice.startswith("did you mean")
        return advice if is_near or not classes else f"did you mean {' or '.join(map(repr, classes))}? {advice}"

    def __contains__(self, name: object) -> bool:
        # Mapping.__contains__ expects a KeyError, which `__getitem__` does not raise.
        self._load_plugins()
        if isinstance(name, str) and name.startswith(tuple(self._families)):
            try:
                self[name]
            except CellfeatError:
                return False
            return True
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load_plugins()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load_plugins()
        return len(self._entries)

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        # Set first: a plugin that looks into the table while it is imported would otherwise start over.
        self._plugins_loaded = True
        for plugin in entry_points(group=self._group):
            try:
                self.add(plugin.load())
            except (*_ERRORS_OF_IMPORT, DuplicateNameError) as error:
                reason = f"{self._kind} {plugin.name!r} of {plugin.value} is left out: {type(error).__name__}: {error}"
                self._left_out.append(reason)
                _LOG.warning("%s", reason)


def import_attribute(path: str, extra: str | None = None) -> Any:
    """Import a class or function.

    Parameters
    ----------
    path
        ``"package.module:attribute"``.
    extra
        The extra of cellfeat that installs the package, if there is one.

    Raises
    ------
    MissingExtraError
        If the import fails and there is an extra.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        if extra is None:
            raise
        raise MissingExtraError(
            f"{error.name or module} is not installed; install it with: pip install 'cellfeat[{extra}]'"
        ) from error
