"""Settings of the documentation site, which ``make docs`` builds from the same pages that the repository shows."""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from sphinx.application import Sphinx

import cellfeat

ROOT = Path(__file__).parents[2]
ROOT_PAGE = "README"
GENERATED = ROOT / "docs" / "site" / "_generated"
API_INTRODUCTION = """\
Python API
==========

What ``import cellfeat`` offers. :doc:`/docs/guide/python` shows how the functions work together, and
:doc:`/CONTRIBUTING` how to add a head, a backbone, a layout or a format.
"""

project = "cellfeat"
author = "the authors of cellfeat"
root_doc = ROOT_PAGE
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
]
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**"]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "features",
    "web",
    "tests",
    "cellfeat",
    "docs/*.py",
    "docs/site/*.py",
    "docs/site/templates",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence"]
# Links to headings, as the repository's own pages make them.
myst_heading_anchors = 4
# Pages hold code to be typed, in an order of their own: a test runs it. Notebooks are run by a test too.
nb_execution_mode = "off"
nb_custom_formats = {".nb.py": ["jupytext.reads", {"fmt": "py:percent"}]}

autosummary_generate = True
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88
templates_path = [str(Path(__file__).parent / "templates")]
numpydoc_show_class_members = False
# The machine that builds the site may have no network, and a missing inventory is a warning, which is an error here.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }
    if os.environ.get("CELLFEAT_DOCS_ONLINE")
    else {}
)

html_theme = "pydata_sphinx_theme"
html_title = "cellfeat"
html_extra_path = ["static"]
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
project_copyright = "the authors of cellfeat, BSD-3-Clause"


class Section(NamedTuple):
    """A section of the guide's own index, docs/README.md: its title, its text, and the pages that it links to."""

    title: str
    text: str
    pages: list[Path]

    @property
    def page(self) -> Path:
        """The page of the section on the site, from which the sidebar shows its pages."""
        return GENERATED / f"{self.title.lower().replace(' ', '-')}.md"


def setup(app: Sphinx) -> None:
    """Write the pages that only the site needs, and give others the contents that the sidebar is made of."""
    GENERATED.mkdir(exist_ok=True)
    for section in sections():
        section.page.write_text(f"# {section.title}\n\n{section.text}\n{contents(section.pages)}", encoding="utf-8")
    (GENERATED / "api.rst").write_text(api_page(), encoding="utf-8")
    app.connect("source-read", add_contents)


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Append contents to the first page and to the indices of folders; called for each page as it is read.

    Parameters
    ----------
    page
        Its path without suffix, from the root of the repository.
    source
        One text, which is changed.
    """
    if page == ROOT_PAGE:
        index = [ROOT / "docs/README.md", *(section.page for section in sections()), GENERATED / "api.rst"]
        source[0] += contents(index)
    elif page == "docs/decisions/README":
        source[0] += contents(sorted(ROOT.glob("docs/decisions/0*.md")))


def sections() -> list[Section]:
    """Read the sections that link to pages; links are made to hold from the pages of the site."""
    index = ROOT / "docs" / "README.md"
    found = []
    for part in re.split(r"^##+ ", index.read_text(encoding="utf-8"), flags=re.M)[1:]:
        title, text = part.split("\n", 1)
        pages = [
            (index.parent / link).resolve()
            for link in re.findall(r"^\| \[.*?\]\(((?:.*?\.md|notebooks/.*?\.nb\.py))\)", text, flags=re.M)
        ]
        if pages:
            found.append(Section(title, text.replace("](", "](../../"), pages))
    return found


def contents(pages: list[Path]) -> str:
    """A hidden table of contents."""
    names = [f"/{page.relative_to(ROOT).with_suffix('')}".removesuffix(".nb") for page in pages]
    return "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""])


def api_page() -> str:
    """Functions, classes and tables of ``import cellfeat``, each with a page of its own."""
    kinds: dict[str, list[str]] = {"Functions": [], "Classes": [], "Tables": []}
    for name in cellfeat.__all__:
        thing: Any = getattr(cellfeat, name)
        kinds["Classes" if isinstance(thing, type) else "Functions" if callable(thing) else "Tables"].append(name)
    return "\n".join([API_INTRODUCTION, *(_summary(kind, names) for kind, names in kinds.items())])


def _summary(title: str, names: list[str]) -> str:
    lines = [title, "-" * len(title), "", ".. currentmodule:: cellfeat", "", ".. autosummary::", "   :toctree: api", ""]
    return "\n".join([*lines, *(f"   {name}" for name in names), ""])
