"""Which results a folder lets be replaced."""

from dataclasses import replace

import pytest

from cellfeat.errors import WriteError
from cellfeat.saved_results.results_folder import ResultsFolder

NAMES = ("comparison.json",)


@pytest.fixture
def of_a(tmp_path, make_clusters):
    """A folder with results of some samples."""
    folder = ResultsFolder.of(tmp_path, make_clusters(n=60))
    folder.check(NAMES)
    folder.record()
    (tmp_path / "comparison.json").touch()
    return folder


def test_same_samples_may_be_replaced(of_a, tmp_path, make_clusters):
    others = make_clusters(n=60, seed=1)  # other embeddings and labels of samples with equal ids and pixels
    ResultsFolder.of(tmp_path, others).check(NAMES)


def test_other_samples_are_refused_until_the_user_says_so(of_a, tmp_path, make_clusters):
    more = make_clusters(n=90)
    with pytest.raises(WriteError, match=r"60 of .*test\.h5.*90 of .*--output.*--replace"):
        ResultsFolder.of(tmp_path, more).check(NAMES)
    ResultsFolder.of(tmp_path, more, replaces=True).check(NAMES)
    updated = replace(more, provenance={"earlier_samples": [of_a.samples]})
    ResultsFolder.of(tmp_path, updated).check(NAMES)


@pytest.mark.parametrize("content", [None, "", "{}", '{"format": 1, "samples": "sha256:"}'])
def test_results_without_a_whole_record_are_refused(of_a, tmp_path, content):
    (tmp_path / "samples.json").unlink()
    if content is not None:
        (tmp_path / "samples.json").write_text(content)
    with pytest.raises(WriteError, match=r"comparison\.json.*--replace"):
        of_a.check(NAMES)
    of_a.check(("other.json",))  # nothing would be replaced
