"""The docs say what the code does: names, settings, commands, links, and code that runs."""

import configparser
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import cellfeat
from cellfeat.backbones.base import Backbone
from cellfeat.backbones.registry import BACKBONES
from cellfeat.backbones.trained_on import UNKNOWN
from cellfeat.commands import COMMANDS, demo
from cellfeat.commands import cellfeat as command_line
from cellfeat.config import Settings
from cellfeat.config_files import parse_assignment
from cellfeat.config_sources import load_settings
from cellfeat.errors import BackboneError
from cellfeat.heads.registry import HEADS, Head, make_head

ROOT = Path(__file__).parent.parent
GENERATED = {"docs/cli.md"}
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "features/README.md")),
        *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "_generated"),
    )
}
WRITTEN = {name: text for name, text in PAGES.items() if name not in GENERATED}
README = PAGES["README.md"]
CONTRIBUTING = PAGES["CONTRIBUTING.md"]
HEADS_PAGE = PAGES["docs/guide/heads-and-tuning.md"]
LOCK = (ROOT / "requirements.lock").read_text()
SECTIONS = "images|labels|preprocessing|backbone|extraction|comparison"
MAX_PICTURE_BYTES = 140_000


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def without_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)


# Names


@pytest.mark.parametrize("head", HEADS)
def test_head_is_in_the_docs(head: str) -> None:
    assert f"| `{head}` |" in HEADS_PAGE


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_in_the_docs(command: str) -> None:
    assert f"| `{command}` |" in PAGES["docs/README.md"]


def test_epochs_in_the_docs() -> None:
    from cellfeat.heads.neural_networks.mlp import EPOCHS, SAMPLES_SEEN

    fewest, most = EPOCHS
    text = " ".join(HEADS_PAGE.split())
    assert f"shown some {SAMPLES_SEEN:,} samples: {fewest} to {most} epochs" in text
    assert f"{fewest} to {most} epochs" in HEADS["mlp"].summary


def test_backbones_in_the_docs_exist() -> None:
    text = "\n".join(WRITTEN.values())
    named = re.findall(r"--backbone (\w+)|`(\w+net\w*)`|inspect (\w+_\w+)`?$", text, re.M)
    names = {name for found in named for name in found if name}
    assert {"convnext_base", "efficientnet_lite0"} <= names
    # NAME stands for any of them in a synopsis, and tiny is the network that the page for contributors shows.
    assert names - {"NAME", "tiny"} <= set(BACKBONES)


def test_public_names_exist() -> None:
    for name in cellfeat.__all__:
        assert getattr(cellfeat, name) is not None


def test_paths_in_the_docs_exist() -> None:
    made_up = {
        "cellfeat/heads/baselines/nearest_mean.py",
        "cellfeat/interop/exports/feather.py",
        "cellfeat/samples/layouts/prefix.py",
        "tests/heads/baselines/test_nearest_mean.py",
    }
    path = re.compile(r"`((?:cellfeat|tests|benchmarks|configs|docs|\.ci)/[\w./-]+)`")
    named = {(page, name) for page, text in WRITTEN.items() for name in path.findall(text)}
    assert [(page, name) for page, name in sorted(named) if name not in made_up and not (ROOT / name).exists()] == []


# Settings and commands


def shown_settings() -> set[str]:
    """Settings behind ``--set``, and those in single backticks."""
    text = "\n".join(WRITTEN.values())
    on_the_command_line = re.findall(r"--set '([^']+)'|--set ([\w.]+=[^\s`',]+)", text)
    in_backticks = re.findall(rf"`((?:{SECTIONS})\.\w+=[^`\s]+)`", text)
    return ({quoted or plain for quoted, plain in on_the_command_line} | set(in_backticks)) - {"KEY=VALUE"}


def test_settings_in_the_docs_are_valid() -> None:
    shown = shown_settings()
    assert len(shown) > 15
    for text in shown:
        key, value = parse_assignment(text)
        load_settings(overrides={f"heads.{key}" if key.partition(".")[0] in HEADS else key: value})


def shown_commands() -> Iterator[tuple[str, str]]:
    """Each command line in a block of shell, and each command with an option in backticks: its name and the rest."""
    program = r"(?:cellfeat|python cli\.py)"
    for text in WRITTEN.values():
        lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
        yield from (found.groups() for line in lines if (found := re.match(rf"{program} (\w+)(.*)", line)))  # type: ignore[misc]
        yield from re.findall(rf"`(?:{program} )?({'|'.join(COMMANDS)})( --[^`]+)`", without_blocks(text))


