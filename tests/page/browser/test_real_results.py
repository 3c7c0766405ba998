"""Pages of real comparisons in a browser: from a file, and inside a notebook."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

import cellfeat
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.page.build import page_of_results
from tests.page.browser.opening import READY, Trouble, expect, go_to_view
from tests.page.conftest import QUICK

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_folder")]

NOTEBOOK = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><h3>Out[1]:</h3>'


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def notebook(tmp_path):
    """A function that serves an output cell as a notebook does, and gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve(shown):
        (tmp_path / "notebook.html").write_text(NOTEBOOK + shown._repr_html_(), encoding="utf-8")
        return f"http://127.0.0.1:{server.server_port}/notebook.html"

    yield serve
    server.shutdown()
    server.server_close()


def test_comparison_is_shown_from_a_file(open_page, results, cells):
    page = open_page(page_of_results(results, cells))
    text = page.inner_text("#page")
    assert "118 samples in 40 groups, 3 classes, 3 folds" in text
    assert "No held-out score lies beside these results" in text
    go_to_view(page, "Copies and labels")
    expect(page.locator("#page")).to_contain_text("truncated <b>PNG")


def test_notebook_shows_the_page_and_stays_where_it_is(browser, notebook, hostile_cells):
    shown = cellfeat.show_page(compare(hostile_cells, ["dummy"], design=QUICK), hostile_cells)
    trouble, page = Trouble(), browser.new_page()
    trouble.watch(page)
    page.goto(notebook(shown))
    frame = page.frames[1]
    frame.wait_for_selector(READY)
    go_to_view(frame, "Confusion")
    frame.wait_for_selector("table")
    assert [one.url for one in page.frames][1:] == ["about:srcdoc"]
    assert page.url.endswith("notebook.html")
    assert trouble.seen == []
    page.close()
