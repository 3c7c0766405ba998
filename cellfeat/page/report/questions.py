"""The questions of REFORMS, answered where the run knows the answer.

S. Kapoor et al., "REFORMS: Consensus-based Recommendations for Machine-learning-based Science", Science Advances 10
(2024) eadk3452: 32 items in eight sections. An answer of None is for a person to give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellfeat.extraction.store import Features, Samples
from cellfeat.page.report.facts import Fact
from cellfeat.page.report.recorded import counts_of, design_of
from cellfeat.page.results_files import ResultsFiles
from cellfeat.saved_results.audit import AuditFiles
from cellfeat.text import clean_text, counted

Question = dict[str, str | None]


@dataclass(frozen=True)
class _Known:
    """What the answers are made of."""

    found: ResultsFiles
    samples: Samples
    features: Features | None
    facts: Sequence[Fact]

    @property
    def heads(self) -> list[Mapping[str, Any]]:
        return self.found.heads

    @property
    def first(self) -> Mapping[str, Any]:
        return self.found.heads[0]

    @property
    def audit(self) -> AuditFiles | None:
        return self.found.audit

    def fact(self, *names: str) -> str | None:
        """Facts about the data, of these names."""
        facts = {one["name"]: one["value"] for one in self.facts}
        known = [f"{name}: {facts[name]}" for name in names if name in facts]
        return "; ".join(known) or None


def questions(
    found: ResultsFiles, samples: Samples, features: Features | None, facts: Sequence[Fact]
) -> list[Question]:
    """Ask the questions of REFORMS, with the answers that are known.

    Parameters
    ----------
    found
        The results.
    samples
        The samples.
    features
        Their features; None for an audit before any extraction.
    facts
        Facts about the data: see `cellfeat.page.report.facts.data_facts`.
    """
    known = _Known(found, samples, features, facts)
    sections = {
        "Study design": _study,
        "Computational reproducibility": _reproducibility,
        "Data quality": _quality,
        "Data preprocessing": _preprocessing,
        "Modelling": _modelling,
        "Data leakage": _leakage,
        "Metrics and uncertainty": _metrics,
        "Generalizability and limitations": _generalizability,
    }
    return [
        {"section": section, "question": question, "answer": answer}
        for section, ask in sections.items()
        for question, answer in ask(known).items()
    ]


def _study(_: _Known) -> dict[str, str | None]:
    return {
        "About which population, or distribution of cells, is the scientific claim?": None,
        "Why was this population chosen?": None,
        "Why is machine learning used in this study?": None,
    }


def _reproducibility(known: _Known) -> dict[str, str | None]:
    features = known.features
    data = None if features is None else f"{known.fact('feature file')}; samples {known.samples.digest}"
    versions = known.found.record.get("versions")
    environment = ", ".join(f"{name} {number}" for name, number in versions.items()) if versions else None
    return {
        "Which version of the data set was used, and where is it?": data,
        "Which version of the code was used, and where is it?": _code(known),
        "In which computing environment was it run?": environment,
        "Which instructions reproduce the results?": _instructions(known),
        "Which script reproduces all reported results?": None,
    }


def _code(known: _Known) -> str | None:
    provenance = known.found.record.get("provenance")
    return f"cellfeat {provenance['cellfeat']}" if isinstance(provenance, Mapping) else None


def _instructions(known: _Known) -> str | None:
    if not known.heads:
        return None
    design = design_of(known.first)
    options = f"--seed {design.random_state}"
    if known.found.kind != "held-out":
        options += f" --folds {design.folds} --groups {design.groups}"
    return clean_text(f"options {options}; the feature file holds every setting of the extraction (cellfeat inspect)")


def _quality(known: _Known) -> dict[str, str | None]:
    n_missing = int(np.count_nonzero(~known.samples.is_labelled))
    share = f"{n_missing / len(known.samples):.1%} of the samples" if len(known.samples) else "none"
    return {
        "Where do the data come from?": known.fact("images", "labels", "imported from"),
        "From which sampling frame do the samples come?": None,
        "Why are these data suited to the question?": None,
        "What is the outcome, and how is it distributed?": known.fact("classes"),
        "How many samples are there, of each class?": known.fact("samples", "classes", "groups"),
        "What share of the labels is missing, and what was done about it?": (
            f"{share} have no label; these are neither fitted nor scored" if known.heads else f"{share} have no label"
        ),
        "Why do the samples represent the population of interest?": None,
    }


def _preprocessing(known: _Known) -> dict[str, str | None]:
    return {
        "Which samples were excluded, and why?": _excluded(known),
        "How were impossible or damaged samples dealt with?": _damaged(known),
        "How were the data transformed from their raw form?": _transformed(known),
    }


def _excluded(known: _Known) -> str | None:
    if not known.heads:
        return None
    counts = counts_of(known.first)
    parts = {
        "without a label": counts.n_unlabelled,
        "could not be read": counts.n_failed,
        "in other parts of the split": counts.n_other_parts,
        "of classes left out": counts.n_left_out,
        "in no fold": counts.n_in_no_fold,
        "exact duplicates of training samples": known.first.get("n_seen") or 0,
        "near copies of training samples": known.first.get("n_near_copies") or 0,
    }
    return "; ".join(f"{number:,} {why}" for why, number in parts.items() if number) or "none"


def _damaged(known: _Known) -> str:
    n_failed = int(np.count_nonzero(~known.samples.is_ok))
    if not n_failed:
        return "every sample could be read; damaged files are refused, and missing pixels are never filled in"
    return f"{counted(n_failed, 'sample')} could not be read: excluded, and listed with the reason"


def _transformed(known: _Known) -> str | None:
    if known.features is None:
        return None
    if known.features.is_imported:
        return f"numbers of a table, scaled: {known.features.scaling} (inside the training part of each fold)"
    return "see the recipe; nothing of it is fitted to the labels"


def _modelling(known: _Known) -> dict[str, str | None]:
    return {
        "Which models were trained?": _models(known),
        "Why these kinds of models?": None,
        "How was the final model evaluated?": _evaluated(known),
        "How was the reported model chosen?": _chosen(known),
        "How were hyperparameters chosen?": _tuned(known),
        "With which baselines is it compared?": _baselines(known),
    }


def _models(known: _Known) -> str | None:
    if not known.heads:
        return None
    heads = (f"{head['head']} ({_settings(head.get('settings', {}))})" for head in known.heads)
    return clean_text("heads on frozen embeddings: " + "; ".join(heads))


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "settings as saved"


def _evaluated(known: _Known) -> str | None:
    if not known.heads:
        return None
    if known.found.kind == "held-out":
        return "a saved head, on samples that it was not fitted on"
    design = design_of(known.first)
    folds = f"{design.folds} folds" if isinstance(design.folds, int) else f"folds {design.folds}"
    groups = "nothing" if design.groups == "none" else f"groups ({design.groups})"
    return clean_text(f"cross-validation, {folds} that keep {groups} together; scores are pooled over the folds")


def _chosen(known: _Known) -> str | None:
    if known.found.kind == "comparison":
        return "by the balanced accuracy of the out-of-fold predictions, on the same folds for every head"
    return None


def _tuned(known: _Known) -> str | None:
    if not known.heads or known.found.kind == "held-out":
        return None
    tuned = {str(head["head"]): head["tuning"]["n_candidates"] for head in known.heads if head.get("tuning")}
    if not tuned:
        return "not at all: the settings are those given above"
    tried = ", ".join(f"{head} ({number} settings)" for head, number in tuned.items())
    return clean_text(f"inside the training part of each fold, by inner folds: {tried}")


def _baselines(known: _Known) -> str | None:
    if len(known.heads) < 2:
        return None
    heads, chance = (str(head["head"]) for head in known.heads), 1 / len(known.first["classes"])
    return clean_text(f"with each other: {', '.join(heads)}; guessing would score {chance:.3f}")


def _leakage(known: _Known) -> dict[str, str | None]:
    return {
        "Were training and test samples kept apart in every step?": _kept_apart(known),
        "Are there duplicates of, or dependencies between, training and test samples?": _dependencies(known),
        "Is every input legitimate for the task?": _inputs(known),
    }


def _kept_apart(known: _Known) -> str | None:
    if not known.heads:
        return None
    fitted = "scaling, tuning and the head are fitted inside the training part of each fold; the backbone is frozen"
    features = known.features
    over = features.recipe.get("intensity", {}) if features is not None else {}
    if isinstance(over, Mapping) and over.get("percentile") and over.get("over") not in (None, "image"):
        return f"{fitted}. Intensity percentiles are measured on all images, without their labels"
    return fitted


def _dependencies(known: _Known) -> str | None:
    if not known.heads:
        return None
    counts = counts_of(known.first)
    copies = f"{counts.n_copies:,} exact duplicates"
    if known.found.kind == "held-out":
        near = known.first.get("n_near_copies")
        searched = "near copies were not searched for" if near is None else f"{near:,} near copies are excluded"
        return f"{known.first.get('n_seen') or 0:,} exact duplicates of training samples are excluded; {searched}"
    near_copies = {
        True: "near copies found by the audit are kept together",
        False: "near copies were not searched for before",
        None: "near copies were not searched for",
    }[counts.near_copies_joined]
    together = "NOT kept together" if design_of(known.first).groups == "none" else "kept in one fold"
    return f"{copies}, {together}; {near_copies}; {counts.n_groups:,} groups"


def _inputs(known: _Known) -> str | None:
    if known.audit is None:
        return None
    audit = known.audit
    found = [*(audit.telling or audit.details("shortcut")), *audit.details("confounded")]
    if found:
        return "the audit found properties that may give the class away without the cells: " + "; ".join(found[:3])
    return "the audit found no shortcut: file properties, names, positions and borders do not tell the class"


def _metrics(known: _Known) -> dict[str, str | None]:
    metric = "balanced accuracy: the mean recall of all classes; also recall by class, macro F1, log loss, calibration"
    draws = (
        f"{known.first['draws']:,} bootstrap draws of whole groups" if known.heads and "draws" in known.first else ""
    )
    return {
        "Which metrics are reported, and why?": metric if known.heads else None,
        "How is the uncertainty given?": f"95 % intervals from {draws}" if draws else None,
        "Which tests compare models, and what do they assume?": (
            "paired bootstrap over whole groups, with intervals that hold for all pairs at once"
            if known.found.kind == "comparison" and len(known.heads) > 1
            else None
        ),
    }


def _generalizability(known: _Known) -> dict[str, str | None]:
    external = None
    if known.found.kind == "held-out":
        external = clean_text(str(known.first["out_of_fold"]["verdict"]))
    return {
        "What is the evidence that the findings hold elsewhere?": external,
        "Where are the findings not expected to hold?": None,
    }
