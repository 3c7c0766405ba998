"""The docs say what the code does: names, settings and the README's Python block."""

import configparser
import re
from pathlib import Path

import pytest
import yaml

import cellfeat
from cellfeat.backbones.registry import BACKBONES
from cellfeat.commands import demo
from cellfeat.config import Settings, load_settings, parse_assignment
from cellfeat.heads.registry import HEADS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
DEPENDENCIES = (ROOT / "docs" / "dependencies.md").read_text()


@pytest.mark.parametrize("head", HEADS)
def test_every_head_stands_in_the_readme(head: str) -> None:
    assert f"| `{head}` |" in README


def test_the_epochs_that_the_docs_tell_are_those_of_the_mlp() -> None:
    from cellfeat.heads.mlp import EPOCHS, SAMPLES_SEEN

    fewest, most = EPOCHS
    assert f"shown some {SAMPLES_SEEN:,} samples: {fewest} to {most} epochs" in README
    assert f"{fewest} to {most} epochs" in HEADS["mlp"].summary


def test_every_backbone_that_the_readme_names_exists() -> None:
    named = re.findall(r"--backbone (\w+)|`(\w+net\w*)`|inspect (\w+_\w+)`", README)
    names = {name for found in named for name in found if name}
    assert {"convnext_base", "efficientnet_lite0"} <= names
    assert names <= set(BACKBONES)


SHOWN = sorted(set(re.findall(r"--set '([^']+)'|--set ([\w.]+=[^\s`']+)", README)))


@pytest.mark.parametrize("text", sorted({quoted or plain for quoted, plain in SHOWN} - {"KEY=VALUE"}))
def test_every_setting_that_the_readme_shows_is_valid(text: str) -> None:
    key, value = parse_assignment(text)
    if key.partition(".")[0] in HEADS:
        key = f"heads.{key}"
    load_settings(overrides={key: value})


def test_every_dependency_is_told_with_its_licence_and_what_it_is_for() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    asked = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    names = {re.sub(r"[-_.]+", "-", name).lower() for text in asked for name in re.findall(r"^[\w.-]+", text, re.M)}
    told = dict(re.findall(r"^\| ([\w-]+) \| ([^|]+) \| [^|]+ \| ", DEPENDENCIES, re.M))
    assert names == told.keys() - {"package"}, "write it anew: python .ci/dependencies.py"


def test_every_dependency_is_locked_with_the_digests_of_its_files() -> None:
    locked = dict(re.findall(r"^([\w.-]+)==\S+ .*\\\n((?: +--hash=sha256:[0-9a-f]{64}.*\n)+)", LOCK, re.M))
    assert len(locked) == len(re.findall(r"^\w", LOCK, re.M)), "something is not pinned, or has no digest"
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    asked = config["options"]["install_requires"] + config["options.extras_require"]["dev"]
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^[\w.-]+", asked, re.M)}
    assert names <= locked.keys(), "write it anew: make lock"


def test_the_readme_shows_settings() -> None:
    assert len(SHOWN) > 5


def test_the_public_names_exist() -> None:
    for name in cellfeat.__all__:
        assert getattr(cellfeat, name) is not None


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([\w/.-]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_demo_and_its_config_say_the_same() -> None:
    shipped = load_settings(ROOT / "configs" / "demo.yaml")
    assert shipped == load_settings(overrides=demo.SETTINGS | demo._places(Path("demo")))


def test_the_default_config_is_commented_yaml_of_the_defaults() -> None:
    assert Settings.model_validate(yaml.safe_load((ROOT / "configs" / "default.yaml").read_text())) == Settings()


@pytest.mark.slow
def test_the_readmes_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    from cellfeat.samples.synthetic import write_synthetic_cells

    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    write_synthetic_cells(tmp_path / "demo", n_samples=200, seed=0)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block[1], names)  # noqa: S102, the block is our own
    assert len(names["predictions"].predicted) == 200  # type: ignore[attr-defined]
