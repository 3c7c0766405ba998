"""A named table of what exists: the base of `BACKBONES` and `HEADS`.

An entry is light (strings and numbers): listing a table imports no torch, scikit-learn or lightgbm.
What an entry builds stands as ``"module:attribute"`` and is imported when it is built.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from cellfeat.errors import DuplicateNameError, MissingExtraError, UnknownNameError
from cellfeat.text import near_names


class Named(Protocol):
    """Anything that has a name to be found by."""

    @property
    def name(self) -> str:
        """What the entry is found by."""
        ...


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry]):
    """Entries by name, in the order they were added.

    Parameters
    ----------
    kind
        What an entry is, for messages: ``"head"``.
    group
        Entry-point group through which installed packages add entries: each entry point loads to one entry.
    """

    def __init__(self, kind: str, group: str) -> None:
        self._kind = kind
        self._group = group
        self._entries: dict[str, Entry] = {}
        self._plugins_loaded = False

    def add(self, entry: Entry) -> Entry:
        """Add `entry`; a name that is taken raises `DuplicateNameError`."""
        if entry.name in self._entries:
            raise DuplicateNameError(
                f"a {self._kind} named {entry.name!r} exists already; give the new one another name"
            )
        self._entries[entry.name] = entry
        return entry

    def __getitem__(self, name: str) -> Entry:
        self._load_plugins()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(f"no {self._kind} is named {name!r}; {near_names(name, self._entries)}") from None

    def __contains__(self, name: object) -> bool:
        # Mapping's own looks for a KeyError, which an unknown name here does not raise.
        self._load_plugins()
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
        self._plugins_loaded = True
        for plugin in entry_points(group=self._group):
            self.add(plugin.load())


def import_attribute(path: str, extra: str | None = None) -> Any:
    """Import ``"package.module:attribute"``.

    Raises
    ------
    MissingExtraError
        If the import fails and `extra` says which extra of cellfeat brings the package.
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
