import numpy as np
import pytest

from cellfeat.auditing.findings import Audit, Finding
from cellfeat.auditing.leak import Leak
from cellfeat.auditing.probe_results import Probe, Probes
from cellfeat.errors import ManifestError, RecordError
from cellfeat.evaluation.comparison.compare import compare
from cellfeat.near_copies.placement import Placement
from cellfeat.page.build import page_of_results
from cellfeat.reporting.audit_files import write_audit
from cellfeat.saved_results.audit import read_audit
from cellfeat.saved_results.results_folder import ResultsFolder
from cellfeat.statistics.interval_types import Interval
from tests.feature_fixtures import build_clusters, with_samples
from tests.page.conftest import QUICK

TURNED = Placement(0, 0, 1, True, 64, 48)

pytestmark = pytest.mark.usefixtures("own_folder")


def found_things(ids):
    return (
        Finding(ids[1], "near copy", ids[0], "detail correlates", TURNED),
        Finding(ids[2], "copy", ids[0], "the same pixels"),
        Finding(ids[4], "suspicious label", "", "labelled a (0.002), looks like b (c) (0.990)"),
        Finding("", "confounded", "", "100% of a have plate P1"),
        Finding(ids[5], "constant channel", "", "channel dapi"),
    )


def write(features, folder, findings=None, left_out=()):
    ids = features.samples.ids.tolist()
    leak = Leak("knn", ((0.7, 0.65, 0.5), (0.8, 0.7, 0.6)), left_out=left_out)
    names = features.samples.ids
    found = Audit(names, names, names, findings or found_things(ids), (leak,), saw_pixels=True)
    write_audit(found, folder)
    ResultsFolder.of(folder, features).record()
    return folder


def test_pairs_have_their_overlap(cells, tmp_path):
    audit = page_of_results(write(cells, tmp_path), cells).page["audit"]
    near, copy = audit["pairs"]
    assert (near["a"], near["b"], near["finding"]) == (0, 1, "near copy")
    assert near["overlap"] == {"dx": 0, "dy": 0, "quarters": 1, "mirrored": True, "width": 64, "height": 48}
    assert copy["overlap"] is None


def test_suspects_and_other_findings_are_told_apart(cells, tmp_path):
    page = page_of_results(write(cells, tmp_path), cells).page
    (suspect,) = page["audit"]["suspects"]
    assert (suspect["row"], suspect["label"], suspect["predicted"], suspect["confidence"]) == (4, "a", "b (c)", 0.99)
    kinds = [(one["finding"], one["row"]) for one in page["audit"]["findings"]]
    assert kinds == [("confounded", None), ("constant channel", 5)]
    assert page["kind"] == "audit"


def test_classes_left_out_of_the_price_are_kept_with_it(cells, tmp_path):
    folder = write(cells, tmp_path, left_out=('rare, "é"',))
    (found,) = read_audit(folder).leaks
    assert found.left_out == ('rare, "é"',)
    leak = page_of_results(folder, cells).page["overview"]["leak"]
    assert all('of fewer groups than folds: rare, "é"' in sentence for sentence in leak["sentences"])


def test_price_of_the_leak_has_intervals(cells, tmp_path):
    leak = page_of_results(write(cells, tmp_path), cells).page["overview"]["leak"]
    assert [row["name"] for row in leak["rows"]] == ["random folds", "copies together", "near copies together"]
    assert leak["rows"][0]["score"] == pytest.approx(0.75)
    assert leak["rows"][0]["low"] < 0.75 < leak["rows"][0]["high"]
    assert "+0.200" in leak["sentences"][0]


def test_comparison_shows_the_audit_beside_it(results, cells):
    write(cells, results / "audit")
    page = page_of_results(results, cells).page
    assert page["kind"] == "comparison"
    assert len(page["audit"]["pairs"]) == 2
    assert any("Confounded" in line for line in page["overview"]["limits"])


