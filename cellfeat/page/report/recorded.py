"""Records of results as the types that they were written from, so that the page says what the terminal says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from cellfeat.errors import RecordError
from cellfeat.evaluation.design import Design
from cellfeat.evaluation.scores.differences import to_best_lines
from cellfeat.evaluation.task.sample_counts import Counts
from cellfeat.page.results_files import ResultsFiles
from cellfeat.reporting.terminal.comparison import samples_line
from cellfeat.text import clean_text


@contextmanager
def read_as_written(name: str) -> Iterator[None]:
    """Turn errors on a record of another form into one that names its file.

    Parameters
    ----------
    name
        The file, or what else the record comes from.

    Raises
    ------
    RecordError
        If the record lacks something, or holds something else.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(
            f"{name}: not as this version of cellfeat writes it ({what}); write it again: cellfeat compare, fit, score "
            "or audit"
        ) from None


def counts_of(record: Mapping[str, Any]) -> Counts:
    """Read the counts of samples from a record."""
    return Counts(**{each.name: record[each.name] for each in fields(Counts) if each.name in record})


def design_of(record: Mapping[str, Any]) -> Design:
    """Read how heads were evaluated from a record."""
    return Design(**{each.name: record[each.name] for each in fields(Design) if each.name in record})


def comparison_headline(comparison: Mapping[str, Any]) -> str:
    """Say what was compared, as `compare` prints it."""
    folds = len(comparison["heads"][0]["per_fold"])
    counts, design = counts_of(comparison["counts"]), design_of(comparison["design"])
    return clean_text(f"{samples_line(counts, design, len(comparison['classes']), folds)}{_standardised(design)}")


def head_headline(head: Mapping[str, Any]) -> str:
    """Say on which samples one head was evaluated, as `compare` prints it."""
    folds = len(head["per_fold"])
    design = design_of(head)
    return clean_text(f"{samples_line(counts_of(head), design, len(head['classes']), folds)}{_standardised(design)}")


def _standardised(design: Design) -> str:
    return "" if design.standardise is None else f"; each column standardised within each {design.standardise}"


def verdict_sentences(found: ResultsFiles) -> list[str]:
    """Say which heads the best is better than, by which rule, and which heads failed, as `compare` prints it."""
    failures: Sequence[Mapping[str, Any]] = found.record.get("failures", ())
    lines = to_best_lines(found.heads[0]["head"], found.differences_to_best, len(found.differences))
    return [clean_text(line) for line in (*lines, *(failure["reason"] for failure in failures))]


def score_text(head: Mapping[str, Any]) -> str:
    """Give the balanced accuracy of a head with its interval."""
    return f"{head['balanced_accuracy']:.3f} [{head['ci_low']:.3f}, {head['ci_high']:.3f}]"
