"""The fields: by a table that lists them, by the names of files, or each image file."""

from cellfeat.errors import ManifestError
from cellfeat.samples.fields.field import FieldOfView
from cellfeat.samples.fields.listing import Rows, listed_fields
from cellfeat.samples.fields.mask_files import is_mask_name
from cellfeat.samples.fields.names import NamePattern, fields_of_files, fields_of_names
from cellfeat.samples.fields.sources import Sources
from cellfeat.samples.fields.tables import file_columns_of
from cellfeat.samples.folders.file_kinds import FileKinds
from cellfeat.samples.folders.local import LocalFolder
from cellfeat.samples.labels.table import file_columns
from cellfeat.samples.layouts.search import natural_key
from cellfeat.text import first_ten


def find_fields(sources: Sources) -> tuple[list[FieldOfView], list[str]]:
    """Find the fields, in the order of their ids, and remarks about them.

    Raises
    ------
    ManifestError
        If there is none, or files of one are missing.
    """
    fields, remarks = _found(sources)
    if not fields:
        raise ManifestError(_none(sources))
    return sorted(fields, key=lambda one: natural_key(one.name)), [*sources.remarks, *remarks]


def _found(sources: Sources) -> tuple[list[FieldOfView], list[str]]:
    if sources.fields is not None:
        return _listed(sources, sources.fields, is_one_a_row=True)
    if sources.pattern is not None:
        return _by_pattern(sources, sources.pattern)
    if isinstance(sources.positions, Rows):
        # Without other advice, the table of positions says which files a field has.
        found = _listed(sources, sources.positions, is_one_a_row=False)
        if found[0]:
            return found
    if sources.table is not None:
        found = _listed(sources, sources.table, is_one_a_row=False)
        if found[0]:
            return found
    kinds = FileKinds(LocalFolder(sources.images.local_root))
    names = [name for name in _outside_masks(sources) if kinds.is_image(name) and not is_mask_name(name)]
    return fields_of_files(names), []


def _listed(sources: Sources, rows: Rows, *, is_one_a_row: bool) -> tuple[list[FieldOfView], list[str]]:
    columns = file_columns_of(rows.columns, sources.images.channels, file_columns(sources.labels), str(rows.file))
    if columns is None:
        if not is_one_a_row:
            return [], []
        raise ManifestError(
            f"{rows.file}: has no columns of file names, such as FileName_Orig{sources.images.channels[0]} for each "
            f"channel, or FileName; name them with --set 'labels.files=[COLUMN, …]'; columns: {first_ten(rows.columns)}"
        )
    return listed_fields(rows, columns, sources.finder, sources.images, is_one_a_row=is_one_a_row)


def _by_pattern(sources: Sources, pattern: NamePattern) -> tuple[list[FieldOfView], list[str]]:
    fields, incomplete = fields_of_names(pattern, _without_masks(sources, pattern))
    if not incomplete or not fields:
        return fields, []
    if sources.labels.unmatched == "error":
        raise ManifestError(
            f"{len(incomplete)} fields lack files of channels: {first_ten(incomplete)}; copy them, or leave the fields "
            "out with --set labels.unmatched=ignore"
        )
    return fields, [f"left out: {len(incomplete)} fields that lack files: {first_ten(incomplete)}"]


def _without_masks(sources: Sources, pattern: NamePattern) -> list[str]:
    """Names that fit the pattern and are no label image of another file that does."""
    names = [name for name in _outside_masks(sources) if pattern.values(name) is not None]
    settings = sources.images.fields
    if settings.masks_root is not None or not sources.needs_masks:
        return names
    if settings.masks is None:
        return [name for name in names if not is_mask_name(name)]
    masks = NamePattern(settings.masks, "images.fields.masks", pattern.channels)
    known = {pattern.filled(values) for name in names if (values := masks.values(name))}
    of_masks = {name for name in names if (values := masks.values(name)) and pattern.filled(values) in names}
    return [name for name in names if name not in of_masks] if known else names


def _outside_masks(sources: Sources) -> list[str]:
    """Names that are not in the folder of label images, where it lies inside the folder of images."""
    masks, root = sources.images.fields.masks_root, sources.images.local_root.resolve()
    if masks is None or not masks.resolve().is_relative_to(root) or masks.resolve() == root:
        return list(sources.names)
    folder = f"{masks.resolve().relative_to(root).as_posix()}/"
    return [name for name in sources.names if not name.startswith(folder)]


def _none(sources: Sources) -> str:
    root = sources.images.local_root
    kinds = FileKinds(LocalFolder(root))
    names = [name for name in sources.names if kinds.is_image(name)]
    if not names:
        return (
            f"{root}: contains no PNG, JPEG, TIFF or BMP files: name the right folder with --images FOLDER "
            "(images.root)"
        )
    if sources.pattern is None:
        return (
            f"{root}: every image is called like a label image: {first_ten(names)}; say how the fields are called with "
            "--set 'images.pattern={field}.tif'"
        )
    return (
        f"no file in {root} fits images.pattern {sources.pattern.text!r} with the channels "
        f"{', '.join(map(str, sources.images.channels))}; there are {len(names)} images such as {first_ten(names[:3])}"
    )
