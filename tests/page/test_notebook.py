import html
import re

import numpy as np
import pytest

import cellfeat
from cellfeat.errors import CellfeatError, ConfigError, ManifestError
from cellfeat.evaluation.comparison.compare import compare
from tests.feature_fixtures import build_clusters, build_features
from tests.page.conftest import QUICK

pytestmark = pytest.mark.usefixtures("own_folder")


def shown_document(page):
    return html.unescape(re.search(r'srcdoc="([^"]*)"', page._repr_html_()).group(1))


def test_comparison_is_shown_in_a_frame_of_its_own(compared, cells):
    page = cellfeat.show_page(compared, cells, height=500)
    assert 'height="500"' in page._repr_html_()
    assert "allow-same-origin" not in page._repr_html_()
    document = shown_document(page)
    assert document.startswith("<!doctype html>")
    assert "connect-src 'none'" in document
    assert page.content.page["kind"] == "comparison"


def test_head_and_features_and_folder_are_shown(compared, cells, results):
    kinds = [cellfeat.show_page(one, cells).content.page["kind"] for one in (compared["logreg"], cells, results)]
    assert kinds == ["head", "features", "comparison"]


def test_hostile_names_cannot_leave_the_frame(hostile_cells):
    page = cellfeat.show_page(compare(hostile_cells, ["dummy"], design=QUICK), hostile_cells)
    assert page._repr_html_().count("<") == 2  # the frame, and its end


def test_too_many_samples_are_said_to_be_so(tmp_path):
    n = 10_001
    page = cellfeat.show_page(build_features(np.full(n, "a"), np.zeros((n, 1, 2))))
    assert "<iframe" not in page._repr_html_()
    assert "10,001" in page._repr_html_()
    assert page.save(tmp_path) == tmp_path / "page" / "index.html"


@pytest.mark.parametrize("height", [0, -5, 99, "tall", 300.5, None])
def test_heights_that_show_nothing_are_refused(cells, height):
    with pytest.raises(ConfigError, match="height"):
        cellfeat.show_page(cells, height=height)


def test_results_in_memory_need_their_features(compared):
    with pytest.raises(ConfigError, match="features"):
        cellfeat.show_page(compared)
    with pytest.raises(ManifestError):
        cellfeat.show_page(compared, build_features(np.array(["a"]), np.zeros((1, 1, 6))).take([0]).with_labels(["b"]))


@pytest.mark.parametrize("what", [3, None, ["a"]])
def test_other_things_are_refused(what, cells):
    with pytest.raises(CellfeatError):
        cellfeat.show_page(what, cells)


def test_tables_of_results_stay_small(compared):
    assert "<script" not in compared._repr_html_()
    assert len(compared._repr_html_()) < 5000
    assert build_clusters(n=3)._repr_html_().count("<table>") == 1
