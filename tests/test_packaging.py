"""The version is one, and an editable installation is found from everywhere, also from the folder above the clone."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


def test_version_is_the_same_everywhere() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest is not None
    assert newest.groups() == (cited["version"], cited["date-released"])
    assert config["metadata"]["version"] == cited["version"]


@pytest.fixture(scope="module")
def above(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clone called ``cellfeat``, as git makes it, and ``site``, where it is installed as editable."""
    pytest.importorskip("setuptools", minversion="77")
    above = tmp_path_factory.mktemp("above")
    clone = above / "cellfeat"
    shutil.copytree(ROOT / "cellfeat", clone / "cellfeat", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    build = "from setuptools import build_meta; build_meta.build_editable('..')"
    subprocess.run([sys.executable, "-c", build], cwd=clone, check=True, capture_output=True)
    (wheel,) = above.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(above / "site")
    return above


@pytest.mark.parametrize("place", [".", "cellfeat", "site"])
def test_package_is_found_from(place: str, above: Path) -> None:
    """The clone has the name of the package, so that above it Python could take it for a namespace without names."""
    code = f"import site; site.addsitedir({str(above / 'site')!r}); import cellfeat; print(cellfeat.__file__)"
    # Without the packages of this environment, in which cellfeat may be installed as well.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=above / place, env=env, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(above / "cellfeat" / "cellfeat" / "__init__.py"), done.stderr
