import numpy as np

from cellfeat.auditing.findings import Audit, Finding
from cellfeat.auditing.leak import Leak
from cellfeat.auditing.probe_results import Probe, Probes, ProbeScore
from cellfeat.reporting.terminal.audit import (
    MOST_OF_A_KIND,
    finding_lines,
    leak_lines,
    probe_lines,
    render_counts,
    render_leaks,
    render_probes,
)
from cellfeat.statistics.interval_types import Interval
from tests.reporting.rendering import NARROW, rendered


def findings(kind, n):
    return tuple(Finding(f"s{i}", kind, f"t{i}", "labelled a\x1b[2J, b") for i in range(n))


def audit_of(*found, leaks=()):
    return Audit(*[np.array(["s0"])] * 3, tuple(found), tuple(leaks), saw_pixels=True)


def test_findings_are_counted_by_kind():
    _, _, *rows = rendered(render_counts(audit_of(*findings("copy", 9), *findings("label conflict", 7))), NARROW)
    assert [row.split() for row in rows] == [["copy", "9"], ["label", "conflict", "7"]]


def test_findings_for_a_person_are_listed_and_the_rest_counted():
    lines = finding_lines(audit_of(*findings("copy", 9), *findings("label conflict", MOST_OF_A_KIND + 2)))
    assert lines[0] == r"label conflict: s0 and t0: labelled a\x1b[2J, b"
    assert lines[MOST_OF_A_KIND:] == ["label conflict: 2 more"]


def test_finding_about_a_class_names_no_sample():
    assert finding_lines(audit_of(Finding("", "rare class", "", "RT4: 3 samples"))) == ["rare class: RT4: 3 samples"]


def test_price_of_the_leak_fits_a_narrow_terminal():
    leak = Leak("linear_relu", ((0.92, 0.87, 0.81), (0.88, 0.83, 0.79)))
    heading, _, row = rendered(render_leaks(audit_of(leaks=[leak])), NARROW)
    assert heading.endswith("random folds would have claimed")
    assert row.split() == ["linear_relu", "0.900", "0.850", "0.800", "+0.100", "±", "0.014"]


def test_leak_within_the_scatter_is_named():
    leaks = [Leak("knn", ((0.9, 0.9, 0.8), (0.9, 0.9, 0.81))), Leak("logreg", ((0.9, 0.9, 0.89), (0.89, 0.9, 0.9)))]
    (line,) = leak_lines(audit_of(leaks=leaks))
    assert line.startswith("logreg: ")
    assert leak_lines(audit_of(leaks=leaks[:1])) == []


def probe(name, score, *, is_shortcut=True):
    interval = Interval(score - 0.04, score + 0.04)
    return Probe(name, score, interval, "channel \x1b[2J", is_shortcut=is_shortcut, meaning="look at them")


def probes_of(*scores):
    head = ProbeScore("logreg", 0.83, Interval(0.79, 0.87))
    return Probes(scores, {"position": "no column is one"}, chance=0.5, level=0.99, head=head)


def test_probes_stand_beside_the_head_in_a_narrow_terminal():
    probes = probes_of(probe("border", 0.71), probe("names and order", 0.52))
    _, _, *rows = rendered(render_probes(probes), NARROW)
    assert [row.split()[-3:] for row in rows[:2]] == [["[0.670,", "0.750]", "yes"], ["[0.480,", "0.560]", "no"]]
    assert rows[2].startswith("embeddings (logreg)")
    assert rows[3].split() == ["chance", "0.500"]


def test_trifles_above_chance_are_not_told():
    sure = Probe("border", 0.52, Interval(0.51, 0.53), "channel 0", is_shortcut=True, meaning="")
    assert probes_of(sure).telling == ()


def test_telling_probes_that_are_no_findings_are_said():
    lines = probe_lines(probes_of(probe("border", 0.71), probe("intensity statistics", 0.66, is_shortcut=False)))
    text = "\n".join(lines)
    assert "99.0%" in lines[0]
    assert "position" in lines[1]
    assert "the border" not in text
    assert all(noun in lines[2] for noun in ("intensity statistics", "0.66 [0.62, 0.70]", "logreg", "0.83", "0.50"))
    assert "\x1b" not in text
