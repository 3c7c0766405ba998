"""The content of a page from what is on disk: a feature file, and a folder of results."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.errors import MissingFileError
from cellfeat.extraction.store import Features, Samples, load_features
from cellfeat.page.content import TEXT_BLOCK, Columns, PageContent
from cellfeat.page.report.audit_content import audit_entry
from cellfeat.page.report.facts import channel_names, data_facts, recipe_facts
from cellfeat.page.report.given_groups import given_groups
from cellfeat.page.report.heads import head_entry, page_classes
from cellfeat.page.report.limits import limits
from cellfeat.page.report.overview import against_entry, curve_entries, headline, leak_entry, verdicts
from cellfeat.page.report.questions import questions
from cellfeat.page.report.recorded import read_as_written
from cellfeat.page.report.relabelling import relabelling_of_record
from cellfeat.page.results_files import ResultsFiles, kind_of, results_in
from cellfeat.page.samples.held_out import Beside, beside_fitted, held_out_sentences, own_places
from cellfeat.page.samples.pictures import Pictures, pictures_of
from cellfeat.page.samples.predicted_columns import add_folds, add_predictions
from cellfeat.page.samples.sample_columns import add_intensities, add_labels, add_sample_columns
from cellfeat.provenance import utc_now
from cellfeat.saved_results.features import features_or_images_of
from cellfeat.saved_results.samples_record import SamplesRecord, read_samples_record
from cellfeat.storage.url import Location, as_location, own_name
from cellfeat.text import clean_text
from cellfeat.types import Strings

FORMAT = 1


def page_of_results(
    folder: Path | str | None,
    features: Features | Location | str | None = None,
    *,
    fitted: Features | Location | str | None = None,
    pictures: Pictures | None = None,
) -> PageContent:
    """Make the page of a folder of results, or of a feature file without any.

    Parameters
    ----------
    folder
        The folder that compare, fit, score or audit wrote; None for the samples alone.
    features
        The samples, or their feature file; None: the file that the folder names.
    fitted
        The features that a head was fitted on, to place held-out samples among them; of no effect on other results.
    pictures
        The pictures of the samples; None: the thumbnails that are kept beside the feature file.

    Returns
    -------
    PageContent
        Its samples are those of the feature file, in order; the fitted ones follow held-out ones.

    Raises
    ------
    MissingFileError
        If there are no results, or their feature file is not where it was.
    RecordError
        If results are damaged, or an earlier version of cellfeat wrote them.
    ManifestError, FingerprintError
        If the results are those of other samples, or of features of another recipe.
    """
    if folder is None:
        if features is None:
            raise MissingFileError("no results and no feature file: name one of them")
        return page_of(ResultsFiles("features", {}), Subject.of(_loaded(features)), pictures)
    folder = Path(folder)
    kind_of(folder)  # raises where it holds no results
    loaded_or_none = features_or_images_of(folder) if features is None else _loaded(features)
    found = results_in(folder, loaded_or_none)
    if loaded_or_none is None:
        return page_of(found, Subject.of_audit(found, read_samples_record(folder)), pictures)
    beside = beside_fitted(loaded_or_none, _loaded(fitted)) if fitted is not None and found.kind == "held-out" else None
    return page_of(found, Subject.of(loaded_or_none, beside), pictures)


@dataclass(frozen=True)
class Subject:
    """The samples of a page.

    Attributes
    ----------
    samples
        The samples.
    digest
        Digest of their ids and pixels.
    name
        What to call them.
    features
        Their features; None for an audit before any extraction.
    beside
        The fitted samples beside held-out ones; None without.
    """

    samples: Samples
    digest: str
    name: str
    features: Features | None
    beside: Beside | None = None

    @classmethod
    def of(cls, features: Features, beside: Beside | None = None) -> "Subject":
        """Give the samples of a feature file.

        Parameters
        ----------
        features
            The features.
        beside
            The fitted samples beside them; None without.
        """
        name = own_name(features.path).removesuffix(".h5")
        return cls(features.samples, features.samples.digest, name, features, beside)

    @property
    def shown(self) -> Samples:
        """The samples that the page shows: its own, then the fitted ones beside them."""
        return self.samples if self.beside is None else self.beside.samples

    @classmethod
    def of_audit(cls, found: ResultsFiles, recorded: SamplesRecord | None) -> "Subject":
        """Give the samples of an audit before any extraction: their ids and groups are all that is known.

        Parameters
        ----------
        found
            The audit.
        recorded
            What the folder records of the samples; None where it records nothing.
        """
        group = {} if found.audit is None else found.audit.group
        ids, groups = (np.array(list(values), dtype=np.str_) for values in (group.keys(), group.values()))
        empty = np.full(len(ids), "", dtype=np.str_)
        samples = Samples(ids, empty, groups, np.zeros(len(ids), np.uint8), empty)
        return cls(samples, "", "", None) if recorded is None else cls(samples, recorded.samples, recorded.source, None)


def page_of(found: ResultsFiles, subject: Subject, pictures: Pictures | None = None) -> PageContent:
    """Make a page of results that were read.

    Parameters
    ----------
    found
        The results.
    subject
        The samples.
    pictures
        As for `page_of_results`.
    """
    with read_as_written(found.name):
        return _Page(found, subject, pictures or _pictures(found, subject)).content()


class _Page:
    """Collects the parts of one page."""

    def __init__(self, found: ResultsFiles, subject: Subject, pictures: Pictures) -> None:
        self.found, self.subject, self.samples = found, subject, subject.shown
        # No prediction is of the fitted samples beside held-out ones, whatever their ids.
        self.ids = np.concatenate([subject.samples.ids, np.full(len(self.samples) - len(subject.samples), "")])
        self.labels = _scored_labels(found, self.samples, self.ids)
        known = found.record.get("classes") or sorted(set(self.labels.tolist()) - {""})
        self.classes = page_classes(found.heads, known)
        self.group = _groups(found, self.samples)
        self.pictures = pictures
        self.columns = Columns()

    def content(self) -> PageContent:
        features, found, own = self.subject.features, self.found, self.subject.samples
        places = own_places(features, len(self.samples), self.subject.beside)
        probabilities = self._add_columns()
        places.add_to(self.columns)
        groups = given_groups(found, own)
        facts = data_facts(own, features, groups)
        lines = limits(found, own, groups, has_images=features is None or not features.is_imported)
        page = {
            "format": FORMAT,
            "kind": found.kind,
            "title": self._title(),
            "created": utc_now(),
            "cellfeat": version("cellfeat"),
            "digest": self.subject.digest,
            "nSamples": len(self.samples),
            "textBlock": TEXT_BLOCK,
            "classes": self.classes,
            "channels": self.pictures.channels,
            "thumbnails": self.pictures.thumbnails,
            "picturesNote": self.pictures.note,
            "map": places.entry,
            "neighbours": places.neighbours.entry,
            "columns": self.columns.entries,
            "heads": self._heads(probabilities),
            "overview": {
                "headline": headline(found, len(own)),
                "data": facts,
                "recipe": [] if features is None else recipe_facts(features),
                "verdicts": verdicts(found),
                "leak": leak_entry(found.audit),
                "against": against_entry(found.against),
                "curves": curve_entries(found.curves),
                "limits": lines,
                "relabelling": relabelling_of_record(found.record),
                "questions": [] if found.kind == "features" else questions(found, own, features, facts),
            },
            "audit": audit_entry(found.audit, self.samples),
            "heldOut": held_out_sentences(found.record, self.subject.beside) if found.kind == "held-out" else [],
        }
        return PageContent(page, {**self.columns.shards, **self.pictures.shards, **places.neighbours.shards})

    def _title(self) -> str:
        name, found = clean_text(self.subject.name) or "samples", self.found
        head = clean_text(str(found.record.get("head", "")))
        if found.kind == "held-out":
            # Features of new images are named by a digest; the folder is what the user has named.
            return f"{head} on held-out samples: {name if found.folder is None else clean_text(found.folder.name)}"
        return {"head": f"{head} on {name}", "audit": f"audit of {name}"}.get(found.kind, name)

    def _add_columns(self) -> dict[str, str]:
        columns, samples, results = self.columns, self.samples, self.found.results
        columns.add_text("sample_id", samples.ids, role="id")
        add_labels(columns, self.labels, self.classes)
        probabilities: dict[str, str] = {}
        if results is not None:
            probabilities = add_predictions(columns, results, self.ids, self.classes)
            add_folds(columns, results, self.ids)
        if self.subject.beside is not None:
            self.subject.beside.add_to(columns)
        features = self.subject.features
        add_sample_columns(columns, samples, self.group, None if features is None else features.split_column)
        if features is not None:
            add_intensities(columns, samples, channel_names(features))
        return probabilities

    def _heads(self, probabilities: Mapping[str, str]) -> list[dict[str, Any]]:
        pairs = {pair.worse: pair for pair in self.found.differences_to_best}
        entries = [
            head_entry(record, self.classes, pairs.get(record["head"]), probabilities.get(str(record["head"])))
            for record in self.found.heads
        ]
        # One head alone is not the best of any.
        return entries if len(entries) > 1 else [entry | {"verdict": ""} for entry in entries]


def _scored_labels(found: ResultsFiles, samples: Samples, ids: Strings) -> Strings:
    """Labels that the heads were scored with; of samples that were not scored, those of the feature file."""
    if found.results is None:
        return samples.labels
    scored = found.results.labels(ids)
    is_scored = scored != ""
    if (scored[is_scored] != samples.labels[is_scored]).any():
        return scored  # another table of labels was given, and what it says of the other samples is not on record
    return np.where(is_scored, scored, samples.labels)


def _groups(found: ResultsFiles, samples: Samples) -> Strings:
    """Groups that were given; without any, those that an audit found."""
    given = given_groups(found, samples)
    if given.is_known or found.audit is None:
        return given.group
    group = found.audit.group
    return np.array([group.get(name, "") for name in samples.ids.tolist()], dtype=np.str_)


def _pictures(found: ResultsFiles, subject: Subject) -> Pictures:
    fitted = None if subject.beside is None else subject.beside.fitted
    return pictures_of(subject.features, _view_command(found, subject), fitted)


def _view_command(found: ResultsFiles, subject: Subject) -> str:
    what = found.folder if found.folder is not None else subject.features.path if subject.features else ""
    return f"`cellfeat view {what}`"


def _loaded(features: Features | Location | str) -> Features:
    return features if isinstance(features, Features) else load_features(as_location(features))