def test_commands_in_the_docs_have_their_options() -> None:
    shown = set(shown_commands())
    assert len(shown) > 30
    context = command_line.make_context("cellfeat", ["list"], resilient_parsing=True)
    for name, rest in shown:
        command = command_line.get_command(context, name)
        assert command is not None, name
        options = {option for parameter in command.params for option in parameter.opts}
        # A word with a space is the value of an option: --slurm '--partition=gpu --time=10'.
        words = {word for word in shlex.split(rest) if word.startswith("--") and " " not in word}
        unknown = words - options - {"--help"}
        assert unknown == set(), f"cellfeat {name}{rest}"


def test_cli_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("cli_page", ROOT / "docs" / "cli_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page, written = module.cli_page().splitlines(), PAGES["docs/cli.md"].splitlines()
    assert page == written, "docs/cli.md differs from the commands' help; write it again: make docs-pages"


def test_demo_config_is_the_demo() -> None:
    shipped = load_settings(ROOT / "configs" / "demo.yaml")
    assert shipped == load_settings(overrides=demo.SETTINGS | demo._places(Path("demo")))


def test_default_config_is_the_defaults() -> None:
    assert Settings.model_validate(yaml.safe_load((ROOT / "configs" / "default.yaml").read_text())) == Settings()


# Dependencies


def asked_for(*extras: str) -> set[str]:
    """Names in setup.cfg: those of every installation, and of some extras (of all, where none is named)."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    of_extras = config["options.extras_require"]
    texts = [config["options"]["install_requires"], *(of_extras[name] for name in extras or of_extras)]
    return {re.sub(r"[-_.]+", "-", name).lower() for text in texts for name in re.findall(r"^[\w.-]+", text, re.M)}


def test_dependencies_are_in_the_docs() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| [^|]+ \| [^|]+ \| ", PAGES["docs/dependencies.md"], re.M)
    assert asked_for() == set(rows) - {"package"}, "write it again: python .ci/dependencies.py"


def test_dependencies_are_locked() -> None:
    # A name may occur twice: another version for another Python.
    locked = re.findall(r"^([\w.-]+)==\S+ .*\\\n(?: +--hash=sha256:[0-9a-f]{64}.*\n)+", LOCK, re.M)
    assert len(locked) == len(re.findall(r"^\w", LOCK, re.M)), "something is not pinned, or has no digest"
    assert asked_for("dev") <= set(locked), "write it again: make lock"


# Links and pictures


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", without_blocks(text), re.M):
        words = re.sub(r"\]\([^)]*\)", "", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return set(found)


def broken_links(page: str, text: str) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text)):
        if re.match(r"\w+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (ROOT / page).parent / place if place else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


def test_links_lead_somewhere() -> None:
    assert [(page, link) for page, text in PAGES.items() for link in broken_links(page, text)] == []


def test_broken_links_are_found() -> None:
    text = "# A b: `c`\n[x](missing.md) [y](docs/cli.md#missing) [z](#a-b-c) [w](README.md)"
    assert list(broken_links("CONTRIBUTING.md", text)) == ["missing.md", "docs/cli.md#missing", "#a-b-c"]
    assert anchors(text) == {"a-b-c"}


def test_every_page_is_linked_from_an_index() -> None:
    linked = {ROOT / "README.md", ROOT / "features" / "README.md"}
    for index in ("README.md", "docs/README.md", "docs/decisions/README.md"):
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", PAGES[index]):
            linked.add(((ROOT / index).parent / link).resolve())
    assert [page for page in PAGES if (ROOT / page).resolve() not in linked] == []


def test_pictures_are_small() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert len(pictures) == 3
    assert all((ROOT / picture).stat().st_size < MAX_PICTURE_BYTES for picture in pictures)


# Code that is shown runs


def without(table: Any, name: str) -> dict[str, Any]:
    """The entries but one: whoever follows the page to the letter has it in the table already."""
    return {key: entry for key, entry in table._entries.items() if key != name}


@pytest.fixture
def shown_head(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The head of CONTRIBUTING.md, in the table under its name."""
    source, entry, *_ = blocks(CONTRIBUTING, "python")
    module = ModuleType("cellfeat.heads.baselines.nearest_mean")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(HEADS, "_entries", without(HEADS, "nearest_mean"))
    exec(source, module.__dict__)  # noqa: S102, the block is our own
    exec(entry, {"HEADS": HEADS, "Head": Head})  # noqa: S102
    return module.NearestMeanHead  # type: ignore[attr-defined]


def test_shown_head_is_a_head(shown_head: Any) -> None:
    rng = np.random.default_rng(0)
    codes = np.arange(120) % 3
    X = (rng.standard_normal((120, 8)) + 4 * np.eye(8)[codes]).astype(np.float32)
    y = np.array(["HeLa", "MCF7", "PC-3"])[codes]
    head = make_head("nearest_mean", {"sharpness": 3.0}, n_views=1, random_state=0).fit(X, y)
    assert type(head) is shown_head
    assert np.mean(head.predict(X) == y) > 0.95
    restored = clone(head).set_state(head.get_state())
    assert np.array_equal(restored.predict_proba(X), head.predict_proba(X))
    assert set(shown_head.search_space) <= set(head.get_params())


def test_shown_head_passes_the_checks_of_scikit_learn(shown_head: Any) -> None:
    check_estimator(shown_head())


def test_shown_backbone_is_a_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    source = blocks(CONTRIBUTING, "python")[2]
    module = ModuleType("my_package.backbones")
    monkeypatch.setitem(sys.modules, "my_package", ModuleType("my_package"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, module.__dict__)  # noqa: S102
    entry = module.ENTRY  # type: ignore[attr-defined]
    assert isinstance(entry, Backbone)
    loaded = entry.load(weights=None, pool="norm", input_size=32)
    images = loaded.transform.square(torch.rand(2, 3, 40, 50))
    assert loaded.module(images).shape == (2, loaded.embedding_dim)
    assert entry.trained_on != UNKNOWN
    with pytest.raises(BackboneError, match="random"):
        entry.load(weights="mine.pt", pool="norm", input_size=None)


def shown_module(name: str, block: int, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the package whose source is a block of CONTRIBUTING.md."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(blocks(CONTRIBUTING, "python")[block], module.__dict__)  # noqa: S102
    return module


def test_shown_layout_is_a_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cellfeat.samples.folders.local import LocalFolder
    from cellfeat.samples.layouts import Layout

    layout: Layout = shown_module("cellfeat.samples.layouts.prefix", 3, monkeypatch).PrefixLayout()  # type: ignore[attr-defined]
    for name in ("HeLa_1.png", "A549_2.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    found = {name: layout.find(name) for name in layout.on_disk(LocalFolder(tmp_path))}
    assert {name: sample and sample.label for name, sample in found.items()} == {
        "HeLa_1.png": "HeLa", "A549_2.png": "A549", "notes.txt": None,
    }  # fmt: skip
    assert all(layout.names(sample) == (name,) for name, sample in found.items() if sample)


def test_shown_export_is_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    from cellfeat.interop.exports.registry import EXPORTS, ExportFormat

    shown_module("cellfeat.interop.exports.feather", 4, monkeypatch)
    monkeypatch.setattr(EXPORTS, "_entries", without(EXPORTS, "feather"))
    exec(blocks(CONTRIBUTING, "python")[5], {"EXPORTS": EXPORTS, "ExportFormat": ExportFormat})  # noqa: S102
    X = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    features = cellfeat.Features.from_arrays(X, labels=["HeLa", "A549"] * 3)
    written = pd.read_feather(cellfeat.export(features, "feather", tmp_path / "cells.feather"))
    assert written["label"].tolist() == ["HeLa", "A549"] * 3
    assert np.array_equal(written.iloc[:, -3:].to_numpy(), X)


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small demo's images, and the configurations."""
    pytest.importorskip("timm")
    from cellfeat.samples.synthetic import write_synthetic_cells

    folder = tmp_path_factory.mktemp("shown")
    write_synthetic_cells(folder / "demo", n_samples=200, seed=0)
    (folder / "configs").symlink_to(ROOT / "configs")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/guide/python.md"])
def test_python_blocks_run(page: str, demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_folder)
    names: dict[str, Any] = {}
    for block in blocks(PAGES[page], "python"):
        exec(block, names)  # noqa: S102
    assert len(names["predictions"].predicted) == 200
