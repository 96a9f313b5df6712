"""Lists where the pages lead out of the repository: <output>/external_links.txt. Nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LIST = "external_links.txt"
BEGINNINGS = ("http://", "https://")


def setup(app: Sphinx) -> None:
    """Collect as pages are resolved, write when all are."""
    # Address -> the pages that lead there.
    found: dict[str, set[str]] = {}

    def collect(app: Sphinx, tree: nodes.document, docname: str) -> None:
        for node in tree.findall(nodes.reference):
            address = node.get("refuri", "")
            if address.startswith(BEGINNINGS):
                pages = found.setdefault(address, set())
                pages.add(docname)

    def write(app: Sphinx, exception: Exception | None) -> None:
        text = ""
        for address in sorted(found):
            pages = ", ".join(sorted(found[address]))
            text += f"{address}  ({pages})\n"
        target = Path(app.outdir) / LIST
        target.write_text(text, encoding="utf-8")

    app.connect("doctree-resolved", collect)
    app.connect("build-finished", write)
