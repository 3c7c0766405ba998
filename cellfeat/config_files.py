"""Values of settings as they are written: in a YAML or JSON file, or as ``KEY=VALUE``. Nothing in them is executed."""

import json
import stat
from pathlib import Path
from typing import Any

import yaml

from cellfeat.errors import ConfigError, MissingFileError

MAX_CONFIG_BYTES = 1_000_000

# ValueError: errors of the JSON parser, and numbers with thousands of digits.
_PARSE_FAULTS = (yaml.YAMLError, ValueError, RecursionError)


def read_mapping(file: Path) -> dict[str, Any]:
    """Read one YAML or JSON file that contains a mapping; nothing in it is executed."""
    text = _read_text(file)
    try:
        value = _load_json(text) if file.suffix == ".json" else _load_yaml(text)
    except _PARSE_FAULTS as error:
        raise ConfigError(f"{file}: not valid {'JSON' if file.suffix == '.json' else 'YAML'}: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: expected a mapping of sections at the top, got {type(value).__name__}")
    return value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``"mlp.hidden=512"`` into a dotted key and a value, which is parsed as YAML.

    A value that is not valid YAML is kept as text, so a file pattern such as ``{sample_id}.png`` needs no quotes.

    Examples
    --------
    >>> parse_assignment("comparison.heads=[mlp, knn]")
    ('comparison.heads', ['mlp', 'knn'])
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"expected KEY=VALUE, got {text!r}; for example: extraction.views=8")
    try:
        return key.strip(), _load_yaml(value)
    except yaml.YAMLError:
        return key.strip(), value
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{key}: cannot be read as a value: {error}") from None


def flow_text(value: Any) -> str:
    """Write a value as YAML in one line, so that `parse_assignment` gives it again.

    Examples
    --------
    >>> flow_text({"percentile": [0.1, 99.9]}), flow_text("1"), flow_text(["blue", 2])
    ('{percentile: [0.1, 99.9]}', "'1'", '[blue, 2]')
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").strip()


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without duplicate keys and without aliases, which can expand a small file to gigabytes."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        # YAML itself would keep the last of equal keys and say nothing.
        if len(mapping) < len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            raise yaml.constructor.ConstructorError(None, None, _defined_twice(keys), node.start_mark)
        return mapping

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        return super().compose_node(parent, index)


def _defined_twice(keys: list[Any]) -> str:
    return f"{next(key for key in keys if keys.count(key) > 1)!r} is defined twice; keep one"


def _load_json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        if len(mapping) < len(pairs):
            raise ValueError(_defined_twice([key for key, _ in pairs]))
        return mapping

    return json.loads(text, object_pairs_hook=unique)


def _load_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_PlainLoader)  # noqa: S506, the loader is a SafeLoader


def _read_text(file: Path) -> str:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{file}: is not a file; expected a YAML or JSON file of settings")
        if found.st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{file}: larger than {MAX_CONFIG_BYTES} bytes; this is not a configuration")
        # Some editors begin a file with a byte order mark.
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"the configuration {file} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text: {error}") from None
