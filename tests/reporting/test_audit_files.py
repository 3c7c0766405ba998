import csv

import numpy as np

from cellfeat.auditing.findings import Audit, Finding
from cellfeat.auditing.leak import Leak
from cellfeat.auditing.probe_results import Probe, Probes, ProbeScore
from cellfeat.near_copies.placement import Placement
from cellfeat.reporting.audit_files import write_audit
from cellfeat.statistics.interval_types import Interval


def test_findings_are_safe_in_a_spreadsheet_and_groups_keep_their_ids(tmp_path):
    names = np.array(["=1", "s9"])
    copy = Finding("s9", "copy", "=1", "the same pixels", Placement(0, 0, 0, False, 64, 48))
    audit = Audit(names, names[[0, 0]], names[[0, 0]], (copy,), (), saw_pixels=False)
    findings, groups, probes, _ = write_audit(audit, tmp_path)
    assert list(csv.reader(findings.open())) == [
        ["sample", "finding", "partner", "detail", "overlap"],
        ["s9", "copy", "'=1", "the same pixels", "dx=0 dy=0 quarters=0 mirrored=0 width=64 height=48"],
    ]
    assert list(csv.reader(groups.open())) == [["sample_id", "group"], ["=1", "=1"], ["s9", "=1"]]
    assert len(list(csv.reader(probes.open()))) == 1


def test_leak_has_a_row_for_each_set_and_kind_of_folds(tmp_path):
    names = np.array(["s1"])
    leak = Leak("knn", ((0.7, 0.6, 0.5), (0.8, 0.7, 0.6)))
    *_, path = write_audit(Audit(names, names, names, (), (leak,), saw_pixels=False), tmp_path)
    rows = list(csv.DictReader(path.open()))
    assert [row["set_of_folds"] for row in rows] == list("111222")
    assert [float(row["balanced_accuracy"]) for row in rows if row["folds_keep_together"] == "nothing"] == [0.7, 0.8]


def test_each_probe_has_a_row(tmp_path):
    border = Probe("border", 0.71, Interval(0.66, 0.75), "channel 0", is_shortcut=True, meaning="look")
    order = Probe("names and order", 0.5, Interval(0.4, 0.6), "word 1", is_shortcut=True, meaning="look")
    head = ProbeScore("logreg", 0.83, Interval(0.79, 0.87))
    names = np.array(["s0"])
    probes = Probes((border, order), {"position": "unknown"}, chance=0.5, level=0.99, head=head)
    write_audit(Audit(names, names, names, (), (), saw_pixels=False, probes=probes), tmp_path)
    rows = list(csv.DictReader((tmp_path / "probes.csv").open()))
    assert [row["seen"] for row in rows] == ["border", "names and order", "logreg", "position"]
    assert [row["tells_class"] for row in rows] == ["yes", "no", "", ""]
    assert float(rows[0]["low"]) == 0.66
    assert "0.71 [0.66, 0.75]" in rows[0]["detail"]
    assert rows[3]["detail"] == "unknown"
