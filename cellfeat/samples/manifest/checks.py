"""Problems between the samples of a manifest and the images on disk, and remarks about what is left out.

Each problem is one line of a message; a line names up to ten samples and counts the rest.
"""

import unicodedata
from dataclasses import dataclass

import pandas as pd

from cellfeat.samples.fields.tables import advice_on_cells
from cellfeat.samples.folders.own_files import without_own_folders
from cellfeat.samples.labels.numbering import numbering_problem
from cellfeat.samples.labels.spellings import spelling_problems
from cellfeat.samples.layouts.base import leads_outside
from cellfeat.samples.layouts.class_folders import FoldersLayout
from cellfeat.samples.layouts.file_sets import file_set_remarks, folder_problems
from cellfeat.samples.layouts.hints import layout_hint
from cellfeat.samples.layouts.search import Search, natural_key
from cellfeat.samples.manifest.splits import split_problems
from cellfeat.text import first_ten

_MOSTLY = 0.5
"""Share of rows with an id of other rows, from which on the rows are rather cells than repeated by mistake."""


@dataclass(frozen=True)
class Listing:
    """Samples before they are checked.

    Attributes
    ----------
    samples
        One row per sample, with at least ``sample_id`` and ``label``; the index says in messages where it comes from.
    files
        Names of the files that each sample needs, with the same index.
    exists
        Whether each of these files exists.
    unlisted
        Samples on disk that have no row in the labels table.
    search
        The settings and the files on disk.
    """

    samples: pd.DataFrame
    files: pd.DataFrame
    exists: pd.DataFrame
    unlisted: pd.DataFrame
    search: Search

    @property
    def without_images(self) -> list[str]:
        """The samples without any file."""
        rows = ~self.exists.any(axis=1)
        return [f"{sample_id} ({where})" for where, sample_id in self.samples["sample_id"][rows].items()]

    @property
    def located_names(self) -> list[tuple[str, str]]:
        """Every file name, with where its sample comes from."""
        return _located(self.files)


def find_problems(listing: Listing) -> list[str]:
    """Lines of an error message, one for each problem; none where samples and images fit each other."""
    if not listing.exists.to_numpy().any():
        # Without any image, the other checks would only say of every sample that its files are missing.
        return [*_outside(listing), *(_other_forms(listing) or _other_case(listing) or [_nothing_found(listing)])]
    problems = [
        *_duplicates(listing),
        *_numbered_otherwise(listing),
        *spelling_problems(listing.samples["label"]),
        *_outside(listing),
        *_incomplete(listing),
    ]
    problems += [*_other_forms(listing), *split_problems(listing.samples, listing.search)]
    problems += folder_problems(listing.search, {label for label in listing.samples["label"] if label})
    unmatched = listing.search.labels.unmatched
    if unmatched != "ignore":
        problems += _without_images(listing)
    if unmatched == "error":
        problems += _without_labels(listing)
    return problems


def find_remarks(listing: Listing) -> tuple[str, ...]:
    """Lines about samples and images that are left out, or kept without a label."""
    left_out = (*_no_images(listing), *_no_row(listing), *_unused_files(listing))
    return (*left_out, *_folder_remarks(listing), *file_set_remarks(listing.search))


def _duplicates(listing: Listing) -> list[str]:
    samples = listing.samples
    repeated = samples[samples["sample_id"].duplicated(keep=False)]
    groups = [f"{sample_id} ({', '.join(map(str, rows.index))})" for sample_id, rows in repeated.groupby("sample_id")]
    if not groups:
        return []
    told = f"- ids of more than one sample: {first_ten(groups)}; keep one row of each"
    if len(repeated) <= _MOSTLY * len(samples):
        return [told]
    return [f"{told}; {advice_on_cells(list(map(str, samples.columns)), str(listing.search.labels.file))}"]


def _numbered_otherwise(listing: Listing) -> list[str]:
    """Ids of a table that count from 0 where the images count from 1, or the reverse: all labels would be wrong."""
    unlisted = set(listing.unlisted["sample_id"]) if len(listing.unlisted) else set()
    ids = listing.samples["sample_id"]
    with_images = set(ids[listing.exists.any(axis=1)]) | unlisted
    what = f"{listing.search.labels.file}: the ids"
    problem = numbering_problem(what, set(ids) - unlisted, "the images", with_images)
    return [f"- {problem}; rows that have no image may be removed"] if problem else []


def _outside(listing: Listing) -> list[str]:
    if listing.search.images.allow_outside:
        return []
    names = [f"{name} ({where})" for where, name in listing.located_names if leads_outside(name)]
    if not names:
        return []
    return [
        f"- file names that lead out of images.root: {first_ten(names)}; move the files, "
        "or allow it with --set images.allow_outside=true"
    ]


def _other_forms(listing: Listing) -> list[str]:
    """Missing files that exist under a name with other code points for the same letters."""
    on_disk = listing.search.on_disk
    by_form = {unicodedata.normalize("NFC", name): name for name in on_disk if not name.isascii()}
    wanted = [name for _, name in listing.located_names if not name.isascii() and name not in on_disk]
    pairs = [(name, by_form.get(unicodedata.normalize("NFC", name))) for name in wanted]
    alike = [f"{name!a} exists as {other!a}" for name, other in pairs if other]
    if not alike:
        return []
    return [
        f"- file names that look the same but differ in Unicode: {first_ten(alike)}; "
        "write both in one normal form (NFC)"
    ]


