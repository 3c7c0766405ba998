"""A few seconds of what `make fuzz` does: every reader on its seeds, on them damaged, and on what was found."""

import runpy
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cellfeat.errors import ConfigError
from tests.fuzz.targets import TARGETS, Target, finding

KEPT = sorted(file for file in (Path(__file__).parent / "found").glob("*/*") if file.is_file())
N_DAMAGED = 30
SLOW_TARGETS = {"h5sc", "zarr-metadata", "features"}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three small changes: bytes overwritten, left out, repeated, or moved to the end."""
    for _ in range(rng.integers(1, 4)):
        start, stop = sorted(rng.integers(0, len(content) + 1, 2).tolist())
        stop = min(stop, start + 16)
        piece = content[start:stop]
        other = [rng.bytes(len(piece)), b"", piece * 3, b"\xff" * len(piece)][rng.integers(4)]
        content = content[:start] + other + content[stop:] + (piece if rng.random() < 0.1 else b"")
    return content


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW_TARGETS)) for name in TARGETS]
)
def test_seeds_whole_and_damaged_are_read_or_refused(name):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    seeds = list(TARGETS[name].seeds().values())
    for content in [*seeds, *(damaged(seeds[i % len(seeds)], rng) for i in range(N_DAMAGED))]:
        error = finding(TARGETS[name], content)
        assert error is None, (content, error)


@pytest.mark.parametrize("file", KEPT, ids=lambda file: f"{file.parent.name}/{file.name}")
@pytest.mark.timeout(20)
def test_what_fuzzing_found_is_read_or_refused(file):
    error = finding(TARGETS[file.parent.name], file.read_bytes())
    assert error is None, error


def test_only_our_own_errors_are_answers():
    def read(content: bytes) -> None:
        raise {b"ours": ConfigError, b"theirs": KeyError}[content]("message")

    target = Target(read, dict)
    assert finding(target, b"ours") is None
    assert isinstance(finding(target, b"theirs"), KeyError)


def test_what_an_earlier_run_found_is_read_again_and_counts_no_more(tmp_path):
    fuzz = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "fuzz.py")))
    corpus, findings = tmp_path / "corpus", tmp_path / "findings"
    corpus.mkdir()
    findings.mkdir()
    fuzz.keep(findings, b"input", finding(Target(lambda content: {}[content], dict), b"input"))
    assert len(fuzz.kept(findings)) == 1
    fuzz.take_up(findings, corpus)
    assert list(findings.iterdir()) == []
    assert [file.read_bytes() for file in corpus.iterdir()] == [b"input"]
