"""Run every test that breaks something on purpose, load it as users may, and write docs/reliability.md.

Run it in the environment of ``make install``: ``make torture``.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from cellfeat.provenance import versions

ROOT = Path(__file__).parent.parent
KILLS = 200
"""How often a real extraction is killed."""
RAY_KILLS = {"CELLFEAT_RAY_KILLS": "30", "CELLFEAT_RAY_DRIVER_KILLS": "10"}
"""How many machines and how many drivers of a Ray cluster are killed."""
# What was broken, and the tests that did: a module, and a regular expression for their names.
FAULTS = [
    ("image files cut at every tenth", "bad_inputs.test_images", r"quarantined_by_name.*-cut-at-"),
    ("other files that are no plain image", "bad_inputs.test_images", r"quarantined_by_name(?!.*-cut-at-)"),
    ("odd images that are good samples", "bad_inputs.test_images", "a_good_image_among_them"),
    ("samples with one spoilt channel file", "bad_inputs.test_channels", "."),
    ("bad tables of labels, names and ids", "bad_inputs.test_labels", "."),
    ("bad configurations and settings", "bad_inputs.test_configs", "."),
    ("feature files damaged, foreign or forged", "bad_inputs.test_feature_files", "."),
    ("addresses that name no feature file, or cannot be reached", "bad_inputs.test_addresses", "."),
    ("requests to an object store that fail, are cut off or slow", "storage.test_objects",
     "faults|slow|cut_off|replaced_while|stays|refused"),
    ("extractions to an object store that fails, lists late or holds damage", "extraction.test_output_on_objects", "."),
    ("weights made to run code, or vast", "bad_inputs.test_hostile", "weights_never"),
    ("saved heads made to run code, or leading elsewhere", "bad_inputs.test_hostile", "saved_head_never"),
    ("other hostile names and parts", "bad_inputs.test_hostile", "names_steer|is_something_else"),
    ("a byte flipped in a feature file (every 23rd)", "extraction.test_store_faults", "flipped_byte_of_a_file"),
    ("a byte flipped in a part (every 11th) or in the run's record (every one)", "extraction.test_store_faults",
     "flipped_byte_of_a_(part|run)"),
    ("bytes changed in a saved head", "heads.saved.test_bundle_files_refused", "changed_byte|missing_and_truncated"),
    ("killed at each line of the store", "extraction.test_store_faults", "killed_at_lines_of_the_store"),
    ("killed at each line of the store in an update", "extraction.test_store_faults", "killed_at_lines_of_an_update"),
    ("killed at random moments of a real extraction", "extraction.test_kills", "killed_at_random"),
    ("killed while a part is written, all else having run ahead", "extraction.test_kills", "killed_while_it_writes"),
    ("readers that crash, hang or are killed", "samples.reading.test_worker_pool",
     "crash|killed|silent|cannot_|closing|end_with"),
    ("the same in a real extraction", "extraction.test_interruptions", "_reader_"),
    ("extractions ended by Ctrl-C, SIGTERM or a bad image", "extraction.test_interruptions",
     "ctrl_c|bad_image|were_kept|ended_by_signals"),
    ("outputs held by another host, alive or dead", "extraction.test_lease", "."),
    ("power lost at each flush to disk", "extraction.test_power_loss", "completes_after_a_loss_of_power"),
    ("disk full", "extraction.test_store_faults", "full_disk|disk_cannot_hold|disk_full"),
    ("disk full, from the command line", "bad_inputs.test_full_disk", "."),
    ("quota used up, folder read-only or removed under way", "bad_inputs.test_unwritable", "quota|read_only|under_way"),
    ("results on a full disk", "bad_inputs.test_unwritable", "results_on_a_full_disk"),
    ("downloads cut off, damaged, silent or lied about", "backbones.test_weights_download", "."),
    ("what fuzzing found, and seeds damaged anew", "fuzz.test_readers", "found|damaged"),
    ("planners, shares, consolidators and plain runs killed at random moments", "extraction.shares.test_share_kills",
     "killed_in_all_roles"),
    ("many planners, shares and consolidators at once", "extraction.shares.test_share_kills", "sixteen|at_once"),
    ("one of two writers of a run killed, with and without hard links", "extraction.test_two_writers", "."),
    ("late, contradicting and spoilt shares, plans and parts", "extraction.shares.test_share_races", "."),
    ("wrong order, settings and folders of shares, from the command line", "bad_inputs.test_bad_shares", "."),
    ("feature files whose images or numbers are others now", "extraction.test_verification", "."),
]  # fmt: skip
# What grows must not: a title, and the benchmark that shows it.
LOADS = [
    ("Memory of an extraction", ["scaling.py", "memory", "--samples", "2889", "28896"]),
    ("Open files, threads and processes while it runs", ["scaling.py", "handles", "--samples", "2889", "28896"]),
    ("Seconds a sample", ["scaling.py", "time", "--samples", "2889", "28896", "--rounds", "1"]),
    ("The feature file, a million rows beside ten thousand", ["store.py", "--rows", "10000", "1000000"]),
]  # fmt: skip
INTRODUCTION = """# Fault-injection results