def _other_case(listing: Listing) -> list[str]:
    """Missing files that exist under a name with other upper and lower case."""
    by_case = {name.casefold(): name for name in listing.search.folder.names()}
    pairs = [(name, by_case.get(name.casefold())) for _, name in listing.located_names]
    alike = [f"{name!r} exists as {other!r}" for name, other in pairs if other]
    if not alike:
        return []
    return [f"- file names that differ in upper and lower case: {first_ten(alike)}; write both alike"]


def _incomplete(listing: Listing) -> list[str]:
    """Files that are missing while other files of the same sample exist."""
    files, exists = listing.files, listing.exists
    incomplete = exists.any(axis=1) & ~exists.all(axis=1)
    absent = files[incomplete].where(~exists[incomplete])
    # `where` has put NaN in place of the files that exist.
    names = [f"{name or '(empty cell)'} ({where})" for where, name in _located(absent) if isinstance(name, str)]
    if not names:
        return []
    return [f"- {len(names)} of {files.size} files are missing: {first_ten(names)}; copy them, or remove their samples"]


def _located(files: pd.DataFrame) -> list[tuple[str, str]]:
    return [(where, name) for where, *names in files.itertuples() for name in names]


def _without_images(listing: Listing) -> list[str]:
    named, labels = listing.without_images, listing.search.labels
    if not named:
        return []
    if labels.unmatched == "listed":
        whose = f"rows of {labels.file}"
        advice = "copy their images, or leave the rows out with --set labels.unmatched=ignore"
    else:
        whose, advice = "labelled samples", "leave them out with --set labels.unmatched=ignore"
    return [f"- {len(named)} of {len(listing.samples)} {whose} have no image: {first_ten(named)}; {advice}"]


def _without_labels(listing: Listing) -> list[str]:
    unlisted = listing.unlisted
    if unlisted.empty:
        return []
    return [
        f"- {len(unlisted)} samples have images and no row in the labels: {first_ten(unlisted['sample_id'])}; "
        "leave them out with --set labels.unmatched=listed, or keep them unlabelled with --set labels.unmatched=ignore"
    ]


def _nothing_found(listing: Listing) -> str:
    files, search = listing.files, listing.search
    expected = f"expected files such as {files.iat[0, 0]!s}" if len(files) else "no file fits the layout"
    ids = list(listing.samples["sample_id"]) if search.labels.file else []
    return f"- no sample has an image: {expected}; {layout_hint(search, ids)}"


def _no_images(listing: Listing) -> list[str]:
    named = listing.without_images
    if not named:
        return []
    return [f"left out: {len(named)} samples of {listing.search.labels.file} that have no image: {first_ten(named)}"]


def _no_row(listing: Listing) -> list[str]:
    unlisted, labels = listing.unlisted, listing.search.labels
    if unlisted.empty:
        return []
    fate = "kept without a label" if labels.unmatched == "ignore" else "left out"
    which = f"{len(unlisted)} samples that have images and no row in {labels.file}"
    return [f"{fate}: {which}: {first_ten(unlisted['sample_id'])}"]


def _unused_files(listing: Listing) -> list[str]:
    """Images that belong to no sample, listed or not, and other files that somebody may take for images."""
    files, unlisted, search = listing.files, listing.unlisted, listing.search
    owned = [files] if unlisted.empty else [files, search.file_names(unlisted)]
    used = search.on_disk.intersection(name for names in owned for name in names.to_numpy().flat)
    rest = sorted(search.on_disk - used, key=natural_key)
    images = search.kinds.images(rest)
    others = [name for name in rest if search.kinds.may_be_missed(name)]
    remarks = []
    if images:
        which = f"{len(images)} of {len(used) + len(images)} images in {search.images.root} that belong to no sample"
        remarks.append(f"left out: {which} (expected names such as {files.iat[0, 0]!s}): {first_ten(images)}")
    if others:
        number = "1 file" if len(others) == 1 else f"{len(others)} files"
        which = f"{number} in {search.images.root}, backups or no PNG, JPEG, TIFF or BMP"
        remarks.append(f"left out: {which}: {first_ten(others)}")
    return remarks


def _folder_remarks(listing: Listing) -> list[str]:
    """Class folders in which there is no sample, and a single folder that may hold the class folders."""
    search = listing.search
    if not isinstance(search.layout, FoldersLayout):
        return []
    root, remarks = search.images.root, []
    empty = search.layout.folders_without(search.folder, {sample.sample_id for sample in search.found})
    empty = without_own_folders(empty, search.own)
    if empty:
        remarks.append(f"class folders without images in {root}: {first_ten(empty)}")
    tops = {sample.sample_id.partition("/")[0] for sample in search.found}
    has_folders_inside = all(sample.sample_id.count("/") > 1 for sample in search.found)
    if len(tops) == 1 and has_folders_inside and tops == {sample.label for sample in search.found}:
        (top,) = tops
        remarks.append(
            f"all images are in the folder {top}, which is taken as their class; if the class folders are inside it, "
            f"say --images {root / top}"
        )
    return remarks
