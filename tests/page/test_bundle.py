"""The bundle of the page is what its sources and the pinned packages make, with the licences of what it contains."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cellfeat.page.files.forms import STATIC, static

WEB = Path(__file__).parents[2] / "web"
OUR_FAULT = re.compile("EUSAGE|EINTEGRITY|EJSONPARSE")
"""Errors of npm that the lock or package.json causes, and not the registry."""


def test_licences_name_each_package_that_is_imported() -> None:
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    sources = "".join(path.read_text(encoding="utf-8") for path in (WEB / "src").rglob("*.ts*"))
    imported = {name: version for name, version in package["dependencies"].items() if f'from "{name}' in sources}
    named = re.findall(r"^(\S+) (\S+), licence: \S+$", static("licences.txt").decode(), re.M)
    assert imported.items() <= dict(named).items()
    assert "preact" in imported


def test_packages_are_pinned() -> None:
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


@pytest.mark.slow
def test_bundle_is_rebuilt_byte_by_byte(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    sources = shutil.copytree(WEB, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--loglevel=error", "--fetch-retries=1"]
    try:
        installed = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm does not answer")
    output = installed.stdout + installed.stderr
    assert not OUR_FAULT.search(output), output
    if installed.returncode:
        pytest.skip("npm cannot fetch the packages")
    subprocess.run(["node", "build.mjs", str(tmp_path / "built")], cwd=sources, check=True)
    changed = [name for name in STATIC if (tmp_path / "built" / name).read_bytes() != static(name)]
    assert not changed, "the bundle is older than its sources or packages: run `make page`"
