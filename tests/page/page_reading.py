"""Reads a page as the browser does: columns by their shards, and the blocks of a file."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from cellfeat.page.content import PageContent

_DTYPES = {"u8": "u1", "u16": "<u2", "u32": "<u4", "f32": "<f4"}


def column(content: PageContent, name: str) -> dict[str, Any]:
    return next(one for one in content.page["columns"] if one["name"] == name)


def values(content: PageContent, name: str) -> list[Any]:
    """The values of a column: names of categories, numbers, or texts; None where there is none."""
    one = column(content, name)
    if one["kind"] == "text":
        blocks = range(-(-content.page["nSamples"] // content.page["textBlock"]))
        return [text for block in blocks for text in json.loads(content.shards[f"{one['shard']}-{block}"]())]
    found = np.frombuffer(content.shards[one["shard"]](), _DTYPES[one["type"]])
    if one["kind"] == "number":
        return [None if np.isnan(value) else float(value) for value in found]
    missing = np.iinfo(found.dtype).max
    return [None if code == missing else one["categories"][code] for code in found]


def embedded(path: Path) -> dict[str, bytes]:
    """The shards that a page of one file holds, by name."""
    found = re.findall(r'data-shard="([^"]*)">([^<]*)</script>', path.read_text(encoding="utf-8"))
    return {name: base64.b64decode(text) for name, text in found}
