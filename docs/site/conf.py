"""The site made of these pages: python -m sphinx -W --keep-going -q -c docs/site . build/docs.

Sphinx reads the whole repository as its source, so README.md, docs/ and the notebooks lie where they lie on GitHub, and
a link between them is one and the same text there and here. `-W` makes a broken link or anchor an error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# A checkout need not be installed; `docstrings` and `external_links` lie beside this file.
sys.path[:0] = [str(ROOT), str(HERE)]

import docstrings  # noqa: E402
import external_links  # noqa: E402

import paddle_umsft  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "paddle_umsft"
author = "The paddle_umsft developers"
release = paddle_umsft.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# The first page is the repository's own.
root_doc = "README"
include_patterns = [
    "README.md",
    "README_CN.md",
    "CONTRIBUTING.md",
    "CONTRIBUTING_CN.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/tasks/*.md",
    "docs/site/api.rst",
]
suppress_warnings = [
    # Shell lines with a "..." and results in a code block are no Python, and need no colours.
    "misc.highlighting_failure",
]

# Headings can be linked to by the names that GitHub gives them, down to the third level.
myst_heading_anchors = 3

# Docstrings are Google's, and have single backticks where reStructuredText wants two.
default_role = "literal"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Attributes as a list under their class: as entries of their own, a field with a default would be there twice.
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# A signature says "Optional[Scene]", not where Scene is defined.
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"paddle_umsft {release}"
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Register what this site does beside Sphinx."""
    app.connect("source-read", _append_contents)
    app.connect("build-finished", _write_first_page)
    docstrings.setup(app)
    external_links.setup(app)


def _append_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append the table of contents to the first page, which on GitHub has none."""
    if docname == root_doc:
        contents = HERE / "contents.md"
        source[0] += "\n" + contents.read_text(encoding="utf-8")
        # Where the contents change, the first page is made again.
        app.env.note_dependency(str(contents))


def _write_first_page(app: Sphinx, exception: Exception | None) -> None:
    """Lead from index.html, which servers and people open, to the first page."""
    if exception is None:
        page = f'<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")
