"""The forms of a page: one HTML file, or a folder. Neither asks the network for anything."""

import base64
import hashlib
import html
import json
from importlib import resources
from pathlib import Path

from cellfeat.page.content import PageContent, ShardMaker
from cellfeat.page.files.kept_shards import KeptShard
from cellfeat.provenance import publish

MOST_IN_ONE_FILE = 10_000
"""Samples up to which a page is one file."""

INDEX = "index.html"
SHARDS = "shards"
STATIC = ("page.js", "page.css", "licences.txt")

# 'unsafe-eval': the WebGL library compiles its draw commands with `Function`. Inline code is forbidden: what is in the
# file is named by its digest.
_POLICY = (
    "default-src 'none'; script-src {script} 'unsafe-eval'; style-src {style}; img-src {images} data: blob:; "
    "connect-src {connect}; base-uri 'none'; form-action 'none'"
)


FOLDER_POLICY = _POLICY.format(script="'self'", style="'self'", images="'self'", connect="'self'")
"""Content-Security-Policy of a page in a folder, and of one that is served."""


def static(name: str) -> bytes:
    """Give a file of the bundle: ``page.js``, ``page.css`` or ``licences.txt``."""
    return resources.files("cellfeat.page").joinpath("static", name).read_bytes()


def write_file(content: PageContent, path: Path) -> None:
    """Write a page as one file that holds everything.

    Parameters
    ----------
    content
        The page.
    path
        The HTML file.
    """
    text = one_file(content)
    with publish(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def one_file(content: PageContent) -> str:
    """Give a page as the text of one HTML file that holds everything."""
    script, style = static("page.js").decode(), static("page.css").decode()
    policy = _POLICY.format(script=_digest(script), style=_digest(style), images="", connect="'none'")
    shards = [
        _embedded("page", _page_json(content)),
        *(_embedded(name, make()) for name, make in content.shards.items()),
    ]
    body = [*shards, f"<script>{script}</script>"]
    return _document(content, policy, f"<style>{style}</style>", body)


def write_folder(content: PageContent, folder: Path) -> None:
    """Write a page as a folder: ``index.html``, the bundle, and ``shards/``.

    Parameters
    ----------
    content
        The page.
    folder
        The folder; files of the same names are replaced.
    """
    for name in STATIC:
        _publish(folder / name, static(name))
    for name, make in all_shards(content).items():
        path = folder / SHARDS / f"{name}.js"
        if isinstance(make, KeptShard):
            make.put(path, name, shard_script)
        else:
            _publish(path, shard_script(name, make()))
    _publish(folder / INDEX, index_page(content))


def all_shards(content: PageContent) -> dict[str, ShardMaker]:
    """What makes each shard of a page in a folder: its JSON is one of them, ``page``."""
    return {"page": lambda: _page_json(content), **content.shards}


def index_page(content: PageContent) -> bytes:
    """Give the ``index.html`` of a page in a folder."""
    head = '<link rel="stylesheet" href="page.css">'
    return _document(content, FOLDER_POLICY, head, ['<script src="page.js"></script>']).encode()


def shard_script(name: str, content: bytes) -> bytes:
    """Give a shard as the script that a page in a folder loads.

    Parameters
    ----------
    name, content
        Its name and its bytes.
    """
    return f'cellfeatShard({json.dumps(name)},"{base64.b64encode(content).decode()}");\n'.encode()


def _document(content: PageContent, policy: str, head: str, body: list[str]) -> str:
    title = html.escape(str(content.page["title"]))
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        head,
        "</head>",
        "<body>",
        '<div id="page"></div>',
        *body,
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def _embedded(name: str, content: bytes) -> str:
    # A block of data, not code. base64 has no character that could end it.
    escaped = html.escape(name)
    return f'<script type="text/plain" data-shard="{escaped}">{base64.b64encode(content).decode()}</script>'


def _page_json(content: PageContent) -> bytes:
    return json.dumps(content.page, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _publish(path: Path, content: bytes) -> None:
    with publish(path) as temporary:
        temporary.write_bytes(content)
