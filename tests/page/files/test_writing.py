from dataclasses import replace

import pytest

from cellfeat.errors import BundleError
from cellfeat.heads.saved.bundle_files import PAGE_PARTS, check_bundle_folder
from cellfeat.page.build import page_of_results
from cellfeat.page.content import PageContent
from cellfeat.page.files.writing import write_page
from tests.page.generated_content import generated_content
from tests.page.page_reading import embedded

pytestmark = pytest.mark.usefixtures("own_folder")


def test_small_page_is_one_file_that_holds_everything(results, cells):
    content = page_of_results(results, cells)
    path = write_page(content, results)
    assert path == results / "page.html"
    assert set(embedded(path)) == {"page", *content.shards}


def test_large_page_is_a_folder_and_replaces_the_file(tmp_path):
    write_page(generated_content(50), tmp_path)
    path = write_page(generated_content(10_001, with_pictures=False), tmp_path)
    assert path == tmp_path / "page" / "index.html"
    assert not (tmp_path / "page.html").exists()
    assert (tmp_path / "page" / "shards" / "page.js").is_file()


def test_small_page_replaces_the_folder_and_leaves_other_files(tmp_path):
    write_page(generated_content(10_001, with_pictures=False), tmp_path)
    (tmp_path / "page" / "notes.txt").write_text("mine")
    write_page(generated_content(50), tmp_path)
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["notes.txt"]


def test_shards_of_an_earlier_page_are_removed(tmp_path):
    large = generated_content(10_001, with_pictures=False)
    write_page(PageContent(large.page, {**large.shards, "old-1": bytes}), tmp_path)
    assert (tmp_path / "page" / "shards" / "old-1.js").is_file()
    write_page(large, tmp_path)
    assert not (tmp_path / "page" / "shards" / "old-1.js").exists()


@pytest.mark.slow
def test_page_with_many_pictures_is_a_folder(tmp_path):
    content = generated_content(130, with_pictures=False)
    sheets = {f"thumbnails-{number}": lambda: bytes(30_000_000) for number in range(3)}
    heavy = replace(content, shards={**content.shards, **sheets})
    assert write_page(heavy, tmp_path) == tmp_path / "page" / "index.html"


def test_head_may_be_saved_again_where_its_page_is(tmp_path):
    (tmp_path / "bundle.json").touch()
    write_page(generated_content(10_001, with_pictures=False), tmp_path)
    assert {path.name for path in (tmp_path / "page").iterdir()} == PAGE_PARTS
    check_bundle_folder(tmp_path)
    (tmp_path / "page" / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="page"):
        check_bundle_folder(tmp_path)