Written by `make torture`, which runs the tests that break something on purpose and updates this table. It runs as root
on Linux; otherwise the tests that need a small disk are skipped. A fault is **held** if it ends as it should:

- in one message that says what, where and what to do next, with exit code 1;
- with a bad image quarantined by name, and all good samples in the file;
- with the next run giving the same bytes as an undisturbed one;
- or, for a flipped byte that nothing reads, with the same values.

Unusual but valid inputs are counted too, and held if they are read correctly.
"""
LIMITS = """
Limits of these tests: a JPEG has no checksum, so damage that still decodes passes as an image, and so does a
progressive JPEG that was cut between two scans and given an end marker. Bytes are flipped one at a time. Loss of
power is simulated by a layer that discards what was not flushed, not on a real disk.
"""


def outcomes() -> list[tuple[str, str, int, str]]:
    """Module, name, number of faults and result of every test that ran."""
    modules = sorted({f"tests/{module.replace('.', '/')}.py" for _, module, _ in FAULTS})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "worksteal", "-q", "--timeout", "3600"]
        subprocess.run(
            [*command, f"--junit-xml={report}", *modules],
            cwd=ROOT,
            check=False,
            env={**os.environ, "CELLFEAT_KILLS": str(KILLS), **RAY_KILLS},
        )
        return [outcome(case) for case in ElementTree.parse(report).iter("testcase")]


def outcome(case: ElementTree.Element) -> tuple[str, str, int, str]:
    """One test; a loop over faults says itself how many they are."""
    counted = [item.get("value", "1") for item in case.iter("property") if item.get("name") == "faults"]
    ended = {child.tag for child in case} & {"failure", "error", "skipped"}
    module = case.get("classname", "").removeprefix("tests.")
    return module, case.get("name", ""), int(counted[0]) if counted else 1, (ended or {"held"}).pop()


def table(tests: list[tuple[str, str, int, str]]) -> list[str]:
    """The table as lines of Markdown."""
    lines = ["| fault | tried | held | skipped |", "|---|--:|--:|--:|"]
    totals = [0, 0, 0]
    for told, module, pattern in FAULTS:
        mine = [
            (n, result) for place, name, n, result in tests if place.startswith(module) and re.search(pattern, name)
        ]
        if not mine:
            raise SystemExit(f"no test in {module} is called like {pattern}: {told}")
        skipped = sum(n for n, result in mine if result == "skipped")
        counts = [sum(n for n, _ in mine) - skipped, sum(n for n, result in mine if result == "held"), skipped]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        lines.append(f"| {told} | {' | '.join(f'{count:,}' for count in counts)} |")
    return [*lines, f"| **all** | {' | '.join(f'**{total:,}**' for total in totals)} |"]


def load() -> list[str]:
    """What the benchmarks of load print, as lines of Markdown."""
    lines = ["## Load", "", "Three generated grey images a sample, a light network, each step measured once, on CPU."]
    for title, arguments in LOADS:
        command = [sys.executable, f"benchmarks/{arguments[0]}", *arguments[1:]]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        told = f"`python benchmarks/{' '.join(arguments)}`"
        lines += ["", f"{title}: {told}", "", done.stdout.strip()]
    return lines


def environment() -> list[str]:
    """What it was run with, as lines of Markdown."""
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    return ["", "## Versions", "", f"{told}.", ""]


def main() -> None:
    """Run the tests and the load, write the page, and fail where a fault was not held."""
    tests = outcomes()
    page = ROOT / "docs" / "reliability.md"
    lines = [INTRODUCTION, *table(tests), LIMITS, *load(), *environment()]
    page.write_text("\n".join(lines), encoding="utf-8")
    sys.exit(any(result in ("failure", "error") for *_, result in tests))


if __name__ == "__main__":
    main()
