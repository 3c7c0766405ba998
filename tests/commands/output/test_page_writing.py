"""The page that commands write beside their results."""

import json
import shutil

import pytest

from tests.commands.command_line import refused, succeed
from tests.page.page_reading import embedded

COMPARE = ("compare", "--heads", "dummy", "--folds", "2", "--figures", "png")


@pytest.fixture(scope="module")
def compared(folder):
    """How a comparison ended, and its folder."""
    done = succeed(folder, *COMPARE, "--output", "with-page")
    return done, folder / "with-page"


def page_of(path):
    return json.loads(embedded(path)["page"])


def test_compare_says_where_its_page_is(compared):
    done, results = compared
    assert done.stdout.splitlines()[-1] == "page: with-page/page.html"
    page = page_of(results / "page.html")
    assert [head["name"] for head in page["heads"]] == ["dummy"]
    assert page["kind"] == "comparison"


@pytest.mark.slow
def test_fit_writes_a_page_into_the_folder_of_the_head(folder, compared):
    done = succeed(folder, "fit", "--head", "dummy", "--folds", "2", "--output", "with-page/dummy")
    assert done.stdout.splitlines()[-1] == "page: with-page/dummy/page.html"
    assert page_of(folder / "with-page" / "dummy" / "page.html")["kind"] == "head"


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--no-page",), ("--set", "comparison.page=false")])
def test_no_page_is_written_where_none_is_wanted(folder, option):
    done = succeed(folder, *COMPARE, "--output", "without-page", *option)
    assert "page" not in done.stdout.splitlines()[-1].split("without-page")[0]
    assert not (folder / "without-page" / "page.html").exists()


@pytest.mark.slow
def test_page_that_cannot_be_written_costs_a_line(folder, monkeypatch):
    def fail(*_):
        raise ValueError("no room\nfor a page")

    monkeypatch.setattr("cellfeat.page.files.writing.write_page", fail)
    done = succeed(folder, *COMPARE, "--output", "failed-page")
    assert any(line.startswith("no page was written: no room") for line in done.stderr.splitlines())
    assert (folder / "failed-page" / "comparison.json").is_file()


def test_page_of_other_samples_is_not_replaced(folder, compared):
    shutil.copytree(folder / "with-page", folder / "of-others")
    record = json.loads((folder / "with-page" / "samples.json").read_text())
    (folder / "of-others" / "samples.json").unlink()
    before = (folder / "of-others" / "page.html").read_bytes()
    message = refused(folder, *COMPARE, "--output", "of-others")
    assert "samples" in message
    assert record["n_samples"]
    assert (folder / "of-others" / "page.html").read_bytes() == before
