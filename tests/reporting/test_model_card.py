import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import cellfeat
from cellfeat.errors import BundleError
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.heads.saved.bundle_files import check_bundle_folder, load_bundle, save_bundle
from cellfeat.reporting.model_card import escaped, model_card, write_model_card
from tests.interop.exports.conftest import make_features

HOSTILE = ["[x](javascript:y)", "<img src=x>", "a|b\n---", "`c`"]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A head on three of four classes with names that are markup."""
    features = make_features()
    labels = {name: HOSTILE[i % 4] for i, name in enumerate(features.samples.ids.tolist())}
    return cellfeat.fit(features, "dummy", design=cellfeat.Design(folds=2), labels=labels)[0]


def front_matter(card: str) -> dict[str, Any]:
    _, text, _ = re.split(r"^---$", card, maxsplit=2, flags=re.M)
    return yaml.safe_load(text)


def test_fields_for_hugging_face(bundle: Bundle) -> None:
    found = front_matter(model_card(bundle))
    assert found["library_name"] == "cellfeat"
    assert "microscopy" in found["tags"]
    (result,) = found["model-index"][0]["results"]
    assert result["dataset"]["name"] == "cells.h5"
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert metrics["balanced_accuracy"] == pytest.approx(bundle.scores["balanced_accuracy"], abs=1e-4)


def test_card_of_a_table_speaks_of_columns() -> None:
    rng = np.random.default_rng(0)
    label = np.array(["a", "b"])[np.arange(40) % 2]
    X = rng.normal(size=(40, 2)) + (label == "b")[:, None]
    features = cellfeat.Features.from_arrays(X, names=["Cells_AreaShape_Area", "Nuclei_Texture_1"], labels=label)
    card = model_card(cellfeat.fit(features, "dummy", design=cellfeat.Design(folds=2))[0])
    assert front_matter(card)["pipeline_tag"] == "tabular-classification"
    assert "`Cells_AreaShape_Area`, `Nuclei_Texture_1`" in card
    assert "--table" in card
    assert "--images" not in card
    assert "ear copies" not in card


def test_card_says_what_a_user_should_know(bundle: Bundle) -> None:
    card = model_card(bundle)
    for heading in ("Data", "Recipe", "Scores, out of fold", "Limits", "Use"):
        assert f"\n## {heading}\n" in card
    assert f"{bundle.scores['ci_low']:.3f} to {bundle.scores['ci_high']:.3f}" in card
    assert card.count("| 0.") + card.count("| 1.") >= len(HOSTILE)


def test_names_of_users_are_not_markup(bundle: Bundle) -> None:
    card = model_card(bundle)
    for hostile in HOSTILE:
        assert hostile not in card
        assert escaped(hostile) in card
    features = dataclasses.replace(bundle, scores=bundle.scores | {"provenance": {"features": '": x\n- y: "é`'}})
    hostile_card = model_card(features)
    assert front_matter(hostile_card)["model-index"][0]["results"][0]["dataset"]["name"] == '": x\\n- y: "é`'
    assert "é`" not in hostile_card.partition("## Data")[2]


def test_card_lies_beside_the_head_and_is_replaced_with_it(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "head")
    path = write_model_card(bundle, tmp_path / "head")
    assert path.name == "README.md"
    save_bundle(load_bundle(tmp_path / "head"), tmp_path / "head")
    assert not path.exists()


@pytest.mark.parametrize("change", ["more", "other"])
def test_changed_card_is_not_replaced(bundle: Bundle, change: str, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "head")
    path = write_model_card(bundle, tmp_path / "head")
    path.write_text({"more": path.read_text() + "my notes\n", "other": "my notes\n"}[change])
    with pytest.raises(BundleError, match=r"README\.md.*changed"):
        check_bundle_folder(tmp_path / "head")
    with pytest.raises(BundleError):
        save_bundle(bundle, tmp_path / "head")
    assert path.read_text().endswith("my notes\n")
