"""Files of fields whose names count from 0 what the fields count from 1: each would be taken for its neighbour."""

from collections.abc import Callable, Mapping, Sequence

from cellfeat.errors import ManifestError
from cellfeat.samples.fields.names import NamePattern


def check_numbered_files(
    pattern: NamePattern, fields: Sequence[Mapping[str, str]], exists: Callable[[str], bool]
) -> None:
    """Refuse files of fields whose names count from 0 what the fields count from 1, or the reverse.

    Parameters
    ----------
    pattern
        The names of the files, one for each field.
    fields
        The values of each field; some of them have no file.
    exists
        Whether there is a file of this name.

    Raises
    ------
    ManifestError
        If every field has a file when its numbers are moved by 1.
    """
    for name in pattern.names:
        numbers = [values.get(name, "") for values in fields]
        if not all(number.isascii() and number.isdecimal() for number in numbers):
            continue
        first = min(map(int, numbers))
        moved = [_filled_with(pattern, values, name, 1 - 2 * first) for values in fields]
        if first in (0, 1) and all(one is not None and exists(one) for one in moved):
            raise ManifestError(
                f"{pattern.setting}: the files {pattern.text} count {{{name}}} from {1 - first}, and the fields from "
                f"{first}, so that a file would be taken for its neighbour: rename the files, such as {moved[0]} of "
                f"field {fields[0].get('field', '')}"
            )


def _filled_with(pattern: NamePattern, values: Mapping[str, str], name: str, shift: int) -> str | None:
    """The name of the file if one number is moved, with as many digits as it had."""
    moved = str(int(values[name]) + shift).zfill(len(values[name]))
    return pattern.filled({**values, name: moved})
