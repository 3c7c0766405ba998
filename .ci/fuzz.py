"""Fuzz one reader after another with atheris: ``python .ci/fuzz.py [--seconds 300] [TARGET …]``.

Each target of ``tests/fuzz/targets.py`` runs in a process of its own, on its seeds and what earlier runs have kept in
``.fuzz/<target>/corpus``. Whatever a reader raises that is no `CellfeatError` is kept in ``.fuzz/<target>/findings``,
once for each place that raised it, and the run goes on; a crash, an input that takes longer than ten seconds, and
three gigabytes of memory end it. What an earlier run found is read again first, and counts no more once it is mended.
Exit code 1 where there are findings.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".fuzz"
SECONDS_PER_INPUT = 10
MEGABYTES = 3000
LARGEST_INPUT = 1 << 14


def main() -> None:
    """Fuzz the targets that are named, or all."""
    sys.path.insert(0, str(ROOT))
    arguments = parser().parse_args()
    if arguments.inside:
        fuzz(arguments.targets[0], arguments.seconds)
    else:
        from tests.fuzz.targets import TARGETS

        found = [name for name in arguments.targets or TARGETS if run_alone(name, arguments.seconds)]
        sys.exit(f"findings: {', '.join(found)}" if found else 0)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=300, help="of each target")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


def run_alone(name: str, seconds: int) -> bool:
    """Fuzz a target in its own process; whether there are findings."""
    corpus, findings = made_folders(name)
    take_up(findings, corpus)
    command = [sys.executable, __file__, "--inside", "--seconds", str(seconds), name]
    ended = subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    found = kept(findings)
    told = "".join(f"\n  {path}" for path in found)
    sys.stderr.write(f"{name}: exit code {ended.returncode}, {len(found)} findings{told}\n")
    return bool(found) or ended.returncode != 0


def made_folders(name: str) -> tuple[Path, Path]:
    """Where the corpus and the findings of a target lie."""
    corpus, findings = FOLDER / name / "corpus", FOLDER / name / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    return corpus, findings


def kept(findings: Path) -> list[Path]:
    """The inputs among the findings, without what was told of them."""
    return sorted(path for path in findings.iterdir() if path.suffix != ".trace")


def take_up(findings: Path, corpus: Path) -> None:
    """Let the corpus have what was found earlier."""
    for path in kept(findings):
        add(corpus, path.read_bytes())
        path.unlink()
        path.with_suffix(".trace").unlink(missing_ok=True)


def add(corpus: Path, content: bytes) -> None:
    """Add an input to a corpus, by its digest as libFuzzer does."""
    (corpus / hashlib.sha1(content, usedforsecurity=False).hexdigest()).write_bytes(content)


def fuzz(name: str, seconds: int) -> None:
    """Fuzz a target in this process, which atheris ends."""
    import atheris

    with atheris.instrument_imports(include=["cellfeat", "tifffile", "yaml", "json"]):
        from tests.fuzz.targets import TARGETS, finding
    target = TARGETS[name]
    corpus, findings = made_folders(name)
    for content in target.seeds().values():
        add(corpus, content)

    def read(content: bytes) -> None:
        error = finding(target, content)
        if error is not None:
            keep(findings, content, error)

    options = [f"-max_total_time={seconds}", f"-timeout={SECONDS_PER_INPUT}", f"-rss_limit_mb={MEGABYTES}"]
    options += [f"-max_len={LARGEST_INPUT}", f"-artifact_prefix={findings}/", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], read)
    atheris.Fuzz()


def keep(findings: Path, content: bytes, error: BaseException) -> None:
    """Keep an input by the place that raised its error, the shortest of each."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "cellfeat/" in frame.filename] or list(frames)
    place = f"{type(error).__name__}-{Path(own[-1].filename).stem}-{own[-1].lineno}-{frames[-1].name.strip('<>')}"
    path = findings / place
    if not path.exists() or len(content) < path.stat().st_size:
        path.write_bytes(content)
        told = "".join(traceback.format_exception(error))
        path.with_suffix(".trace").write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
