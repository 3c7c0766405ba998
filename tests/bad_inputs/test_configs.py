"""Invalid configurations: one message that names the file or the key, and nothing in them is executed."""

from pathlib import Path
from typing import NamedTuple

import pytest


class Refused(NamedTuple):
    name: str
    content: bytes | str
    message: str


ALIASES = "\n".join([
    "a: &a [x, x, x, x, x, x, x, x, x]",
    *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
])  # fmt: skip
FILES = [
    Refused("list.yaml", "- images", "list.yaml: expected a mapping of sections at the top, got list"),
    Refused("text.yaml", "just words", "expected a mapping of sections at the top, got str"),
    Refused("number.json", "3", "expected a mapping of sections at the top, got int"),
    Refused("open.yaml", "images: [1, 2", "open.yaml: not valid YAML"),
    Refused("tabs.yaml", "images:\n\troot: x", "tabs.yaml: not valid YAML"),
    Refused("open.json", '{"images": {', "open.json: not valid JSON"),
    Refused("commas.json", '{"images": {},}', "commas.json: not valid JSON"),
    Refused("binary.yaml", b"\x89HDF\r\n\x1a\n\xff\xfe", "binary.yaml: cannot be read as text"),
    Refused("utf-16.yaml", "images: {}".encode("utf-16"), "cannot be read as text"),
    Refused("control.yaml", "images: '\x01'", "control.yaml: not valid YAML"),
    Refused("vast.yaml", b"#" * 1_000_001, "larger than 1000000 bytes"),
    Refused("deep.yaml", "[" * 100_000, "deep.yaml: not valid YAML"),
    Refused("deep.json", "[" * 100_000, "deep.json: not valid JSON"),
    Refused("deep-keys.yaml", "{a: " * 900 + "1" + "}" * 900, "deep-keys.yaml: not valid YAML"),
    Refused("aliases.yaml", ALIASES, "aliases are not allowed"),
    Refused("merge.yaml", "a: &a {x: 1}\nimages:\n  <<: *a", "aliases are not allowed"),
    Refused("python.yaml", "images: !!python/object/apply:os.system ['touch ran']", "not valid YAML"),
    Refused("python-name.yaml", "images: !!python/name:os.system", "not valid YAML"),
    Refused("python-module.yaml", "images: !!python/module:os", "not valid YAML"),
    Refused("python-new.yaml", "images: !!python/object/new:pathlib.Path [ran]", "not valid YAML"),
    Refused("own-tag.yaml", "images: !secret x", "not valid YAML"),
    Refused("binary-tag.yaml", "images: {root: !!binary aGVsbG8=}", r"images\.root"),
    Refused("date.yaml", "images: {root: 2026-01-01}", r"images\.root"),
    Refused("set.yaml", "images: !!set {root}", r"images"),
    Refused("nan.yaml", "images: {intensity: {range: [0, .nan]}}", "finite"),
    Refused("infinite.yaml", "images: {intensity: {range: [0, .inf]}}", "finite"),
    Refused("huge-number.yaml", "comparison: {seed: " + "9" * 5000 + "}", "not valid YAML"),
    Refused("huge-number.json", '{"comparison": {"seed": ' + "9" * 5000 + "}}", "not valid JSON"),
    Refused("number-key.yaml", "1: 2", "1: Keys should be strings"),
    Refused("null-key.yaml", "null: 2", "None: Keys should be strings"),
    Refused("list-key.yaml", "[a, b]: 2", "not valid YAML"),
    Refused("list-section.yaml", "images: [root, x]", "images: .*got"),
    Refused("null-section.yaml", "images: null", "images: .*got None"),
    Refused("text-section.yaml", "extraction: fast", "extraction: .*got 'fast'"),
    Refused("unknown.yaml", "imagse: {root: x}", "unknown key 'imagse'; did you mean 'images'"),
    Refused("unknown-inner.yaml", "images: {rot: x}", r"unknown key 'images\.rot'; did you mean 'images\.root'"),
    Refused("twice.yaml", "images: {root: x}\nimages: {root: y}", "'images' is defined twice"),
    Refused("twice.json", '{"images": {"root": "x"}, "images": {"root": "y"}}', "'images' is defined twice"),
    Refused("escape.yaml", 'images: {"\\e[31m": x}', r"unknown key 'images\.\\x1b\[31m'"),
]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_bad_configuration_is_refused(file, inside, cli):
    Path(file.name).write_bytes(file.content if isinstance(file.content, bytes) else file.content.encode())
    cli("extract", "--config", file.name).is_refusal(file.message)
    assert [path.name for path in inside.iterdir()] == [file.name], "nothing ran, and nothing was written"


