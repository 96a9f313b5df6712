"""Turns what docstrings have of Markdown into what Sphinx reads: tables, and bars that stand for an absolute value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Before napoleon, whose sections end where a line stands further left.
BEFORE_NAPOLEON = 400
BAR = "|"
CODE = re.compile(r"(`[^`]*`)")
PROMPTS = (">>>", "...")


def setup(app: Sphinx) -> None:
    """Listen to every docstring."""
    app.connect("autodoc-process-docstring", _translate, priority=BEFORE_NAPOLEON)


def _translate(app: Sphinx, what: str, name: str, subject: Any, options: Any, lines: list[str]) -> None:
    """Translate a docstring's lines, in place."""
    translated: list[str] = []
    in_table = False
    for line in lines:
        text = line.lstrip()
        indent = line[: len(line) - len(text)]
        starts_table = text.startswith(BAR) and text.rstrip().endswith(BAR)
        if starts_table and not in_table:
            # A table is shown as it is written, in letters of one width.
            translated += ["", f"{indent}.. code-block:: text", ""]
        if starts_table:
            translated.append(f"    {line}")
        else:
            if in_table:
                translated.append("")
            translated.append(_without_bars(line))
        in_table = starts_table
    # A docstring that ends in its table ends all the same.
    lines[:] = [*translated, ""]


def _without_bars(line: str) -> str:
    """Escape bars outside of code, which would name a substitution."""
    if BAR not in line or line.lstrip().startswith(PROMPTS):
        return line
    parts = CODE.split(line)
    # Every second part is code.
    parts[::2] = [part.replace(BAR, rf"\{BAR}") for part in parts[::2]]
    return "".join(parts)
