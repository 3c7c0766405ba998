"""Whether an output has parts, and their removal once the feature file is finished."""

from cellfeat.extraction.store.format import parts_folder
from cellfeat.extraction.store.header import RECORD
from cellfeat.extraction.store.part_file import PARTS
from cellfeat.storage.opening import open_storage
from cellfeat.storage.url import Location


def remove_parts(output: Location) -> None:
    """Remove the parts of a run whose file is finished; the next call completes a removal that was killed."""
    parts = open_storage(parts_folder(output))
    # The header is removed last: while it is there, the rest cannot be mistaken for somebody else's folder.
    parts.remove_all(PARTS)
    is_ours = parts.read(RECORD) is not None
    for name, _ in list(parts.sizes()) if is_ours else ():
        if name != RECORD:
            parts.remove(name)
    if is_ours or not any(parts.sizes()):
        parts.remove_all()


def has_parts(output: Location) -> bool:
    """Whether an unfinished run of `output` has finished parts, damaged or not."""
    return any(open_storage(parts_folder(output)).sizes(PARTS))