ASSIGNMENTS = {
    "extraction.views=3": r"extraction\.views: .*1, 4 or 8, got 3",
    "extraction.views=true": r"extraction\.views: .*got True",
    "extraction.views=1.5": r"extraction\.views: .*got 1\.5",
    "extraction.batch_size=0": r"extraction\.batch_size\b.*got 0",
    "extraction.batch_size=-1": r"extraction\.batch_size\b.*got -1",
    "extraction.batch_size=many": r"extraction\.batch_size\b.*got 'many'",
    "extraction.part_size=0": r"extraction\.part_size: .*got 0",
    "extraction.part_size=1e30": r"extraction\.part_size: .*got",
    "extraction.on_error=ignore": r"extraction\.on_error: .*got 'ignore'",
    "extraction.output=[a]": r"extraction\.output: .*got \['a'\]",
    "extraction.output=null": r"extraction\.output: .*got None",
    "extraction=null": "extraction: .*got None",
    "extraction.veiws=8": "did you mean 'extraction.views'",
    "images.channels=[]": r"images\.channels: ",
    "images.channels=blue": r"images\.channels: .*got 'blue'",
    "images.channels=[blue,blue]": "expected every channel once",
    "images.channels=[1.5]": r"images\.channels",
    "images.max_pixels=0": r"images\.max_pixels: .*got 0",
    "images.intensity={range: [5, 1]}": "lo < hi",
    "images.intensity={percentile: [1, 101]}": "0 <= p < q <= 100",
    "images.intensity={percentile: [1, .nan]}": "finite",
    "images.intensity={range: [0, 1], percentile: [1, 99]}": "not both",
    "images.intensity=minmax": "expected dtype",
    "images.layout=folder": r"images\.layout: .*got 'folder'",
    "preprocessing.input_size=0": r"preprocessing\.input_size: .*got 0",
    "preprocessing.std=[0,0,0]": r"preprocessing\.std\.0: .*greater than 0",
    "preprocessing.mean=[.nan,0,0]": r"preprocessing\.mean",
    "preprocessing.mean=[0,0]": r"preprocessing\.mean",
    "backbone.name=[a]": r"backbone\.name: .*got \['a'\]",
    "backbone.pool=max": r"backbone\.pool: .*got 'max'",
    "comparison.folds=1": r"comparison\.folds: .*got 1",
    "comparison.seed=-1": r"comparison\.seed: .*got -1",
    "comparison.heads=[]": r"comparison\.heads: ",
    "=1": "expected KEY=VALUE, got '=1'",
    "views": "expected KEY=VALUE, got 'views'",
    ".=1": "unknown key",
    "images..root=x": "unknown key",
    "images.root.x=1": r"images\.root",
    "images=" + "[" * 5000: "images: cannot be read as a value",
    "images.root=!!python/object/apply:os.system ['touch ran']": "images .*does not exist",
    "a" * 5000 + "=1": "unknown key",
    "images.input_size=64": "did you mean 'preprocessing.input_size'",
    "inptu_size=64": "did you mean 'preprocessing.input_size'",
    "input_size=64": "did you mean 'preprocessing.input_size'",
    "extractoin.views=8": "--set: .*did you mean 'extraction'",
    "mlpp.hidden=64": "--set: .*did you mean 'mlp'",
    "images.fields.masks_root=s3://bucket/masks": r"images\.fields\.masks_root: addresses .*not supported yet",
    "images.fields.table=gs://bucket/fields.csv": r"images\.fields\.table: addresses .*not supported yet",
    "images.root=ftp://host/cells": r"images\.root: ftp://host/cells: expected an address that begins with s3://",
    "labels.file=s3:///": r"labels\.file: .*names no bucket",
    "extraction.output=s4://bucket/cells.h5": r"extraction\.output: s4://bucket/cells\.h5: expected .*s3://",
    "extraction.output=s3://me:word@bucket/cells.h5": r"extraction\.output: s3://…@bucket.*environment",
    "comparison.output=s3://bucket/results": r"comparison\.output: addresses .*not supported yet",
}


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda text: text[:50])
def test_bad_setting_is_refused(assignment, inside, cli):
    cli("extract", "--set", assignment).is_refusal(ASSIGNMENTS[assignment])
    assert list(inside.iterdir()) == []


def test_source_of_a_mistake_is_named(inside, cli):
    """A wrong option or ``--set`` is not blamed on the file of settings, nor the reverse."""
    (inside / "mine.yaml").write_text("extraction: {views: 4}\nimages: {max_pixels: 1000}\n")
    mine = ("extract", "--config", "mine.yaml")
    ending = cli(*mine, "--set", "extraction.veiws=8")
    ending.is_refusal("--set: unknown key.*did you mean 'extraction.views'")
    assert "mine.yaml" not in ending.err
    ending = cli(*mine, "--set", "extraction.views=3")  # the file sets this key as well, and rightly
    ending.is_refusal("--set: extraction.views: .*got 3")
    assert "mine.yaml" not in ending.err
    ending = cli(*mine, "--batch-size", "many")
    ending.is_refusal("options: extraction.batch_size")
    assert "mine.yaml" not in ending.err
    (inside / "mine.yaml").write_text("extraction: {veiws: 4}\n")
    ending = cli(*mine, "--set", "images.max_pixels=1000")
    ending.is_refusal("mine.yaml: unknown key 'extraction.veiws'")
    assert "--set" not in ending.err
    cli(*mine, "--set", "images.max_pixels=0").is_refusal("--set: images.max_pixels: .*mine.yaml: unknown")


@pytest.mark.parametrize("path", ["nowhere.yaml", ".", "/dev/zero", "/dev/null/x.yaml"])
def test_configuration_that_is_not_a_file_is_refused(path, inside, cli):
    cli("extract", "--config", path).is_refusal(path)