def test_copies_of_an_audit_are_no_groups(cells, tmp_path, written):
    plain = with_samples(cells, groups=np.full(len(cells), ""))
    results = written(compare(plain, ["dummy"], design=QUICK), plain, tmp_path / "results")
    write(plain, results / "audit")
    limits = page_of_results(results, plain).page["overview"]["limits"]
    assert any("No groups are known" in line for line in limits)


def test_audit_of_other_samples_is_left_out_with_a_word(results, cells):
    write(build_clusters(n=30), results / "audit")
    page = page_of_results(results, cells).page
    assert page["audit"]["pairs"] == []
    assert any("other samples" in line for line in page["overview"]["limits"])


def test_audit_page_of_other_samples_is_refused(cells, tmp_path):
    with pytest.raises(ManifestError, match="other samples"):
        page_of_results(write(build_clusters(n=30), tmp_path), cells)


def test_ids_that_a_spreadsheet_would_run_are_found(tmp_path):
    features = build_clusters(n=30)
    names = features.samples.ids.astype("U20")
    names[:2] = "=cmd()", "+1"
    hostile = with_samples(features, ids=names)
    (pair,) = page_of_results(
        write(hostile, tmp_path, (Finding("+1", "copy", "=cmd()", "the same pixels"),)), hostile
    ).page["audit"]["pairs"]
    assert (pair["a"], pair["b"]) == (0, 1)


def test_audit_of_an_earlier_version_has_no_overlaps(cells, tmp_path):
    folder = write(cells, tmp_path)
    (folder / "leak.csv").unlink()
    (folder / "audit.csv").write_text("sample,finding,partner,detail\ns1,near copy,s0,alike\n")
    page = page_of_results(folder, cells).page
    assert [pair["overlap"] for pair in page["audit"]["pairs"]] == [None]
    assert page["overview"]["leak"] is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("audit.csv", b"a,b\n1,2\n"),
        ("audit.csv", b"\xff\xfe\x00"),
        ("groups.csv", b"sample,group\n"),
        ("leak.csv", b"head,set_of_folds,folds_keep_together,balanced_accuracy\nknn,1,nothing,high\n"),
        ("leak.csv", b"head,set_of_folds,folds_keep_together,balanced_accuracy\nknn,1,nothing,1\nknn,2,copies,1\n"),
    ],
)
def test_damaged_audit_is_refused(cells, tmp_path, name, content):
    folder = write(cells, tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(RecordError, match=name):
        page_of_results(folder, cells)


def test_images_before_any_extraction_have_a_page(tmp_path):
    (tmp_path / "images").mkdir()
    ids = np.array(["x", "y"])
    found = Audit(ids, ids[[0, 0]], ids, (Finding("y", "copy", "x", "the same pixels"),), (), saw_pixels=True)
    write_audit(found, tmp_path / "audit")
    ResultsFolder(tmp_path / "audit", "sha256:of-images", 2, str(tmp_path / "images")).record()
    page = page_of_results(tmp_path / "audit").page
    assert page["nSamples"] == 2
    assert page["digest"] == "sha256:of-images"
    assert [pair["a"] for pair in page["audit"]["pairs"]] == [0]
    assert "extract" in page["picturesNote"]


def test_intensities_that_tell_the_class_are_a_limit(cells, tmp_path):
    names = cells.samples.ids
    telling = Probe("intensity statistics", 0.98, Interval(0.97, 0.99), "channel dapi", False, "so may staining")
    silent = Probe("border", 0.34, Interval(0.3, 0.4), "channel dapi", True, "look at pictures")
    probes = Probes((telling, silent), {}, chance=1 / 3, level=0.99)
    write_audit(Audit(names, names, names, (), (), saw_pixels=True, probes=probes), tmp_path)
    ResultsFolder.of(tmp_path, cells).record()
    limits = page_of_results(tmp_path, cells).page["overview"]["limits"]
    assert any("intensity statistics alone tell the class: 0.98" in line for line in limits)
    assert not any("border" in line for line in limits)
