"""Docstrings with tables and absolute values become what Sphinx reads; what is code stays."""

from __future__ import annotations

from types import ModuleType

import pytest
from programs import program


@pytest.fixture(scope="module")
def docstrings() -> ModuleType:
    return program("docs/site/docstrings.py")


def translated(module: ModuleType, text: str) -> str:
    lines = text.splitlines()
    module._translate(None, "function", "f", None, None, lines)
    return "\n".join(lines)


def test_a_table_is_shown_as_it_is_written(docstrings: ModuleType) -> None:
    made = translated(docstrings, "Figures:\n| a | b |\n|---|---|\n| 1 | 2 |\nMore.")
    assert made == ("Figures:\n\n.. code-block:: text\n\n    | a | b |\n    |---|---|\n    | 1 | 2 |\n\nMore.\n")


def test_an_indented_table_at_the_end(docstrings: ModuleType) -> None:
    assert translated(docstrings, "  | a |") == "\n  .. code-block:: text\n\n      | a |\n"


def test_bars_are_escaped_outside_of_code_only(docstrings: ModuleType) -> None:
    assert translated(docstrings, "mean of |x - y| and `a | b`") == "mean of \\|x - y\\| and `a | b`\n"
    assert translated(docstrings, ">>> a | b") == ">>> a | b\n"
