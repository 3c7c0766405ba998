"""Labels from a table, in place of those of a feature file."""

from collections import Counter
from collections.abc import Mapping

from cellfeat.config import Settings
from cellfeat.errors import ManifestError
from cellfeat.evaluation.relabelling.changes import is_changes, relabelling_of
from cellfeat.evaluation.remarks import Say, ignore_line
from cellfeat.extraction.store import Features
from cellfeat.samples.labels.id_matching import match_ids, matching_remark
from cellfeat.samples.labels.numbering import check_numbering
from cellfeat.samples.manifest.build import label_by_id
from cellfeat.samples.tables.file import read_table_file
from cellfeat.storage.url import Location
from cellfeat.text import first_ten


def read_new_labels(
    features: Features, settings: Settings, file: Location, *, say: Say = ignore_line
) -> Mapping[str, str]:
    """Read labels that replace those of a feature file, by sample id.

    A table of changes that the page exports, see `cellfeat.evaluation.relabelling.changes`, gives a `Relabelling`.

    Parameters
    ----------
    features
        The samples. Ids are written as at their extraction.
    settings
        Name the columns of the table; with ``labels.unmatched=ignore``, labels of other samples are left out.
    file
        The table.
    say
        Receives how the table was read, and what was left out.

    Raises
    ------
    MissingFileError, ManifestError
        As for `label_by_id`.
    """
    raw = read_table_file(file)
    if is_changes(raw):
        ignores = settings.labels.unmatched == "ignore"
        return relabelling_of(features, raw, file, ignores_unknown=ignores, say=say)
    recorded = features.recorded_settings
    images = settings.images if recorded is None else recorded.images
    labels = label_by_id(images, settings.labels, file, raw=raw, say=say)
    return matched_labels(labels, features, settings, say=say)


def matched_labels(
    labels: dict[str, str], features: Features, settings: Settings, *, say: Say = ignore_line
) -> dict[str, str]:
    """Give labels the ids of the features, and leave out others where ``labels.unmatched`` is ``ignore``.

    Parameters
    ----------
    labels
        Label by sample id.
    features, settings, say
        As for `read_new_labels`.

    Raises
    ------
    ManifestError
        If several ids mean one sample, or ids count from 0 what the features count from 1.
    """
    known = set(features.samples.ids.tolist())
    matches = {written: one for written, one in match_ids(labels, known).items() if one not in labels}
    for line in matching_remark(matches, "the table of labels"):
        say(line)
    repeated = [f"{one} ({count} rows)" for one, count in Counter(matches.values()).items() if count > 1]
    if repeated:
        raise ManifestError(
            f"the table of labels has several ids that mean one sample: {first_ten(repeated)}; keep one row of each"
        )
    labels = {matches.get(written, written): label for written, label in labels.items()}
    unknown = sorted(labels.keys() - known)
    if unknown:
        check_numbering("the table of labels: the ids", labels, str(features.path), known)
    if settings.labels.unmatched != "ignore" or not unknown:
        return labels
    say(f"left out: {len(unknown)} labels of samples that are not in {features.path}: {first_ten(unknown)}")
    return {sample_id: label for sample_id, label in labels.items() if sample_id not in set(unknown)}
