"""The model card of a saved head: ``README.md`` with the fields that Hugging Face reads, and what a user should know.

Names of classes, channels and files come from users. They are escaped, so that none becomes a link or markup.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.backbones.side_by_side import training_images
from cellfeat.extraction.store import is_imported
from cellfeat.heads.chosen import describe_chosen
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import CARD_FILE
from cellfeat.provenance import publish
from cellfeat.records import seal_text
from cellfeat.text import clean_text, shorten

_MARKUP = re.compile(r"([\\`*_{}\[\]()#|~$!@]|:(?=//))")
_TAGS = ("microscopy", "cell-images", "cellfeat")


def write_model_card(bundle: Bundle, folder: Path) -> Path:
    """Write the model card beside a saved head.

    Parameters
    ----------
    bundle
        The saved head, as `cellfeat.fit` returns it.
    folder
        Its folder.

    Returns
    -------
    Path
        The file.
    """
    path = folder / CARD_FILE
    with publish(path) as temporary:
        temporary.write_text(seal_text(model_card(bundle)), encoding="utf-8")
    return path


def model_card(bundle: Bundle) -> str:
    """Make the model card of a saved head from its record."""
    sections = (_front_matter, _introduction, _data, _recipe, _scores, _limits, _use)
    return "\n".join("\n".join(section(bundle)) + "\n" for section in sections)


def escaped(text: object) -> str:
    r"""Escape a text for Markdown.

    Examples
    --------
    >>> escaped("HeLa_2 <b> [x](y)")
    'HeLa\\_2 &lt;b&gt; \\[x\\]\\(y\\)'
    """
    plain = _MARKUP.sub(r"\\\1", clean_text(str(text)))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _front_matter(bundle: Bundle) -> Iterator[str]:
    """YAML, in which each value is written as JSON: a quoted text cannot end early."""
    scores = bundle.scores
    yield "---"
    yield "library_name: cellfeat"
    yield "license: unknown"
    yield f"pipeline_tag: {_task(bundle)}"
    yield "tags:"
    yield from (f"- {tag}" for tag in (_task(bundle), *_TAGS))
    yield "metrics:\n- balanced_accuracy\n- f1"
    yield "model-index:"
    yield f"- name: {_quoted(bundle.head_name)}"
    yield "  results:"
    yield f"  - task:\n      type: {_task(bundle)}"
    features = _quoted(scores["provenance"]["features"])
    yield f"    dataset:\n      type: {features}\n      name: {features}"
    yield "    metrics:"
    for kind, name in (("balanced_accuracy", "balanced_accuracy"), ("f1", "macro_f1")):
        yield f"    - type: {kind}\n      name: {name}, out of fold\n      value: {scores[name]:.4f}"
    yield "---"


def _task(bundle: Bundle) -> str:
    return "tabular-classification" if is_imported(bundle.recipe) else "image-classification"


def _quoted(text: str) -> str:
    return json.dumps(clean_text(text), ensure_ascii=False)


def _introduction(bundle: Bundle) -> Iterator[str]:
    is_table = is_imported(bundle.recipe)
    kind = "cells" if is_table else "cell images"
    yield f"# {escaped(bundle.head_name)}: {len(bundle.classes)} classes of {kind}\n"
    network = bundle.recipe.get("backbone", {}).get("name", "imported features")
    what = "the columns of a table" if is_table else f"embeddings of `{_code(network)}`, a frozen network"
    yield (
        f"The head `{_code(bundle.head_name)}` of cellfeat on {what}. "
        f"Fitted {_code(bundle.provenance.get('fitted', {}).get('at', ''))[:10]} on all labelled samples; the scores "
        "are those of heads that had not seen the samples that they predicted."
    )


def _data(bundle: Bundle) -> Iterator[str]:
    scores = bundle.scores
    yield "## Data\n"
    yield f"- from `{_code(scores['provenance']['features'])}`: {scores['n_samples']:,} samples"
    yield f"- {scores['n_groups']:,} groups (`{_code(scores['groups'])}`), which stay together in one fold"
    yield f"- {scores['n_copies']:,} samples are exact copies of another one"
    yield f"- left out: {scores['n_unlabelled']:,} samples without a label, {scores['n_failed']:,} that are unreadable"
    if bundle.fitted_on is not None:
        found = bundle.fitted_on
        yield f"- files: {_counted(found.kinds)}; {_counted(found.file_formats)}"
        for name, span in (found.numbers | found.intensities).items():
            yield f"- {escaped(name)}: {span.low:.4g} to {span.high:.4g}, median {span.median:.4g}"
    if bundle.neighbourhood is not None:
        n_known = len(bundle.neighbourhood.known.points)
        yield f"- kept to tell whether new samples lie apart: {n_known:,} training samples, as points (`apart_p`)"
    what = "table" if is_imported(bundle.recipe) else "images"
    yield f"- origin and licence of the {what}: to be added by whoever publishes this model"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {escaped(name)}" for name, count in counts.items())


def _recipe(bundle: Bundle) -> Iterator[str]:
    yield "## Recipe\n"
    yield from _table(("step", "setting"), ((name, _setting(value)) for name, value in bundle.recipe.items()))
    if not is_imported(bundle.recipe):
        yield f"\nThe network was trained on: {escaped(_training_images(bundle))}."
    columns = bundle.provenance.get("imported", {}).get("columns", [])
    if columns:
        yield f"\nColumns, in order: {', '.join(f'`{_code(name)}`' for name in columns)}."
    if bundle.standards is not None:
        word = _code(bundle.scores.get("standardise", "plate"))
        how = "all samples of the plate (transductive)" if bundle.standards.is_transductive else "training samples"
        yield f"\nEvery column is standardised within each `{word}`, by the median and width of {how}."
    parameters = ", ".join(f"{name} {value}" for name, value in bundle.params.items())
    if bundle.chosen:
        yield f"\nChosen on training samples while fitting: `{_code(describe_chosen(bundle.chosen))}`."
    yield f"\nParameters of the head: `{_code(parameters)}`; temperature {bundle.temperature:.3f}; fingerprint of"
    yield f"the recipe `{_code(bundle.fingerprint)}`. Features of another recipe are refused."


def _training_images(bundle: Bundle) -> str:
    settings = bundle.provenance.get("settings", {}).get("backbone", {})
    return training_images(bundle.recipe.get("backbone", {}).get("name", ""), settings.get("weights") or "")


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_setting(one)}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _scores(bundle: Bundle) -> Iterator[str]:
    scores = bundle.scores
    level = f"{scores['ci_level']:.0%} interval"
    yield f"## Scores, out of fold\n\n{scores['folds']} folds; intervals are over whole groups.\n"
    interval = f"{scores['ci_low']:.3f} to {scores['ci_high']:.3f}"
    folds = f"folds {min(scores['per_fold']):.3f} to {max(scores['per_fold']):.3f}"
    rows = [
        ("balanced accuracy", f"{scores['balanced_accuracy']:.3f}", f"{interval}; {folds}"),
        ("macro F1", f"{scores['macro_f1']:.3f}", ""),
        ("log loss", f"{scores['log_loss']:.3f}", ""),
        ("calibration error", f"{scores['calibration_error']:.3f}", ""),
    ]
    yield from _table(("score", "value", level), rows)
    yield ""
    counts = np.sum(scores["confusion_matrix"], axis=1).tolist()
    columns = zip(scores["classes"], counts, scores["per_class_recall"], scores["per_class_recall_ci"], strict=True)
    recalls = (
        (shorten(name), f"{count:,}", f"{recall:.3f}", f"{low:.3f} to {high:.3f}")
        for name, count, recall, (low, high) in columns
    )
    yield from _table(("class", "samples", "recall", level), recalls)


def _limits(bundle: Bundle) -> Iterator[str]:
    yield "## Limits\n"
    yield "- It knows only these classes: cells of any other kind are predicted to be one of them."
    yield "- Scores hold for samples like those above. Other microscopes, stains and labs have not been tried."
    if bundle.scores["n_groups"] >= bundle.scores["n_samples"] - bundle.scores["n_copies"]:
        yield "- No groups were known: samples of one field, plate or donor may be in training and test folds alike."
    if not bundle.scores.get("near_copies_joined") and not is_imported(bundle.recipe):
        yield "- Near copies, such as overlapping crops, were not searched for or not kept together."
    if bundle.scores.get("tuning") is not None:
        yield "- Settings were tuned inside the training part of each fold, and those of this head on all samples."
    yield "- Not validated for diagnosis or any other clinical use."


def _use(bundle: Bundle) -> Iterator[str]:
    yield "## Use\n"
    samples = "--table TABLE" if is_imported(bundle.recipe) else "--images IMAGES"
    yield f"```sh\ncellfeat predict --model DIR {samples} --output predictions.csv"
    yield f"cellfeat score --model DIR {samples} --labels LABELS.csv\n```\n"
    yield "```python\nimport cellfeat\n"
    yield 'bundle = cellfeat.load_bundle("DIR")'
    yield 'predictions = cellfeat.predict(bundle, cellfeat.load_features("features/cells.h5"))\n```\n'
    yield "Files: `bundle.json` (record), `*.safetensors` (numbers), `metrics.json` (every score). Made by cellfeat"
    yield f"{_code(bundle.provenance.get('versions', {}).get('cellfeat', ''))}; none of them can run code."


def _code(text: object) -> str:
    """A text between backticks, which nothing escapes."""
    return clean_text(str(text)).replace("`", "'")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    yield from (f"| {' | '.join(map(escaped, row))} |" for row in rows)
